//! A suite of runs, as a TOML file describes it: models × heads × settings × seeds, on one budget, for one report.
//!
//! ```toml
//! about = "What the report shows, its title"
//! preset = "ink-tiny"
//! seeds = [1, 2]
//! steps = 300                               # or minutes = 5
//! # data = "lines.npz"                      # beside this file; left out: the embedded handwriting
//! evaluate = { draws = 4, iwae = 16 }       # as the flags of `stcn evaluate`; also split, fivo, controls = true
//! sample = { count = 2, steps = 200 }       # left out: no samples
//!
//! [[row]]
//! model = "wavenet-dense"
//!
//! [[row]]
//! name = "STCN-dense"                       # lists multiply: four rows
//! model = "stcn-dense"
//! head = ["normal", "gmm"]
//! vary = { model.draws = ["shared", "fresh"] }
//! set = { model.channels = 24 }
//! paper = 1796.3                            # what a paper reports, shown beside ours
//! note = "other normalisation"              # how the paper's protocol differs
//! ```
//! Every run is an ordinary run directory. Not here: running it (`cli::table`), the report (`report`).

pub mod page;
pub mod report;
pub mod saved;
pub mod text;

use super::config::Config;
use super::resolve::Overrides;
use super::resume::{Change, changes};
use crate::data::Split;
use crate::error::{Error, Result};
use crate::file::read_whole;
use crate::models::{self, Registry};
use crate::nn::Init;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The most bytes of a suite's file.
const LONGEST: u64 = 1 << 18;

/// What a user should have named.
const WANTED: &str =
    "a suite in TOML, such as data/suites/smoke.toml of the repository, or the word smoke";

/// The suite that comes with the program.
const SMOKE: &str = include_str!("../../../data/suites/smoke.toml");

/// The most runs of a suite, so that a list too many does not fill the disk.
const MOST_RUNS: usize = 10_000;

/// A suite, checked: every config is one that `stcn train` takes.
pub struct Suite {
    /// The title of its report.
    pub about: String,
    /// The rows of its report, in the order of the file.
    pub rows: Vec<Row>,
    /// When a run ends.
    pub budget: Budget,
    /// How runs are evaluated.
    pub evaluate: Evaluate,
    /// What is drawn from them.
    pub sample: Option<Sample>,
}

/// A row of the report: one config, one run for each seed.
pub struct Row {
    /// As the report shows it.
    pub name: String,
    /// Its runs, by seed.
    pub runs: Vec<Run>,
    /// What a paper reports, in nats per sequence.
    pub paper: Option<f64>,
    /// How the paper's protocol differs.
    pub note: String,
}

/// One run.
pub struct Run {
    /// The name of its directory.
    pub name: String,
    /// Its config, the data not yet opened.
    pub config: Config,
    /// The arguments of `stcn train` that make it, but for `--out`.
    pub args: Vec<String>,
    /// Whether FIVO can be computed for its model.
    filters: bool,
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// After as many updates.
    Steps(u64),
    /// After as many minutes of training.
    Minutes(f64),
}

/// The numbers of `stcn evaluate`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluate {
    /// `--split`
    pub split: String,
    /// `--draws`
    pub draws: usize,
    /// `--iwae`
    pub iwae: usize,
    /// `--fivo`, for the models that have it
    pub fivo: usize,
    /// `--controls`, for the models that have them
    pub controls: bool,
}

impl Default for Evaluate {
    fn default() -> Self {
        Self { split: Split::Valid.to_string(), draws: 4, iwae: 16, fivo: 0, controls: false }
    }
}

/// The numbers of `stcn sample`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// `--count`
    pub count: usize,
    /// `--steps`
    pub steps: usize,
}

/// What a suite's file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    preset: Option<String>,
    data: Option<PathBuf>,
    #[serde(default = "one_seed")]
    seeds: Vec<u64>,
    steps: Option<u64>,
    minutes: Option<f64>,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    evaluate: Evaluate,
    sample: Option<Sample>,
    #[serde(default)]
    row: Vec<Group>,
}

