use super::{config, stored};
use crate::common::sha256_of;
use stcn::models::Registry;
use stcn::train::Report;
use stcn::train::{Checked, Trainer};
use stcn::train::{Checkpoint, Config, RunDir};
use stcn::train::{Control, End, Kept, Observer, fit};
use std::path::Path;

/// Sees every report; ends the run at a step, if asked.
#[derive(Default)]
struct Witness {
    steps: Vec<u64>,
    checks: Vec<(u64, f64, bool)>,
    end_at: Option<(u64, Control)>,
}

impl Observer for Witness {
    fn updated(&mut self, report: &Report, _: &Trainer) {
        self.steps.push(report.step);
    }
    fn checked(&mut self, checked: &Checked, trainer: &Trainer) {
        self.checks.push((trainer.progress().step, checked.value.elbo_seq, checked.best));
    }
    fn control(&mut self) -> Control {
        let now = self.steps.last().copied();
        self.end_at
            .filter(|(step, _)| now == Some(*step))
            .map_or(Control::Continue, |(_, control)| control)
    }
}

fn run(dir: &Path, config: Config, witness: &mut Witness) -> (End, String) {
    let mut trainer = Trainer::new(config).unwrap();
    let (run, _lock) = RunDir::create(dir, trainer.config()).unwrap();
    fit(&mut trainer, &run, witness).unwrap()
}

fn resume(dir: &Path, steps: u64, witness: &mut Witness) -> (End, String) {
    let run = RunDir::open(dir).unwrap();
    let _lock = run.lock().unwrap();
    let mut config = run.read_config(&Registry::default()).unwrap();
    config.train.steps = steps;
    let checkpoint = Checkpoint::load(&run.latest()).unwrap();
    let mut trainer =
        Trainer::resume(config, checkpoint, &run.latest(), &Registry::default()).unwrap();
    fit(&mut trainer, &run, witness).unwrap()
}

#[test]
fn a_run_updates_checks_and_ends_at_its_last_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut witness = Witness::default();
    let (end, sha256) = run(&dir.path().join("run"), config(&[]), &mut witness);
    assert_eq!(end, End::Done);
    assert_eq!(witness.steps, [1, 2, 3, 4]);
    assert_eq!(witness.checks.iter().map(|check| check.0).collect::<Vec<_>>(), [2, 4]);
    assert!(witness.checks[0].2, "the first check is the best so far");
    let latest = dir.path().join("run/checkpoint/latest.stcn");
    assert_eq!(sha256_of(&latest), sha256);
}

#[test]
fn a_run_cut_anywhere_ends_in_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (_, whole) = run(&dir.path().join("whole"), config(&[]), &mut Witness::default());
    for cut in 1..4 {
        let path = dir.path().join(cut.to_string());
        let mut witness = Witness { end_at: Some((cut, Control::Interrupt)), ..Witness::default() };
        assert_eq!(run(&path, config(&[]), &mut witness).0, End::Interrupted);
        let (end, resumed) = resume(&path, 4, &mut Witness::default());
        assert_eq!((end, resumed), (End::Done, whole.clone()), "cut after {cut}");
    }
}

/// The kept checkpoints of a run: names and bytes.
fn kept(dir: &Path) -> Vec<(u64, Vec<u8>)> {
    let found = Kept::all(&RunDir::open(dir).unwrap().kept()).unwrap();
    found.into_iter().map(|(step, path)| (step, std::fs::read(path).unwrap())).collect()
}

/// Everything in metrics.csv but the clock.
fn numbers(dir: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(dir.join("metrics.csv")).unwrap();
    let row = |row: &str| row.split(',').map(String::from).collect::<Vec<_>>();
    text.lines().map(row).map(|mut row| (row.remove(2), row).1).collect()
}

#[test]
fn a_run_cut_anywhere_has_kept_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // The steps of what is kept are off the schedule of the checks.
    let off = ["train.keep=3", "train.eval_every=3"];
    let config = |steps| config(&[&off[..], &[&format!("train.steps={steps}")]].concat());
    run(&path("whole"), config(9), &mut Witness::default());
    let whole = kept(&path("whole"));
    assert_eq!(whole.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 4, 8]);
    for cut in 1..9 {
        let cut_run = path(&format!("cut-{cut}"));
        let mut witness = Witness { end_at: Some((cut, Control::Interrupt)), ..Witness::default() };
        run(&cut_run, config(9), &mut witness);
        resume(&cut_run, 9, &mut Witness::default());
        assert!(kept(&cut_run) == whole, "cut after {cut}");
        // One that had ended there knows of its end: its config said so.
        let ended = path(&format!("ended-{cut}"));
        run(&ended, config(cut), &mut Witness::default());
        resume(&ended, 9, &mut Witness::default());
        for ((step, bytes), (wanted, whole)) in kept(&ended).iter().zip(&whole) {
            let [mut found, whole] = [bytes, whole].map(|b| Checkpoint::from_bytes(b).unwrap());
            found.header.config_toml.clone_from(&whole.header.config_toml);
            assert!((step, found) == (wanted, whole), "ended at {cut}");
        }
        assert_eq!(kept(&ended).len(), 3);
    }
}

