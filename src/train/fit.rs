//! A run: updates, checks on the validation part, checkpoints, and when to stop.
//!
//! Not here: what one update does (`step`), how good a model is (`evaluate`), what is shown (`cli`).

use super::checkpoint::{ARITHMETIC, Checkpoint, Header, Named};
use super::config::{Config, Objective, Reduction, TrainConfig};
use super::evaluate::{Copies, Evaluation, Plan, evaluate};
use super::events::Events;
use super::memory;
use super::metrics::{Metrics, now};
use super::objective;
use super::run::RunDir;
use super::step::{Report, update};
use crate::data::{
    Batch, Batching, DataSet, Dequantise, Epochs, Normalisation, Split, Window, handwriting,
};
use crate::error::{Error, Result};
use crate::models::{self, ModelConfig, Registry, SequenceModel, config::Task};
use crate::nn::Init;
use crate::noise::Noise;
use crate::optim::Adam;
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};

/// A model, its data and its optimiser at one step; everything an update needs.
pub struct Trainer {
    config: Config,
    set: DataSet,
    normalisation: Normalisation,
    model: Box<dyn SequenceModel>,
    adam: Adam,
    progress: Progress,
    /// The batches of the epoch under way.
    epoch: Option<(u64, Vec<Vec<Window>>)>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Updates made.
    pub step: u64,
    /// The least validation loss so far, in the training reduction with KL weight 1.
    pub best: Option<f64>,
    /// The ELBO per sequence that came with it.
    pub best_elbo: Option<f64>,
    /// When.
    pub best_step: u64,
    /// Checks in a row without progress.
    pub bad_checks: u64,
}

/// Opens the data that `config` names, or makes the embedded handwriting; checks that it suits the model
/// and writes its fingerprint into `config`.
pub fn open_data(config: &mut Config) -> Result<DataSet> {
    let path = config.data.path.clone();
    let missing = match config.data.split.as_str() {
        "" => None,
        rule => Some(rule.parse()?),
    };
    let set = if path.as_os_str().is_empty() {
        handwriting::data_set()?
    } else {
        DataSet::open_within(&path, missing, config.data.in_memory.saturating_mul(1 << 20))?
    };
    let (found, wanted) = (set.channels(), config.model.obs.input);
    if found != wanted {
        let (head, preset) = (config.model.obs.head, &config.preset);
        let cure = "choose a preset for this data (`stcn list` shows them) or set model.input";
        let what = format!(
            "has D = {found} channels, head {head} of preset {preset} takes {wanted}: {cure}"
        );
        return Err(Error::invalid(set.name(), what));
    }
    check_values(config.model.obs.task, &set)?;
    if config.data.dequantise {
        set.check_grid(real_channels(config))?;
    }
    config.data.fingerprint = set.fingerprint().into();
    Ok(set)
}

/// Whether the numbers of `set` are such as `task` has: pens and keys that are 0 or 1.
pub fn check_values(task: Task, set: &DataSet) -> Result<()> {
    match task {
        Task::Ink => set.check_ink(),
        Task::Music => set.check_binary(),
        Task::Speech => Ok(()),
    }
}

/// The first channels of a row, which hold real numbers and are normalised: all but the pen.
pub fn real_channels(config: &Config) -> usize {
    if config.model.obs.task == Task::Ink { 2 } else { config.model.obs.input }
}

/// What update `step` adds to its batch, if the config says so: a sequence comes once in an epoch, so the step
/// is address enough.
pub fn dequantise(config: &Config, step: u64) -> Option<Dequantise> {
    let noise = Noise::new(config.seed, "train").at(step);
    config.data.dequantise.then(|| Dequantise::new(noise, real_channels(config)))
}

impl Trainer {
    /// At step 0.
    pub fn new(config: Config) -> Result<Self> {
        Self::begin(config, None)
    }

    /// With a normalisation that is known, since fitting one reads all data twice.
    fn begin(mut config: Config, known: Option<Normalisation>) -> Result<Self> {
        let set = open_data(&mut config)?;
        memory::check_state(&config, memory::available())?;
        let normalisation = match known {
            Some(normalisation) => normalisation,
            None => Normalisation::fit(&set, config.data.normalise, real_channels(&config))?,
        };
        let model = models::build(&config.model, Init::new(config.seed))?;
        let train = &config.train;
        let adam = Adam::new(&*model, train.beta1, train.beta2, train.eps);
        let progress = Progress::default();
        objective::check(&*model, config.train.objective)?;
        let trainer = Self { config, set, normalisation, model, adam, progress, epoch: None };
        trainer.epochs()?; // says at once if there is nothing to train on
        Ok(trainer)
    }

