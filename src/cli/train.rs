//! `stcn train`: starts or resumes a run, and shows its progress.

use super::colour::{WARNING, paint};
use super::config::ConfigArgs;
use super::screen::{STOP, Screen, introduce};
use super::trained::open;
use super::{reading, thousands};
use crate::error::{Error, ErrorKind, Result};
use crate::file::in_shell;
use crate::inspect::dump::Dump;
use crate::inspect::figures::counted;
use crate::models::{Registry, parameters};
use crate::tape::{Keep, Tape};
use crate::train::config::Config;
use crate::train::fit::{End, fit};
use crate::train::memory::{Estimate, available};
use crate::train::resume::{self, Change};
use crate::train::run::Lock;
use crate::train::safetensors;
use crate::train::step::pass;
use crate::train::trainer::Trainer;
use crate::train::{Checkpoint, Ranks, RunDir, Trained};
use clap::Parser;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Train a model; without --data, on the embedded handwriting
#[derive(Parser)]
#[command(
    after_help = format!(
        "Example:\n  stcn train --preset ink-small --data lines.npz --out runs/ink --minutes 20\n  \
        stcn train --init runs/ink --data mine.npz --set train.lr=2e-4 --out runs/mine\n  \
        stcn train --resume runs/ink\n  mpirun -n 4 stcn train --resume runs/ink   (built with --features mpi; the same bytes)\n\nWith --resume, --steps, --minutes, --threads, --json and --dequantise may be given. \
        If the data file has moved, give its new path with --data. These keys may be changed with --set, and also \
        data.in_memory, train.keep and train.sample_every:\n  {}.\n`stcn list --model M` says what they are. All other settings stay as they were when the run began.",
        resume::MAY_CHANGE.join(", ")
    )
)]
pub(super) struct Args {
    #[command(flatten)]
    settings: ConfigArgs,
    /// A config file, such as config.toml of a run directory
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// A data set: one .npz with samples, lengths and split
    #[arg(long, value_name = "FILE.npz")]
    data: Option<PathBuf>,
    /// Begin with the weights of a run, a checkpoint or a file of `stcn export` (fine-tuning): its model, settings and
    /// normalisation, on the data given with --data
    #[arg(long, value_name = "RUN|FILE", conflicts_with_all = ["model", "head", "preset", "released", "config", "resume"])]
    init: Option<PathBuf>,
    /// The run directory to write [default: runs/<preset>-<model>]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Resume a run from its last checkpoint; it ends in the same bits as without the break
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "head", "preset", "released", "config", "seed"])]
    resume: Option<PathBuf>,
    /// Seed of all random numbers [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Total number of updates; 0: no limit [default: the preset's]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Add noise of one raw unit to integer data, so that bits per channel bound a code length
    #[arg(long)]
    dequantise: bool,
    /// Stop after M minutes
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Exit with code 3 unless the last checkpoint has this SHA-256, or one that begins like this (8 digits or more)
    #[arg(long, value_name = "HASH")]
    expect_sha256: Option<String>,
    /// Print the parameters by shape, the memory and an estimate of the time, and train nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// One JSON object per report on stdout, nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, registry: &Registry, ranks: Ranks) -> Result<()> {
    if args.minutes.is_some_and(|m| m.is_nan() || m <= 0.) {
        return Err(Error::usage("--minutes takes a number above 0, such as 20"));
    }
    if let Some(hash) = &args.expect_sha256 {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if !(8..=64).contains(&hash.len()) || !hash.chars().all(hex) {
            return Err(Error::usage(format!(
                "--expect-sha256 {hash}: want 8 to 64 digits (0-9, a-f), as a run prints them after `checkpoint`"
            )));
        }
    }
    if args.dry_run {
        return plan(begin(&args, registry)?.on_ranks(ranks), &args);
    }
    let Started { mut trainer, changes, memory, run, _lock } = match &args.resume {
        Some(root) => resume(&args, root.clone(), registry)?,
        None => start(&args, registry)?,
    };
    trainer = trainer.on_ranks(ranks);
    // Fails where a handler is set already, which then does the same.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::SeqCst));
    if !args.json {
        introduce(&trainer, &changes, memory, &run, ranks);
    }
    let mut screen = Screen::new(args.json, args.minutes, &trainer);
    let ended = fit(&mut trainer, &run, &mut screen);
    screen.end();
    let (end, sha256) = match ended {
        Err(e) if matches!(e.kind(), ErrorKind::Diverged(_)) => {
            return Err(diverged(&e, &mut trainer, &run, registry));
        }
        ended => ended?,
    };
    screen.conclude(end, &sha256, &trainer, &run);
    match (end, &args.expect_sha256) {
        (End::Interrupted, _) => Err(ErrorKind::Interrupted.into()),
        (_, Some(wanted)) if !sha256.starts_with(wanted.as_str()) => Err(ErrorKind::Differs(format!(
            "the checkpoint has SHA-256 {sha256}, and {wanted} was expected: the config, the data or the version of stcn differs"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Prints what a run would take.
fn plan(mut trainer: Trainer, args: &Args) -> Result<()> {
    let second = seconds_per_update(&mut trainer)?;
    let (config, memory) = (trainer.config(), estimate(&trainer)?);
    let params = trainer.model().parameter_count();
    let last = trainer.last_step();
    let minutes = last.map(|steps| steps as f64 * second / 60.);
    let minutes = match (minutes, args.minutes) {
        (Some(by_steps), Some(given)) if given < by_steps => Some(given),
        (None, given) => given,
        (by_steps, _) => by_steps,
    };
    if args.json {
        let shapes: Vec<_> = parameters(trainer.model())
            .iter()
            .map(|(path, value)| json!([path, value.shape()]))
            .collect();
        super::print_json(&json!({
            "params": params, "memory_mb": memory.total() as f64 / (1 << 20) as f64, "step_ms": 1000. * second, "steps": last,
            "minutes": minutes, "shapes": shapes,
        }));
        return Ok(());
    }
    for (path, value) in parameters(trainer.model()) {
        println!("  {path:44}{:?}", value.shape());
    }
    println!(
        "{} parameters, {} head {}",
        thousands(params),
        config.model.kind,
        config.model.obs.head
    );
    println!("memory: about {}", memory.summary());
    let threads = counted(crate::parallel::threads(), "thread");
    println!("an update takes {:.0} ms on {threads}", 1000. * second);
    match (last, minutes) {
        (Some(steps), Some(minutes)) => println!(
            "{} updates at most: about {minutes:.1} minutes without checks",
            thousands(steps as usize)
        ),
        (_, Some(minutes)) => println!("{minutes} minutes, as asked"),
        _ => println!("without an end: give --steps or --minutes"),
    }
    Ok(())
}

/// What an update takes: the third, since the first two also fill caches and buffers.
pub(super) fn seconds_per_update(trainer: &mut Trainer) -> Result<f64> {
    trainer.step()?;
    trainer.step()?;
    let start = Instant::now();
    trainer.step()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Writes the pass of the refused update into the run directory, if it was one; the error says where, what is kept, and
/// the cure.
fn diverged(e: &Error, trainer: &mut Trainer, run: &RunDir, registry: &Registry) -> Error {
    let path = run.root().join("diverged.safetensors");
    let pass = match trainer.try_step() {
        Ok(()) => String::new(), // a check or the state itself was refused
        Err(_) => match dump(trainer, &path) {
            Ok(()) => {
                format!(
                    "; the pass is in {}: look for outliers among its sequences",
                    path.display()
                )
            }
            Err(unwritten) => format!("; {unwritten}"),
        },
    };
    let kept = kept(trainer, run, registry).unwrap_or_else(|unread| unread.to_string());
    ErrorKind::Diverged(format!("{e}{pass}; {kept}")).into()
}

/// What checkpoint a run is left with, and how to go on from it.
fn kept(trainer: &Trainer, run: &RunDir, registry: &Registry) -> Result<String> {
    let (path, config) = (run.latest(), trainer.config());
    let header = Checkpoint::load(&path)?.header;
    let (step, lr) = (header.step, config.train.lr);
    let before = Config::from_toml(&header.config_toml, &path, registry)?.train.lr;
    let usual = Config::preset(config.preset, config.model.kind, None)?.train.lr;
    // The rate that led to the checkpoint, or else a quarter of this one, and no more than the preset's.
    let slower = if before < lr {
        before
    } else if lr > 4. * usual {
        usual
    } else {
        lr / 4.
    };
    let (path, root) = (path.display(), in_shell(run.root()));
    Ok(if step == trainer.progress().step {
        // Its next pass is the one that was refused, whatever the rate.
        format!(
            "no update was made after {path} (step {step}), so a lower learning rate will not help: train with other data or \
             other settings"
        )
    } else {
        format!(
            "{path} is kept as it was at step {step}: go on from there more slowly with `stcn train --resume {root} \
             --set train.lr={slower:e}`"
        )
    })
}

/// Writes input, noise, parameters, labelled values and gradients of the refused pass, and as `first.value` and
/// `first.input.1` … the first node with a number that is not finite.
fn dump(trainer: &mut Trainer, path: &Path) -> Result<()> {
    let batch = trainer.batch()?;
    let (tape, step, config) = (Tape::new(), trainer.progress().step + 1, trainer.config());
    let (lengths, train) = (&batch.lengths, &config.train);
    let loss = pass(trainer.model(), &tape, &batch, lengths, train, config.seed, step).loss;
    let mut dump = Dump::default();
    dump.add("input.x", &batch.x);
    dump.add("input.mask", &batch.mask());
    let mut about = json!({
        "config": config, "step": step,
        // From 1, as `data show` and --prime count them.
        "sequences": batch.samples.iter().map(|i| i + 1).collect::<Vec<_>>(),
    });
    dump.add_pass(&tape, &tape.backward(loss, Keep::All), trainer.model());
    if let Some(node) = tape.first_non_finite() {
        about["first"] = node.ranges().into();
        dump.add("first.value", &node.value());
        for (i, input) in node.inputs().into_iter().enumerate() {
            dump.add(format!("first.input.{}", i + 1), &input.value());
        }
    }
    dump.save(path, &about)
}

/// A run ready to train.
struct Started {
    trainer: Trainer,
    /// Against the checkpoint that it was resumed from.
    changes: Vec<Change>,
    memory: Estimate,
    run: RunDir,
    _lock: Lock,
}

/// A trainer at step 0, by the arguments.
fn begin(args: &Args, registry: &Registry) -> Result<Trainer> {
    let weights = args.init.as_ref().map(|path| weights(path, registry)).transpose()?;
    let mut config = match &weights {
        Some(weights) => {
            let mut config = weights.config.clone();
            (config.data.path, config.data.fingerprint) = (PathBuf::new(), String::new());
            config.data.rate = 0;
            args.settings.set.iter().try_for_each(|set| config.set(set))?;
            config
        }
        None => args.settings.resolve(args.config.as_deref(), registry)?,
    };
    config.seed = args.seed.unwrap_or(config.seed);
    change(&mut config, args)?;
    let trainer = reading(args.json, || match &weights {
        Some(weights) => Trainer::from_weights(config, weights),
        None => Trainer::new(config),
    })?;
    if let Some(weights) = weights.filter(|_| !args.json) {
        let (origin, lr) = (weights.origin(), trainer.config().train.lr);
        eprintln!(
            "weights from {origin}; train.lr is {lr}: if that was for weights from nothing, set a tenth of it"
        );
    }
    Ok(trainer)
}

/// The weights to begin with.
fn weights(path: &Path, registry: &Registry) -> Result<Trained> {
    match path.extension().is_some_and(|e| e == "safetensors") {
        true => {
            let (_, checkpoint) = safetensors::load(path, registry)?;
            Trained::from_checkpoint(checkpoint, path, registry)
        }
        false => open(path, registry),
    }
}

fn start(args: &Args, registry: &Registry) -> Result<Started> {
    let trainer = begin(args, registry)?; // before anything is written
    let config = trainer.config();
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from("runs").join(format!("{}-{}", config.preset, config.model.kind))
    });
    let memory = estimate(&trainer)?;
    let (run, lock) = RunDir::create(&out, trainer.config())?;
    Ok(Started { trainer, changes: vec![], memory, run, _lock: lock })
}

fn resume(args: &Args, root: PathBuf, registry: &Registry) -> Result<Started> {
    let run = RunDir::open(&root)?;
    let lock = run.lock()?;
    let (trainer, changes) = match run.resume_from()? {
        Some(latest) => resume_from(&latest, &run, args, registry)?,
        None => {
            let mut config = run.read_config(registry)?;
            change_resumed(&mut config, args)?;
            (reading(args.json, || Trainer::again(config))?, vec![])
        }
    };
    let memory = estimate(&trainer)?;
    run.write_config(trainer.config())?;
    Ok(Started { trainer, changes, memory, run, _lock: lock })
}

/// At the step of a checkpoint, whose config rules: config.toml adds where the data lies and, with the arguments, what
/// may change.
fn resume_from(
    latest: &Path,
    run: &RunDir,
    args: &Args,
    registry: &Registry,
) -> Result<(Trainer, Vec<Change>)> {
    let checkpoint = Checkpoint::load(latest)?;
    let before = Config::from_toml(&checkpoint.header.config_toml, latest, registry)?;
    let path = run.config_path();
    let mut config = if path.exists() { run.read_config(registry)? } else { before.clone() };
    let strange = |what: String| {
        let cure = "put it back, or remove the file and name the data with --data FILE.npz: the checkpoint knows the rest";
        Err(Error::invalid(&path, format!("{what}: {cure}")))
    };
    if config.data.fingerprint.is_empty() {
        return strange("has lost data.fingerprint".into());
    }
    if let Some(Change { key, old, new }) =
        resume::changes(&before, &config).iter().find(|change| !change.is_allowed())
    {
        let latest = latest.display();
        return strange(format!("has {key} = {new} where {latest} has {old}"));
    }
    change_resumed(&mut config, args)?;
    let step = checkpoint.header.step;
    if let Some(steps) = args.steps.filter(|&steps| 0 < steps && steps < step) {
        return Err(Error::usage(format!(
            "--steps {steps} is the number of updates in all, and the run has made {step}: give more than that"
        )));
    }
    let changes = resume::changes(&before, &config);
    let (found, own) = (checkpoint.header.arithmetic, crate::train::checkpoint::ARITHMETIC);
    let trainer = reading(args.json, || Trainer::resume(config, checkpoint, latest, registry))?;
    if found != own {
        eprintln!(
            "{} the checkpoint was made by arithmetic {found}, this stcn has {own}: the run continues, \
             but will not end in the same bits",
            paint(WARNING, "warning:")
        );
    }
    Ok((trainer, changes))
}

/// Puts the arguments that are taken when a run is resumed into its config.
fn change_resumed(config: &mut Config, args: &Args) -> Result<()> {
    args.settings.set.iter().try_for_each(|set| config.set(set))?;
    change(config, args)
}

/// The memory that the run will take; refused if that is more than is available.
fn estimate(trainer: &Trainer) -> Result<Estimate> {
    let estimate = Estimate::new(trainer.config(), trainer.model(), trainer.set());
    estimate.check(available())?;
    Ok(estimate)
}

/// Puts `--steps`, `--dequantise` and `--data` (as an absolute path) into the config.
fn change(config: &mut Config, args: &Args) -> Result<()> {
    config.train.steps = args.steps.unwrap_or(config.train.steps);
    config.data.dequantise |= args.dequantise;
    if let Some(data) = &args.data {
        config.data.path = std::path::absolute(data).map_err(Error::read(data))?;
    }
    config.validate()
}