#[test]
fn a_run_that_keeps_checkpoints_is_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    let [with, without] = ["with", "without"].map(|name| dir.path().join(name));
    let steps = "train.steps=11";
    let (_, kept) = run(&with, config(&["train.keep=5", steps]), &mut Witness::default());
    let (_, plain) = run(&without, config(&[steps]), &mut Witness::default());
    assert_eq!(kept, plain, "to the byte, as the checkpoint does not say what is kept");
    let best = |dir: &Path| sha256_of(&dir.join("checkpoint/best.stcn"));
    assert_eq!(best(&with), best(&without));
    assert_eq!(numbers(&with), numbers(&without));
}

/// The pictures of a run: names and bytes.
fn pictures(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        (name, std::fs::read(path).unwrap())
    };
    let mut found: Vec<_> = std::fs::read_dir(dir.join("samples")).unwrap().map(entry).collect();
    found.sort();
    found
}

#[test]
fn a_run_that_draws_is_the_same_run_and_cut_anywhere_has_drawn_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // Off the schedule of the checks, so that most are drawn without a checkpoint.
    let drawing = config(&["train.sample_every=3", "train.steps=7"]);
    let (_, drawn) = run(&path("drawn"), drawing.clone(), &mut Witness::default());
    let (_, plain) = run(&path("plain"), config(&["train.steps=7"]), &mut Witness::default());
    assert_eq!(drawn, plain, "to the byte, as the checkpoint does not say what was drawn");
    assert_eq!(numbers(&path("drawn")), numbers(&path("plain")));
    assert_eq!(pictures(&path("plain")), []);
    let whole = pictures(&path("drawn"));
    let names: Vec<&str> = whole.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["step-000003.svg", "step-000006.svg"]);
    assert!(whole[0].1.starts_with(b"<svg") && whole[0].1 != whole[1].1);
    // Before a picture, at one, and between two.
    for cut in [2, 3, 5] {
        let cut_run = path(&format!("cut-{cut}"));
        let mut witness = Witness { end_at: Some((cut, Control::Interrupt)), ..Witness::default() };
        run(&cut_run, drawing.clone(), &mut witness);
        assert_eq!(resume(&cut_run, 7, &mut Witness::default()).1, plain);
        assert!(pictures(&cut_run) == whole, "cut after {cut}");
    }
}

#[test]
fn a_picture_that_cannot_be_written_ends_the_run_with_its_name_and_leaves_nothing_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config(&["train.sample_every=2"])).unwrap();
    let (run, _lock) = RunDir::create(dir.path(), trainer.config()).unwrap();
    std::fs::create_dir(run.samples().join("step-000002.svg")).unwrap();
    let said = fit(&mut trainer, &run, &mut Witness::default()).unwrap_err().to_string();
    assert!(said.ends_with("step-000002.svg: is a folder; name a file in it"), "{said}");
    // The checkpoint is of before: the run goes on from there, and draws it.
    assert_eq!(Checkpoint::load(&run.latest()).unwrap().header.step, 0);
    std::fs::remove_dir(run.samples().join("step-000002.svg")).unwrap();
    drop(_lock);
    resume(dir.path(), 4, &mut Witness::default());
    assert_eq!(pictures(dir.path()).len(), 2);
}

#[test]
fn a_check_off_the_schedule_leaves_no_trace_in_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let (_, whole) = run(&dir.path().join("whole"), config(&[]), &mut Witness::default());
    let path = dir.path().join("short");
    let mut witness = Witness::default();
    run(&path, config(&["train.steps=3"]), &mut witness);
    assert_eq!(witness.checks.last().unwrap().0, 3, "the last model is looked at");
    let (_, resumed) = resume(&path, 4, &mut Witness::default());
    assert_eq!(resumed, whole);
}

#[test]
fn a_run_without_a_scheduled_check_keeps_its_last_state_as_the_best() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut witness = Witness::default();
    let (_, latest) = run(&path, config(&["train.steps=1"]), &mut witness);
    assert_eq!(witness.checks.len(), 1);
    assert!(witness.checks[0].2, "there is no other");
    let best = sha256_of(&path.join("checkpoint/best.stcn"));
    assert_eq!(best, latest, "the check was counted");
}

#[test]
fn patience_ends_a_run_that_does_not_improve() {
    let dir = tempfile::tempdir().unwrap();
    // A fall by more than the loss itself never comes: every check after the first is a bad one.
    let impatient =
        ["train.min_gain=100", "train.patience=2", "train.after_step=0", "train.steps=40"];
    let mut witness = Witness::default();
    let (end, _) = run(&dir.path().join("run"), config(&impatient), &mut witness);
    assert_eq!(end, End::EarlyStop);
    assert_eq!(witness.steps.len(), 6, "checks at 2, 4 and 6");
}

