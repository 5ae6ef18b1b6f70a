use super::of_model;
use serde_json::{Value, json};
use stcn::inspect::Pass;
use stcn::models::{self, HeadKind};
use stcn::nn::{Init, Linear};
use stcn::ops::*;
use stcn::tape::{Keep, Rule, Tape, Var};
use stcn::{Noise, Real, Tensor, zip};

fn number(pass: &Pass, node: &str, element: &str) -> Value {
    json!(pass.element(&pass.find(node).unwrap(), element, 3).unwrap())
}

/// The middle element of a shape, counted from 1.
fn middle(shape: &[usize]) -> String {
    let index: Vec<String> = shape.iter().map(|axis| (axis / 2 + 1).to_string()).collect();
    index.join(",")
}

#[test]
fn the_multiplications_sum_to_the_number_of_the_tape_at_every_fifth_node_of_every_model() {
    let mut written_out = std::collections::BTreeMap::<&str, (usize, usize)>::new();
    let count = std::cell::RefCell::new(&mut written_out);
    for kind in models::ALL {
        of_model(kind, HeadKind::Bigmm, |tape, pass| {
            // Every fifth node: each kind of op comes often.
            for var in tape.vars().step_by(5) {
                let (id, shape) = (var.id().index(), var.value().shape().to_vec());
                let Ok(found) =
                    pass.element(&pass.find(&id.to_string()).unwrap(), &middle(&shape), 1)
                else {
                    continue; // no gradient
                };
                let found = json!(found);
                for level in found["levels"].as_array().unwrap() {
                    let figure = |key: &str| level[key].as_f64().unwrap();
                    // The tape adds up the same products in f32 in another order: each of n sums and the
                    // factors of each product are rounded once.
                    let n = figure("count") + 8. + level["whole"].as_array().unwrap().len() as f64;
                    let most = 4. * n * f64::from(Real::EPSILON) * figure("size");
                    assert!(figure("miss").abs() <= most, "{kind} {id}: {level}");
                    let mut count = count.borrow_mut();
                    for whole in level["whole"].as_array().unwrap() {
                        let op = models_op(whole["op"].as_str().unwrap());
                        count.entry(op).or_default().1 += 1;
                    }
                    for product in level["products"].as_array().unwrap() {
                        let op = models_op(product["op"].as_str().unwrap());
                        count.entry(op).or_default().0 += 1;
                    }
                }
                let last = found["levels"].as_array().unwrap().last().unwrap();
                let ends = last["gradient"] == 1. || last["whole"] != json!([]);
                assert!(ends || last["gradient"] == 0., "{kind} {id}: ends at the loss: {last}");
            }
        });
    }
    // Only layers that run over all steps at once have no form in single multiplications.
    let whole: Vec<&str> =
        written_out.iter().filter(|(_, count)| count.1 > 0).map(|(op, _)| *op).collect();
    assert_eq!(whole, ["gru", "lstm"], "{written_out:?}");
    for op in ["linear", "gated_conv", "add", "mul", "rsample", "lstm_cell"] {
        let products = written_out.get(op).map_or(0, |count| count.0);
        assert!(products > 0, "{op}: {written_out:?}");
    }
}

#[test]
fn every_element_that_convolutions_and_cells_read_is_written_out() {
    let tape = Tape::new();
    let input = |name: &str, shape: &[usize]| {
        let mut x = Tensor::zeros(shape);
        Noise::new(7, "inputs").normals(name, 0, 0, x.data_mut());
        tape.input(x, name)
    };
    let x = input("v", &[2, 5, 3]);
    let [w, wf, wg] = ["w", "wf", "wg"].map(|name| input(name, &[2, 3, 4]));
    let [b, bf, bg] = ["b", "bf", "bg"].map(|name| input(name, &[4]));
    let conv = causal_conv1d(x, w, b, 2);
    let gated = gated_conv(x, (wf, bf), (wg, bg), 3);
    let [gates, sums] = ["gates", "sums"].map(|name| input(name, &[2, 1, 6]));
    let [h, c] = ["h", "c"].map(|name| input(name, &[2, 1, 2]));
    let lstm = input("lstm", &[2, 1, 8]);
    let cells = sum(square(gru_cell(gates, sums, h))) + sum(square(lstm_cell(lstm, c)));
    let loss = (sum(square(conv)) + sum(square(gated)) + cells).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    for leaf in [x, w, b, wf, bf, wg, bg, gates, sums, h, lstm, c] {
        let target = pass.find(&leaf.id().index().to_string()).unwrap();
        for e in 0..leaf.value().len() {
            let (mut flat, mut index) = (e, vec![]);
            for axis in leaf.value().shape().iter().rev() {
                index.insert(0, (flat % axis + 1).to_string());
                flat /= axis;
            }
            let found = json!(pass.element(&target, &index.join(","), 1).unwrap());
            let level = &found["levels"][0];
            let figure = |key: &str| level[key].as_f64().unwrap();
            assert_eq!(level["whole"], json!([]), "{leaf} {index:?}");
            let most = 4. * (figure("count") + 8.) * f64::from(Real::EPSILON) * figure("size");
            assert!(figure("miss").abs() <= most, "{leaf} {index:?}: {level}");
        }
    }
}

