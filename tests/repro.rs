//! The promise, cell by cell: every model with every head, run in many ways, to the same bits.
//!
//! [`golden_bits`] runs with every test, so that whoever tests proves the promise on their own CPU
//! against the file that was committed on another. [`matrix`] is `make repro`: the whole table, one
//! column for each way of running.

use crate::common::{Lab, ink, stderr, stdout};
use sha2::{Digest, Sha256};
use stcn::data::{DataSet, Split};
use stcn::internals::kernel::simd::Isa;
use stcn::models::ALL;
use stcn::train::ARITHMETIC;
use stcn::train::Checkpoint;
use std::collections::VecDeque;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Updates of every run: a check on the way and one at the end.
const STEPS: u64 = 4;

/// A model, a head and data for them.
struct Cell {
    name: String,
    data: Option<DataSet>,
    /// What `stcn train` is told.
    words: String,
}

/// Large enough that elementwise work is cut into several pieces, small enough for an emulator.
pub fn sizes(model: &str) -> String {
    let own = match model {
        "stcn" | "stcn-dense" => {
            "channels=16 latents=[4,2] blocks_per_latent=2 latent_layers=1 output_layers=2"
        }
        "ladder-rnn" | "ladder-rnn-dense" => {
            "hidden_size=16 latents=[4,2] cells_per_latent=2 latent_layers=1 output_layers=2"
        }
        "wavenet" | "wavenet-dense" => "channels=16 levels=2 blocks_per_level=2 output_layers=2",
        "rnn" => "hidden_size=16 layers=2",
        "vrnn" | "srnn" | "srnn-filter" => "hidden_size=16 latent_size=4 layers=2",
        "z-forcing" | "var-bilstm" => "hidden_size=16 latent_size=4",
        "swavenet" => "channels=16 latents=[4,2]",
        "dmm" => "hidden_size=16 latent_size=4 transition_size=8 emission_size=8",
        _ => panic!("{model} has no small sizes: give it some"),
    };
    let own = own.split(' ').map(|size| format!("--set model.{size} ")).collect::<String>();
    own + "--set model.mixtures=3 --set train.batch=5 --set train.eval_every=2 --set train.epochs=0"
}

/// Every task with its preset and its heads.
const TASKS: [(&str, &str, &[&str]); 3] = [
    ("ink", "ink-tiny", &["normal", "gmm", "bigmm", "ar"]),
    (
        "speech",
        "speech-small --set model.input=3 --set data.normalise=per-channel",
        &["normal", "gmm"],
    ),
    ("music", "music-small --set model.input=3", &["bernoulli"]),
];

/// Offsets, samples of sound, or keys: ten sequences that nobody recorded.
fn data(task: &str) -> DataSet {
    let ink = ink(250); // longer than a panel of the products' chain, in the gradients of the weights
    let sound = |x: &f32| (x + 0.25) / 8.;
    let keys = |x: &f32| f32::from(u8::from(*x > 1.));
    let of = |i: usize| -> Vec<f32> {
        let sequence = ink.sequence(i).unwrap();
        let row = sequence.iter();
        match task {
            "ink" => row.copied().collect(),
            "speech" => row.map(sound).collect(),
            _ => row.map(keys).collect(),
        }
    };
    let split = (0..ink.len()).map(|i| [0, 0, 0, 1, 2][i % 5]).collect();
    DataSet::from_parts(task, 3, (0..ink.len()).map(of).collect(), Some(split)).unwrap()
}

fn cells() -> Vec<Cell> {
    let mut cells = vec![];
    for (task, preset, heads) in TASKS {
        for model in ALL {
            let sizes = sizes(model.name());
            for head in heads {
                let name = format!("{model} {task} {head}");
                let words = format!("--preset {preset} --model {model} --head {head} {sizes}");
                cells.push(Cell { name, data: Some(data(task)), words });
            }
        }
    }
    for (model, objective) in [("stcn-dense", "iwae"), ("vrnn", "iwae"), ("vrnn", "fivo")] {
        let bound = format!("--set train.objective={objective} --set train.particles=3");
        cells.push(Cell {
            name: format!("{model} ink gmm by {objective}"),
            data: Some(data("ink")),
            words: format!("--preset ink-tiny --model {model} {bound} {}", sizes(model)),
        });
    }
    for (task, preset, _) in &TASKS[1..] {
        cells.push(Cell {
            name: format!("stcn-dense {task} ar"),
            data: Some(data(task)),
            words: format!(
                "--preset {preset} --model stcn-dense --head ar {}",
                sizes("stcn-dense")
            ),
        });
    }
    let released =
        "--set model.draws=fresh --set model.precision=as-released --set model.floors=as-released";
    let sizes = sizes("stcn-dense");
    cells.push(Cell {
        name: "stcn-dense ink gmm as released".into(),
        data: Some(data("ink")),
        words: format!("--preset ink-tiny {released} {sizes}"),
    });
    cells.push(Cell {
        name: "stcn-dense, handwriting made here".into(),
        data: None,
        // A tenth of the work: a hundred lines to check, not two, some of them without FMA under an emulator.
        words: format!("--preset ink-tiny {sizes} --set model.channels=4"),
    });
    cells
}