    /// At step 0 of a run that is there already. `config` is the run's: its data must be the same bytes.
    pub fn again(config: Config) -> Result<Self> {
        Self::begin_again(config, None)
    }

    fn begin_again(config: Config, known: Option<Normalisation>) -> Result<Self> {
        let wanted = config.data.fingerprint.clone();
        let trainer = Self::begin(config, known)?;
        let found = trainer.set.fingerprint();
        if !wanted.is_empty() && wanted != found {
            let what = format!(
                "is not the data this run began with (fingerprint {}…, want {}…): give it back its file",
                &found[..12],
                wanted.get(..12).unwrap_or(&wanted)
            );
            return Err(Error::invalid(trainer.set.name(), what));
        }
        Ok(trainer)
    }

    /// Where `checkpoint` left off. `config` is the run's: its data must be the same bytes.
    pub fn resume(
        config: Config,
        checkpoint: Checkpoint,
        path: &Path,
        registry: &Registry,
    ) -> Result<Self> {
        check(&config.model, &checkpoint, path)?;
        let Checkpoint { header, params, adam_m, adam_v } = checkpoint;
        let normalisation = Normalisation { mean: header.mean, std: header.std };
        let mut trainer = Self::begin_again(config, Some(normalisation))?;
        fill(&mut *trainer.model, params);
        if adam_m.is_empty() && header.step > 0 {
            let what =
                "holds weights only, not the optimiser's state: resume the run they came from";
            return Err(Error::invalid(path, what));
        }
        if !adam_m.is_empty() {
            trainer.adam = trainer.adam.with_moments(adam_m, adam_v);
        }
        let Header { config_toml, step, best, best_elbo, best_step, bad_checks, .. } = header;
        trainer.progress = Progress { step, best, best_elbo, best_step, bad_checks };
        let before = Config::from_toml(&config_toml, path, registry)?;
        if before.seed != trainer.config.seed {
            return Err(Error::usage(format!(
                "a run goes on with the seed it began with, {}: leave seed={} out",
                before.seed, trainer.config.seed
            )));
        }
        if judge(&before) != judge(&trainer.config) {
            trainer.progress = Progress { step, ..Progress::default() }; // bests of another measure
        }
        Ok(trainer)
    }

