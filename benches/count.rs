//! Instructions, counted: the same number on a noisy machine as on a quiet one, so that a change of half a
//! per cent shows. For where time goes there is `all`; this says what changed.
//!
//! The program runs its own workloads under valgrind's cachegrind, each with N and with 2N repetitions, one
//! thread; the difference is N repetitions without the start. Valgrind's CPU has no AVX-512: kernels are
//! counted on their AVX2 path. Instructions are no times: they know neither caches nor memory.
//!
//! `--save-baseline NAME`, `--baseline NAME` and a filter, as criterion has them.

use stcn::data::Batch;
use stcn::internals::kernel::{math, simd::vectorise};
use stcn::internals::parallel;
use stcn::internals::step::update;
use stcn::models::{self, Preset};
use stcn::nn::Init;
use stcn::optim::Adam;
use stcn::tape::{Keep, Var};
use stcn::train::Config;
use stcn::{Noise, Real, Tape, Tensor, ops};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio, exit};

/// One repetition, from whatever was set up for it.
type Job = Box<dyn FnMut()>;

struct Workload {
    name: &'static str,
    /// N: two runs start up to a few thousand instructions apart, which must be nothing beside N repetitions.
    repetitions: usize,
    set_up: fn() -> Job,
}

const WORKLOADS: [Workload; 8] = [
    Workload { name: "gated_conv forward and backward", repetitions: 32, set_up: gated_conv },
    Workload { name: "linear_relu forward and backward", repetitions: 100, set_up: linear_relu },
    Workload { name: "mixture_log_prob and gradient", repetitions: 24, set_up: mixture },
    Workload { name: "map exp", repetitions: 1000, set_up: || map(|x| each(math::exp, x)) },
    Workload { name: "map tanh", repetitions: 1000, set_up: || map(|x| each(math::tanh, x)) },
    Workload {
        name: "map softplus",
        repetitions: 1000,
        set_up: || map(|x| each(math::softplus, x)),
    },
    Workload { name: "training step, stcn-dense", repetitions: 4, set_up: training_step },
    Workload { name: "generated step, stcn-dense", repetitions: 40, set_up: generated_step },
];

fn normals(shape: &[usize], stream: &str) -> Tensor {
    let mut x = Tensor::zeros(shape);
    Noise::new(0, "bench").normals(stream, 0, 0, x.data_mut());
    x
}

/// One op on a tape of its own, forward and back from a cotangent of ones, with gradients of all inputs.
fn op<const N: usize>(inputs: [Tensor; N], op: fn([Var; N]) -> Var) -> Job {
    let mut tape = Tape::new();
    Box::new(move || {
        tape.reset();
        let y = op(inputs.each_ref().map(|x| tape.input(x.clone(), "")));
        let ones = y.value().map(|_| 1.);
        black_box(tape.pull_back(y, ones, Keep::Leaves));
    })
}

/// B2 T64, 32 channels.
fn gated_conv() -> Job {
    let (w, bias) = (normals(&[2, 32, 32], "w").map(|w| 0.2 * w), normals(&[32], "bias"));
    let inputs = [normals(&[2, 64, 32], "x"), w.clone(), bias.clone(), w, bias];
    op(inputs, |[x, wf, bf, wg, bg]| ops::gated_conv(x, (wf, bf), (wg, bg), 4))
}

/// 128 rows, 32 channels.
fn linear_relu() -> Job {
    let inputs = [normals(&[128, 32], "x"), normals(&[32, 32], "w"), normals(&[32], "bias")];
    op(inputs, |[x, w, bias]| ops::linear_relu(x, w, bias))
}

/// 128 rows, 20 components of 3 channels.
fn mixture() -> Job {
    let wide = [2, 64, 60];
    let inputs = [
        normals(&[2, 64, 3], "x"),
        normals(&[2, 64, 20], "logits"),
        normals(&wide, "mean"),
        normals(&wide, "std").map(|x| 0.5 + x * x),
    ];
    op(inputs, |[x, logits, mean, std]| ops::mixture_log_prob(x, logits, mean, std, 0.))
}

/// `x ← f(x)`, in vectors.
fn each(f: impl Fn(Real) -> Real, x: &mut [Real]) {
    vectorise(|| x.iter_mut().for_each(|x| *x = f(*x)));
}

fn map(f: fn(&mut [Real])) -> Job {
    let x: Vec<Real> = (0..4096).map(|i| i as Real * 4e-3 - 8.).collect();
    let mut y = x.clone();
    Box::new(move || {
        y.copy_from_slice(&x);
        f(black_box(&mut y));
    })
}

fn ink_tiny() -> (Config, Box<dyn models::SequenceModel>) {
    let config = Config::preset(Preset::InkTiny, models::STCN_DENSE, None).expect("a preset");
    let model = models::build(&config.model, Init::new(config.seed)).expect("a valid config");
    (config, model)
}

