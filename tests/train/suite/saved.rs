use super::saved;
use serde_json::json;
use stcn::internals::suite::saved::Saved;

#[test]
fn the_bounds_of_an_evaluation_are_those_that_hold() {
    let weighted = [("iwae_k", json!(16)), ("iwae_seq", json!(5.)), ("iwae_step", json!(0.5))];
    let names = |bound: &str| {
        let own = [&weighted[..], &[("bound", json!(bound))]].concat();
        let saved = saved(&own);
        let names: Vec<String> = saved.bounds().iter().map(|held| held.name.clone()).collect();
        (names.join(" "), saved.holds())
    };
    assert_eq!(names("lower"), ("ELBO IWAE-16".into(), true));
    assert_eq!(names("exact"), ("log-likelihood IWAE-16".into(), true));
    // The objective that counts a latent once that is drawn twice: of it the bound with weights alone holds.
    assert_eq!(names("objective"), ("IWAE-16".into(), false));
    // Of probabilities that sum to more than 1, nothing does.
    assert_eq!(names("floored"), (String::new(), false));
}

#[test]
fn a_file_that_is_no_evaluation_is_refused_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let path = Saved::path(dir.path(), "test");
    assert_eq!(path.file_name().unwrap(), "evaluation-test.json");
    assert_eq!(Saved::read(&path).unwrap(), None);
    Saved::write(&path, &json!({ "bound": "lower" })).unwrap();
    let said = Saved::read(&path).unwrap_err().to_string();
    assert!(
        said.contains("is no evaluation") && said.contains("stcn evaluate RUN --save"),
        "{said}"
    );
}