/// Names of ops live as long as the program.
fn models_op(op: &str) -> &'static str {
    Box::leak(op.to_string().into_boxed_str())
}

#[test]
fn a_weight_is_written_out_with_the_figures_of_its_products() {
    let layer = Init::new(1).scope("layer", |init| Linear::new(init, 2, 1));
    let tape = Tape::new();
    let x = tape.constant(Tensor::new(&[1, 3, 2], vec![1., 2., 3., 4., 5., 6.])).named("x");
    let scale = tape.constant(Tensor::new(&[1, 3, 1], vec![10., -1., 0.5]));
    let loss = sum((layer.forward(x).named("h") * scale).named("y")).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    // ∂L/∂W[2, 1] = 10·2 − 1·4 + ½·6
    let found = number(&pass, "layer.weight", "2,1");
    let level = &found["levels"][0];
    assert_eq!(
        (&level["gradient"], &level["count"], &level["miss"]),
        (&json!(19.), &json!(3), &json!(0.))
    );
    let products: Vec<f64> =
        (0..3).map(|i| level["products"][i]["product"].as_f64().unwrap()).collect();
    assert_eq!(products, [20., -4., 3.]);
    let text = pass.element(&pass.find("layer.weight").unwrap(), "2,1", 2).unwrap().to_string();
    for part in [
        "Its gradient is 19: if it grew by a little ε, the loss would grow by 19 ε.",
        "19 = the sum of 3 multiplications, the largest first:",
        "         20 = 10 at h[1, 1, 1] · 2 (x[1, 1, 2])   (linear, node",
        "They sum to the tape's number, to the last digit.",
        "On from the first: the gradient at h[1, 1, 1]",
        "10 = one multiplication:",
        "Written out to --depth 2. From here on to the loss, each gradient with the largest of its products alone\n\
         (--depth 3 writes out one sum more, --depth 4 all of them)",
        "at loss[1]",
    ] {
        assert!(text.contains(part), "want {part:?} in:\n{text}");
    }
}

#[test]
fn pointwise_rules_say_their_factor_in_figures() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[2], vec![0.5, -1.]), "v");
    let parts = [tanh(x), sigmoid(x), square(x), exp(x), affine(x, 3., 1.), relu(x), x * x];
    let loss = parts.iter().fold(sum(x), |loss, &y| loss + sum(y)).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let text = pass.element(&pass.find("v").unwrap(), "1", 1).unwrap().to_string();
    for part in
        ["· 0.7864 (1 − y² = 1 − (0.4621)²)", "· 1 (2 x = 2 · (0.5))", "· 3 (k)", "3 others"]
    {
        assert!(text.contains(part), "want {part:?} in:\n{text}");
    }
    // All eight readers, x·x twice.
    assert_eq!(number(&pass, "v", "1")["levels"][0]["count"], 9);
    // Where the rectifier is closed it passes nothing.
    assert_eq!(number(&pass, "v", "2")["levels"][0]["count"], 8);
}

