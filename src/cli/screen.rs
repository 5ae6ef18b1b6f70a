//! What `stcn train` shows of a run: what it is, its progress, how it ended.

use super::colour::{ERROR, GOOD, is_utf8, paint};
use super::{peak_mib, thousands};
use crate::data::{Normalisation, Normalise, Split};
use crate::file::in_shell;
use crate::inspect::figures::counted;
use crate::inspect::sparkline::Sparkline;
use crate::kernel::simd::isa;
use crate::models::Bound;
use crate::train::config::{Config, Objective};
use crate::train::fit::{Control, End, Observer};
use crate::train::memory::Estimate;
use crate::train::resume::Change;
use crate::train::step::Report;
use crate::train::trainer::{Checked, Trainer};
use crate::train::{Ranks, RunDir};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set by Ctrl-C and SIGTERM: the run saves and stops.
pub(super) static STOP: AtomicBool = AtomicBool::new(false);

/// Prints one JSON line; if stdout is closed or full, the run saves and stops.
fn print_line(line: &serde_json::Value) {
    if let Err(e) = super::try_print(format_args!("{line}\n"))
        && !STOP.swap(true, Ordering::SeqCst)
        && e.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("{} cannot write to stdout: {e}", paint(ERROR, "error:"));
    }
}

/// Says what is about to be trained, on what.
pub(super) fn introduce(
    trainer: &Trainer,
    changes: &[Change],
    memory: Estimate,
    run: &RunDir,
    ranks: Ranks,
) {
    let (config, set) = (trainer.config(), trainer.set());
    let count = trainer.model().parameter_count();
    let (kind, head, preset) = (config.model.kind, config.model.obs.head, &config.preset);
    eprintln!("{kind}, head {head}, preset {preset}: {} parameters", thousands(count));
    for split in Split::ALL {
        if let Some(summary) = set.summary(split) {
            eprintln!("{}: {summary}", set.name().display());
        }
    }
    for d in constant(trainer) {
        eprintln!(
            "note: channel {} has one and the same value in the training part: a model that is sure of it gets up to 6 nats a \
             step, which mean nothing; leave it out",
            d + 1
        );
    }
    changes.iter().for_each(|change| eprintln!("changed: {change}"));
    eprintln!("memory: about {}", memory.summary());
    let mut threads = counted(crate::parallel::threads(), "thread");
    if ranks.count() > 1 {
        threads = format!("{} processes, this one with {threads}", ranks.count());
    }
    let isa = isa().name();
    eprintln!("run {}, seed {}, {threads}, {isa}", run.root().display(), config.seed);
}

/// The real channels that never change in the training part, if each is normalised by itself: then their standard deviation has
/// been left at 1. With noise added none is constant.
fn constant(trainer: &Trainer) -> Vec<usize> {
    let (set, config) = (trainer.set(), trainer.config());
    if config.data.normalise != Normalise::PerChannel || config.data.dequantise {
        return vec![];
    }
    let real = config.model.obs.real_channels();
    let Normalisation { mean, std } = trainer.normalisation();
    let Some(Ok(rows)) = set.split(Split::Train).first().and_then(|&i| set.pieces(i).next()) else {
        return vec![];
    };
    let stays = |d: &usize| {
        let mut values = rows.iter().skip(*d).step_by(set.channels());
        std[*d] == 1. && values.all(|&x| f64::from(x) == mean[*d])
    };
    (0..real).filter(stays).collect()
}

/// A progress bar on a terminal, a line per check elsewhere, or JSON.
pub(super) struct Screen {
    bar: ProgressBar,
    json: bool,
    terminal: bool,
    start: Instant,
    first: u64,
    end: Option<Instant>,
    saved: Instant,
    last: Option<Report>,
    losses: Sparkline,
}

/// The longest time between two checkpoints, however rare the checks are.
const SAVE_EVERY: Duration = Duration::from_secs(120);

