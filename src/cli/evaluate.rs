//! `stcn evaluate`: bounds of a trained model, and what each may be called.

use super::trained::{RunArgs, open};
use super::{print_json, reading, thousands};
use crate::data::{DataSet, Split};
use crate::error::{Error, Result};
use crate::models::Bound;
use crate::models::Registry;
use crate::models::config::{ModelConfig, Task};
use crate::train::bounds::has_controls;
use crate::train::checkpoint::sha256_of;
use crate::train::controls::{Controls, controls};
use crate::train::evaluate::{Copies, Evaluation, Plan, Weighted, evaluate_on};
use crate::train::run::RunDir;
use crate::train::suite::saved::Saved;
use crate::train::{Ranks, Trained};
use clap::Parser;
use indicatif::ProgressBar;
use serde_json::json;
use std::path::PathBuf;

/// Evaluate a trained model on a part of a data set: bounds with standard errors
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn evaluate runs/ink --split test --draws 10 --iwae 16 --fivo 16"
)]
pub(super) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// A data set to use instead of the run's own
    #[arg(long, value_name = "FILE.npz")]
    data: Option<PathBuf>,
    /// The part of the data set: train, valid or test
    #[arg(long, default_value = "valid", value_name = "SPLIT")]
    split: String,
    /// Draws of the latents that the ELBO is averaged over
    #[arg(long, default_value_t = 10, value_name = "N")]
    draws: usize,
    /// Average over 4 copies of the data with noise of one raw unit added, so that bounds are of a code length;
    /// always on for runs trained with it
    #[arg(long)]
    dequantise: bool,
    /// Also compute the importance-weighted bound (IWAE) with K draws: per step where the model's steps are
    /// independent, else per sequence
    #[arg(long, default_value_t = 0, value_name = "K")]
    iwae: usize,
    /// Also compute the bound of a particle filter (FIVO) with K particles, for models with latents
    #[arg(long, default_value_t = 0, value_name = "K")]
    fivo: usize,
    /// Also compare with another run: the mean difference of the ELBOs or likelihoods, paired by sequence, which
    /// makes its standard error small
    #[arg(long, value_name = "RUN")]
    against: Option<PathBuf>,
    /// Also measure what the output reads from the latents: ln p(x|z) with z from the prior, with each latent from
    /// another step, and the bounds with one shared draw of each latent if training made several; of STCN and LadderRNN
    #[arg(long)]
    controls: bool,
    /// Seed of the draws
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Also write the results, with those of every sequence, into the run directory as evaluation-<split>.json, which
    /// `stcn table` reads
    #[arg(long, conflicts_with = "data")]
    save: bool,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, registry: &Registry, ranks: Ranks) -> Result<()> {
    let split: Split = args.split.parse()?;
    if args.draws == 0 {
        return Err(Error::usage("--draws 0 leaves nothing to take the mean of: want 1 or more"));
    }
    let mut trained = args.run.open(registry)?;
    let run = args.save.then(|| place(&trained)).transpose()?; // before the work
    trained.config.data.dequantise |= args.dequantise;
    trained.config.validate()?;
    let set = reading(args.json, || trained.open_data(args.data))?;
    if set.split(split).is_empty() {
        let what = format!("has no sequence in split {split}: choose another --split");
        return Err(Error::invalid(set.name(), what));
    }
    let copies = trained.config.data.dequantise;
    let real = trained.config.model.obs.real_channels();
    let copies = copies.then(|| Copies::new(Copies::REPORTED, real));
    let (draws, iwae, fivo) = (args.draws, args.iwae, args.fivo);
    let plan = Plan { draws, iwae, fivo, seed: args.seed, copies, ..Plan::new(split) };
    let measure = |trained: &Trained, plan: Plan| {
        let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(1000) };
        let config = trained.config.portable_toml();
        let (others, model) = (ranks.of(&config), &*trained.model);
        let value = evaluate_on(others, model, &set, &trained.normalisation, plan, |share| {
            bar.set_position((1000. * share) as u64);
        });
        bar.finish_and_clear();
        value
    };
    let other = args.against.map(|run| open_other(run, &trained, registry)).transpose()?;
    let has_controls = args.controls && has_controls(&*trained.model, set.channels());
    // A suite asks every model, and takes no for an answer.
    if args.controls && !has_controls && !args.save {
        return Err(Error::usage(format!(
            "--controls: {} has no latents, or later steps depend on them: leave --controls out",
            trained.config.model.kind
        )));
    }
    let value = measure(&trained, plan)?;
    let control =
        has_controls.then(|| Control::measure(&trained, &set, plan, &value, args.json, ranks));
    let control = control.transpose()?;
    if let Some(run) = run {
        save(&run, &trained, &set, plan, &value, args.controls, control.as_ref())?;
    }
    let against = other.map(|(run, other)| -> Result<_> {
        let of_other = measure(&other, Plan { iwae: 0, fivo: 0, ..plan })?;
        let above = value.paired_difference(&of_other);
        Ok(Against { run, other, bound: of_other.bound, above })
    });
    let against = against.transpose()?;
    if args.json {
        let mut line = fields(&trained, split, &value);
        if let Some(control) = &control {
            line["controls"] = control.fields();
        }
        if let Some(Against { run, other, above: (seq, se), .. }) = against {
            let (model, checkpoint) = (other.config.model.kind, other.checkpoint.to_string_lossy());
            line["against"] = json!({ "run": run.to_string_lossy(), "model": model, "seq": seq, "checkpoint": checkpoint, "step": other.step });
            if let Some(se) = se {
                line["against"]["se"] = se.into();
            }
        }
        print_json(&line);
    } else {
        print_evaluation(&trained, split, &value);
        if let Some(control) = &control {
            control.print();
        }
        if let Some(Against { other, bound, above: (seq, se), .. }) = against {
            let (model, origin) = (&other.config.model, other.origin());
            let (name, se) = (name(model, bound), plus_minus(se));
            println!(
                "minus that of {origin}, {}, {name}: {seq:+.2}{se} nats/sequence (standard error of the differences)",
                model.kind
            );
        }
    }
    Ok(())
}

