//! `stcn table`: runs a suite and reports on it.
//!
//! Every run is trained, drawn from and evaluated by this program, started again as `stcn train`, `stcn sample` and
//! `stcn evaluate --save`; the last of them is what makes a run done. So whatever is killed whenever, the suite goes on
//! where it was.

use super::train::seconds_per_update;
use super::{print_json, thousands};
use crate::error::{Error, ErrorKind, Result};
use crate::file::{TAKEN, in_shell, write_whole};
use crate::models::Registry;
use crate::parallel::{self, with_threads};
use crate::train::memory::Estimate;
use crate::train::run::{BEGUN, RunDir};
use crate::train::suite::report::{Found, Report, refuse_other, seconds_of};
use crate::train::suite::text::{cells, command, csv, markdown, runs_csv};
use crate::train::suite::{Budget, Run, Suite, page::page};
use crate::train::trainer::Trainer;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::env::current_exe;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Train and evaluate a suite of runs, and write a report: Markdown, CSV and a page
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn table smoke\n  stcn table my.toml --dry-run\n  \
    stcn table my.toml --jobs 4 --out runs/my\n  stcn table my.toml --list | parallel -j 8\n\nInterrupted anywhere, the same \
    command goes on. A suite is a TOML file; those in data/suites of the repository show every key.")]
pub(super) struct Args {
    /// The suite, or `smoke`: a small one that comes with the program
    #[arg(value_name = "SUITE.toml")]
    suite: PathBuf,
    /// Where its run directories and the report lie [default: runs/<name of the suite>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A data set in place of the suite's
    #[arg(long, value_name = "FILE.npz")]
    data: Option<PathBuf>,
    /// Train N runs at once; the threads are shared out among them
    #[arg(long, default_value_t = 1, value_name = "N")]
    jobs: usize,
    /// Print the commands that are left to do, one line a run, and do nothing
    #[arg(long, conflicts_with_all = ["report", "dry_run"])]
    list: bool,
    /// Train nothing: make the report from the runs that are there
    #[arg(long, conflicts_with = "dry_run")]
    report: bool,
    /// Print what would be run, with parameters, memory and an estimate of the time, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object per row of the report on stdout, nothing else
    #[arg(long)]
    json: bool,
}

/// Set by Ctrl-C and SIGTERM.
static STOP: AtomicBool = AtomicBool::new(false);

pub(super) fn run(args: Args, registry: &Registry) -> Result<()> {
    if args.jobs == 0 {
        return Err(Error::usage("--jobs 0 runs nothing: want 1 or more"));
    }
    let suite = Suite::read(&args.suite, args.data.as_deref(), registry)?;
    let name = args.suite.file_stem().unwrap_or_default();
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
    // Before anything is begun: a run of other settings in its place.
    for run in suite.runs() {
        if let Ok(dir) = RunDir::open(&out.join(&run.name)) {
            refuse_other(run, &dir, registry)?;
        }
    }
    let mut left = vec![];
    for run in suite.runs().filter(|_| !args.report) {
        if !is_done(run, &suite, &out, registry)? {
            left.push(run);
        }
    }
    if args.list {
        for run in left {
            println!("{}", commands(run, &suite, &out)?);
        }
        return Ok(());
    }
    if args.dry_run {
        return print_plan(&left, &suite, &out, args.json);
    }
    let failed = run_all(left, &suite, &out, &args)?;
    let report = Report::read(&suite, &out, registry)?;
    write(&report, &suite, &out)?;
    if args.json {
        report.lines.iter().for_each(|line| {
            let fields = cells(line).map(|(title, cell)| (title.to_string(), json!(cell)));
            let mut line_json = Value::Object(fields.into_iter().collect());
            line_json["value_seq"] = json!(line.value.map(|value| value.mean));
            line_json["value_is_bound"] = json!(line.holds);
            line_json["bound_seq"] = json!(line.held.as_ref().map(|(_, seq, _)| seq.mean));
            print_json(&line_json);
        });
    } else {
        print!("{}", markdown(&report));
        eprintln!(
            "written: {} (open it in a browser), report.md, report.csv, runs.csv",
            in_shell(&out.join("report.html"))
        );
    }
    if STOP.load(Ordering::SeqCst) {
        eprintln!("go on with the same command");
        return Err(ErrorKind::Interrupted.into());
    }
    match failed.first() {
        None => Ok(()),
        Some(first) if failed.len() == 1 => Err(failure(first.clone())),
        Some(first) => Err(failure(format!("{} runs failed; the first: {first}", failed.len()))),
    }
}

fn failure(what: impl Into<String>) -> Error {
    ErrorKind::Diverged(what.into()).into()
}

/// Whether nothing is left to do: the suite's budget is spent, or validation no longer improved, and the best
/// checkpoint is evaluated.
fn is_done(run: &Run, suite: &Suite, out: &Path, registry: &Registry) -> Result<bool> {
    let Some(found) = Found::read(run, suite, out, registry)? else { return Ok(false) };
    let spent = match suite.budget {
        Budget::Steps(steps) => found.updates >= steps,
        // The last row of metrics.csv is of a check or of a tenth update, a little before the end.
        Budget::Minutes(minutes) => found.seconds >= 54. * minutes,
    };
    let drawn = suite.sample.is_none() || found.samples.is_some();
    Ok(drawn && (spent || found.out_of_patience))
}