/// Regression, 23 November 2026: whether patience had run out was known to the check alone, so that a run resumed after
/// it trained on.
#[test]
fn a_run_that_stopped_early_stops_again_wherever_it_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let impatient = ["train.min_gain=100", "train.patience=2", "train.after_step=0"];
    let config = || config(&[&impatient[..], &["train.steps=40"]].concat());
    let (_, whole) = run(&dir.path().join("whole"), config(), &mut Witness::default());
    for cut in [5, 6] {
        let path = dir.path().join(cut.to_string());
        let mut witness = Witness { end_at: Some((cut, Control::Interrupt)), ..Witness::default() };
        assert_eq!(run(&path, config(), &mut witness).0, End::Interrupted);
        for _ in 0..2 {
            let mut witness = Witness::default();
            let ended = resume(&path, 40, &mut witness);
            assert_eq!(ended, (End::EarlyStop, whole.clone()), "cut after {cut}");
            assert!(witness.steps.iter().all(|&step| step == 6), "{:?}", witness.steps);
        }
    }
}

/// A state whose next update would be refused is one that nobody can go on from, however finite its numbers.
#[test]
fn a_state_from_which_no_update_gets_on_is_not_saved() {
    for asked in [None, Some(Control::Save), Some(Control::Interrupt), Some(Control::Stop)] {
        let dir = tempfile::tempdir().unwrap();
        let every = if asked.is_some() { "train.eval_every=100" } else { "train.eval_every=1" };
        let mut trainer = Trainer::new(config(&["train.lr=1e18", every, "train.steps=9"])).unwrap();
        let (run, _lock) = RunDir::create(dir.path(), trainer.config()).unwrap();
        // The first update ruins the parameters, the second would have to go on from them.
        let end_at = asked.map(|control| (1, control));
        let mut witness = Witness { end_at, ..Witness::default() };
        let e = fit(&mut trainer, &run, &mut witness).expect_err("refused");
        assert_eq!(e.exit_code(), 1);
        assert!(e.to_string().starts_with("step 2: the loss is "), "{e}");
        assert_eq!(Checkpoint::load(&run.latest()).unwrap().header.step, 0);
        assert!(!run.best().exists());
    }
}

#[test]
fn a_run_that_keeps_checkpoints_dies_of_the_same_sentence() {
    let said = ["train.keep=0", "train.keep=9"].map(|keep| {
        let dir = tempfile::tempdir().unwrap();
        let sets = ["train.lr=1e18", "train.eval_every=100", "train.steps=9", keep];
        let mut trainer = Trainer::new(config(&sets)).unwrap();
        let (run, _lock) = RunDir::create(dir.path(), trainer.config()).unwrap();
        let e = fit(&mut trainer, &run, &mut Witness::default()).expect_err("refused");
        (e.to_string(), Checkpoint::load(&run.latest()).unwrap().header.step)
    });
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_run_on_data_on_the_disk_ends_in_the_same_bytes_cut_or_not_dequantised_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("data.path={}", stored(dir.path()).display());
    for dequantise in ["data.dequantise=false", "data.dequantise=true"] {
        let with = |in_memory| config(&[&data, dequantise, "train.steps=6", in_memory]);
        let path = |name: &str| dir.path().join(format!("{name}-{dequantise}"));
        let run = |name, config, witness: &mut Witness| run(&path(name), config, witness).1;
        let memory = run("memory", with("data.in_memory=1024"), &mut Witness::default());
        let disk = run("disk", with("data.in_memory=0"), &mut Witness::default());
        assert_eq!(disk, memory, "{dequantise}");
        // In the middle of an epoch of eight batches.
        let mut witness = Witness { end_at: Some((3, Control::Interrupt)), ..Witness::default() };
        run("cut", with("data.in_memory=0"), &mut witness);
        assert_eq!(resume(&path("cut"), 6, &mut Witness::default()).1, memory, "{dequantise}");
    }
}

#[test]
fn data_that_changes_under_a_run_end_it_with_a_sentence_and_the_last_checkpoint_stays() {
    struct Vandal<'a>(&'a Path);
    impl Observer for Vandal<'_> {
        fn updated(&mut self, report: &Report, _: &Trainer) {
            if report.step == 3 {
                let file = std::fs::OpenOptions::new().write(true).open(self.0).unwrap();
                file.set_len(5000).unwrap();
            }
        }
        fn checked(&mut self, _: &Checked, _: &Trainer) {}
        fn control(&mut self) -> Control {
            Control::Continue
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = stored(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let config = config(&[&format!("data.path={}", path.display()), "data.in_memory=0"]);
    let (_, straight) = run(&dir.path().join("straight"), config.clone(), &mut Witness::default());
    let mut trainer = Trainer::new(config).unwrap();
    let (run, lock) = RunDir::create(&dir.path().join("run"), trainer.config()).unwrap();
    let e = fit(&mut trainer, &run, &mut Vandal(&path)).expect_err("refused");
    assert_eq!(e.exit_code(), 2);
    assert!(e.to_string().contains("ink.npz: was changed while it was in use"), "{e}");
    assert_eq!(Checkpoint::load(&run.latest()).unwrap().header.step, 2);
    drop(lock);
    std::fs::write(&path, whole).unwrap();
    assert_eq!(resume(run.root(), 4, &mut Witness::default()).1, straight);
}