/// The comparison with another run on the same sequences.
struct Against {
    run: PathBuf,
    other: Trained,
    bound: Bound,
    /// From [`Evaluation::paired_difference`].
    above: (f64, Option<f64>),
}

/// Opens a run to compare with; refused if its data were normalised otherwise, since its nats are then in another
/// unit.
fn open_other(run: PathBuf, trained: &Trained, registry: &Registry) -> Result<(PathBuf, Trained)> {
    let other = open(&run, registry)?;
    let unit = |run: &Trained| (run.config.model.obs.task, run.normalisation.clone());
    if unit(&other) != unit(trained) {
        return Err(Error::usage(format!(
            "--against {}: its data were normalised with other means and standard deviations, so its nats are not comparable: \
             choose a run on the same data, with the same data.normalise",
            run.display()
        )));
    }
    Ok((run, other))
}

fn fields(trained: &Trained, split: Split, value: &Evaluation) -> serde_json::Value {
    let model = trained.config.model.kind;
    let (checkpoint, step) = (trained.checkpoint.to_string_lossy(), trained.step);
    let kl_seq = value.kl.iter().fold(0., |sum, kl| sum + kl);
    let mut line = json!({
        "model": model, "head": trained.config.model.obs.head,
        "params": trained.model.parameter_count(), "checkpoint": checkpoint, "step": step, "split": split.to_string(),
        "sequences": value.sequences, "steps": value.steps, "draws": value.draws,
        "elbo_seq": value.elbo_seq, "elbo_step": value.elbo_step,
        "elbo_step_mean": value.elbo_step_mean,
        "log_px_seq": value.log_px_seq, "kl_seq": kl_seq, "kl": value.kl,
        "bits_per_dim": value.bits_per_dim, "valid_bound": value.bound != Bound::Objective && !trained.config.model.obs.is_floored(),
    });
    line["bound"] = match value.bound {
        _ if trained.config.model.obs.is_floored() => "floored",
        Bound::Exact => "exact",
        Bound::Lower => "lower",
        Bound::Objective => "objective",
    }
    .into();
    if trained.config.data.dequantise {
        line["dequantised"] = true.into();
    }
    for (name, se) in [("elbo_se", value.elbo_se), ("elbo_se_draws", value.elbo_se_draws)] {
        if let Some(se) = se {
            line[name] = se.into();
        }
    }
    if value.iwae.is_some() {
        line["iwae_per"] = if value.iwae_per_step { "step" } else { "sequence" }.into();
    }
    if model.has_latents() {
        line["posterior"] = if model.looks_ahead() { "smoothing" } else { "filtering" }.into();
    }
    for (name, bound) in [("iwae", &value.iwae), ("fivo", &value.fivo)] {
        let Some(bound) = bound else { continue };
        line[format!("{name}_k")] = bound.k.into();
        line[format!("{name}_seq")] = bound.seq.into();
        if let Some(se) = bound.se {
            line[format!("{name}_se")] = se.into();
        }
        line[format!("{name}_step")] = bound.step.into();
        line[format!("{name}_step_mean")] = bound.step_mean.into();
    }
    line
}

