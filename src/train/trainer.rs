//! The state of a run: model, data and optimiser at one step, and what moves it to the next.
//!
//! Not here: what one update does (`step`), how good a model is (`evaluate`), when to stop (`fit`).

use super::allocator::give_back;
use super::checkpoint::{ARITHMETIC, Checkpoint, EndCheck, Header, Named};
use super::config::{Config, Objective, Reduction};
use super::data::{dequantise, open_data, open_new, take_new};
use super::evaluate::{Evaluation, Plan, evaluate_on};
use super::memory;
use super::objective;
use super::ranks::{Others, Ranks};
use super::restore::{check, copy, fill, mismatch};
use super::resume;
use super::step::{Report, Watch, pass, try_update, update_watched};
use super::trained::Trained;
use crate::data::{Batch, Batching, DataSet, Epochs, Normalisation, Split, Window};
use crate::error::{Error, ErrorKind, Result};
use crate::models::{self, Registry, SequenceModel};
use crate::nn::Init;
use crate::optim::Adam;
use crate::tape::{Tape, Var};
use std::path::Path;

/// Model, data and optimiser at one step: everything that an update needs.
pub struct Trainer {
    config: Config,
    set: DataSet,
    normalisation: Normalisation,
    model: Box<dyn SequenceModel>,
    adam: Adam,
    progress: Progress,
    /// The current epoch: its number and its batches.
    epoch: Option<(u64, Vec<Vec<Window>>)>,
    /// Who computes, and the config by which they build the model.
    ranks: (Ranks, String),
}

/// How far a run has got, and the best check so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Updates made.
    pub step: u64,
    /// The lowest validation loss so far, in the training reduction with KL weight 1.
    pub best: Option<f64>,
    /// The validation ELBO per sequence at the same check.
    pub best_elbo: Option<f64>,
    /// The step of that check.
    pub best_step: u64,
    /// Checks in a row without progress.
    pub bad_checks: u64,
    /// The check at this step, if the run ended here off the schedule of its checks.
    pub end: Option<EndCheck>,
}

impl Progress {
    /// Step and validation ELBO of the best check, the one at the end included.
    pub fn best_check(&self) -> Option<(u64, f64)> {
        match self.end.filter(|end| end.beats(self.best)) {
            Some(end) => Some((self.step, end.elbo)),
            None => Some((self.best_step, self.best_elbo?)),
        }
    }
}

/// The result of a check on the validation part.
pub struct Checked {
    /// The values.
    pub value: Evaluation,
    /// The loss in the training reduction, KL weight 1.
    pub loss: f64,
    /// Whether this is now the best check (at the end of a run, a tie does not count).
    pub best: bool,
}

impl Trainer {
    /// At step 0.
    pub fn new(config: Config) -> Result<Self> {
        Self::begin(config, None)
    }

    /// At step 0, on data in memory ([`DataSet::from_parts`]). A run that is to be resumed needs its data in a file
    /// ([`DataSet::save`]), whose name is in `data.path`.
    pub fn with_data(mut config: Config, set: DataSet) -> Result<Self> {
        let set = take_new(&mut config, set)?;
        Self::on(config, set, None)
    }

    /// At step 0, with the parameters of a trained model, and the normalisation that they are used to: to fine-tune it.
    pub fn from_weights(config: Config, weights: &Trained) -> Result<Self> {
        let origin = weights.checkpoint.display();
        if let Some([found, wanted]) = mismatch(&*weights.model, &config.model)? {
            return Err(Error::usage(format!(
                "--init {origin} holds {found} where the config has {wanted}: leave the sizes of the model as they are there"
            )));
        }
        if config.data.normalise != weights.config.data.normalise {
            return Err(Error::usage(format!(
                "the weights of --init {origin} are used to data.normalise = {}, and would be to no other: leave it out",
                weights.config.data.normalise.name()
            )));
        }
        let mut trainer = Self::begin(config, Some(weights.normalisation.clone()))?;
        copy(&mut *trainer.model, &*weights.model);
        Ok(trainer)
    }

    /// With the normalisation of a checkpoint if there is one: fitting one reads all data twice.
    fn begin(mut config: Config, known: Option<Normalisation>) -> Result<Self> {
        let set = match known {
            Some(_) => open_data(&mut config)?,
            None => open_new(&mut config)?,
        };
        Self::on(config, set, known)
    }