/// The seconds that a run has been trained, if it has begun.
fn spent(root: &Path) -> Result<Option<f64>> {
    RunDir::open(root).ok().as_ref().map(seconds_of).transpose()
}

/// The arguments of the programs of a run, in order.
fn stages(run: &Run, suite: &Suite, out: &Path) -> Result<Vec<Vec<String>>> {
    let root = out.join(&run.name);
    let spent = spent(&root)?;
    let train = suite.train_args(run, &root, spent);
    let stages = [Some(train), suite.sample_args(&root), Some(suite.evaluate_args(run, &root))];
    Ok(stages.into_iter().flatten().collect())
}

fn commands(run: &Run, suite: &Suite, out: &Path) -> Result<String> {
    Ok(stages(run, suite, out)?.iter().map(|args| command(args)).collect::<Vec<_>>().join(" && "))
}

/// What would be run, with what it takes. The time is that of an update, times all that are left.
fn print_plan(left: &[&Run], suite: &Suite, out: &Path, json: bool) -> Result<()> {
    let mut all = 0.;
    for run in left {
        let mut trainer = Trainer::new(run.config.clone())?;
        let memory = Estimate::new(trainer.config(), trainer.model(), trainer.set());
        let params = trainer.model().parameter_count();
        let spent = spent(&out.join(&run.name))?;
        let all_minutes = match suite.budget {
            Budget::Minutes(minutes) => minutes,
            Budget::Steps(steps) => steps as f64 * seconds_per_update(&mut trainer)? / 60.,
        };
        let minutes = (all_minutes - spent.unwrap_or(0.) / 60.).max(0.);
        all += minutes;
        let state = if spent.is_some() { "begun" } else { "new" };
        if json {
            print_json(
                &json!({ "run": run.name, "params": params, "memory_mb": memory.total() as f64 / (1 << 20) as f64, "minutes": minutes, "state": state }),
            );
        } else {
            println!(
                "{:40} {:>12} parameters  {:>9.1} min  {state}  {}",
                run.name,
                thousands(params),
                minutes,
                memory.summary()
            );
        }
    }
    if !json {
        let (left, runs) = (left.len(), suite.runs().count());
        println!(
            "{left} of {runs} runs left, about {all:.1} minutes one after another, without evaluation"
        );
    }
    Ok(())
}

/// Trains, draws from and evaluates all runs that are left; returns what failed.
fn run_all(left: Vec<&Run>, suite: &Suite, out: &Path, args: &Args) -> Result<Vec<String>> {
    if left.is_empty() {
        return Ok(vec![]);
    }
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::SeqCst));
    let program = current_exe()
        .map_err(|e| failure(format!("cannot find this program to start it again: {e}")))?;
    let jobs = args.jobs.min(left.len());
    let threads = (parallel::threads() / jobs).max(1);
    let screen = Screen::new(suite, &left, jobs, args.json);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(vec![]));
    with_threads(jobs, || {
        parallel::map(jobs, |_| {
            while let Some(run) = left.get(next.fetch_add(1, Ordering::SeqCst)) {
                if STOP.load(Ordering::SeqCst) {
                    return;
                }
                let job = Job { run, suite, out, program: &program, threads, screen: &screen };
                match job.all_stages() {
                    Ok(()) => screen.done(run),
                    Err(_) if STOP.load(Ordering::SeqCst) => return,
                    Err(e) => {
                        screen.say(&format!("{}: {e}", run.name));
                        failed.lock().expect(QUIET).push(format!("{}: {e}", run.name));
                    }
                }
            }
        });
    })?;
    screen.bar.finish_and_clear();
    Ok(failed.into_inner().expect(QUIET))
}

/// Why a lock is not poisoned.
const QUIET: &str = "nothing panics under it";

/// How often a run is begun again if another program came between, each time some milliseconds later.
const TRIES: usize = 1000;

/// One run at work.
struct Job<'a> {
    run: &'a Run,
    suite: &'a Suite,
    out: &'a Path,
    program: &'a Path,
    threads: usize,
    screen: &'a Screen,
}