/// What [`Args::controls`] asks for.
struct Control {
    controls: Controls,
    /// With one draw of each latent, where training made several.
    one_draw: Option<Evaluation>,
}

impl Control {
    /// Of a model that has them.
    fn measure(
        trained: &Trained,
        set: &DataSet,
        plan: Plan,
        value: &Evaluation,
        hidden: bool,
        ranks: Ranks,
    ) -> Result<Self> {
        let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new(2000) };
        let progress = |share: f64| bar.set_position((1000. * share) as u64);
        let (model, latents) = (&*trained.model, value.kl.len());
        let found = controls(model, latents, set, &trained.normalisation, plan, progress);
        let several = trained.model.bound() == Bound::Objective;
        let shared = several.then(|| trained.with("draws", "shared")).transpose()?;
        let of = |shared: Trained| {
            let progress = |share: f64| bar.set_position((1000. + 1000. * share) as u64);
            let plan = Plan { fivo: 0, ..plan };
            let config = shared.config.portable_toml();
            let others = ranks.of(&config);
            evaluate_on(others, &*shared.model, set, &shared.normalisation, plan, progress)
        };
        let one_draw = shared.map(of).transpose();
        bar.finish_and_clear();
        Ok(Self { controls: found?, one_draw: one_draw? })
    }

    fn fields(&self) -> serde_json::Value {
        let Controls { posterior, prior, by_prior, shuffled } = &self.controls;
        let mut line = json!({
            "posterior_log_px_seq": posterior, "prior_log_px_seq": prior, "prior_k": by_prior.k, "prior_seq": by_prior.seq,
            "shuffled_log_px_seq": shuffled,
        });
        if let Some(value) = &self.one_draw {
            line["one_draw_elbo_seq"] = value.elbo_seq.into();
            line["one_draw_iwae_seq"] = json!(value.iwae.as_ref().map(|iwae| iwae.seq));
        }
        line
    }

    fn print(&self) {
        let Controls { posterior, prior, by_prior, shuffled } = &self.controls;
        println!("controls, in nats/sequence:");
        println!("  ln p(x|z) with z from the posterior {posterior:.2}, from the prior {prior:.2}");
        println!(
            "  ln of the mean of p(x_t|z) over {} draws from the prior, a lower bound: {:.2}",
            by_prior.k, by_prior.seq
        );
        let each = shuffled.iter().enumerate().map(|(l, x)| format!("z.{} {x:.2}", l + 1));
        let each: Vec<String> = each.collect();
        println!("  ln p(x|z) with one latent from another step: {}", each.join(", "));
        if let Some(value) = &self.one_draw {
            let iwae = value.iwae.as_ref();
            let iwae =
                iwae.map_or(String::new(), |iwae| format!(", IWAE-{} {:.2}", iwae.k, iwae.seq));
            println!("  with one shared draw of each latent: ELBO {:.2}{iwae}", value.elbo_seq);
        }
    }
}

/// The run directory that results are saved in.
fn place(trained: &Trained) -> Result<RunDir> {
    RunDir::of(&trained.checkpoint).ok_or_else(|| {
        Error::usage(format!(
            "--save writes into a run directory, and {} is in none: leave --save out, or name a run",
            trained.checkpoint.display()
        ))
    })
}

/// Writes the results into the run directory.
fn save(
    run: &RunDir,
    trained: &Trained,
    set: &DataSet,
    plan: Plan,
    value: &Evaluation,
    asked_for_controls: bool,
    control: Option<&Control>,
) -> Result<()> {
    let mut line = fields(trained, plan.split, value);
    line["asked_for_controls"] = asked_for_controls.into();
    line["controls"] = json!(control.map(Control::fields));
    line["seed"] = plan.seed.into();
    line["checkpoint_sha256"] = sha256_of(&trained.checkpoint)?.into();
    line["checkpoint"] = trained.checkpoint.file_name().map(|name| name.to_string_lossy()).into();
    line["fingerprint"] = set.fingerprint().into();
    let of = |bound: &Option<Weighted>| {
        bound.as_ref().map(|bound| bound.per_sequence.clone()).unwrap_or_default()
    };
    line["per_sequence"] =
        json!({ "elbo": value.per_sequence, "iwae": of(&value.iwae), "fivo": of(&value.fivo) });
    Saved::write(&Saved::path(run.root(), &plan.split.to_string()), &line)
}

