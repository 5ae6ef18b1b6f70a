//! `stcn bench`: how long training steps and generation take, on random data.

use super::config::ConfigArgs;
use super::profile::Profile;
use super::{peak_mib, print_json, thousands};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::inspect::figures::counted;
use crate::kernel::simd::{Isa, isa, vectorise};
use crate::models::{self, Registry, SequenceModel};
use crate::nn::Init;
use crate::noise::Noise;
use crate::optim::Adam;
use crate::parallel;
use crate::tape::{Keep, Tape};
use crate::tensor::{Real, Tensor};
use crate::train::memory::{Estimate, available, check_state};
use crate::train::shards::map_shards;
use crate::train::step::{Watch, pass, update, update_watched};
use crate::train::{Config, evaluate, objective};
use clap::{Parser, Subcommand};
use serde_json::json;
use std::time::Instant;

/// What to time.
#[derive(Subcommand)]
pub(super) enum Command {
    Step(Step),
    Generate(Generate),
}

/// Time training steps on random data, and compare with the fastest matrix product on this machine
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn bench step --preset ink --set model.channels=64 --batch 20 --time 200"
)]
pub(super) struct Step {
    #[command(flatten)]
    settings: ConfigArgs,
    /// Sequences in the batch [default: the preset's]
    #[arg(long, value_name = "B")]
    batch: Option<usize>,
    /// Time steps of each sequence
    #[arg(long, default_value_t = 200, value_name = "T")]
    time: usize,
    /// Training steps to time, after two for warming up
    #[arg(long, default_value_t = 7, value_name = "N")]
    steps: usize,
    /// Also time as many steps again by op: time, memory and subnormal numbers of each
    #[arg(long)]
    profile: bool,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    json: bool,
}

/// Time generation, step by step with cached state
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn bench generate --preset ink --steps 2000 --count 1")]
pub(super) struct Generate {
    #[command(flatten)]
    settings: ConfigArgs,
    /// Time steps to draw
    #[arg(long, default_value_t = 2000, value_name = "T")]
    steps: usize,
    /// Sequences to draw side by side
    #[arg(long, default_value_t = 1, value_name = "N")]
    count: usize,
    /// One JSON object on stdout, nothing else
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: Command, registry: &Registry) -> Result<()> {
    match command {
        Command::Step(args) => step(args, registry),
        Command::Generate(args) => generate(args, registry),
    }
}