/// One `[[row]]`, which may stand for several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: Option<String>,
    model: OneOrMore,
    head: Option<OneOrMore>,
    preset: Option<String>,
    data: Option<PathBuf>,
    #[serde(default)]
    released: bool,
    #[serde(default)]
    set: Table,
    #[serde(default)]
    vary: Table,
    paper: Option<f64>,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn list(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::More(names) => names,
        }
    }
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

impl Suite {
    /// Reads and checks a suite's file, or the one that comes with the program if that is what `path` says (`smoke`) and no such
    /// file is there; its models must be in `registry`. `data`: in place of the file's.
    pub fn read(path: &Path, data: Option<&Path>, registry: &Registry) -> Result<Self> {
        if path == Path::new("smoke") && !path.exists() {
            return Self::parse(SMOKE, path, data, registry);
        }
        if !path.exists() {
            return Err(Error::invalid(path, format!("there is no such file: want {WANTED}")));
        }
        let bytes = read_whole(path, LONGEST, WANTED)?;
        let text = String::from_utf8(bytes);
        let text =
            text.map_err(|_| Error::invalid(path, format!("is not text in UTF-8: want {WANTED}")))?;
        Self::parse(&text, path, data, registry)
    }

    /// A suite in `text`; its own data are looked for beside `path`.
    pub fn parse(
        text: &str,
        path: &Path,
        data: Option<&Path>,
        registry: &Registry,
    ) -> Result<Self> {
        let wrong = |what: String| Error::invalid(path, what);
        if text
            .parse::<Table>()
            .is_ok_and(|all| ["about", "row"].iter().all(|key| !all.contains_key(*key)))
        {
            let cure = "a config such as config.toml of a run is for `stcn train --config`";
            return Err(wrong(format!(
                "is no suite, since it has no [[row]]: want {WANTED}; {cure}"
            )));
        }
        let mut file: File = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            let what = e.message().trim_end();
            wrong(format!("line {line}: {what} (data/suites/smoke.toml is an example of a suite)"))
        })?;
        let budget = match (file.steps, file.minutes) {
            (Some(steps), None) if steps > 0 => Budget::Steps(steps),
            (None, Some(minutes)) if minutes > 0. && minutes.is_finite() => {
                Budget::Minutes(minutes)
            }
            _ => {
                let what =
                    "wants a budget above 0 for every run: either `steps = 1000` or `minutes = 10`";
                return Err(wrong(what.into()));
            }
        };
        file.evaluate.split.parse::<Split>().map_err(|e| wrong(format!("evaluate.split: {e}")))?;
        if file.evaluate.draws == 0 || file.seeds.is_empty() || file.row.is_empty() {
            let what =
                "has nothing to show: want a [[row]], a seed, and evaluate.draws of 1 or more";
            return Err(wrong(what.into()));
        }
        for own in
            std::iter::once(&mut file.data).chain(file.row.iter_mut().map(|group| &mut group.data))
        {
            *own = match data {
                Some(data) => Some(data.into()),
                None => own.take().map(|own| path.parent().unwrap_or(Path::new("")).join(own)),
            };
        }
        let mut rows = vec![];
        for group in &file.row {
            for choice in group.choices() {
                let name = choice.name.clone();
                let row = choice.row(&file, budget, registry);
                rows.push(row.map_err(|e| wrong(format!("row `{name}`: {e}")))?);
            }
        }
        let runs = rows.iter().map(|row| row.runs.len()).sum::<usize>();
        if runs > MOST_RUNS {
            return Err(wrong(format!("has {runs} runs: want {MOST_RUNS} at most")));
        }
        let mut names: Vec<&str> = rows.iter().flat_map(Row::names).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let what = format!(
                "has two runs `{}`: give their rows different names, and list no seed twice",
                twice[0]
            );
            return Err(wrong(what));
        }
        let File { about, evaluate, sample, .. } = file;
        Ok(Self { about, rows, budget, evaluate, sample })
    }

    /// Every run, in the order of the file.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.rows.iter().flat_map(|row| &row.runs)
    }

    /// The arguments of the `stcn train` that begins a run, or resumes it if it has been trained for `spent` seconds.
    pub fn train_args(&self, run: &Run, root: &Path, spent: Option<f64>) -> Vec<String> {
        let mut args = vec!["train".to_string()];
        match spent.is_some() {
            true => args.extend(["--resume".into(), root.display().to_string()]),
            false => {
                args.extend(run.args.iter().cloned());
                args.extend(["--out".into(), root.display().to_string()]);
            }
        }
        args.extend(match self.budget {
            Budget::Steps(steps) => ["--steps".into(), steps.to_string()],
            // A second at least: a run that was killed after its last update ends again.
            Budget::Minutes(minutes) => [
                "--minutes".into(),
                format!("{:.4}", (minutes - spent.unwrap_or(0.) / 60.).max(1. / 60.)),
            ],
        });
        args
    }

    /// The arguments of the `stcn sample` of a run, if the suite wants samples.
    pub fn sample_args(&self, root: &Path) -> Option<Vec<String>> {
        let Sample { count, steps } = self.sample.as_ref()?;
        let out = root.join("samples").display().to_string();
        let root = root.display().to_string();
        let args: [&str; 8] = [
            "sample",
            &root,
            "--count",
            &count.to_string(),
            "--steps",
            &steps.to_string(),
            "--out",
            &out,
        ];
        Some(args.map(String::from).to_vec())
    }

    /// The arguments of the `stcn evaluate` of a run.
    pub fn evaluate_args(&self, run: &Run, root: &Path) -> Vec<String> {
        let Evaluate { split, draws, iwae, .. } = &self.evaluate;
        let root = root.display().to_string();
        let [draws, iwae] = [draws, iwae].map(usize::to_string);
        let args: [&str; 8] =
            ["evaluate", &root, "--split", split, "--draws", &draws, "--iwae", &iwae];
        let mut args = args.map(String::from).to_vec();
        if self.fivo(run) > 0 {
            args.extend(["--fivo".into(), self.fivo(run).to_string()]);
        }
        if self.evaluate.controls {
            args.push("--controls".into());
        }
        args.push("--save".into());
        args
    }

    /// The particles of FIVO for a run; 0 if its model has none.
    pub fn fivo(&self, run: &Run) -> usize {
        if run.filters { self.evaluate.fivo } else { 0 }
    }
}

