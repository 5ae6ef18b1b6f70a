use crate::common::{Lab, says};

#[test]
fn this_machine_computes_the_known_bits() {
    let lab = Lab::new();
    let said = lab.ok("verify");
    assert!(said.starts_with("The same bits: 3 models, 20 updates each, on 1 and "), "{said}");
    assert_eq!(said.lines().count(), 4);
    let lines = lab.json("verify");
    assert_eq!(lines.len(), 6);
    assert!(
        lines.iter().all(|line| line["equal"] == true && line["sha256"] == line["known"]),
        "{lines:?}"
    );
}

#[test]
fn the_bounds_hold_on_models_that_are_known_exactly() {
    let lab = Lab::new();
    let said = lab.ok("verify --bounds");
    says(&said, &["ln p(x) = -5.7214", "2.5850 bits a throw", "equal to ln p(x)"]);
    assert!(!said.contains(": NO"), "{said}");
    let lines = lab.json("verify --bounds");
    assert_eq!(lines.len(), said.lines().count() - 3);
    assert!(lines.iter().all(|line| line["holds"] == true), "{lines:?}");
}
