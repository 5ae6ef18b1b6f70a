//! A pass laid open: tables, the chain rule at a node, and a dump that adds up.

use super::{tiny, trained};
use crate::common::{Lab, says};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;

/// Shape and numbers by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Every tensor, and the metadata key `stcn`.
fn dump(lab: &Lab, name: &str) -> (Tensors, Value) {
    let bytes = lab.read(name);
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = metadata.metadata().clone().unwrap();
    assert_eq!(metadata.len(), 1);
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let tensor = |view: safetensors::tensor::TensorView| {
        (view.shape().to_vec(), view.data().chunks_exact(4).map(number).collect())
    };
    let tensors = tensors.tensors().into_iter().map(|(name, view)| (name, tensor(view)));
    (tensors.collect(), serde_json::from_str(&metadata["stcn"]).unwrap())
}

#[test]
fn the_table_has_every_named_node() {
    let lab = trained();
    let table = lab.ok("inspect run --table");
    says(&table, &["node", "op", "label", "shape", "inputs", "rms value", "rms gradient"]);
    let labels: Vec<&str> = table.split_whitespace().collect();
    for label in [
        "x",
        "d.1",
        "d.2",
        "z.1",
        "z.2",
        "kl.1",
        "kl.2",
        "noise.z.1",
        "log_px",
        "loss",
        "p.1.mean",
        "q.2.std",
        "head.logits",
    ] {
        assert!(labels.contains(&label), "{label} in\n{table}");
    }
    assert_eq!(lab.ok("inspect run"), table, "the table is the default");
    assert_eq!(lab.ok("inspect run --threads 3"), table);
    assert_ne!(lab.ok("inspect run --batch 1 --steps 5"), table);
}

#[test]
fn the_dump_has_all_that_recomputes_the_pass_and_its_numbers_add_up() {
    let lab = trained();
    lab.ok("export run --out weights.safetensors");
    let (weights, _) = dump(&lab, "weights.safetensors");
    assert_eq!(
        lab.ok("inspect run --batch 3 --steps 14 --dump pass.safetensors"),
        "pass.safetensors\n"
    );
    let (tensors, about) = dump(&lab, "pass.safetensors");

    let shape = |name: &str| tensors[name].0.as_slice();
    assert_eq!((shape("input.x"), shape("input.mask")), (&[3, 14, 3][..], &[3, 14][..]));
    assert_eq!((shape("noise.z.1"), shape("noise.z.2")), (&[3, 14, 2][..], &[3, 14, 1][..]));
    for label in ["x", "d.1", "d.2", "z.1", "z.2", "kl.1", "kl.2", "log_px", "loss"] {
        assert!(tensors.contains_key(&format!("value.{label}")), "{label}");
    }
    let kept = ["input.", "noise.", "param.", "grad.", "value."];
    assert!(tensors.keys().all(|name| kept.iter().any(|kind| name.starts_with(kind))));
    let params: BTreeMap<_, _> = tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("param.")?, tensor)))
        .collect();
    assert_eq!(params, weights.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect());
    for (name, (shape, _)) in &weights {
        assert_eq!(&tensors[&format!("grad.{name}")].0, shape, "{name}");
    }

    // loss = −(Σ m ln p − w Σ m KL) / Σ m, this preset's reduction.
    let mask = &tensors["input.mask"].1;
    let masked = |name: &str| -> f64 {
        let pairs = tensors[name].1.iter().zip(mask);
        pairs.map(|(x, m)| f64::from(*x) * f64::from(*m)).sum()
    };
    let close = |a: f64, b: &Value| {
        let b = b.as_f64().unwrap();
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.), "{a} and {b}");
    };
    close(masked("value.log_px"), &about["log_px_sum"]);
    close(masked("value.kl.1"), &about["kl_sum"][0]);
    close(masked("value.kl.2"), &about["kl_sum"][1]);
    let weight = about["kl_weight"].as_f64().unwrap();
    let kl = masked("value.kl.1") + masked("value.kl.2");
    let steps: f64 = mask.iter().map(|&m| f64::from(m)).sum();
    close((weight * kl - masked("value.log_px")) / steps, &about["loss"]);
    close(f64::from(tensors["value.loss"].1[0]), &about["loss"]);
    for l in ["1", "2"] {
        // z = μ + σ ε, and the KL of q and p, to the digits of f32.
        let value = |name: &str| &tensors[&format!("value.{name}")].1;
        let [m, s, pm, ps] =
            ["q.#.mean", "q.#.std", "p.#.mean", "p.#.std"].map(|name| value(&name.replace('#', l)));
        let (z, noise) = (value(&format!("z.{l}")), &tensors[&format!("noise.z.{l}")].1);
        let mut kl = [0.; 3 * 14];
        let channels = z.len() / kl.len();
        for i in 0..z.len() {
            assert!((m[i] + s[i] * noise[i] - z[i]).abs() < 1e-5, "z.{l} {i}");
            let spread = (s[i].powi(2) + (m[i] - pm[i]).powi(2)) / (2. * ps[i].powi(2));
            kl[i / channels] += (ps[i] / s[i]).ln() + spread - 0.5;
        }
        let pairs = kl.iter().zip(value(&format!("kl.{l}")));
        pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "kl.{l}: {a} and {b}"));
    }
    for part in ["logits", "mean", "std", "bits"] {
        assert_eq!(shape(&format!("value.head.{part}"))[..2], [3, 14], "{part}");
    }
    assert_eq!(about["sequences"], serde_json::json!([1, 2, 3]));
    assert_eq!(about["lengths"], serde_json::json!([12, 14, 14]));
    assert_eq!((&about["draws"], &about["step"]), (&1.into(), &3.into()));
    let norm = |key: &str| about[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
    assert_eq!(
        (norm("mean").next_back(), norm("std").next_back()),
        (Some(0.), Some(1.)),
        "the pen"
    );
    assert_ne!(norm("std").next(), Some(1.));
    assert_eq!(about["config"]["model"]["kind"], "stcn-dense");
    assert_eq!(about["config"]["model"]["latents"], serde_json::json!([2, 1]));
}