    fn on(config: Config, set: DataSet, known: Option<Normalisation>) -> Result<Self> {
        memory::check_state(&config, memory::available())?;
        let normalisation = match known {
            Some(normalisation) => normalisation,
            None => {
                let real = config.model.obs.real_channels();
                Normalisation::fit(&set, config.data.normalise, real)?
            }
        };
        let model = models::build(&config.model, Init::new(config.seed))?;
        let train = &config.train;
        let adam = Adam::new(&*model, train.beta1, train.beta2, train.eps)
            .with_weight_decay(train.weight_decay);
        let progress = Progress::default();
        objective::check(&*model, config.train.objective)?;
        let (epoch, ranks) = (None, (Ranks::ALONE, String::new()));
        let trainer = Self { config, set, normalisation, model, adam, progress, epoch, ranks };
        trainer.epochs()?; // refuses data without a training part at once
        Ok(trainer)
    }

    /// At step 0 of a run directory that exists already; the data must have the fingerprint in `config`.
    pub fn again(config: Config) -> Result<Self> {
        if config.data.fingerprint.is_empty() {
            let what = "the config of this run has lost data.fingerprint: begin another run with --out DIR";
            return Err(Error::usage(what));
        }
        Self::begin_again(config, None)
    }

    fn begin_again(config: Config, known: Option<Normalisation>) -> Result<Self> {
        let wanted = config.data.fingerprint.clone();
        let trainer = Self::begin(config, known)?;
        let found = trainer.set.fingerprint();
        if !wanted.is_empty() && wanted != found {
            let what = format!(
                "is not the data this run began with (fingerprint {}…, want {}…): give it back its file, or \
                 name it with --data FILE.npz",
                &found[..12],
                wanted.get(..12).unwrap_or(&wanted)
            );
            return Err(Error::invalid(trainer.set.name(), what));
        }
        Ok(trainer)
    }

    /// At the step of `checkpoint`, on the data of its fingerprint. `config` may differ from the checkpoint's in what
    /// `stcn train --help` lists under "resumed" and in where the data lies; `path` is for the messages.
    pub fn resume(
        mut config: Config,
        checkpoint: Checkpoint,
        path: &Path,
        registry: &Registry,
    ) -> Result<Self> {
        let before = Config::from_toml(&checkpoint.header.config_toml, path, registry)?;
        resume::check(&resume::changes(&before, &config))?;
        config.data.fingerprint.clone_from(&before.data.fingerprint);
        config.data.rate = before.data.rate;
        check(&config.model, &checkpoint, path)?;
        let Checkpoint { header, params, adam_m, adam_v } = checkpoint;
        let normalisation = Normalisation { mean: header.mean, std: header.std };
        let mut trainer = Self::begin_again(config, Some(normalisation))?;
        fill(&mut *trainer.model, params);
        if adam_m.is_empty() && header.step > 0 {
            let what = "holds weights only, not the optimiser's state: resume the run they came from, or begin one with them by `stcn train --init`";
            return Err(Error::invalid(path, what));
        }
        if !adam_m.is_empty() {
            trainer.adam = trainer.adam.with_moments(adam_m, adam_v);
        }
        let Header { step, best, best_elbo, best_step, bad_checks, end, .. } = header;
        trainer.progress = Progress { step, best, best_elbo, best_step, bad_checks, end };
        if selection_key(&before) != selection_key(&trainer.config) {
            trainer.progress = Progress { step, ..Progress::default() }; // the old best is in another measure
        }
        Ok(trainer)
    }

    /// The same with updates and checks shared out among the processes of `ranks`, of which this is rank 0: no bit changes.
    pub fn on_ranks(self, ranks: Ranks) -> Self {
        let ranks = (ranks, self.config.portable_toml());
        Self { ranks, ..self }
    }

    fn others(&self) -> Others<'_> {
        let (ranks, config) = &self.ranks;
        ranks.of(config)
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

    /// One update. If it is refused, nothing changes.
    pub fn step(&mut self) -> Result<Report> {
        self.step_watched(false)
    }

    /// The same; with `diagnose`, it reports its diagnostics too.
    pub fn step_watched(&mut self, diagnose: bool) -> Result<Report> {
        let batch = self.batch()?;
        let step = self.progress.step + 1;
        let (ranks, text) = &self.ranks;
        let report = update_watched(
            &mut *self.model,
            &mut self.adam,
            &batch,
            &self.config.train,
            self.config.seed,
            step,
            Watch { diagnose, others: ranks.of(text), ..Watch::NOTHING },
        )?;
        (self.progress.step, self.progress.end) = (step, None);
        Ok(report)
    }

    /// Tries the next update without making it: returns the error that [`step`](Self::step) would return.
    pub fn try_step(&mut self) -> Result<()> {
        let batch = self.batch()?;
        let step = self.progress.step + 1;
        let others = self.others();
        try_update(others, &*self.model, &batch, &self.config.train, self.config.seed, step)
    }

