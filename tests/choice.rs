//! Names that users type: they parse back, print padded, and a wrong one is told the nearest.

use serde_json::json;
use stcn::models::ModelKind;
use stcn::models::config::{Draws, HeadKind};

#[test]
fn every_name_parses_back_and_goes_through_serde() {
    for &kind in ModelKind::ALL {
        assert_eq!(ModelKind::parse(kind.name()).unwrap(), kind);
        assert_eq!(json!(kind), json!(kind.name()));
        assert_eq!(serde_json::from_value::<ModelKind>(json!(kind.name())).unwrap(), kind);
    }
}

#[test]
fn a_wrong_name_is_told_the_nearest_and_all_others() {
    let message = HeadKind::parse("gm").unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown head `gm`: did you mean `gmm` (of normal, gmm, bigmm, bernoulli)?"
    );
    let message = serde_json::from_value::<Draws>(json!("frehs")).unwrap_err().to_string();
    assert!(message.contains("did you mean `fresh`"), "{message}");
}

#[test]
fn names_are_padded_like_text() {
    assert_eq!(format!("[{:>6}]", HeadKind::Gmm), "[   gmm]");
}