/// One way to run `stcn`.
#[derive(Clone)]
struct Way {
    name: String,
    /// The binary, behind an emulator or not.
    program: Vec<String>,
    /// `STCN_ISA`
    isa: Option<String>,
    threads: usize,
    /// Where the run ends and is resumed, once for each list.
    cuts: Vec<Vec<u64>>,
    /// Whether every command that reads a run reads it at every cut.
    looked_at: bool,
}

/// What one way of running a cell leaves behind, in hex.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    /// Of both checkpoints, to the byte, and of the metrics but for the clock.
    trained: String,
    evaluated: String,
    drawn: String,
}

impl Way {
    /// This test's own binary on one thread.
    fn here() -> Self {
        Self {
            name: "1 thread".into(),
            program: vec![env!("CARGO_BIN_EXE_stcn").into()],
            isa: None,
            threads: 1,
            cuts: vec![vec![]],
            looked_at: false,
        }
    }

    /// What it wrote to stdout.
    fn ok(&self, lab: &Lab, words: &str) -> String {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).current_dir(lab.path(""));
        command.args(words.split_whitespace()).args(["--threads", &self.threads.to_string()]);
        if let Some(isa) = &self.isa {
            command.env("STCN_ISA", isa);
        }
        let output = command.output().unwrap_or_else(|e| panic!("{:?}: {e}", self.program));
        assert!(output.status.success(), "{}: stcn {words}\n{}", self.name, stderr(&output));
        stdout(&output)
    }

    /// Trains, is resumed at each of `cuts`, and gives the run as `run`.
    fn train(&self, cell: &Cell, cuts: &[u64]) -> Lab {
        self.train_as(cell, &cell.words, cuts)
    }

    /// The same with other words than the cell's.
    fn train_as(&self, cell: &Cell, words: &str, cuts: &[u64]) -> Lab {
        let lab = Lab::new();
        let data = cell.data.as_ref().map_or(String::new(), |data| {
            data.save(lab.path("data.npz")).unwrap();
            "--data data.npz".into()
        });
        let mut begin = format!("{words} {data} --out run");
        for step in cuts.iter().chain([&STEPS]) {
            self.ok(&lab, &format!("train {begin} --steps {step} --json"));
            begin = "--resume run".into();
            if self.looked_at {
                for look in ["inspect run --table", "evaluate run", "sample run --out looked"] {
                    self.ok(&lab, look);
                }
            }
        }
        lab
    }

    fn outcome(&self, cell: &Cell, cuts: &[u64]) -> Outcome {
        let lab = self.train(cell, cuts);
        let checkpoints =
            ["latest", "best"].map(|name| lab.read(&format!("run/checkpoint/{name}.stcn")));
        let metrics = String::from_utf8(lab.read("run/metrics.csv")).unwrap();
        let seconds = metrics.split(['\n', ',']).position(|column| column == "seconds").unwrap();
        let timeless: Vec<String> = metrics.lines().map(|row| without(row, seconds)).collect();
        Outcome {
            trained: hash([&checkpoints[0], &checkpoints[1], timeless.join("\n").as_bytes()]),
            // Windows has its own line between folders.
            evaluated: hash([self.ok(&lab, EVALUATE).replace(r"\\", "/").as_bytes()]),
            drawn: hash([self.drawn(&lab)]),
        }
    }

    /// The bytes of two sequences.
    fn drawn(&self, lab: &Lab) -> Vec<u8> {
        self.ok(lab, "sample run --count 2 --steps 6 --out drawn --json");
        let (drawn, _) = crate::data::npz::read(lab.path("drawn/sample.npz")).unwrap();
        drawn.samples.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// What differs from `reference`, in words; nothing if nothing does.
    fn compare(&self, cell: &Cell, reference: &Outcome) -> Vec<&'static str> {
        let mut found = vec![];
        for cuts in &self.cuts {
            let Outcome { trained, evaluated, drawn } = self.outcome(cell, cuts);
            found.extend((trained != reference.trained).then_some("training"));
            found.extend((evaluated != reference.evaluated).then_some("evaluation"));
            found.extend((drawn != reference.drawn).then_some("samples"));
        }
        found
    }
}