    /// The loss of the next update over another batch, recorded on `tape`: to look at what is being learned.
    pub fn loss<'t>(&self, tape: &'t Tape, batch: &Batch) -> Var<'t> {
        let (Config { train, seed, .. }, step) = (&self.config, self.progress.step + 1);
        pass(&*self.model, tape, batch, &batch.lengths, train, *seed, step).loss
    }

    fn epochs(&self) -> Result<Epochs<'_>> {
        let crop = (self.config.data.crop > 0).then_some(self.config.data.crop);
        let batching = Batching {
            sequences: self.config.train.batch,
            crop,
            transpose: self.config.data.transpose,
            seed: self.config.seed,
        };
        Epochs::new(&self.set, Split::Train, batching)
    }

    /// The last step that the config allows; `None`: only early stopping ends the run.
    pub fn last_step(&self) -> Option<u64> {
        let train = &self.config.train;
        let per_epoch = self.epochs().map_or(0, |epochs| epochs.batches_per_epoch() as u64);
        let by_epochs = (train.epochs > 0).then_some(train.epochs.saturating_mul(per_epoch));
        let by_steps = (train.steps > 0).then_some(train.steps);
        by_epochs.into_iter().chain(by_steps).min()
    }

    /// Evaluates the validation part and counts the result: whether it is the best yet, and whether it is progress.
    /// `None` without a validation part; refused if the result is not finite.
    pub fn check(&mut self) -> Result<Option<Checked>> {
        let Some((value, loss)) = self.validate()? else { return Ok(None) };
        let (train, progress) = (&self.config.train, &mut self.progress);
        let fell = progress.best.is_none_or(|best| loss < best - train.min_gain * best.abs());
        let best = progress.best.is_none_or(|best| loss <= best);
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
        Ok(Some(Checked { value, loss, best }))
    }

    /// The same at the end of a run, at a step without a scheduled check. The result is stored separately and counts
    /// neither as the best nor towards patience: a run that continues from here must not depend on it.
    pub fn check_end(&mut self) -> Result<Option<Checked>> {
        let Some((value, loss)) = self.validate()? else { return Ok(None) };
        let end = EndCheck { loss, elbo: value.elbo_seq };
        self.progress.end = Some(end);
        Ok(Some(Checked { value, loss, best: end.beats(self.progress.best) }))
    }

    /// Whether `train.patience` checks in a row brought no progress.
    pub fn out_of_patience(&self) -> bool {
        let train = &self.config.train;
        train.early_stop && self.progress.bad_checks >= train.patience
    }

    /// Evaluates the validation split: the ELBO with one draw, the bound that is trained on if that is another, and the
    /// loss from that bound in the training reduction, KL weight 1.
    fn validate(&self) -> Result<Option<(Evaluation, f64)>> {
        let plan = Plan::of_check(&self.config);
        let samples = plan.samples(&self.set);
        if samples.is_empty() {
            return Ok(None);
        }
        let step = self.progress.step;
        give_back();
        let (others, model) = (self.others(), &*self.model);
        let value = evaluate_on(others, model, &self.set, &self.normalisation, plan, |_| ());
        give_back();
        let value = value.map_err(|e| match e.kind() {
            ErrorKind::Diverged(what) => ErrorKind::Diverged(format!("step {step}: {what}")).into(),
            _ => e,
        })?;
        let lengths: Vec<usize> = samples.iter().map(|&i| self.set.length(i)).collect();
        let bound = value.iwae.as_ref().or(value.fivo.as_ref());
        let bound = bound.map_or(&value.per_sequence, |bound| &bound.per_sequence);
        let loss = objective::reduce(bound, &lengths, self.config.train.reduction);
        Ok(Some((value, loss)))
    }

    /// The state to save: everything that resuming needs.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut params = vec![];
        self.model.visit(&mut |p| {
            params.push(Named { path: p.path().into(), value: p.value.clone() });
        });
        let (m, v) = self.adam.moments();
        let Progress { step, best, best_elbo, best_step, bad_checks, end } = self.progress;
        let header = Header {
            arithmetic: ARITHMETIC,
            step,
            best,
            best_elbo,
            best_step,
            bad_checks,
            end,
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

    /// What every batch is normalised by, and what undoes it in samples.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// The model.
    pub fn model(&self) -> &dyn SequenceModel {
        &*self.model
    }

    /// How far the run has got.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The epoch of the last update, from 0.
    pub fn epoch(&self) -> u64 {
        self.epochs().map_or(0, |epochs| epochs.position(self.progress.step.max(1) - 1).0)
    }
}

/// What the validation loss depends on besides the model: only checks with equal keys can be compared.
fn selection_key(config: &Config) -> (Objective, usize, Reduction, bool, usize) {
    let train = &config.train;
    let (dequantise, sequences) = (config.data.dequantise, train.valid_sequences);
    (train.objective, train.draws(), train.reduction, dequantise, sequences)
}