fn step(args: Step, registry: &Registry) -> Result<()> {
    if args.time == 0 || args.steps == 0 || args.batch == Some(0) {
        return Err(Error::usage("--batch, --time and --steps take 1 or more"));
    }
    at_most("steps", args.steps, MOST_STEPS)?;
    at_most("batch", args.batch.unwrap_or(1), MOST_ROWS)?;
    at_most("time", args.time, MOST_ROWS)?;
    let config = args.settings.resolve(None, registry)?;
    check_state(&config, available())?;
    let mut model = models::build(&config.model, Init::new(config.seed))?;
    objective::check(&*model, config.train.objective)?;
    let sequences = args.batch.unwrap_or(config.train.batch);
    let estimate = Estimate::of_batch(&config, &*model, (sequences, args.time));
    estimate.check_with("lower --batch, --time or the sizes under [model]", available())?;
    let batch = random_batch(&config, sequences, args.time);
    let train = &config.train;
    let mut adam = Adam::new(&*model, train.beta1, train.beta2, train.eps);
    // One sequence: the products of all of them at once would leave their memory behind.
    let gflop = flops(&*model, &batch.slice(0..1), &config) * 1e-9 * sequences as f64;
    let mut step_ms = |step| -> Result<f64> {
        let start = Instant::now();
        update(&mut *model, &mut adam, &batch, train, config.seed, step)?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    };
    step_ms(1)?;
    step_ms(2)?;
    let memory = peak_mib(); // before the roof's own buffers
    // The speed of a machine wanders, so every step has the roof of the moment before it and of the one after.
    let roof = Roof::new();
    let (mut times, mut fractions, mut roofs) = (vec![], vec![], vec![roof.gflops()]);
    for step in 1..=args.steps {
        let ms = step_ms(step as u64 + 2)?;
        times.push(ms);
        roofs.push(roof.gflops());
        fractions.push(gflop / ms * 1e3 / (0.5 * (roofs[step - 1] + roofs[step])));
    }
    let noise = Noise::new(config.seed, "bench");
    let mut forward = vec![];
    for _ in 0..=args.steps {
        let start = Instant::now();
        map_shards(&*model, &batch, |part| evaluate::forward(&*model, part, &noise, 1));
        forward.push(1e3 * start.elapsed().as_secs_f64());
    }
    forward.remove(0);
    let forward = median(&mut forward);
    let mut profile = None;
    if args.profile {
        let clock = profile.insert(Profile::default());
        let tape = |tape: &mut Tape| clock.watch(tape);
        let watch = Watch { tape: &tape, ..Watch::NOTHING };
        for step in 1..=args.steps as u64 {
            clock.time(|| {
                update_watched(&mut *model, &mut adam, &batch, train, config.seed, step, watch)
            })?;
        }
        let (tape, one) = (Tape::new(), batch.slice(0..1)); // all gradients of a whole batch would take more memory
        let pass = pass(&*model, &tape, &one, &one.lengths, train, config.seed, 1);
        clock.count(&tape, &tape.backward(pass.loss, Keep::All), &adam);
    }
    let (median, least) = (median(&mut times), times[0]);
    let (speed, roof) = (gflop / median * 1e3, self::median(&mut roofs));
    let fraction = self::median(&mut fractions);
    let range = [fractions[0], fractions[fractions.len() - 1]];
    let (b, t, threads) = (batch.lengths.len(), args.time, parallel::threads());
    let params = model.parameter_count();
    if args.json {
        let mut line = json!({
            "model": config.model.kind, "head": config.model.obs.head, "params": params, "batch": b,
            "time": t, "threads": threads, "steps": args.steps, "step_ms_median": median,
            "step_ms_min": least, "forward_ms_median": forward, "gflop_per_step": gflop, "gflops": speed,
            "gemm_roof_gflops": roof, "roof_fraction": fraction, "roof_fraction_range": range,
        });
        if let Some(memory) = memory {
            line["rss_mb"] = memory.into();
        }
        if let Some(profile) = profile {
            line["profile"] = profile.json();
        }
        print_json(&line);
        return Ok(());
    }
    let (kind, head, params) = (config.model.kind, config.model.obs.head, thousands(params));
    println!(
        "{kind}, head {head}, {params} parameters, batch {b} × {t} steps, {}",
        counted(threads, "thread")
    );
    println!("training step: {median:.1} ms (median of {}), {least:.1} ms at best", args.steps);
    println!("products: {gflop:.1} GFLOP a step, {speed:.0} GFLOP/s");
    println!(
        "of this machine's {roof:.0} at the same time: {:.0} % ({:.0} to {:.0})",
        100. * fraction,
        100. * range[0],
        100. * range[1]
    );
    println!("forward alone, as to evaluate: {forward:.1} ms, {:.2} of a step", forward / median);
    if let Some(memory) = memory {
        println!("memory: {memory:.0} MB at its peak");
    }
    if let Some(profile) = profile {
        print!("\n{}", profile.table());
    }
    Ok(())
}

