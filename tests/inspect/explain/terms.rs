use super::{explained, pass, said, says};
use serde_json::{Value, json};
use stcn::inspect::Pass;
use stcn::nn::{Init, Linear};
use stcn::ops::square;
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

#[test]
fn the_terms_stand_in_the_order_of_their_size_and_their_shares_sum_to_one() {
    pass(|_, _, pass| {
        let found = explained(pass, "h", 1);
        let terms = found["terms"].as_array().unwrap();
        let ops: Vec<&str> = terms.iter().map(|term| term["op"].as_str().unwrap()).collect();
        assert_eq!(ops.len(), 3, "{ops:?}");
        let share = |term: &Value| term["share"].as_f64().unwrap();
        assert!(terms.windows(2).all(|pair| share(&pair[0]).abs() >= share(&pair[1]).abs()));
        let total = terms.iter().fold(0., |sum, term| sum + share(term));
        // Each gradient is rounded a few times.
        assert!((total - 1.).abs() < 32. * f64::from(Real::EPSILON), "{total}");
        assert!(found["terms_miss"].as_f64().unwrap() < 32. * f64::from(Real::EPSILON));
        // By hand: the term of h² is 2h.
        let square = terms.iter().find(|term| term["op"] == "square").unwrap();
        let h = found["value"]["rms"].as_f64().unwrap();
        assert!((square["norm"].as_f64().unwrap() - 2. * h * 2f64.sqrt()).abs() < 1e-5);
        let text = said(pass, "h");
        says(&text, &["It is the sum of 3 terms", "→ ", "█", "Check: the terms sum to"]);
    });
}

#[test]
fn depth_follows_the_gradient_from_op_to_op() {
    pass(|_, _, pass| {
        let found = explained(pass, "layer.1.weight", 3);
        let linear = &found["terms"][0];
        assert_eq!((linear["op"].as_str(), linear["name"].as_str()), (Some("linear"), Some("h")));
        let next = &linear["terms"];
        assert_eq!(next, &explained(pass, "h", 2)["terms"], "as explained by itself");
        assert_eq!(next.as_array().unwrap().len(), 3);
        assert!(next[0]["terms"].as_array().is_some_and(|terms| terms.len() == 1), "{next}");
        let text = pass.explain(&pass.find("layer.1.weight").unwrap(), 2).to_string();
        says(&text, &["→ h ", "\n  → ", "An indented row"]);
    });
}

#[test]
fn a_gradient_that_is_zero_has_terms_without_a_share() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(0.), "v");
    let grads = tape.backward(square(x).named("loss"), Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let found = explained(&pass, "v", 1);
    assert_eq!((&found["terms"][0]["share"], &found["terms_miss"]), (&json!(0.), &json!(0.)));
    says(&said(&pass, "v"), &["Gradient: 0 throughout"]);
}
