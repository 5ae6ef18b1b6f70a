//! An oracle that is not ourselves: every model and head against another implementation, in PyTorch and f64.
//!
//! `make_golden.py` writes `golden/<model>.safetensors`: for each case, named as `stcn inspect --dump` names
//! things, what goes in (x, mask, every parameter), the noise, and what comes out (distributions, draws,
//! `log_px`, every KL, auxiliary terms, loss, the gradient of every parameter). Here the crate makes the same
//! pass, and every tensor of the file is compared by name. Not here: Python; what it takes to write the files
//! again stands in the script.

use crate::common::preset;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;
use stcn::data::Batch;
use stcn::internals::objective::forward;
use stcn::models::{self, ALL};
use stcn::nn::Init;
use stcn::tape::{Keep, Tape};
use stcn::train::Config;
use stcn::{Noise, Real, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// The sizes of a model in every case, as far as it has them; `BASE` of the script.
fn sizes(model: &str) -> &'static [&'static str] {
    match model {
        "stcn" | "stcn-dense" => &[
            "model.channels=5",
            "model.latents=[3,2]",
            "model.blocks_per_latent=2",
            "model.latent_layers=1",
            "model.latent_hidden=6",
            "model.output_layers=2",
        ],
        "ladder-rnn" | "ladder-rnn-dense" => &[
            "model.hidden_size=5",
            "model.output_size=4",
            "model.latents=[3,2]",
            "model.cells_per_latent=2",
            "model.latent_layers=1",
            "model.latent_hidden=6",
            "model.output_layers=2",
        ],
        "wavenet" | "wavenet-dense" => &[
            "model.channels=5",
            "model.levels=2",
            "model.blocks_per_level=2",
            "model.output_layers=2",
        ],
        "rnn" => &["model.hidden_size=5", "model.embedding_size=4", "model.layers=2"],
        "vrnn" => &[
            "model.hidden_size=5",
            "model.embedding_size=4",
            "model.latent_size=3",
            "model.latent_embedding_size=3",
            "model.latent_hidden_size=6",
            "model.layers=2",
        ],
        "srnn" | "srnn-filter" => &[
            "model.hidden_size=5",
            "model.embedding_size=4",
            "model.latent_size=3",
            "model.latent_hidden_size=6",
            "model.layers=2",
        ],
        "z-forcing" => &[
            "model.hidden_size=5",
            "model.embedding_size=4",
            "model.latent_size=3",
            "model.latent_hidden_size=6",
            "model.auxiliary_weight=0.5",
            "model.backward_weight=0.8",
        ],
        "var-bilstm" => &[
            "model.hidden_size=5",
            "model.embedding_size=4",
            "model.latent_size=3",
            "model.latent_hidden_size=6",
            "model.auxiliary_weight=0.5",
            "model.state_weight=0.3",
        ],
        "swavenet" => &[
            "model.channels=5",
            "model.output_size=4",
            "model.latents=[3,2]",
            "model.gate_hidden_size=6",
            "model.pre_layers=1",
            "model.gate_kind=two-layer",
        ],
        "dmm" => &[
            "model.latent_size=3",
            "model.transition_size=6",
            "model.emission_size=4",
            "model.hidden_size=5",
        ],
        _ => panic!("the model {model} has no sizes here"),
    }
}

/// What a switch of the script is here.
fn switch(name: &str) -> &'static [&'static str] {
    match name {
        "" => &[],
        "fresh" => &["model.draws=fresh"],
        "released-precision" => &["model.precision=as-released"],
        "released" => {
            &["model.draws=fresh", "model.precision=as-released", "model.floors=as-released"]
        }
        "three-taps" => {
            &["model.kernel_size=3", "model.latent_layers=2", "model.blocks_per_latent=1"]
        }
        "iwae" => &["train.objective=iwae", "train.particles=3"],
        "same-width" => &["model.latents=[5,2]"],
        "released-taps" => {
            &["model.dense_taps=release", "model.levels=3", "model.blocks_per_level=1"]
        }
        "full-target" => &["model.auxiliary_target=full"],
        "pre-relu" => &["model.gate_kind=pre-relu-linear"],
        "linear-gate" => &["model.gate_act=linear-as-released"],
        "one-layer" => &["model.latents=[2]", "model.pre_layers=2"],
        _ => panic!("make_golden.py has a switch {name} that nothing here answers to"),
    }
}

