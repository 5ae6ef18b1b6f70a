//! What somebody else's crate can do with its own op, layer and model, through the library and the commands.

use outsider::{DRIFT, layer::Unit, op::swish, registry};
use stcn::data::Split;
use stcn::models::Preset;
use stcn::models::{Kl, build};
use stcn::nn::{Init, Module};
use stcn::{Real, Tape, Tensor};
use std::path::Path;
use std::process::{Command, Output};

fn run(dir: &Path, args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outsider"));
    command.args(args.split_whitespace()).current_dir(dir).output().unwrap()
}

/// What the command wrote to stdout.
#[track_caller]
fn ok(dir: &Path, args: &str) -> String {
    let output = run(dir, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "outsider {args}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

const SMALL: &str =
    "--model drift --set train.batch=4 --set train.eval_every=3 --set model.hidden_size=6";

#[test]
fn the_op_has_its_value_and_on_the_tape_its_gradient() {
    let tape = Tape::new();
    let x = tape.input(Tensor::new(&[2], vec![0., 2.]), "x");
    let y = swish(x);
    assert_eq!(y.value().data()[0], 0.);
    let grads = tape.backward(stcn::ops::sum(y), stcn::Keep::Leaves);
    let at = grads.wrt(x).unwrap().data();
    let s = 1. / (1. + (-2. as Real).exp());
    assert_eq!(at[0], 0.5);
    assert!((at[1] - s * (1. + 2. * (1. - s))).abs() < 1e-6);
}

#[cfg(feature = "f64")]
#[test]
fn the_op_agrees_with_finite_differences() {
    let x = Tensor::new(&[3], vec![-1.3, 0.2, 2.1]);
    let check = stcn::gradcheck(&[x], |_, x| swish(x[0]));
    assert!(check.relative_error() < 1e-6, "{check:?}");
}

#[test]
fn the_layer_has_columns_of_length_one_from_a_stream_of_its_own() {
    let [one, two] = [0, 1].map(|before| {
        let mut init = Init::new(1);
        (0..before).for_each(|_| drop(init.scope("other", |init| init.bias(7))));
        init.scope("unit", |init| Unit::new(init, 5, 3))
    });
    let value = |layer: &Unit| {
        let mut found = None;
        layer.visit(&mut |p| found = Some(p.value.clone()));
        found.unwrap()
    };
    let w = value(&one);
    assert_eq!(w, value(&two), "another parameter before it moves none of its numbers");
    for column in 0..3 {
        let squares: Real = (0..5).map(|row| w.data()[row * 3 + column].powi(2)).sum();
        assert!((squares - 1.).abs() < 1e-6);
    }
}

#[test]
fn the_model_is_found_by_its_name_and_refused_under_another() {
    assert_eq!(registry().find("drift").unwrap(), DRIFT);
    let refused = registry().find("drif").unwrap_err().to_string();
    assert!(refused.starts_with("unknown model `drif`: did you mean `drift`"), "{refused}");
}

#[test]
fn the_model_trains_with_the_trainer_of_the_library() {
    let mut config = stcn::train::Config::preset(Preset::InkTiny, DRIFT, None).unwrap();
    config.set("train.kl_anneal=0").unwrap(); // one loss throughout
    let mut trainer = stcn::train::Trainer::new(config).unwrap();
    let first = trainer.step().unwrap();
    let last = (0..20).map(|_| trainer.step().unwrap()).last().unwrap();
    assert!(last.loss < first.loss, "{} to {}", first.loss, last.loss);
    assert_eq!(last.step, 21);
    assert!(!trainer.set().split(Split::Valid).is_empty());
}

#[test]
fn the_commands_list_train_resume_evaluate_draw_inspect_and_exchange_it() {
    let lab = tempfile::tempdir().unwrap();
    let dir = lab.path();
    let listed = ok(dir, "list --model drift");
    assert!(listed.contains("model.latent_size") && listed.contains("Size of z_t."), "{listed}");
    ok(dir, &format!("train {SMALL} --steps 6 --out one"));
    ok(dir, &format!("train {SMALL} --steps 4 --out cut"));
    ok(dir, "train --resume cut --steps 6");
    let latest = |run: &str| std::fs::read(dir.join(run).join("checkpoint/latest.stcn")).unwrap();
    assert_eq!(latest("one"), latest("cut"), "resumed to the same bytes");
    let values = ok(dir, "evaluate one --draws 1 --iwae 2 --fivo 2 --json");
    for key in ["elbo_seq", "iwae_seq", "fivo_seq", "filtering"] {
        assert!(values.contains(key), "{values}");
    }
    ok(dir, "sample one --count 2 --steps 5 --out drawn");
    assert!(dir.join("drawn/sample.svg").is_file());
    let table = ok(dir, "inspect one --steps 6");
    assert!(table.contains("swish"), "{table}");
    assert!(ok(dir, "inspect one --steps 6 --node z.1").contains("z.1"));
    ok(dir, "export one --out one.safetensors");
    ok(dir, "import one.safetensors --out back");
    ok(dir, "bench generate --model drift --steps 4");
}

#[test]
fn a_run_of_the_model_is_refused_in_a_sentence_where_it_is_not_known() {
    let lab = tempfile::tempdir().unwrap();
    ok(lab.path(), &format!("train {SMALL} --steps 3 --out run"));
    let path = lab.path().join("run");
    let refused = stcn::train::Trained::open(&path, &stcn::models::Registry::default());
    let refused = refused.err().expect("an unknown model").to_string();
    assert!(refused.contains("unknown model `drift`"), "{refused}");
}

#[test]
fn a_key_that_the_model_does_not_have_is_answered_with_the_nearest() {
    let lab = tempfile::tempdir().unwrap();
    let output = run(lab.path(), "train --model drift --set model.latent=3 --out run");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("did you mean `model.latent_size`?"), "{said}");
}

#[test]
fn the_model_draws_the_same_whoever_stands_beside_it() {
    let config = stcn::models::ModelConfig::preset(DRIFT, Preset::InkTiny, None);
    let model = build(&config, Init::new(1)).unwrap();
    let noise = stcn::Noise::new(1, "outsider");
    let draw = |samples: &[u64]| {
        let nothing = Tensor::zeros(&[samples.len(), 0, 3]);
        stcn::models::generate(&*model, &nothing, 4, &noise, samples, 1., |_| ())
    };
    let (both, one) = (draw(&[3, 5]), draw(&[3]));
    assert_eq!(&both.data()[..12], one.data());
    let batch = stcn::data::Batch { x: both, lengths: vec![4, 4], samples: vec![3, 5] };
    let tape = Tape::inference();
    let elbo = model.elbo(&tape, &batch, &noise, Kl::Analytic);
    assert_eq!(elbo.kl.len(), 1);
}

/// The code of a file of this crate, without the words on top where the chapter has its own.
fn code(file: &'static str) -> &'static str {
    let (_, code) = file.split_once("\n\n").expect("a head, then code");
    code.trim()
}

#[test]
fn the_chapter_of_the_book_quotes_this_crate() {
    let chapter = include_str!("../../../src/book/your-own.md");
    for file in [
        include_str!("../src/op.rs"),
        include_str!("../src/layer.rs"),
        include_str!("../src/drift.rs"),
        include_str!("../src/lib.rs"),
        include_str!("../src/main.rs"),
    ] {
        assert!(chapter.contains(code(file)), "the chapter has other code than:\n{file}");
    }
}