#[test]
fn the_dump_is_the_same_on_any_number_of_threads() {
    let lab = trained();
    lab.ok("inspect run --dump a.safetensors --threads 1");
    lab.ok("inspect run --dump b.safetensors --threads 3");
    assert!(lab.read("a.safetensors") == lab.read("b.safetensors"));
}

#[test]
fn a_model_without_latents_can_be_looked_at_too() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 1 {}", tiny("wavenet")));
    lab.ok("inspect run --dump x.safetensors");
    let (tensors, about) = dump(&lab, "x.safetensors");
    assert!(tensors.keys().all(|name| !name.starts_with("noise.")));
    assert_eq!(about["kl_sum"], serde_json::json!([]));
}

#[test]
fn the_pass_is_that_of_the_bound_that_the_run_learns_from() {
    let lab = Lab::new();
    for (objective, node) in [("iwae", "log_mean_exp"), ("fivo", "gather_rows")] {
        let bound = format!(
            "--set train.objective={objective} --set train.particles=4 --set train.kl_anneal=0"
        );
        lab.ok(&format!(
            "train --data ink.npz --out {objective} --steps 1 {bound} {}",
            tiny("vrnn")
        ));
        says(&lab.ok(&format!("inspect {objective} --steps 20")), &["log_mean_exp", node, "bound"]);
        lab.ok(&format!("inspect {objective} --steps 40 --dump {objective}.safetensors"));
    }
    // Draw k of sequence b is row k·B + b.
    let (tensors, about) = dump(&lab, "iwae.safetensors");
    assert_eq!(about["draws"], 4);
    let rows = 4 * about["sequences"].as_array().unwrap().len();
    assert_eq!(tensors["value.log_px"].0[0], rows);
    // Of a filter each step stands by itself, and the rows that particles go on from where they were drawn anew.
    let (tensors, _) = dump(&lab, "fivo.safetensors");
    for name in ["p.1.mean.3", "q.1.std.20", "z.1.5", "log_px.20", "head.logits.1"] {
        assert_eq!(tensors[&format!("value.{name}")].0[..1], [rows], "{name}");
    }
    let ancestors = tensors.iter().filter(|(name, _)| name.starts_with("value.ancestors."));
    let ancestors: Vec<_> = ancestors.collect();
    assert!(!ancestors.is_empty(), "nothing was drawn anew");
    for (name, (shape, from)) in ancestors {
        assert_eq!(shape, &[rows], "{name}");
        let of_its_sequence = |(row, &from): (usize, &f32)| {
            row % (rows / 4) == from as usize % (rows / 4) && (from as usize) < rows
        };
        assert!(from.iter().enumerate().all(of_its_sequence), "{name}: {from:?}");
    }
}
