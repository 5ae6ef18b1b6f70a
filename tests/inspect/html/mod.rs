mod history;

use serde_json::{Value, json};
use stcn::inspect::{More, html as page};
use stcn::nn::{Init, Linear, Module};
use stcn::ops::{sum, tanh};
use stcn::tape::{Grads, Keep, Tape, Var};
use stcn::{Real, Tensor};
use std::collections::BTreeMap;

/// loss = Σ tanh(x W + b) + Σ h with h = x W + b, x: (1, rows, columns), and the page of it.
fn of(rows: usize, columns: usize, check: impl Fn(&Tape, &Grads, Value, Vec<f32>)) {
    let layer = Linear::new(&mut Init::new(1), columns, 3);
    let tape = Tape::new();
    let data = (0..rows * columns).map(|i| (i % 7) as Real - 3.).collect();
    let x = tape.constant(Tensor::new(&[1, rows, columns], data)).named("x");
    let h: Var = layer.forward(x).named("h</script>");
    let loss = (sum(tanh(h)) + sum(h)).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let about = json!({"model": "nobody", "lengths": [rows], "draws": 1});
    let text =
        page(&tape, &grads, &layer as &dyn Module, &[("h", "Eq. 1")], &about, &More::default());
    let (pass, numbers) = blocks(&text);
    check(&tape, &grads, pass, numbers);
}

/// The two blocks of data of a page.
fn blocks(page: &str) -> (Value, Vec<f32>) {
    let block = |id: &str| {
        let (_, rest) = page.split_once(&format!("<script id=\"{id}\"")).unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        rest.split_once("</script>").unwrap().0.to_string()
    };
    let bytes = base64(&block("numbers"));
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    (serde_json::from_str(&block("pass")).unwrap(), bytes.chunks_exact(4).map(number).collect())
}

/// RFC 4648, written anew.
fn base64(text: &str) -> Vec<u8> {
    let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']);
    let digits: BTreeMap<char, u32> = alphabet.zip(0..).collect();
    let mut bytes = vec![];
    let (mut bits, mut count) = (0u32, 0);
    for c in text.chars().filter(|c| *c != '=') {
        (bits, count) = (bits << 6 | digits[&c], count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn a_page_holds_every_node_with_its_value_and_gradient_to_the_bit() {
    of(4, 2, |tape, grads, pass, numbers| {
        assert_eq!(pass["nodes"].as_array().unwrap().len(), tape.len());
        let tensor = |index: &Value| {
            let says = &pass["tensors"][index.as_u64().unwrap() as usize];
            assert!(says["block"].is_null());
            let shape: Vec<usize> = serde_json::from_value(says["shape"].clone()).unwrap();
            let (start, len) =
                (says["offset"].as_u64().unwrap() as usize, shape.iter().product::<usize>());
            (shape, numbers[start..start + len].to_vec())
        };
        let same = |index: &Value, x: &Tensor| {
            let numbers: Vec<f32> = x.data().iter().map(|&x| x as f32).collect();
            assert_eq!(tensor(index), (x.shape().to_vec(), numbers));
        };
        for (node, var) in pass["nodes"].as_array().unwrap().iter().zip(tape.vars()) {
            same(&node["value"], &var.value());
            assert_eq!(node["grad"].is_null(), grads.wrt(var).is_none());
            grads.wrt(var).into_iter().for_each(|grad| same(&node["grad"], grad));
        }
        assert_eq!(pass["about"]["aggregated"], 0);
        assert_eq!(pass["equations"]["h"], "Eq. 1");
    });
}

#[test]
fn the_terms_of_every_node_add_up_to_its_gradient() {
    of(4, 2, |tape, _, pass, _| {
        let h = tape.find("h</script>").unwrap().id().index();
        let terms = pass["terms"].as_array().unwrap();
        let of_h: Vec<&Value> = terms.iter().filter(|term| term[1] == h).collect();
        assert_eq!(of_h.len(), 2, "tanh and the sum");
        let share: f64 = of_h.iter().map(|term| term[4].as_f64().unwrap()).sum();
        assert!((share - 1.).abs() < 1e-6, "{share}");
        for node in
            pass["nodes"].as_array().unwrap().iter().filter(|node| !node["sum_error"].is_null())
        {
            assert!(node["sum_error"].as_f64().unwrap() < 1e-6, "{node}");
        }
        let line = pass["nodes"][h]["source"].as_str().unwrap();
        assert!(line.starts_with("tests/inspect/html/mod.rs:"), "{line}: who called the layer");
    });
}

#[test]
fn a_tensor_too_large_for_the_page_stands_in_it_as_means_over_blocks() {
    of(3000, 400, |tape, _, pass, numbers| {
        // x has 1,200,000 numbers; more than a page may hold.
        let x = &pass["nodes"][tape.find("x").unwrap().id().index()];
        let says = &pass["tensors"][x["value"].as_u64().unwrap() as usize];
        assert_eq!(says["block"], json!([188, 13]));
        assert_eq!(pass["about"]["aggregated"], 1);
        let mean = |rows: usize, columns: usize| {
            let cells = (0..rows).flat_map(|r| (0..columns).map(move |c| (400 * r + c) % 7));
            cells.map(|i| i as f64 - 3.).sum::<f64>() / (rows * columns) as f64
        };
        let first = numbers[says["offset"].as_u64().unwrap() as usize];
        assert!((f64::from(first) - mean(188, 13)).abs() < 1e-7);
        assert!(numbers.len() < 800_000);
    });
}

#[test]
fn ops_of_one_kind_and_shape_share_a_description_and_its_formula() {
    let tape = Tape::new();
    let [a, b] = ["a", "b"].map(|name| tape.input(Tensor::new(&[1, 2], vec![0.5, -1.]), name));
    let loss = (sum(tanh(a)) + sum(tanh(b))).named("loss");
    let grads = tape.backward(loss, Keep::All);
    let layer = Linear::new(&mut Init::new(1), 1, 1);
    let about = json!({"model": "nobody", "lengths": [1], "draws": 1});
    let text = page(&tape, &grads, &layer as &dyn Module, &[], &about, &More::default());
    let (pass, _) = blocks(&text);
    let of = |op: &str| -> Vec<Value> {
        let all = pass["nodes"].as_array().unwrap().iter();
        let name =
            |node: &Value| pass["rules"][node["rule"].as_u64().unwrap() as usize]["name"].clone();
        all.filter(|node| name(node) == op).map(|node| node["jacobian"].clone()).collect()
    };
    assert_eq!(of("tanh"), vec![of("tanh")[0].clone(); 2]);
    assert_ne!(of("tanh")[0], of("sum")[0]);
    assert_eq!(of("leaf"), [Value::Null, Value::Null]);
    assert_eq!(text.matches("of: (y) => { return 1. - y * y; }").count(), 1);
}
