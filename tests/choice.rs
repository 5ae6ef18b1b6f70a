//! Names that users type: they parse back, print padded, and a wrong one is told the nearest.

use serde_json::json;
use stcn::models::HeadKind;
use stcn::models::stcn::Draws;

#[test]
fn every_name_parses_back_and_goes_through_serde() {
    for &head in HeadKind::ALL {
        assert_eq!(HeadKind::parse(head.name()).unwrap(), head);
        assert_eq!(json!(head), json!(head.name()));
        assert_eq!(serde_json::from_value::<HeadKind>(json!(head.name())).unwrap(), head);
    }
}

#[test]
fn a_wrong_name_is_told_the_nearest_and_all_others() {
    let message = HeadKind::parse("gm").unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown head `gm`: did you mean `gmm` (of normal, gmm, bigmm, bernoulli, ar)?"
    );
    let message = HeadKind::parse("foo").unwrap_err().to_string();
    assert_eq!(message, "unknown head `foo`: want one of normal, gmm, bigmm, bernoulli, ar");
    let message = serde_json::from_value::<Draws>(json!("frehs")).unwrap_err().to_string();
    assert!(message.contains("did you mean `fresh`"), "{message}");
}

#[test]
fn names_are_padded_like_text() {
    assert_eq!(format!("[{:>6}]", HeadKind::Gmm), "[   gmm]");
}