/// B2 T50.
fn training_step() -> Job {
    let (config, mut model) = ink_tiny();
    let mut x = normals(&[2, 50, 3], "x");
    x.data_mut().chunks_mut(3).for_each(|row| row[2] = if row[2] > 1. { 1. } else { 0. });
    let batch = Batch { x, lengths: vec![50; 2], samples: vec![0, 1] };
    let mut adam = Adam::new(&*model, 0.9, 0.999, 1e-8);
    let mut step = 0;
    Box::new(move || {
        step += 1;
        let report = update(&mut *model, &mut adam, &batch, &config.train, config.seed, step);
        black_box(report.expect("finite"));
    })
}

fn generated_step() -> Job {
    let (_, model) = ink_tiny();
    let model: &'static dyn models::SequenceModel = Box::leak(model); // a sampler borrows its model
    let (mut sampler, noise) = (model.sampler(&[0]), Noise::new(1, "sample"));
    Box::new(move || {
        black_box(sampler.draw(&noise, 1.));
    })
}

/// What the child does.
fn run(workload: &Workload, repetitions: usize) {
    let work = || {
        let mut job = (workload.set_up)();
        (0..repetitions).for_each(|_| job());
    };
    parallel::with_threads(1, work).expect("a thread");
}

/// This program under valgrind; `None` where there is no valgrind.
fn start(workload: &Workload, repetitions: usize) -> Option<Child> {
    let child = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a path"))
        .args(["--run", workload.name, &repetitions.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    match child {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        child => Some(child.expect("valgrind starts")),
    }
}

/// What valgrind counted: `==123== I   refs:      1,234,567`.
fn counted(child: Child) -> u64 {
    let output = child.wait_with_output().expect("valgrind ends");
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| {
        let (before, count) = line.split_once("refs:")?;
        before.contains("I ").then(|| count.trim().replace(',', ""))?.parse().ok()
    });
    count.filter(|_| output.status.success()).unwrap_or_else(|| panic!("valgrind said:\n{said}"))
}

/// Instructions of one repetition; `None` where there is no valgrind.
fn count(workload: &Workload) -> Option<u64> {
    let n = workload.repetitions;
    let (once, twice) = (start(workload, n)?, start(workload, 2 * n)?);
    let (once, twice) = (counted(once), counted(twice));
    Some((twice - once) / n as u64)
}

type Counts = BTreeMap<String, u64>;

/// A line for each workload: instructions, a tab, the name.
fn baseline_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("count-{name}.txt"))
}

fn load(name: &str) -> std::io::Result<Counts> {
    let line = |line: &str| {
        let (count, name) = line.split_once('\t')?;
        Some((name.into(), count.parse().ok()?))
    };
    Ok(std::fs::read_to_string(baseline_path(name))?.lines().filter_map(line).collect())
}

fn save(name: &str, counts: Counts) {
    let mut all = load(name).unwrap_or_default(); // a filter leaves the others as they were
    all.extend(counts);
    let lines: String = all.iter().map(|(name, count)| format!("{count}\t{name}\n")).collect();
    std::fs::write(baseline_path(name), lines).expect("target/tmp can be written");
}

#[derive(Default)]
struct Words {
    filter: Option<String>,
    save: Option<String>,
    compare: Option<String>,
    bench: bool,
}

impl Words {
    fn read(mut words: impl Iterator<Item = String>) -> Self {
        let mut read = Self::default();
        while let Some(word) = words.next() {
            match &*word {
                "--bench" => read.bench = true, // cargo bench says so; cargo test does not
                "--save-baseline" => read.save = words.next(),
                "--baseline" => read.compare = words.next(),
                word if word.starts_with('-') => {} // criterion's
                _ => read.filter = Some(word),
            }
        }
        read
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, repetitions] = &words[..]
        && flag == "--run"
    {
        let workload = WORKLOADS.iter().find(|workload| workload.name == name);
        return run(workload.expect("ours"), repetitions.parse().expect("a number"));
    }
    let words = Words::read(words.into_iter());
    let chosen = |w: &&Workload| words.filter.as_ref().is_none_or(|part| w.name.contains(part));
    let chosen = WORKLOADS.iter().filter(chosen);
    if !words.bench {
        return chosen.for_each(|workload| run(workload, 1)); // a test: everything once
    }
    let before = words.compare.as_deref().map(|name| {
        load(name).unwrap_or_else(|error| {
            eprintln!("baseline {name}: {error}; make bench-save keeps one");
            exit(1)
        })
    });
    let mut counts = Counts::new();
    println!("instructions a repetition, one thread, AVX2 at most (valgrind)");
    for workload in chosen {
        let Some(count) = count(workload) else { return println!("skipped: wants valgrind") };
        let change = before.as_ref().map(|before| match before.get(workload.name) {
            Some(&before) => format!("{:+.3} %", 100. * (count as f64 / before as f64 - 1.)),
            None => "new".into(),
        });
        println!("{:34} {count:>12} {:>12}", workload.name, change.unwrap_or_default());
        counts.insert(workload.name.into(), count);
    }
    if let Some(name) = words.save {
        save(&name, counts);
    }
}