/// The config of a case, which is called `<task>-<head>` or `<task>-<head>-<switch>`.
fn config(model: &str, case: &str) -> Config {
    let mut parts = case.splitn(3, '-');
    let mut part = || parts.next().unwrap_or("");
    let (task, head, name) = (part(), part(), part());
    let (sizes_of, task): (_, &[&str]) = match task {
        "ink" => ("ink-tiny", &["train.reduction=mean-step"]),
        "speech" => ("speech-small", &["train.reduction=mean-sequence", "model.input=2"]),
        "music" => ("music-small", &["train.reduction=per-step", "model.input=4"]),
        _ => panic!("make_golden.py has a task {task} that nothing here answers to"),
    };
    let mut config = preset(sizes_of, Some(model), Some(head)).unwrap(); // gated decoders on speech
    let mixture: &[&str] =
        if head.ends_with("gmm") || head.ends_with("ar") { &["model.mixtures=2"] } else { &[] };
    for set in sizes(model).iter().chain(mixture).chain(task).chain(switch(name)) {
        config.set(set).unwrap_or_else(|e| panic!("{model} {case}: {e}"));
    }
    config.validate().unwrap();
    config
}

/// How far a number may be from PyTorch's, as a share of the largest of its tensor.
///
/// The crate rounds the result of every operation to f32, by 2⁻²⁴ of it; PyTorch's numbers come from f64. No number
/// here has more than about 2¹⁰ operations behind it, one after another (five steps of a recurrent model, and the
/// way back), so it may be off by 2¹⁰ · 2⁻²⁴; the worst of all is off by half of that. Built in f64, the crate
/// differs by the file's own roundings alone, of its results and of its noise; a pass makes those 2⁴ times larger
/// at most.
const TOLERANCE: Real = if size_of::<Real>() == 4 { 1. / 16384. } else { 1. / 1048576. };

/// A gradient is a sum, whose terms may cancel: if it is smaller than this share of the case's largest gradient,
/// that share takes its place.
const SMALLEST: Real = 1e-4;

/// Shape and numbers by name.
type Tensors = BTreeMap<String, Tensor>;

/// The cases of a model by name, and what the file says of all.
fn read(model: &str) -> (BTreeMap<String, Tensors>, Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/golden");
    let file = file.join(format!("{model}.safetensors"));
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = &metadata.metadata().as_ref().unwrap()["stcn"];
    let number = |b: &[u8]| Real::from(f32::from_le_bytes(b.try_into().unwrap()));
    let tensor = |view: TensorView| {
        Tensor::new(view.shape(), view.data().chunks_exact(4).map(number).collect())
    };
    let mut cases: BTreeMap<String, Tensors> = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
        let (case, name) = name.split_once('/').unwrap();
        cases.entry(case.into()).or_default().insert(name.into(), tensor(view));
    }
    (cases, serde_json::from_str(about).unwrap())
}

