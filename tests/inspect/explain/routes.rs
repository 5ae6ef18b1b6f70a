use super::of_model;
use serde_json::{Value, json};
use stcn::Tensor;
use stcn::inspect::Pass;
use stcn::models::{self, HeadKind};
use stcn::nn::{Init, Linear};
use stcn::ops::{affine, sum, tanh};
use stcn::tape::{Keep, Tape};

fn routes(pass: &Pass, from: &str, to: &str) -> Value {
    json!(pass.routes(&pass.find(from).unwrap(), &pass.find(to).unwrap()).unwrap())
}

fn shares(routes: &Value) -> Vec<f64> {
    let all = routes["routes"].as_array().unwrap();
    all.iter().map(|route| route["share"].as_f64().unwrap()).collect()
}

#[test]
fn the_shares_of_all_routes_of_every_model_sum_to_one_and_the_largest_come_first() {
    for kind in models::ALL {
        of_model(kind, HeadKind::Gmm, |_, pass| {
            let to = match kind.name() {
                name if name.starts_with("stcn") => "tcn.1.filter.weight",
                _ => "head.mean.weight",
            };
            for to in [to, "head.pen.weight", "log_px"] {
                let found = routes(pass, "loss", to);
                let shares = shares(&found);
                let total = found["share"].as_f64().unwrap();
                // A share is rounded when its terms are, at each of some hundred ops.
                assert!((total - 1.).abs() < 1e-4, "{kind} {to}: {total}");
                let told = shares.iter().fold(0., |sum, share| sum + share);
                let others = found["others"]["share"].as_f64().unwrap();
                // The same products, added up along routes and node by node, in f64.
                assert!((told + others - total).abs() < 1e-9, "{kind} {to}: {told} + {others}");
                assert_eq!(found["others"]["all"], true, "{kind} {to}");
                if found["others"]["count"] == 0 {
                    assert!(others.abs() < 1e-6, "{kind} {to}: nothing is left, {others}");
                }
                assert!(shares.windows(2).all(|pair| pair[0].abs() >= pair[1].abs()), "{shares:?}");
                let first = &found["routes"][0]["places"];
                assert_eq!(
                    (&first[0], first.as_array().unwrap().last()),
                    (&json!("loss"), Some(&json!(to)))
                );
            }
        });
    }
}

#[test]
fn the_routes_of_stcn_lead_over_its_latents() {
    of_model(models::STCN_DENSE, HeadKind::Gmm, |_, pass| {
        let found = routes(pass, "loss", "z.2");
        let places: Vec<Vec<String>> = (0..shares(&found).len())
            .map(|i| serde_json::from_value(found["routes"][i]["places"].clone()).unwrap())
            .collect();
        let has = |route: &[&str]| places.iter().any(|places| places == route);
        assert!(has(&["loss", "log_px", "head", "output", "z.2"]), "{places:?}");
        assert!(has(&["loss", "kl.1", "infer.1", "z.2"]), "{places:?}");
        let text = pass.routes(&pass.find("loss").unwrap(), &pass.find("z.2").unwrap()).unwrap();
        let text = text.to_string();
        assert!(text.contains("comes from loss by these routes:\n"), "{text}");
        assert!(text.contains("loss → log_px → head → output → z.2\n"), "{text}");
    });
}

/// Two ways from x to the loss: 3 of the gradient by `a`, −2 by `b`, whatever x is.
#[test]
fn shares_have_signs_and_are_products_along_the_way() {
    let tape = Tape::new();
    let x = tape.input(Tensor::scalar(0.5), "x");
    let a = affine(x, 3., 0.).named("a");
    let b = affine(x, -2., 0.).named("b");
    let (twice, c) = (affine(a, 0.5, 0.).named("c"), affine(a, 0.5, 0.).named("e"));
    let loss = (twice + c + b).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let found = routes(&pass, "loss", "x");
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}: {found}");
    let wanted: [(f64, &[&str]); 3] = [
        (-2., &["loss", "b", "x"]),
        (1.5, &["loss", "c", "a", "x"]),
        (1.5, &["loss", "e", "a", "x"]),
    ];
    for (route, (share, places)) in found["routes"].as_array().unwrap().iter().zip(wanted) {
        close(route["share"].as_f64().unwrap(), share);
        assert_eq!(route["places"], json!(places));
    }
    close(found["share"].as_f64().unwrap(), 1.);
    // Through one node only its part comes.
    let through = routes(&pass, "a", "x");
    close(through["share"].as_f64().unwrap(), 3.);
    assert_eq!(through["routes"][0]["places"], json!(["a", "x"]));
}

/// Each of 60 blocks has two ways through it: 2⁶⁰ paths, one route.
#[test]
fn a_deep_residual_stack_is_one_route() {
    let mut init = Init::new(1);
    let layers = init.list("tcn", 60, |init, _| Linear::new(init, 2, 2));
    let tape = Tape::new();
    let mut h = tape.input(Tensor::new(&[1, 2], vec![0.3, -0.2]), "start");
    for layer in &layers {
        h = layer.forward_residual(tanh(h), h);
    }
    let loss = sum(h).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let pass = Pass::new(&tape, &grads, &layers, &[]);
    let found = routes(&pass, "loss", "start");
    assert_eq!(found["routes"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["routes"][0]["places"], json!(["loss", "tcn", "start"]));
    assert!((found["share"].as_f64().unwrap() - 1.).abs() < 1e-4);
}

#[test]
fn what_has_no_gradient_or_comes_later_is_refused() {
    of_model(models::STCN_DENSE, HeadKind::Gmm, |_, pass| {
        let refused = |from: &str, to: &str| {
            let [from, to] = [from, to].map(|node| pass.find(node).unwrap());
            pass.routes(&from, &to).unwrap_err().to_string()
        };
        let said = refused("loss", "x");
        assert!(said.contains("x has no gradient, so no route"), "{said}");
        let said = refused("z.2", "z.1");
        assert!(said.contains("no gradient comes from z.2 to z.1"), "{said}");
        let said = refused("loss", "loss");
        assert!(said.contains("no gradient comes from loss to loss"), "{said}");
    });
}