impl Screen {
    /// Of a run that may end after so many minutes.
    pub(super) fn new(json: bool, minutes: Option<f64>, trainer: &Trainer) -> Self {
        let first = trainer.progress().step;
        let bar = match trainer.last_step() {
            _ if json => ProgressBar::hidden(),
            Some(last) => ProgressBar::new(last).with_position(first),
            None => ProgressBar::no_length().with_position(first),
        };
        let style = "{bar:24} {pos}/{len} {msg} {per_sec} {elapsed}<{eta}";
        let style = ProgressStyle::with_template(style).expect("a template of indicatif's");
        bar.set_style(if is_utf8() { style } else { style.progress_chars("#-") });
        let start = Instant::now();
        // More minutes than a clock can count are no limit.
        let given = |minutes: f64| Duration::try_from_secs_f64(60. * minutes).ok();
        Self {
            terminal: !bar.is_hidden(),
            bar,
            json,
            start,
            first,
            end: minutes.and_then(given).and_then(|given| start.checked_add(given)),
            saved: start,
            last: None,
            losses: Sparkline::new(is_utf8()),
        }
    }

    /// Takes the progress bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn fields(&self, report: &Report, trainer: &Trainer) -> serde_json::Value {
        let seconds = self.start.elapsed().as_secs_f64();
        let mut line = json!({
            "step": report.step, "epoch": trainer.epoch(), "seconds": seconds,
            "loss": report.loss, "kl_weight": report.kl_weight, "lr": report.lr,
            "grad_norm": report.grad_norm,
            "steps_per_s": (report.step - self.first) as f64 / seconds,
        });
        let terms = [report.elbo(), report.log_px, report.kl_sum()];
        for (name, value) in ["elbo_seq", "log_px_seq", "kl_seq"].iter().zip(terms) {
            if let Some(value) = value {
                line[*name] = value.into();
            }
        }
        line
    }

    /// Says how the run ended and what to do next.
    pub(super) fn conclude(&self, end: End, sha256: &str, trainer: &Trainer, run: &RunDir) {
        let progress = trainer.progress();
        let best = progress.best_check();
        let seconds = self.start.elapsed().as_secs_f64();
        if self.json {
            let mut line = json!({
                "done": end != End::Interrupted, "step": progress.step, "seconds": seconds,
                "run": run.root().display().to_string(), "checkpoint_sha256": sha256,
            });
            if let Some(memory) = peak_mib() {
                line["rss_mb"] = memory.into();
            }
            if end == End::EarlyStop {
                line["early_stop"] = true.into();
            }
            if let Some((step, elbo)) = best {
                line["best_step"] = step.into();
                line["best_elbo_seq"] = elbo.into();
            }
            return print_line(&line);
        }
        let why = match end {
            End::Done => "done",
            End::EarlyStop => "stopped early: validation no longer improves",
            End::Interrupted => "interrupted",
        };
        let best = best.map_or(String::new(), |(step, best)| {
            let name = value_name(trainer.config(), trainer.model().bound());
            match trainer.config().train.objective {
                Objective::Elbo => {
                    format!(", best validation {name} {best:.1} nats/sequence at step {step}")
                }
                other => {
                    format!(
                        ", validation {name} {best:.1} nats/sequence at step {step}, where {other} was best"
                    )
                }
            }
        });
        let (step, root) = (progress.step, in_shell(run.root()));
        let samples = in_shell(&run.root().join("samples"));
        eprintln!("{why} at step {step} after {seconds:.0} s{best}");
        if end == End::Interrupted {
            return eprintln!("go on with:  stcn train --resume {root}");
        }
        if end == End::EarlyStop {
            let more = progress.bad_checks + trainer.config().train.patience;
            eprintln!("go on anyway: stcn train --resume {root} --set train.patience={more}");
        }
        eprintln!("checkpoint {sha256}");
        let without = |split| trainer.set().split(split).is_empty();
        let split = match (without(Split::Valid), without(Split::Test)) {
            (false, _) => "",
            (true, false) => " --split test",
            (true, true) => " --split train",
        };
        let iwae = if trainer.config().model.kind.has_latents() { " --iwae 16" } else { "" };
        eprintln!(
            "evaluate it:  stcn evaluate {root}{split}{iwae}\ndraw from it: stcn sample {root} --out {samples}\n\
             look into it: stcn inspect {root}"
        );
    }
}