    /// The batch of the next update.
    pub fn batch(&mut self) -> Result<Batch> {
        let (epoch, index) = self.epochs()?.position(self.progress.step);
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.epoch = Some((epoch, self.epochs()?.epoch(epoch)));
        }
        let (_, windows) = self.epoch.as_ref().expect("just made");
        let dequantise = dequantise(&self.config, self.progress.step + 1);
        Batch::new(&self.set, &self.normalisation, &windows[index], dequantise)
    }

    /// One update. If it is refused, nothing has changed.
    pub fn step(&mut self) -> Result<Report> {
        let batch = self.batch()?;
        let step = self.progress.step + 1;
        let report = update(&mut *self.model, &mut self.adam, &batch, &self.config, step)?;
        self.progress.step = step;
        Ok(report)
    }

    fn epochs(&self) -> Result<Epochs<'_>> {
        let crop = (self.config.data.crop > 0).then_some(self.config.data.crop);
        let batching =
            Batching { sequences: self.config.train.batch, crop, seed: self.config.seed };
        Epochs::new(&self.set, &self.normalisation, Split::Train, batching)
    }

    /// How many updates the config asks for at most; `None`: no end but early stopping.
    pub fn last_step(&self) -> Option<u64> {
        let train = &self.config.train;
        let per_epoch = self.epochs().map_or(0, |epochs| epochs.batches_per_epoch() as u64);
        let by_epochs = (train.epochs > 0).then_some(train.epochs.saturating_mul(per_epoch));
        let by_steps = (train.steps > 0).then_some(train.steps);
        by_epochs.into_iter().chain(by_steps).min()
    }

    /// The ELBO of the validation part, one draw, and the bound that is learnt from; by that, notes whether it is
    /// the best yet. `None` without a validation part.
    pub fn check(&mut self) -> Result<Option<Checked>> {
        let split = Split::Valid;
        if self.set.split(split).is_empty() {
            return Ok(None);
        }
        let dequantise = self.config.data.dequantise;
        let copies = dequantise.then(|| Copies::new(1, real_channels(&self.config)));
        let TrainConfig { objective, particles, .. } = self.config.train;
        let particles = |of| if objective == of { particles } else { 0 };
        let (iwae, fivo) = (particles(Objective::Iwae), particles(Objective::Fivo));
        let plan = Plan { split, draws: 1, iwae, fivo, seed: self.config.seed, copies };
        let value = evaluate(&*self.model, &self.set, &self.normalisation, plan, |_| ())?;
        let lengths: Vec<usize> =
            self.set.split(split).iter().map(|&i| self.set.length(i)).collect();
        let (train, progress) = (&self.config.train, &mut self.progress);
        let bound = value.iwae.as_ref().or(value.fivo.as_ref());
        let bound = bound.map_or(&value.per_sequence, |bound| &bound.per_sequence);
        let loss = objective::reduce(bound, &lengths, train.reduction);
        let finite = loss.is_finite(); // a NaN is no progress, not even over nothing
        let fell = progress.best.is_none_or(|best| loss < best - train.min_gain * best.abs());
        let (fell, best) =
            (finite && fell, finite && progress.best.is_none_or(|best| loss <= best));
        if fell {
            progress.bad_checks = 0;
        } else if progress.step > train.after_step {
            progress.bad_checks += 1;
        }
        if best {
            progress.best = Some(loss);
            progress.best_elbo = Some(value.elbo_seq);
            progress.best_step = progress.step;
        }
        let stop = train.early_stop && progress.bad_checks >= train.patience;
        Ok(Some(Checked { value, loss, best, stop }))
    }

    /// Everything a resumed run needs.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut params = vec![];
        self.model.visit(&mut |p| {
            params.push(Named { path: p.path().into(), value: p.value.clone() });
        });
        let (m, v) = self.adam.moments();
        let Progress { step, best, best_elbo, best_step, bad_checks } = self.progress;
        let header = Header {
            arithmetic: ARITHMETIC,
            step,
            best,
            best_elbo,
            best_step,
            bad_checks,
            mean: self.normalisation.mean.clone(),
            std: self.normalisation.std.clone(),
            ..Header::new(self.config.portable_toml())
        };
        Checkpoint { header, params, adam_m: m.to_vec(), adam_v: v.to_vec() }
    }

    /// The config, with the data's fingerprint.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The data.
    pub fn set(&self) -> &DataSet {
        &self.set
    }

    /// The model.
    pub fn model(&self) -> &dyn SequenceModel {
        &*self.model
    }

    /// Where the run stands.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Passes over the data so far.
    pub fn epoch(&self) -> u64 {
        self.epochs().map_or(0, |epochs| epochs.position(self.progress.step.max(1) - 1).0)
    }
}

/// What checks are compared by.
fn judge(config: &Config) -> (Objective, Option<usize>, Reduction, bool) {
    let TrainConfig { objective, particles, reduction, .. } = config.train;
    let particles = (objective != Objective::Elbo).then_some(particles);
    (objective, particles, reduction, config.data.dequantise)
}

/// Whether every parameter of the model that `config` asks for is in the checkpoint, under its path, in its
/// shape, and a mean and standard deviation for each of its channels.
///
/// Asked before the model is built: a config inside a file may name any sizes, and only the numbers beside
/// it show that they were meant.
fn check(config: &ModelConfig, checkpoint: &Checkpoint, path: &Path) -> Result<()> {
    let (found, wanted) = (checkpoint.header.mean.len(), config.obs.input);
    if found != wanted {
        let what = format!(
            "has means of {found} channels where its config has {wanted}: take another copy"
        );
        return Err(Error::invalid(path, what));
    }
    let params = &checkpoint.params;
    let wanted = models::shapes(config)?;
    for i in 0..wanted.len().max(params.len()) {
        let found = params.get(i).map(|x| (x.path.as_str(), x.value.shape()));
        let wanted = wanted.get(i).map(|(path, shape)| (path.as_str(), shape.as_slice()));
        if found != wanted {
            let words = |x: Option<(&str, &[usize])>, nothing: &str| {
                x.map_or(nothing.into(), |(path, shape)| format!("{path} {shape:?}"))
            };
            let (found, wanted) = (words(found, "nothing"), words(wanted, "no more parameters"));
            let what =
                format!("holds {found} where the model has {wanted}: it belongs to another config");
            return Err(Error::invalid(path, what));
        }
    }
    Ok(())
}