/// Every element of y from every element of x, with slopes that differ: no form fits.
fn smear(x: Var) -> Var {
    static SMEAR: Rule = Rule {
        name: "smear",
        forward: "y_i = Σ_j s_ij x_j",
        vjp: "x̄_j = Σ_i s_ij ȳ_i",
        products: &[],
    };
    let n = x.value().len();
    let slope = |i: usize, j: usize| (1 + i + 2 * j) as Real;
    let values = x.value();
    let value = |i: usize| (0..n).map(|j| slope(i, j) * values.data()[j]).fold(0., |a, b| a + b);
    let y = Tensor::new(&[n, 1], (0..n).map(value).collect());
    x.tape().record(&SMEAR, [x], y, move |gy, [gx]| {
        gx.add(|| {
            let at = |j: usize| (0..n).map(|i| slope(i, j) * gy.data()[i]).fold(0., |a, b| a + b);
            Tensor::new(&[n, 1], (0..n).map(at).collect())
        })
    })
}

#[test]
fn a_rule_without_a_written_out_form_stands_as_one_number() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[3, 1], vec![0.5, -1., 2.]), "v");
    let weights = tape.constant(Tensor::new(&[3, 1], vec![1., -2., 4.]));
    let loss = sum(smear(x) * weights).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let found = number(&pass, "v", "2,1");
    let level = &found["levels"][0];
    assert_eq!(
        (&level["count"], &level["whole"][0]["op"], &level["miss"]),
        (&json!(0), &json!("smear"), &json!(0.))
    );
    let text = pass.element(&pass.find("v").unwrap(), "2,1", 1).unwrap().to_string();
    assert!(text.contains("whose rule is not written out here: x̄_j = Σ_i s_ij ȳ_i"), "{text}");
}

/// An op that bears the name of a layer and computes something else.
#[test]
fn a_form_that_does_not_give_the_term_is_not_shown() {
    static FALSE_LINEAR: Rule =
        Rule { name: "linear", forward: "y = 2 x", vjp: "x̄ = 2 ȳ", products: &[] };
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[1, 1, 2], vec![0.5, -1.]), "v");
    let w = tape.input(Tensor::new(&[2, 2], vec![7.; 4]), "w");
    let b = tape.input(Tensor::zeros(&[2]), "b");
    let y = tape.record(&FALSE_LINEAR, [x, w, b], x.value().map(|x| 2. * x), |gy, [gx, _, _]| {
        gx.add(|| zip([&gy], |[gy]| 2. * gy));
    });
    let grads = tape.backward(sum(y).named("loss"), Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let pass = Pass::new(&tape, &grads, &layer, &[]);
    let level = &number(&pass, "v", "1,1,2")["levels"][0];
    assert_eq!((&level["gradient"], &level["count"]), (&json!(2.), &json!(1)), "{level}");
    assert_eq!(level["products"][0]["factors"][0]["what"], "∂y/∂x");
}

#[test]
fn an_element_is_named_from_one_on_the_first_sequence_is_understood_and_steps_are_found() {
    of_model(models::VRNN, HeadKind::Gmm, |_, pass| {
        assert_eq!(number(pass, "head.mean", "2,1"), number(pass, "head.mean", "1,2,1"));
        let whole = pass.find("z.1").unwrap();
        let of_step = json!(pass.element(&whole, "2,3,1", 1).unwrap());
        assert_eq!(of_step["levels"][0]["element"], json!([2, 1, 1]));
        let name = of_step["levels"][0]["name"].as_str().unwrap();
        assert!(name.ends_with("[2, 1, 1] at step 3"), "{name}");
        for bad in ["0,1", "7,1", "2,1,9", "1", "x", "", "1,1,1,1", "2,,1", "-1,2"] {
            let said =
                pass.element(&pass.find("head.bits").unwrap(), bad, 1).unwrap_err().to_string();
            let wanted = format!(
                "--element {bad}: head.bits has shape (2, 6, 1) (sequence, step, channel), counted from 1, so its \
                 last element is 2,6,1"
            );
            assert_eq!(said, wanted);
        }
        let said = pass.element(&pass.find("x").unwrap(), "1,1,1", 1).unwrap_err().to_string();
        assert!(said.contains("x has no gradient: `stcn explain RUN 0` says why"), "{said}");
        let said = pass.element(&pass.find("head.pen.weight").unwrap(), "1", 1).unwrap_err();
        assert!(said.to_string().contains("--element 1: head.pen.weight has shape ("), "{said}");
    });
}