/// A module of the live page, run by Node as a browser would.
struct Module {
    name: &'static str,
    file: PathBuf,
}

/// What Node wants before it runs relaxed SIMD: later ones want nothing.
const RELAXED: &str = "--experimental-wasm-relaxed-simd";

/// What the command line makes of a cell as a module computes it: without a check on the way.
struct Twin {
    words: String,
    latest: String,
    evaluated: serde_json::Value,
    drawn: String,
}

impl Twin {
    fn new(cell: &Cell) -> Self {
        let words = format!("{} --set train.eval_every=1000000", cell.words);
        let here = Way::here();
        let lab = here.train_as(cell, &words, &[]);
        // A file's fingerprint is of its bytes, that of data in memory of the numbers.
        let mut latest = Checkpoint::load(&lab.path("run/checkpoint/latest.stcn")).unwrap();
        if let Some(data) = &cell.data {
            let of_file = hex::encode(Sha256::digest(lab.read("data.npz")));
            let text = &mut latest.header.config_toml;
            *text = text.replace(&of_file, data.fingerprint());
        }
        let evaluated = serde_json::from_str(&here.ok(&lab, EVALUATE)).unwrap();
        let drawn = hex::encode(here.drawn(&lab));
        Self { words, latest: latest.sha256(), evaluated, drawn }
    }
}

