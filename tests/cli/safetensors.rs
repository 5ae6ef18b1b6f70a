//! `stcn export` and `stcn import`: there and back again.

use super::{tiny, trained};
use crate::common::{Lab, says};
use stcn::train::Checkpoint;

#[test]
fn an_imported_run_has_the_weights_and_gives_the_numbers_of_the_exported_one() {
    for model in ["stcn-dense", "wavenet"] {
        let lab = Lab::new();
        lab.ok(&format!("train --data ink.npz --out run --steps 3 {}", tiny(model)));
        assert_eq!(lab.ok("export run --out x.safetensors"), "x.safetensors\n");
        assert_eq!(lab.ok("import x.safetensors --out there/other"), "there/other\n");
        let load = |name: &str| Checkpoint::load(&lab.path(name)).unwrap();
        let (a, b) = (load("run/checkpoint/best.stcn"), load("there/other/checkpoint/best.stcn"));
        assert_eq!((a.params, a.header.step), (b.params, b.header.step));
        assert_eq!((a.header.mean, a.header.std), (b.header.mean, b.header.std));
        // The file tells the weights, not where the data lies.
        says(&lab.refused("evaluate there/other"), &["--data FILE.npz"]);
        let words = "--data ink.npz --iwae 2 --json";
        let numbers = |run: &str| {
            lab.ok(&format!("evaluate {run} {words}")).replace(&format!("{run}/checkpoint/"), "")
        };
        assert_eq!(numbers("there/other"), numbers("run"));
        lab.ok("sample run --steps 9 --out a");
        lab.ok("sample there/other --steps 9 --out b");
        assert_eq!(lab.read("a/sample.npz"), lab.read("b/sample.npz"));
        lab.ok("export there/other --out y.safetensors");
        assert_eq!(lab.read("x.safetensors"), lab.read("y.safetensors"));
    }
}

#[test]
fn a_checkpoint_of_the_weights_alone_gives_the_same_numbers_and_replaces_none() {
    let lab = trained();
    assert_eq!(lab.ok("export run --out weights.stcn"), "weights.stcn\n");
    let load = |name: &str| Checkpoint::load(&lab.path(name)).unwrap();
    let (whole, weights) = (load("run/checkpoint/best.stcn"), load("weights.stcn"));
    assert_eq!((&weights.params, &weights.header), (&whole.params, &whole.header));
    assert!(!whole.adam_m.is_empty() && weights.adam_m.is_empty() && weights.adam_v.is_empty());
    let elbo =
        |run: &str| lab.json(&format!("evaluate {run} --data ink.npz"))[0]["elbo_seq"].clone();
    assert_eq!(elbo("weights.stcn"), elbo("run"));
    let latest = lab.read("run/checkpoint/latest.stcn");
    let said = lab.refused("export run --out run/checkpoint/latest.stcn");
    says(&said, &["latest.stcn: exists: choose another name"]);
    assert_eq!(lab.read("run/checkpoint/latest.stcn"), latest);
}

#[test]
fn weights_alone_cannot_be_trained_on() {
    let lab = trained();
    lab.ok("export run --out x.safetensors");
    lab.ok("import x.safetensors --out other");
    let said = lab.refused("train --resume other --data ink.npz --steps 5");
    says(
        &said,
        &["other/checkpoint/latest.stcn: holds weights only", "resume the run they came from"],
    );
}