impl Row {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().map(|run| run.name.as_str())
    }
}

impl Run {
    /// The first setting with which the run in a directory was trained and that the suite has otherwise. How far it
    /// goes may differ: then it goes on. So may what it has from its data.
    pub fn mismatch(&self, found: &Config) -> Option<Change> {
        let may = ["train.steps", "data.fingerprint", "model.input"];
        changes(found, &self.config).into_iter().find(|change| !may.contains(&change.key.as_str()))
    }
}

/// One row of a group: one of every list.
struct Choice<'a> {
    group: &'a Group,
    name: String,
    model: &'a str,
    head: Option<&'a str>,
    set: Vec<String>,
}

impl Group {
    /// Every combination of its lists.
    fn choices(&self) -> Vec<Choice<'_>> {
        let models = self.model.list();
        let heads: Vec<Option<&str>> = match &self.head {
            None => vec![None],
            Some(heads) => heads.list().iter().map(|head| Some(head.as_str())).collect(),
        };
        let vary = leaves(&self.vary);
        let mut choices = vec![];
        for model in models {
            for &head in &heads {
                let mut name = self.name.clone().unwrap_or_else(|| model.clone());
                if models.len() > 1 && self.name.is_some() {
                    name += &format!(", {model}");
                }
                if let Some(head) = head.filter(|_| heads.len() > 1) {
                    name += &format!(", {head}");
                }
                choices.push(Choice { group: self, name, model, head, set: vec![] });
            }
        }
        for (key, values) in &vary {
            let values = match values {
                Value::Array(values) => &values[..],
                one => std::slice::from_ref(one),
            };
            choices = choices.iter().flat_map(|choice| choice.with(key, values)).collect();
        }
        choices
    }
}