/// The same pass by the crate: everything that its tape names, and all parameters with their gradients. The
/// parameters alone, if they are not those of the file.
fn pass(config: &Config, golden: &Tensors, about: &Value) -> Tensors {
    let number = |key: &str| about[key].as_u64().unwrap();
    let samples = about["samples"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
    let samples = samples.collect();
    let batch = Batch { x: golden["input.x"].clone(), lengths: lengths(golden), samples };
    let mut found: Tensors =
        [("input.x".into(), batch.x.clone()), ("input.mask".into(), batch.mask())].into();
    let mut model = models::build(&config.model, Init::new(0)).unwrap();
    let mut all_fit = true;
    model.visit_mut(&mut |p| {
        let path = format!("param.{}", p.path());
        let value = golden.get(&path).filter(|value| value.shape() == p.value.shape());
        all_fit &= value.is_some();
        p.value = value.unwrap_or(&p.value).clone();
        found.insert(path, p.value.clone());
    });
    if !all_fit {
        return found;
    }
    let noise = Noise::new(number("seed"), "train").at(number("step"));
    let weight = about["kl_weight"].as_f64().unwrap();
    let tape = Tape::new();
    let loss = forward(&*model, &tape, &batch, &batch.lengths, &noise, weight, &config.train).loss;
    let grads = tape.backward(loss, Keep::Leaves);
    tape.each(|node| {
        let kind = if node.label.starts_with("noise.") { "" } else { "value." };
        found.insert(format!("{kind}{}", node.label), node.value.clone());
    });
    model.visit(&mut |p| {
        let zeros = || Tensor::zeros(p.value.shape());
        found.insert(format!("grad.{}", p.path()), grads.find(p).cloned().unwrap_or_else(zeros));
    });
    found
}

/// The steps of each sequence of a batch.
fn lengths(golden: &Tensors) -> Vec<usize> {
    let mask = &golden["input.mask"];
    let length = |row: &[Real]| row.iter().filter(|&&m| m == 1.).count();
    mask.data().chunks_exact(mask.cols()).map(length).collect()
}

/// One sentence for every tensor of `golden` that is not as `found` has it, and for every parameter that only
/// `found` has; about parameters alone, if those differ. Steps behind the end of a sequence are not compared.
fn differences(case: &str, golden: &Tensors, found: &Tensors) -> Vec<String> {
    let (lengths, steps) = (lengths(golden), golden["input.mask"].cols());
    let largest = |x: &Tensor| {
        x.data().iter().fold(0., |max: Real, x| if x.abs() > max { x.abs() } else { max })
    };
    // What makes a gradient wrong comes before it.
    let (gradients, others): (Vec<_>, Vec<_>) =
        golden.iter().partition(|(name, _)| name.starts_with("grad."));
    let gradient = gradients.iter().map(|(_, x)| largest(x)).fold(0., Real::max);
    let mut said = vec![];
    for (name, want) in others.into_iter().chain(gradients) {
        let Some(got) = found.get(name) else {
            said.push(format!("{case}: the crate has no {name}"));
            continue;
        };
        let (here, there) = (got.shape(), want.shape());
        if got.len() != want.len() || (here != there && want.len() != 1) {
            said.push(format!("{case}: {name} is {here:?}, and PyTorch has {there:?}"));
            continue;
        }
        let of_time =
            ["value.", "noise."].iter().any(|kind| name.starts_with(kind)) && there.len() > 1;
        let row = want.len() / if of_time { there[0] * there[1] } else { 1 };
        let is_there = |i: usize| {
            let (sequence, step) = (i / row / there[1], i / row % there[1]);
            step < lengths[sequence % lengths.len()] + there[1] - steps // contexts have a step more
        };
        let least = if name.starts_with("grad.") { SMALLEST * gradient } else { 0. };
        let allowed = TOLERANCE * largest(want).max(least);
        let pairs = got.data().iter().zip(want.data()).enumerate();
        let off =
            pairs.filter(|(i, _)| !of_time || is_there(*i)).map(|(i, (a, b))| (i, (a - b).abs()));
        let worst = off.max_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some((i, off)) = worst.filter(|(_, off)| off.is_nan() || *off > allowed) {
            let (place, a, b) = (place(i, there), got.data()[i], want.data()[i]);
            said.push(format!(
                "{case}: {name} at {place:?} is {a}, and PyTorch has {b}: off by {off:.1e}, {allowed:.1e} is allowed"
            ));
        }
    }
    let unknown =
        found.keys().filter(|name| name.starts_with("param.") && !golden.contains_key(*name));
    said.extend(unknown.map(|name| format!("{case}: PyTorch has no {name}")));
    let of_parameters = said.iter().filter(|line| line.contains(" param."));
    let of_parameters: Vec<String> = of_parameters.cloned().collect();
    if of_parameters.is_empty() { said } else { of_parameters }
}

/// The index of number `i` along every axis.
fn place(mut i: usize, shape: &[usize]) -> Vec<usize> {
    let along = |&size: &usize| {
        let at = i % size;
        i /= size;
        at
    };
    let mut place: Vec<usize> = shape.iter().rev().map(along).collect();
    place.reverse();
    place
}

#[test]
fn every_model_and_head_is_what_another_implementation_makes_of_it() {
    let (mut said, mut count) = (vec![], 0);
    for kind in ALL {
        let (cases, about) = read(kind.name());
        for (case, golden) in &cases {
            let found = pass(&config(kind.name(), case), golden, &about);
            let of_case = differences(&format!("{kind} {case}"), golden, &found);
            count += of_case.len();
            said.extend(of_case.into_iter().take(5)); // the rest follows from them
        }
        for head in ["ink-normal", "ink-gmm", "ink-bigmm", "music-bernoulli"] {
            assert!(cases.contains_key(head), "{kind}: the file has no case {head}");
        }
    }
    assert!(
        said.is_empty(),
        "{count} tensors differ, the first of each case:\n{}",
        said.join("\n")
    );
}

#[test]
fn a_difference_is_told_by_model_tensor_place_and_value() {
    let tensor = |shape: &[usize], data: &[Real]| Tensor::new(shape, data.to_vec());
    let golden: Tensors = [
        ("grad.w", tensor(&[2, 2], &[1., 2., 3., 0.])),
        ("input.mask", tensor(&[2, 2], &[1., 1., 1., 0.])),
        ("param.w", tensor(&[2, 2], &[1., 2., 3., 4.])),
        ("value.d.1", tensor(&[2, 3, 1], &[1., 2., 3., 4., 5., 0.])),
        ("value.kl.1", tensor(&[2, 2], &[1., 2., 3., 0.])),
    ]
    .map(|(name, x)| (name.to_string(), x))
    .into();
    let told = |name: &str, x: Option<Tensor>| {
        let mut found = golden.clone();
        found.remove(name);
        found.extend(x.map(|x| (name.to_string(), x)));
        differences("rnn ink-gmm", &golden, &found)
    };
    let kl = |data: &[Real]| told("value.kl.1", Some(tensor(&[2, 2], data)));
    assert_eq!(told("", None), [""; 0]);
    assert_eq!(kl(&[1., 2.000001, 3., 7.]), [""; 0], "behind the end of the second sequence");
    says(
        &kl(&[1., 2.1, 3., 0.]),
        "value.kl.1 at [0, 1] is 2.1, and PyTorch has 2: off by 1.0e-1, ",
    );
    says(&kl(&[1., 2., Real::NAN, 0.]), "value.kl.1 at [1, 0] is NaN, and PyTorch has 3");
    let d = |data: &[Real]| told("value.d.1", Some(tensor(&[2, 3, 1], data)));
    assert_eq!(d(&[1., 2., 3., 4., 5., 7.]), [""; 0]);
    says(&d(&[1., 2., 3., 4., 6., 0.]), "value.d.1 at [1, 1, 0] is 6, and PyTorch has 5");
    let w = |data: &[Real]| told("grad.w", Some(tensor(&[2, 2], data)));
    assert_eq!(w(&[1., 2., 3., 1e-9]), [""; 0]);
    says(&w(&[1., 2., -3., 0.]), "grad.w at [1, 0] is -3, and PyTorch has 3: off by 6.0e0");
    says(&told("value.kl.1", None), "the crate has no value.kl.1");
    says(&told("param.v", Some(tensor(&[1], &[0.]))), "PyTorch has no param.v");
    says(
        &told("param.w", Some(tensor(&[4], &[1., 2., 3., 4.]))),
        "param.w is [4], and PyTorch has [2, 2]",
    );
}

/// That there is one sentence, about this case, and what it says.
#[track_caller]
fn says(said: &[String], what: &str) {
    let [said] = said else { panic!("want one sentence, found {said:?}") };
    assert!(said.starts_with(&format!("rnn ink-gmm: {what}")), "{said}");
}