/// Puts the tensors of a checkpoint, known to be the model's, into it.
fn fill(model: &mut dyn SequenceModel, params: Vec<Named>) {
    let mut values = params.into_iter().map(|x| x.value);
    model.visit_mut(&mut |p| p.value = values.next().expect("a tensor for every parameter"));
}

/// What a check on the validation part found.
pub struct Checked {
    /// The values.
    pub value: Evaluation,
    /// In the training reduction.
    pub loss: f64,
    /// Whether no check was better.
    pub best: bool,
    /// Whether patience is at its end.
    pub stop: bool,
}

/// What whoever watches a run wants of it next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    GoOn,
    /// A checkpoint now.
    Save,
    /// An end, as if the last step were reached.
    Stop,
    /// An end at once, after saving.
    Interrupt,
}

/// Whoever watches a run: sees every report, and may ask for an end.
pub trait Watch {
    /// After every update.
    fn updated(&mut self, report: &Report, trainer: &Trainer);
    /// After every check.
    fn checked(&mut self, checked: &Checked, trainer: &Trainer);
    /// Asked after every update.
    fn wish(&mut self) -> Wish;
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The last step, or the time given, was reached.
    Done,
    /// Patience was at its end.
    EarlyStop,
    /// Whoever watched asked for it; the state is saved.
    Interrupted,
}

/// Updates between two rows of the metrics.
const REPORT: u64 = 10;

/// The columns of `metrics.csv` after `step`.
const COLUMNS: [&str; 11] = [
    "epoch",
    "seconds",
    "loss",
    "elbo_seq",
    "log_px_seq",
    "kl_seq",
    "kl_weight",
    "lr",
    "grad_norm",
    "valid_elbo_seq",
    "valid_loss",
];

/// Runs to the end; gives why it ended and the SHA-256 of the last checkpoint.
pub fn fit(trainer: &mut Trainer, run: &RunDir, watch: &mut dyn Watch) -> Result<(End, String)> {
    let start = now();
    let first = trainer.progress.step;
    let mut metrics = Metrics::resume(&run.metrics(), &COLUMNS, first)?;
    let mut events = Events::create(run.root(), start)?;
    let last = trainer.last_step();
    let mut saved = if first == 0 {
        trainer.checkpoint().save(&run.latest())? // a run killed from here on can be resumed
    } else {
        events.restart(start, first + 1)?;
        String::new()
    };
    let end = loop {
        if last.is_some_and(|last| trainer.progress.step >= last) {
            break End::Done;
        }
        let report = trainer.step()?; // if refused, the last checkpoint stays: the state now leads nowhere
        watch.updated(&report, trainer);
        let step = report.step;
        let check_due = step.is_multiple_of(trainer.config.train.eval_every);
        let checked = if check_due { trainer.check()? } else { None };
        if checked.is_some() || step.is_multiple_of(REPORT) {
            let row = [
                Some(trainer.epoch() as f64),
                Some(now() - start),
                Some(report.loss),
                report.elbo(),
                report.log_px,
                report.kl_sum(),
                Some(report.kl_weight),
                Some(report.lr),
                Some(report.grad_norm),
                checked.as_ref().map(|checked| checked.value.elbo_seq),
                checked.as_ref().map(|checked| checked.loss),
            ];
            metrics.row(step, &row)?;
            let names = COLUMNS.iter().zip(row).filter_map(|(name, x)| Some((*name, x?)));
            let kl = report.kl.iter().enumerate().map(|(l, kl)| (format!("kl/z.{}", l + 1), *kl));
            let tags = names.map(|(name, x)| (format!("train/{name}"), x)).chain(kl);
            let tags: Vec<(String, f64)> = tags.collect();
            let tags: Vec<(&str, f64)> = tags.iter().map(|(name, x)| (name.as_str(), *x)).collect();
            events.scalars(now(), step, &tags)?;
        }
        // The best first: a run killed between the two makes this check again, and not the other way round.
        if checked.as_ref().is_some_and(|checked| checked.best) {
            trainer.checkpoint().save(&run.best())?;
        }
        if check_due {
            saved = trainer.checkpoint().save(&run.latest())?; // with or without a validation part
        }
        if let Some(checked) = &checked {
            watch.checked(checked, trainer);
            if checked.stop {
                break End::EarlyStop;
            }
        }
        match watch.wish() {
            Wish::GoOn => (),
            Wish::Save => saved = trainer.checkpoint().save(&run.latest())?,
            Wish::Stop => break End::Done,
            Wish::Interrupt => {
                saved = trainer.checkpoint().save(&run.latest())?;
                return Ok((End::Interrupted, saved));
            }
        }
    };
    let progress = trainer.progress;
    if saved.is_empty() || !progress.step.is_multiple_of(trainer.config.train.eval_every) {
        saved = trainer.checkpoint().save(&run.latest())?;
        // A check off the schedule shows how good the last model is, and leaves no trace: neither in the state
        // nor in the best file, or a run cut in two would differ from one that was not.
        if let Some(checked) = trainer.check()? {
            trainer.progress = progress;
            watch.checked(&Checked { best: progress.best.is_none(), ..checked }, trainer);
        }
    }
    if progress.best.is_none() {
        trainer.checkpoint().save(&run.best())?; // no check on the schedule yet: the last is the best known
    }
    Ok((end, saved))
}