fn generate(args: Generate, registry: &Registry) -> Result<()> {
    if args.steps == 0 || args.count == 0 {
        return Err(Error::usage("--steps and --count take 1 or more"));
    }
    at_most("steps", args.steps, MOST_STEPS)?;
    at_most("count", args.count, MOST_SEQUENCES)?;
    let config = args.settings.resolve(None, registry)?;
    check_state(&config, available())?;
    let model = models::build(&config.model, Init::new(config.seed))?;
    let samples: Vec<u64> = (0..args.count as u64).collect();
    let noise = Noise::new(config.seed, "sample");
    let mut sampler = model.sampler(&samples);
    let mut times = vec![];
    for _ in 0..args.steps {
        let start = Instant::now();
        sampler.draw(&noise, 1.);
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    // The median of the 50 steps around step t.
    let around = |t: usize| {
        let window = times.get(t.saturating_sub(25)..t + 25)?;
        Some(median(&mut window.to_vec()))
    };
    let (early, late) = (around(100), around(args.steps.saturating_sub(25)));
    let middle = median(&mut times.clone());
    let params = model.parameter_count();
    let mut read = 0;
    let reads = |path: &str| config.model.kind.generates_with(path);
    model.visit(&mut |p| read += if reads(p.path()) { p.value.len() } else { 0 });
    let megabytes = (read * size_of::<Real>()) as f64 * 1e-6;
    let (speed, roof) = (megabytes / middle, memory_speed());
    if args.json {
        let mut line = json!({
            "model": config.model.kind, "params": params, "count": args.count,
            "steps": args.steps, "ms_per_step_median": middle, "threads": parallel::threads(),
            "weights_mb": megabytes, "weights_gb_per_s": speed, "memory_gb_per_s": roof,
        });
        let fields = [("ms_at_100", early), ("ms_at_end", late), ("rss_mb", peak_mib())];
        for (name, value) in fields {
            if let Some(value) = value {
                line[name] = value.into();
            }
        }
        print_json(&line);
        return Ok(());
    }
    let count = args.count;
    println!(
        "{}, {} parameters, {count} sequence(s) at once",
        config.model.kind,
        thousands(params)
    );
    println!(
        "a step: {middle:.3} ms (median of {}), {:.0} steps/s",
        args.steps,
        1e3 * count as f64 / middle
    );
    println!(
        "weights: {megabytes:.1} MB, read at {speed:.0} GB/s; this machine's memory gives {roof:.0} GB/s"
    );
    if let (Some(early), Some(late)) = (early, late) {
        println!("at step 100: {early:.3} ms, at the end: {late:.3} ms");
    }
    Ok(())
}

/// The most steps to time, each of which is kept …
const MOST_STEPS: usize = 10_000_000;
/// … and the most sequences to draw side by side, each of which keeps its past.
const MOST_SEQUENCES: usize = 1024;
/// The most sequences of a batch, and the most steps of each; memory ends long before both.
const MOST_ROWS: usize = 1 << 20;

/// Refuses an argument above `most`.
fn at_most(name: &str, asked: usize, most: usize) -> Result<()> {
    match asked > most {
        true => Err(Error::usage(format!("--{name} {asked}: want {most} at most"))),
        false => Ok(()),
    }
}

/// The median; sorts `times`.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Standard normals, and random bits in the channels that are bits in the data.
fn random_batch(config: &Config, batch: usize, time: usize) -> Batch {
    let channels = config.model.obs.input;
    let mut x = Tensor::zeros(&[batch, time, channels]);
    Noise::new(0, "bench").normals("x", 0, 0, x.data_mut());
    let real = config.model.obs.real_channels();
    for row in x.data_mut().chunks_exact_mut(channels) {
        row[real..].iter_mut().for_each(|x| *x = if *x > 1. { 1. } else { 0. });
    }
    Batch { x, lengths: vec![time; batch], samples: (0..batch as u64).collect() }
}

/// Floating-point operations of the matrix products in one training step, two per multiply-add.
fn flops(model: &dyn SequenceModel, batch: &Batch, config: &Config) -> f64 {
    let tape = Tape::new();
    pass(model, &tape, batch, &batch.lengths, &config.train, config.seed, 1);
    2. * tape.multiply_adds() as f64
}

/// GB/s at which all threads together read from memory, beyond the caches.
fn memory_speed() -> f64 {
    const LANES: usize = 64;
    let (bytes, piece) = (1 << 28, 1 << 20);
    let x = Tensor::zeros(&[bytes / size_of::<Real>()]);
    let mut best = 0.;
    for _ in 0..5 {
        let start = Instant::now();
        let sums = parallel::map(x.len() / piece, |i| {
            vectorise(|| {
                let mut sums = [0.; LANES];
                for row in x.data()[i * piece..][..piece].as_chunks::<LANES>().0 {
                    sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                }
                sums
            })
        });
        std::hint::black_box(sums);
        let speed = bytes as f64 * 1e-9 / start.elapsed().as_secs_f64();
        best = if speed > best { speed } else { best };
    }
    best
}

/// How fast plain matrix products of 512 × 256 × 256 run on all threads at once, by the faster of matrixmultiply's kernel
/// and ours.
struct Roof {
    ours: bool,
}

impl Roof {
    const SIZE: (usize, usize, usize) = (512, 256, 256);

    /// Finds out which is faster. Where a narrower instruction set was asked for, only ours keeps to it.
    fn new() -> Self {
        let mut best = [0.; 2];
        for _ in 0..3 {
            for (ours, best) in [true, false].into_iter().zip(&mut best) {
                let speed = Self { ours }.gflops();
                *best = if speed > *best { speed } else { *best };
            }
        }
        Self { ours: best[0] >= best[1] || isa() != Isa::available()[0] }
    }

    /// The speed now, in GFLOP/s, from some 20 ms.
    fn gflops(&self) -> f64 {
        let ((m, k, n), times) = (Self::SIZE, 30);
        let (a, b) = (vec![0.5; m * k], vec![0.25; k * n]);
        let start = Instant::now();
        // A thread that is free takes the next one, as in a step: none waits for the slowest.
        parallel::map(times * parallel::threads(), |_| {
            let mut c = Tensor::scratch(&[m, n]); // the one before's, from the pool
            crate::kernel::gemm::roof(&a, &b, c.data_mut(), Self::SIZE, self.ours);
        });
        let flops = (2 * m * k * n * times * parallel::threads()) as f64;
        flops * 1e-9 / start.elapsed().as_secs_f64()
    }
}