impl<'a> Choice<'a> {
    /// One for every value of `key`.
    fn with(&self, key: &str, values: &[Value]) -> Vec<Choice<'a>> {
        let short = key.rsplit('.').next().unwrap_or(key);
        let choice = |value: &Value| {
            let set = assignment(key, value);
            let name = format!("{}, {short} = {}", self.name, text(value));
            let set = [&self.set[..], &[set]].concat();
            Choice { name, set, ..*self }
        };
        values.iter().map(choice).collect()
    }

    fn row(&self, file: &File, budget: Budget, registry: &Registry) -> Result<Row> {
        let preset = self.group.preset.as_deref().or(file.preset.as_deref());
        let of = |table: &Table| -> Vec<String> {
            leaves(table).iter().map(|(key, value)| assignment(key, value)).collect()
        };
        let set = [of(&file.set), of(&self.group.set), self.set.clone()].concat();
        if let Some(own) = set.iter().find(|set| set.starts_with("seed=")) {
            return Err(Error::usage(format!("{own} is not for `set`: write `seeds = [1, 2]`")));
        }
        let mut config = Config::resolve(
            &Overrides {
                preset,
                model: Some(self.model),
                head: self.head,
                released: self.group.released,
                file: None,
                set: &set,
            },
            registry,
        )?;
        let mut set = set;
        if let Budget::Steps(steps) = budget {
            // Not also so many epochs, which are fewer updates with a larger batch.
            (config.train.steps, config.train.epochs) = (steps, 0);
            set.push("train.epochs=0".into());
        }
        let mut args: Vec<String> = vec!["--model".into(), self.model.into()];
        for (flag, value) in [("--head", self.head), ("--preset", preset)] {
            args.extend(value.iter().flat_map(|value| [flag.to_string(), value.to_string()]));
        }
        if self.group.released {
            args.push("--released".into());
        }
        if let Some(data) = self.group.data.as_ref().or(file.data.as_ref()) {
            config.data.path = std::path::absolute(data).map_err(Error::read(data))?;
            args.extend(["--data".into(), data.display().to_string()]);
        }
        args.extend(set.iter().flat_map(|set| ["--set".to_string(), set.clone()]));
        config.validate()?;
        let filters = models::build(&config.model, Init::unfilled())?.steps().is_some();
        let run = |&seed: &u64| {
            let name = format!("{}.seed-{seed}", directory(&self.name));
            let args = [&args[..], &["--seed".into(), seed.to_string()]].concat();
            let config = Config { seed, ..config.clone() };
            config.validate()?;
            Ok(Run { name, config, args, filters })
        };
        let runs = file.seeds.iter().map(run).collect::<Result<_>>()?;
        let Group { paper, note, .. } = self.group;
        Ok(Row { name: self.name.clone(), runs, paper: *paper, note: note.clone() })
    }
}

/// The dotted keys of nested tables, with their values.
fn leaves(table: &Table) -> Vec<(String, Value)> {
    let of = |(key, value): (&String, &Value)| match value {
        Value::Table(inner) => {
            leaves(inner).into_iter().map(|(name, x)| (format!("{key}.{name}"), x)).collect()
        }
        value => vec![(key.clone(), value.clone())],
    };
    table.iter().flat_map(of).collect()
}

/// As `--set` takes it.
fn assignment(key: &str, value: &Value) -> String {
    format!("{key}={}", text(value))
}

/// A value as text, without quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// A row's name as that of a directory: lower case; a dash for what a shell or a file system might not take.
fn directory(name: &str) -> String {
    let mut plain = String::new();
    for c in name.to_lowercase().replace(" = ", "-").chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '.' => plain.push(c),
            _ if plain.ends_with('-') => (),
            _ => plain.push('-'),
        }
    }
    let plain = plain.trim_matches(['-', '.']);
    if plain.is_empty() { "row".into() } else { plain.into() }
}