/// A finished or running run, to evaluate and sample from.
pub struct Trained {
    /// The run's config.
    pub config: Config,
    /// Its model, with the parameters of the checkpoint.
    pub model: Box<dyn SequenceModel>,
    /// The normalisation it was trained under.
    pub normalisation: Normalisation,
    /// Updates behind it.
    pub step: u64,
}

impl Trained {
    /// The best checkpoint of a run directory, or the latest if there is no best yet, or a checkpoint file.
    pub fn open(path: &Path, registry: &Registry) -> Result<Self> {
        if path.is_file() {
            return Self::load(path, None, registry);
        }
        let run = RunDir::open(path)?;
        let file = if run.best().exists() { run.best() } else { run.latest() };
        Self::load(&file, Some(run.read_config(registry)?), registry)
    }

    fn load(path: &Path, config: Option<Config>, registry: &Registry) -> Result<Self> {
        let mut trained = Self::from_checkpoint(Checkpoint::load(path)?, path, registry)?;
        // The checkpoint knows its sizes; the run directory knows where the data lies, and nobody else.
        let data = &mut trained.config.data;
        (data.path, data.in_memory) = match config {
            Some(config) => (config.data.path, config.data.in_memory),
            None => (PathBuf::new(), data.in_memory),
        };
        Ok(trained)
    }

    /// The model of a checkpoint; `path` is for the messages.
    pub fn from_checkpoint(
        checkpoint: Checkpoint,
        path: &Path,
        registry: &Registry,
    ) -> Result<Self> {
        let config = Config::from_toml(&checkpoint.header.config_toml, path, registry)?;
        check(&config.model, &checkpoint, path)?;
        let Checkpoint { header, params, .. } = checkpoint;
        let mut model = models::build(&config.model, Init::unfilled())?;
        fill(&mut *model, params);
        let normalisation = Normalisation { mean: header.mean, std: header.std };
        Ok(Self { config, model, normalisation, step: header.step })
    }

    /// The data that the run was trained on, or `other`.
    pub fn open_data(&mut self, other: Option<PathBuf>) -> Result<DataSet> {
        let wanted = self.config.data.fingerprint.clone();
        let data = &mut self.config.data;
        data.path = other.unwrap_or_else(|| data.path.clone());
        let embedded = data.path.as_os_str().is_empty();
        let set = open_data(&mut self.config)?;
        // Checkpoints and exports travel without the data's path, and an empty one means the embedded data.
        if embedded && !wanted.is_empty() && wanted != set.fingerprint() {
            return Err(Error::usage(format!(
                "this model was trained on data with fingerprint {}…, which is not the embedded \
                 handwriting, and where it lies is not known here: name it with --data FILE.npz",
                wanted.get(..12).unwrap_or(&wanted)
            )));
        }
        Ok(set)
    }

    /// Rows in raw units from rows the model drew.   x: (B, T, D), result: one flat (T, D) per sequence
    pub fn raw(&self, x: &Tensor) -> Vec<Vec<f32>> {
        let (_, t, d) = x.btc("raw");
        let undo = |rows: &[crate::Real]| {
            let rows: Vec<f32> = rows.iter().map(|&x| x as f32).collect();
            let mut raw = vec![0.; rows.len()];
            self.normalisation.undo(&rows, &mut raw);
            raw
        };
        x.data().chunks_exact((t * d).max(1)).map(undo).collect()
    }
}
