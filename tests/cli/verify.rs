use crate::common::Lab;

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