impl Job<'_> {
    /// All stages, again where a program that a killed suite left behind came between: that one saves and ends at its next
    /// line, or draws and evaluates to the end.
    fn all_stages(&self) -> Result<()> {
        let mut tries = 0..TRIES;
        loop {
            let Err(e) = self.each_stage() else { return Ok(()) };
            let (what, stopped) = (e.to_string(), STOP.load(Ordering::SeqCst));
            let is_between = [TAKEN, BEGUN].iter().any(|words| what.contains(words));
            if stopped || !is_between || tries.next().is_none() {
                return Err(e);
            }
        }
    }

    fn each_stage(&self) -> Result<()> {
        if let Ok(dir) = RunDir::open(&self.out.join(&self.run.name)) {
            dir.wait()?;
        }
        for args in stages(self.run, self.suite, self.out)? {
            if STOP.load(Ordering::SeqCst) {
                return Err(ErrorKind::Interrupted.into());
            }
            self.stage(&args)?;
        }
        Ok(())
    }

    /// Starts this program again and reads its lines. When this one is stopped, it closes the other's stdout, which
    /// then saves and ends.
    fn stage(&self, args: &[String]) -> Result<()> {
        let mut child: Child = Command::new(self.program)
            .args(args)
            .args(["--json", "--threads", &self.threads.to_string()])
            .env("NO_COLOR", "1") // its last line is quoted
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| failure(format!("cannot start {}: {e}", self.program.display())))?;
        let stdout = child.stdout.take().expect("it is piped");
        for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
            if let Some(step) =
                serde_json::from_str::<Value>(&line).ok().and_then(|line| line["step"].as_u64())
            {
                self.screen.at(self.run, &args[0], step);
            }
            if STOP.load(Ordering::SeqCst) {
                break;
            }
        }
        let mut complaint = String::new();
        let mut stderr = child.stderr.take().expect("it is piped");
        let _ = stderr.read_to_string(&mut complaint);
        let status = child.wait().map_err(|e| failure(format!("{}: {e}", args[0])))?;
        let complaint = complaint.trim();
        match status.success() {
            true => Ok(()),
            false => {
                let last = complaint.lines().last().unwrap_or("it was killed");
                Err(failure(last.strip_prefix("error: ").unwrap_or(last)))
            }
        }
    }
}

/// The progress of the suite: a bar on a terminal, a line a run elsewhere.
struct Screen {
    bar: ProgressBar,
    quiet: bool,
    /// The updates of every run, by name.
    steps: Mutex<Vec<(String, u64)>>,
    budget: u64,
    runs: usize,
    ended: AtomicUsize,
    start: Instant,
}

impl Screen {
    fn new(suite: &Suite, left: &[&Run], jobs: usize, json: bool) -> Self {
        let runs = left.len();
        let budget = match suite.budget {
            Budget::Steps(steps) => steps,
            Budget::Minutes(_) => 0,
        };
        let bar = match json {
            true => ProgressBar::hidden(),
            false if budget > 0 => ProgressBar::new(budget * runs as u64),
            false => ProgressBar::new(runs as u64),
        };
        let style = "{bar:24} {msg} {elapsed}<{eta}";
        bar.set_style(ProgressStyle::with_template(style).expect("a template of indicatif's"));
        bar.enable_steady_tick(Duration::from_secs(1));
        if !json {
            let at_once = if jobs > 1 { format!(", {jobs} at once") } else { String::new() };
            let of = suite.runs().count();
            eprintln!("{runs} of {of} runs to do{at_once}");
        }
        let steps = Mutex::new(vec![]);
        Self {
            bar,
            quiet: json,
            steps,
            budget,
            runs,
            ended: AtomicUsize::new(0),
            start: Instant::now(),
        }
    }

    /// A run is at an update.
    fn at(&self, run: &Run, stage: &str, step: u64) {
        if self.quiet || stage != "train" {
            return;
        }
        let mut steps = self.steps.lock().expect(QUIET);
        match steps.iter_mut().find(|(name, _)| *name == run.name) {
            Some((_, at)) => *at = step,
            None => steps.push((run.name.clone(), step)),
        }
        let sum = steps.iter().fold(0, |sum, (_, step)| sum + step);
        if self.budget > 0 {
            self.bar.set_position(sum);
        }
        let ended = self.ended.load(Ordering::SeqCst);
        self.bar.set_message(format!(
            "{ended} of {} runs done; {} at update {step}",
            self.runs, run.name
        ));
    }

    fn done(&self, run: &Run) {
        let ended = 1 + self.ended.fetch_add(1, Ordering::SeqCst);
        if self.budget == 0 {
            self.bar.set_position(ended as u64);
        }
        let seconds = self.start.elapsed().as_secs_f64();
        self.say(&format!("{ended} of {}: {} done after {seconds:.0} s", self.runs, run.name));
    }

    fn say(&self, line: &str) {
        match (self.quiet, self.bar.is_hidden()) {
            (true, _) => (),
            (_, true) => eprintln!("{line}"),
            _ => self.bar.println(line),
        }
    }
}

/// Writes the report beside the runs; seconds, which no two runs share, into a file of their own.
fn write(report: &Report, suite: &Suite, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).map_err(Error::write(out))?;
    let mut seconds = "run,seconds\n".to_string();
    for found in report.lines.iter().flat_map(|line| &line.found) {
        seconds += &format!("{},{:.1}\n", found.name, found.seconds);
    }
    let files = [
        ("report.md", markdown(report)),
        ("report.csv", csv(report)),
        ("runs.csv", runs_csv(report, suite)),
        ("report.html", page(report)),
        ("seconds.csv", seconds),
    ];
    files.iter().try_for_each(|(name, text)| {
        write_whole(out.join(name), |file| file.write_all(text.as_bytes()))
    })
}