impl Module {
    /// What differs from the command line, in words.
    fn compare(&self, cell: &Cell, twin: &Twin) -> Vec<&'static str> {
        let found = self.run(cell, &twin.words);
        let (bounds, line) = (&found["bounds"], &twin.evaluated);
        let evaluated = bounds["elbo_seq"] == line["elbo_seq"]
            && bounds["iwae_seq"] == *line.get("iwae_seq").unwrap_or(&serde_json::Value::Null);
        let mut differing = vec![];
        differing.extend((found["hash"] != twin.latest).then_some("training"));
        differing.extend((!evaluated).then_some("evaluation"));
        differing.extend((found["drawn"] != twin.drawn).then_some("samples"));
        differing
    }

    fn run(&self, cell: &Cell, words: &str) -> serde_json::Value {
        let (mut create, mut set) = (serde_json::json!({}), vec!["train.steps=0"]);
        let words: Vec<&str> = words.split_whitespace().collect();
        for pair in words.chunks_exact(2) {
            match pair[0] {
                "--set" => set.push(pair[1]),
                name => create[name.trim_start_matches("--")] = pair[1].into(),
            }
        }
        create["set"] = set.into();
        let data = cell.data.as_ref().map(|data| {
            let rows = (0..data.len()).map(|i| data.sequence(i).unwrap().to_vec());
            let split = |i: usize| {
                let of = |split| data.split(split).contains(&i);
                u8::from(of(Split::Valid)) + 2 * u8::from(of(Split::Test))
            };
            let split: Vec<u8> = (0..data.len()).map(split).collect();
            serde_json::json!({ "channels": 3, "rows": rows.collect::<Vec<_>>(), "split": split })
        });
        let asked = serde_json::json!({
            "create": create, "data": data, "steps": STEPS, "draws": 2, "iwae": 2, "count": 2, "length": 6,
        });
        let lab = Lab::new();
        std::fs::write(lab.path("cell.json"), asked.to_string()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repro.js");
        let output = node()
            .arg(script)
            .arg(&self.file)
            .stdin(std::fs::File::open(lab.path("cell.json")).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{} {}: {}", self.name, cell.words, stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    }
}

/// Node, with relaxed SIMD where it has it.
fn node() -> Command {
    let mut node = Command::new("node");
    let flag = Command::new("node").args([RELAXED, "--version"]).output();
    node.args(flag.is_ok_and(|output| output.status.success()).then_some(RELAXED));
    node
}

/// The modules named in `STCN_REPRO`. Prints what was left out, and why.
fn modules() -> Vec<Module> {
    let web = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("web");
    let mut modules = vec![];
    for (name, file) in [("wasm", "plain.wasm"), ("wasm-relaxed", "relaxed.wasm")] {
        let file = web.join(file);
        if !asked(name) {
            println!("left out: {name} (not in STCN_REPRO)");
        } else if !node().arg("--version").output().is_ok_and(|output| output.status.success()) {
            println!("left out: {name} (no node)");
        } else if !file.exists() {
            println!("left out: {name} (no {}: make web)", file.display());
        } else {
            modules.push(Module { name, file });
        }
    }
    modules
}

const EVALUATE: &str = "evaluate run --split test --draws 2 --iwae 2 --json";

/// The row without its column `at`.
fn without(row: &str, at: usize) -> String {
    let kept = row.split(',').enumerate().filter(|(i, _)| *i != at);
    kept.map(|(_, value)| value).collect::<Vec<_>>().join(",")
}

fn hash(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let sum = parts.into_iter().fold(Sha256::new(), |sum, part| sum.chain_update(part));
    hex::encode(&sum.finalize()[..8])
}

/// `job` on every cell, two at a time, results in order.
fn each_cell<R: Send>(cells: &[Cell], job: impl Fn(&Cell) -> R + Sync) -> Vec<R> {
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..cells.len()).collect());
    let done = Mutex::new(vec![]);
    let work = || {
        loop {
            let Some(i) = waiting.lock().unwrap().pop_front() else { return };
            let result = job(&cells[i]);
            done.lock().unwrap().push((i, result));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

fn golden_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bits.txt")
}

/// A line of the golden file. Numbers only, no config text, so that a new key of the config moves nothing.
fn golden_line(cell: &Cell) -> String {
    let way = Way::here();
    let lab = way.train(cell, &[]);
    let latest = Checkpoint::load(&lab.path("run/checkpoint/latest.stcn")).unwrap();
    let mut state = Sha256::new().chain_update(latest.header.step.to_le_bytes());
    state.update(latest.header.best.unwrap().to_bits().to_le_bytes());
    latest.params.iter().for_each(|p| state.update(&p.path));
    let moments = latest.adam_m.iter().chain(&latest.adam_v);
    for tensor in latest.params.iter().map(|p| &p.value).chain(moments) {
        tensor.data().iter().for_each(|x| state.update(x.to_bits().to_le_bytes()));
    }
    let line: serde_json::Value = serde_json::from_str(&way.ok(&lab, EVALUATE)).unwrap();
    let iwae = line.get("iwae_seq").map_or("-".into(), |iwae| iwae.to_string());
    let (state, elbo, drawn) =
        (hex::encode(&state.finalize()[..8]), &line["elbo_seq"], hash([way.drawn(&lab)]));
    format!("{:34} {state} {elbo:<20} {iwae:20} {drawn}", cell.name)
}

/// `STCN_GOLDEN=write cargo test --test all repro::golden` writes the file anew, once `ARITHMETIC` moved.
#[test]
fn golden_bits() {
    let head = format!(
        "# arithmetic {ARITHMETIC}: after {STEPS} updates of each run in tests/repro.rs, the SHA-256 of its \
         numbers, ELBO and\n# IWAE-2 of its test part, and the SHA-256 of two sequences drawn from it.\n"
    );
    let lines = each_cell(&cells(), golden_line);
    let found = head + &lines.join("\n") + "\n";
    let wanted = std::fs::read_to_string(golden_file()).unwrap_or_default();
    if found == wanted {
        return;
    }
    let lost: Vec<&str> = wanted.lines().filter(|line| !found.contains(line)).collect();
    let moved = !wanted.starts_with(&format!("# arithmetic {ARITHMETIC}:"));
    if std::env::var_os("STCN_GOLDEN").is_some_and(|word| word == "write")
        && (moved || lost.is_empty())
    {
        std::fs::write(golden_file(), found).unwrap();
        return;
    }
    let new: Vec<&str> = found.lines().filter(|line| !wanted.contains(line)).collect();
    let (lost, new) = (lost.join("\n"), new.join("\n"));
    panic!(
        "the bits are not those of tests/golden/bits.txt. If that is wanted, raise ARITHMETIC in \
         src/train/checkpoint.rs, say why in its history in src/book/same-bits.md, and write them with \
         STCN_GOLDEN=write.\n\
         wanted:\n{lost}\nfound:\n{new}"
    );
}

#[test]
fn the_book_has_a_line_of_history_for_every_arithmetic() {
    let chapter = include_str!("../src/book/same-bits.md");
    let (_, history) = chapter.split_once("## History of ARITHMETIC").unwrap();
    for number in 1..=ARITHMETIC {
        assert!(history.contains(&format!("\n| {number} | ")), "no line for {number}");
    }
}

/// The ways that need nothing but this test's binary.
fn ways_here() -> Vec<Way> {
    let here = Way::here();
    let threads = [2, 3, 8].map(|threads| Way {
        name: format!("{threads} threads"),
        threads,
        ..here.clone()
    });
    let others = Isa::available().into_iter().skip(1);
    let isas = others.map(|isa| Way {
        name: isa.name().into(),
        isa: Some(isa.name().into()),
        ..here.clone()
    });
    let every_cut = (1..STEPS).map(|cut| vec![cut]).chain([(1..STEPS).collect()]).collect();
    let cut = Way { name: "resumed".into(), threads: 2, cuts: every_cut, ..here.clone() };
    let cuts = vec![(1..STEPS).collect()];
    let looked_at = Way { name: "looked at".into(), cuts, looked_at: true, ..here.clone() };
    threads.into_iter().chain(isas).chain([cut, looked_at]).collect()
}

const WINE: &str = "/usr/lib/wine/wine64";

/// Whether `STCN_REPRO` names this way; `here` where it is not set.
fn asked(name: &str) -> bool {
    let asked = std::env::var("STCN_REPRO").unwrap_or("here".into());
    asked.split_whitespace().any(|word| word == name)
}

/// The ways named in `STCN_REPRO`: `here`, and other builds and CPUs. Prints what was left out, and why.
fn ways() -> Vec<Way> {
    let target = Path::new(env!("CARGO_BIN_EXE_stcn")).ancestors().nth(2).unwrap();
    let known: [(&str, &[&str], &str); 6] = [
        ("release", &[], "release/stcn"),
        ("unoptimised", &[], "unoptimised/stcn"),
        ("haswell", &["qemu-x86_64", "-cpu", "Haswell"], "release/stcn"),
        ("nehalem", &["qemu-x86_64", "-cpu", "Nehalem"], "release/stcn"),
        (
            "aarch64",
            &["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
            "aarch64-unknown-linux-gnu/release/stcn",
        ),
        ("windows", &[WINE], "x86_64-pc-windows-gnu/release/stcn.exe"),
    ];
    let mut ways = if asked("here") { ways_here() } else { vec![] };
    for (name, emulator, build) in known {
        let binary = target.join(build);
        let runs = |program: &&str| {
            Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
        };
        if !asked(name) {
            println!("left out: {name} (not in STCN_REPRO)");
        } else if let Some(missing) = emulator.first().filter(|program| !runs(program)) {
            let package = if *missing == WINE { "wine64" } else { "qemu-user" };
            println!("left out: {name} (no {missing}: install {package})");
        } else if !binary.exists() {
            println!("left out: {name} (no {})", binary.display());
        } else {
            let program = emulator.iter().map(|word| word.to_string());
            let program = program.chain([binary.display().to_string()]).collect();
            ways.push(Way { name: name.into(), program, ..Way::here() });
        }
    }
    ways
}

/// `make repro`. Long, so not with every test.
#[test]
#[ignore = "make repro"]
fn matrix() {
    let (ways, modules, cells, here) = (ways(), modules(), cells(), Way::here());
    let names = ways.iter().map(|way| way.name.as_str());
    let names: Vec<&str> = names.chain(modules.iter().map(|module| module.name)).collect();
    let columns = names.len();
    let names: String = names.into_iter().fold(String::new(), |mut line, name| {
        write!(line, " {name:>12}").unwrap();
        line
    });
    println!("{STEPS} updates, evaluation and samples, against this binary on 1 thread");
    println!("{:34}{names}", "");
    let differing: usize = each_cell(&cells, |cell| {
        let reference = here.outcome(cell, &[]);
        let mut line = format!("{:34}", cell.name);
        let mut differing = 0;
        let found = ways.iter().map(|way| way.compare(cell, &reference));
        let twin = (!modules.is_empty()).then(|| Twin::new(cell));
        let of_modules = twin.iter().flat_map(|twin| modules.iter().map(|m| m.compare(cell, twin)));
        for found in found.chain(of_modules) {
            differing += usize::from(!found.is_empty());
            let word =
                if found.is_empty() { "equal".into() } else { found.join(", ").to_uppercase() };
            write!(line, " {word:>12}").unwrap();
        }
        println!("{line}");
        differing
    })
    .into_iter()
    .sum();
    println!("{} of {} equal", cells.len() * columns - differing, cells.len() * columns);
    assert_eq!(differing, 0, "the promise is broken");
}