/// The short name of a check's value; `stcn evaluate` says more.
fn value_name(config: &Config, bound: Bound) -> &'static str {
    match bound {
        _ if config.model.obs.is_floored() => "objective",
        Bound::Exact => "log-likelihood",
        Bound::Lower => "ELBO",
        Bound::Objective => "objective",
    }
}

impl Observer for Screen {
    fn updated(&mut self, report: &Report, trainer: &Trainer) {
        self.bar.set_position(report.step);
        self.losses.push(report.loss);
        if self.terminal && (report.step.is_multiple_of(5) || self.last.is_none()) {
            let loss = report.loss;
            let terms = report.elbo().zip(report.kl_sum());
            let terms =
                terms.map_or(String::new(), |(elbo, kl)| format!(" ELBO {elbo:.1} KL {kl:.1}"));
            let valid = trainer.progress().best_elbo;
            let valid = valid.map_or(String::new(), |best| format!(" best valid {best:.1}"));
            self.bar.set_message(format!("{} loss {loss:.3}{terms}{valid}", self.losses));
        }
        if self.json && (report.step.is_multiple_of(10) || self.first + 1 == report.step) {
            print_line(&self.fields(report, trainer));
        }
        // Before the first check, which may be minutes away.
        if report.step == self.first + 10 && !self.terminal && !self.json {
            let each = self.start.elapsed().as_secs_f64() / 10.;
            let check = trainer.config().train.eval_every;
            eprintln!(
                "an update takes about {:.0} ms: a check, with a line here, every {:.0} s",
                1000. * each,
                each * check as f64
            );
        }
        self.last = Some(report.clone());
    }

    fn checked(&mut self, checked: &Checked, trainer: &Trainer) {
        let (step, elbo) = (trainer.progress().step, checked.value.elbo_seq);
        if self.json {
            let report = self.last.clone();
            let mut line = report.map_or(json!({ "step": step }), |r| self.fields(&r, trainer));
            line["valid_elbo_seq"] = elbo.into();
            line["valid_loss"] = checked.loss.into();
            line["best"] = checked.best.into();
            return print_line(&line);
        }
        let kl: Vec<String> = checked.value.kl.iter().map(|kl| format!("{kl:.1}")).collect();
        let kl = if kl.is_empty() { String::new() } else { format!(", KL z.1.. {}", kl.join(" ")) };
        // The check at the end of a run writes no best.stcn.
        let star = match trainer.progress().end {
            None => "(best so far)",
            Some(_) => "(best so far, kept in latest.stcn)",
        };
        let star = if checked.best { format!("  {}", paint(GOOD, star)) } else { String::new() };
        let seconds = self.start.elapsed().as_secs_f64();
        let (value, name) = (&checked.value, value_name(trainer.config(), checked.value.bound));
        let bounds = [("IWAE", &value.iwae), ("FIVO", &value.fivo)];
        let bound =
            bounds.iter().find_map(|(name, bound)| bound.as_ref().map(|bound| (name, bound)));
        let bound = bound.map_or(String::new(), |(name, bound)| {
            format!(", {name}-{} {:.1} ({:.3} per step)", bound.k, bound.seq, bound.step)
        });
        let line = format!(
            "step {step:>6}  {seconds:>5.0} s  validation {name} {elbo:>9.1} nats/sequence, {:.3} per step{kl}{bound}{star}",
            value.elbo_step
        );
        if self.terminal { self.bar.println(line) } else { eprintln!("{line}") }
    }

    fn control(&mut self) -> Control {
        let now = Instant::now();
        if STOP.load(Ordering::SeqCst) {
            Control::Interrupt
        } else if self.end.is_some_and(|end| now >= end) {
            Control::Stop
        } else if now - self.saved > SAVE_EVERY {
            self.saved = now;
            Control::Save
        } else {
            Control::Continue
        }
    }
}