/// What the value of a model may be called.
fn name(model: &ModelConfig, bound: Bound) -> &'static str {
    match bound {
        Bound::Objective => {
            "released objective (no bound: a latent is drawn more than once, its KL counted once)"
        }
        _ if model.obs.is_floored() => {
            "released objective (no bound: floored probabilities sum to more than 1)"
        }
        Bound::Exact => "log-likelihood (exact)",
        Bound::Lower => "ELBO (a lower bound)",
    }
}

/// ` ± 1.23`, where there is an error.
fn plus_minus(error: Option<f64>) -> String {
    error.map_or(String::new(), |error| format!(" ± {error:.2}"))
}

fn print_evaluation(trained: &Trained, split: Split, value: &Evaluation) {
    let model = &trained.config.model;
    let params = thousands(trained.model.parameter_count());
    let (kind, head, origin) = (model.kind, model.obs.head, trained.origin());
    println!("{kind}, head {head}, {params} parameters, {origin}");
    let (sequences, steps) = (thousands(value.sequences), thousands(value.steps));
    println!(
        "{split}: {sequences} sequences, {steps} steps, normalised with the statistics of the train split"
    );
    let name = name(model, value.bound);
    let draws = value.elbo_se_draws.map(|se| format!("{se:.2} from its {} draws", value.draws));
    let error = match (value.elbo_se, draws) {
        (Some(_), None) => " (standard error)".into(),
        (Some(_), Some(draws)) => format!(" (standard error, of which {draws})"),
        (None, None) => String::new(),
        (None, Some(draws)) => format!(" (one sequence; standard error {draws})"),
    };
    let future = if model.kind.looks_ahead() { ", q sees future steps" } else { "" };
    println!(
        "{name}{future}: {:.2}{} nats/sequence{error}",
        value.elbo_seq,
        plus_minus(value.elbo_se)
    );
    println!(
        "  per step {:.4} nats; {:.3} bits per channel in raw units (fewer are better)",
        value.elbo_step, value.bits_per_dim
    );
    if trained.config.data.dequantise {
        let copies = Copies::REPORTED;
        let meaning = match value.bound {
            Bound::Objective => "neither the objective nor the bits are a bound",
            _ if model.obs.is_floored() => {
                "with floored probabilities the bits bound no code length"
            }
            Bound::Exact | Bound::Lower => "the bits bound a code length from above",
        };
        println!("  dequantised, mean of {copies} copies: {meaning}");
    }
    if model.obs.task == Task::Music {
        let bounds = [("IWAE", &value.iwae), ("FIVO", &value.fivo)];
        let bounds = bounds.iter().filter_map(|(name, bound)| {
            bound.as_ref().map(|bound| format!(", {name} {:.4}", bound.step_mean))
        });
        let bounds: String = bounds.collect();
        println!(
            "  mean over sequences of each one's nats per step: {:.4}{bounds} (papers differ in which they print)",
            value.elbo_step_mean
        );
    }
    if !value.kl.is_empty() {
        let kl = value.kl.iter().enumerate().map(|(l, kl)| format!("z.{} {kl:.2}", l + 1));
        let kl: Vec<_> = kl.collect();
        println!("  ln p(x|z) {:.2}, KL per latent: {}", value.log_px_seq, kl.join(", "));
    }
    let per = if value.iwae_per_step { " (weights of steps)" } else { " (weights of sequences)" };
    for (name, bound, per) in [("IWAE", &value.iwae, per), ("FIVO", &value.fivo, "")] {
        let Some(bound) = bound else { continue };
        let ratio =
            if value.bound == Bound::Objective { " of the model with separate draws" } else { "" };
        println!(
            "{name}-{}{per}{ratio}: {:.2}{} nats/sequence, {:.4} per step",
            bound.k,
            bound.seq,
            plus_minus(bound.se),
            bound.step
        );
    }
}
