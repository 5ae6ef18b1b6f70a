use crate::common::mutations;
use proptest::prelude::*;
use stcn::Tensor;
use stcn::data::{DataSet, Split, Writer};
use stcn::models::build;
use stcn::nn::Init;
use stcn::train::checkpoint::{Header, Named};
use stcn::train::config::Config;
use stcn::train::fit::{Checked, End, Trained, Trainer, Watch, Wish, fit};
use stcn::train::step::Report;
use stcn::train::{Checkpoint, RunDir};
use std::path::Path;

/// Sees every report; ends the run at a step, if asked.
#[derive(Default)]
struct Witness {
    steps: Vec<u64>,
    checks: Vec<(u64, f64, bool)>,
    end_at: Option<(u64, Wish)>,
}

impl Watch for Witness {
    fn updated(&mut self, report: &Report, _: &Trainer) {
        self.steps.push(report.step);
    }
    fn checked(&mut self, checked: &Checked, trainer: &Trainer) {
        self.checks.push((trainer.progress().step, checked.value.elbo_seq, checked.best));
    }
    fn wish(&mut self) -> Wish {
        let now = self.steps.last().copied();
        self.end_at.filter(|(step, _)| now == Some(*step)).map_or(Wish::GoOn, |(_, wish)| wish)
    }
}

/// Few steps of a very small model on the embedded handwriting.
fn config(more: &[&str]) -> Config {
    let mut config = Config::preset("ink-tiny", None, None).unwrap();
    let small = ["model.channels=4", "model.latents=[2,1]", "model.blocks_per_latent=1"];
    let short = ["data.crop=16", "train.batch=4", "train.steps=4", "train.eval_every=2"];
    for set in small.iter().chain(&short).chain(more) {
        config.set(set).unwrap();
    }
    config
}

fn run(dir: &Path, config: Config, watch: &mut Witness) -> (End, String) {
    let mut trainer = Trainer::new(config).unwrap();
    let (run, _lock) = RunDir::create(dir, trainer.config()).unwrap();
    fit(&mut trainer, &run, watch).unwrap()
}

fn resume(dir: &Path, steps: u64, watch: &mut Witness) -> (End, String) {
    let run = RunDir::open(dir).unwrap();
    let _lock = run.lock().unwrap();
    let mut config = run.read_config().unwrap();
    config.train.steps = steps;
    let checkpoint = Checkpoint::load(&run.latest()).unwrap();
    let mut trainer = Trainer::resume(config, checkpoint, &run.latest()).unwrap();
    fit(&mut trainer, &run, watch).unwrap()
}

#[test]
fn a_run_updates_checks_and_ends_at_its_last_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut watch = Witness::default();
    let (end, sha256) = run(&dir.path().join("run"), config(&[]), &mut watch);
    assert_eq!(end, End::Done);
    assert_eq!(watch.steps, [1, 2, 3, 4]);
    assert_eq!(watch.checks.iter().map(|check| check.0).collect::<Vec<_>>(), [2, 4]);
    assert!(watch.checks[0].2, "the first check is the best so far");
    let latest = dir.path().join("run/checkpoint/latest.stcn");
    assert_eq!(stcn::train::checkpoint::sha256_of(&latest).unwrap(), sha256);
}

#[test]
fn a_run_cut_anywhere_ends_in_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (_, whole) = run(&dir.path().join("whole"), config(&[]), &mut Witness::default());
    for cut in 1..4 {
        let path = dir.path().join(cut.to_string());
        let mut watch = Witness { end_at: Some((cut, Wish::Interrupt)), ..Witness::default() };
        assert_eq!(run(&path, config(&[]), &mut watch).0, End::Interrupted);
        let (end, resumed) = resume(&path, 4, &mut Witness::default());
        assert_eq!((end, resumed), (End::Done, whole.clone()), "cut after {cut}");
    }
}

#[test]
fn a_check_off_the_schedule_leaves_no_trace_in_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let (_, whole) = run(&dir.path().join("whole"), config(&[]), &mut Witness::default());
    let path = dir.path().join("short");
    let mut watch = Witness::default();
    run(&path, config(&["train.steps=3"]), &mut watch);
    assert_eq!(watch.checks.last().unwrap().0, 3, "the last model is looked at");
    let (_, resumed) = resume(&path, 4, &mut Witness::default());
    assert_eq!(resumed, whole);
}

#[test]
fn patience_ends_a_run_that_does_not_improve() {
    let dir = tempfile::tempdir().unwrap();
    // A fall by more than the loss itself never comes: every check after the first is a bad one.
    let impatient =
        ["train.min_gain=100", "train.patience=2", "train.after_step=0", "train.steps=40"];
    let mut watch = Witness::default();
    let (end, _) = run(&dir.path().join("run"), config(&impatient), &mut watch);
    assert_eq!(end, End::EarlyStop);
    assert_eq!(watch.steps.len(), 6, "checks at 2, 4 and 6");
}

#[test]
fn data_of_other_bytes_is_refused_on_resume() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    run(&path, config(&[]), &mut Witness::default());
    let run = RunDir::open(&path).unwrap();
    let checkpoint = Checkpoint::load(&run.latest()).unwrap();
    let mut other = run.read_config().unwrap();
    other.data.fingerprint = "0".repeat(64);
    let e = Trainer::resume(other, checkpoint, &run.latest()).err().expect("refused");
    assert!(e.to_string().contains("is not the data this run began with"), "{e}");
}

#[test]
fn a_trained_model_gives_raw_units() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    run(&path, config(&[]), &mut Witness::default());
    let trained = Trained::open(&path).unwrap();
    let x = stcn::Tensor::new(&[1, 1, 3], vec![1., -1., 1.]);
    let raw = &trained.raw(&x)[0];
    let (mean, std) = (&trained.normalisation.mean, &trained.normalisation.std);
    // One rounding to f32.
    assert!((f64::from(raw[0]) - (mean[0] + std[0])).abs() < 1e-5);
    assert!((f64::from(raw[1]) - (mean[1] - std[1])).abs() < 1e-5);
    assert_eq!(raw[2], 1., "the pen stays as it is");
}

/// The sentence about a checkpoint with good checksums, without the file's name.
fn complaint(header: Header, params: Vec<Named>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.stcn");
    Checkpoint { header, params, adam_m: vec![], adam_v: vec![] }.save(&path).unwrap();
    let said = Trained::open(&path).err().expect("refused").to_string();
    said.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&said).to_string()
}

fn with_text(more: &[&str]) -> Header {
    Header { mean: vec![0.; 3], std: vec![1.; 3], ..Header::new(config(more).portable_toml()) }
}

#[test]
fn a_checkpoint_without_the_parameters_its_config_asks_for_is_refused_before_a_model_is_built() {
    // 2⁴⁰ numbers, by words alone.
    let giant =
        with_text(&["model.channels=65536", "model.kernel_size=64", "model.latents=[65536]"]);
    assert_eq!(
        complaint(giant.clone(), vec![]),
        "holds nothing where the model has tcn.1.filter.weight [64, 3, 65536]: it belongs to another \
         config"
    );
    let bias = Named { path: "tcn.1.filter.bias".into(), value: Tensor::zeros(&[2, 3]) };
    assert_eq!(
        complaint(giant, vec![bias]),
        "holds tcn.1.filter.bias [2, 3] where the model has tcn.1.filter.weight [64, 3, 65536]: it \
         belongs to another config"
    );
}

/// A checkpoint of a small model that was never trained.
fn untrained() -> Checkpoint {
    let model = build(&config(&[]).model, Init::new(1)).unwrap();
    let mut params = vec![];
    model.visit(&mut |p| params.push(Named { path: p.path().into(), value: p.value.clone() }));
    Checkpoint { header: with_text(&[]), params, adam_m: vec![], adam_v: vec![] }
}

#[test]
fn a_checkpoint_with_more_parameters_than_its_config_asks_for_is_refused() {
    let Checkpoint { mut params, .. } = untrained();
    params.push(Named { path: "more".into(), value: Tensor::zeros(&[1]) });
    assert_eq!(
        complaint(with_text(&[]), params),
        "holds more [1] where the model has no more parameters: it belongs to another config"
    );
}

#[test]
fn means_of_other_channels_than_the_config_asks_for_are_refused() {
    let mut checkpoint = untrained();
    (checkpoint.header.mean, checkpoint.header.std) = (vec![0.; 2], vec![1.; 2]);
    assert_eq!(
        complaint(checkpoint.header, checkpoint.params),
        "has means of 2 channels where its config has 3: take another copy"
    );
}

#[test]
fn a_checkpoint_alone_does_not_say_where_the_data_lies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.stcn");
    let mut checkpoint = untrained();
    checkpoint.header.config_toml = config(&["data.path=/etc/passwd"]).to_toml();
    checkpoint.save(&path).unwrap();
    assert_eq!(Trained::open(&path).unwrap().config.data.path, Path::new(""));
}

#[test]
fn a_fingerprint_that_is_none_is_shown_whole() {
    let mut other = config(&[]);
    other.data.fingerprint = "a".to_string() + &"é".repeat(8); // no character ends at byte 12
    let said = Trainer::again(other).err().expect("refused").to_string();
    assert!(said.contains("want aéééééééé…"), "{said}");
}

/// Ink as `data prepare` writes it, whole numbers, 40 lines.
fn stored(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("ink.npz");
    let mut writer = Writer::create(&path, 3, &[]).unwrap();
    let ink = crate::common::ink(30);
    for i in 0..40 {
        let split = if i % 10 == 3 { Split::Valid } else { Split::Train };
        writer.push(&ink.sequence(i % 10).unwrap(), split, &[]).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn a_run_on_data_on_the_disk_ends_in_the_same_bytes_cut_or_not_dequantised_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("data.path={}", stored(dir.path()).display());
    for dequantise in ["data.dequantise=false", "data.dequantise=true"] {
        let with = |in_memory| config(&[&data, dequantise, "train.steps=6", in_memory]);
        let path = |name: &str| dir.path().join(format!("{name}-{dequantise}"));
        let run = |name, config, watch: &mut Witness| run(&path(name), config, watch).1;
        let memory = run("memory", with("data.in_memory=1024"), &mut Witness::default());
        let disk = run("disk", with("data.in_memory=0"), &mut Witness::default());
        assert_eq!(disk, memory, "{dequantise}");
        // In the middle of an epoch of eight batches.
        let mut watch = Witness { end_at: Some((3, Wish::Interrupt)), ..Witness::default() };
        run("cut", with("data.in_memory=0"), &mut watch);
        assert_eq!(resume(&path("cut"), 6, &mut Witness::default()).1, memory, "{dequantise}");
    }
}

#[test]
fn data_that_changes_under_a_run_end_it_with_a_sentence_and_the_last_checkpoint_stays() {
    struct Vandal<'a>(&'a Path);
    impl Watch for Vandal<'_> {
        fn updated(&mut self, report: &Report, _: &Trainer) {
            if report.step == 3 {
                let file = std::fs::OpenOptions::new().write(true).open(self.0).unwrap();
                file.set_len(5000).unwrap();
            }
        }
        fn checked(&mut self, _: &Checked, _: &Trainer) {}
        fn wish(&mut self) -> Wish {
            Wish::GoOn
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

#[test]
fn dequantised_updates_are_other_updates_and_refused_off_the_grid() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("data.path={}", stored(dir.path()).display());
    let x = |set: &str| Trainer::new(config(&[&data, set])).unwrap().batch().unwrap().x;
    assert_ne!(x("data.dequantise=true").data(), x("data.dequantise=false").data());
    let off = dir.path().join("off.npz");
    let rows = vec![1., 2., 0., 3.5, 4., 1.];
    DataSet::from_parts("off", 3, vec![rows], None).unwrap().save(&off).unwrap();
    let off = config(&[&format!("data.path={}", off.display()), "data.dequantise=true"]);
    let said = Trainer::new(off).err().expect("refused").to_string();
    assert!(
        said.contains("off.npz: sequence 1, step 2, channel 1 is 3.5, dequantisation"),
        "{said}"
    );
}

#[test]
fn epochs_without_end_are_as_many_steps_as_there_are_numbers() {
    let trainer = Trainer::new(config(&["train.epochs=9223372036854775807", "train.steps=0"]));
    assert_eq!(trainer.unwrap().last_step(), Some(u64::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every checksum is good, so all that follows has to be looked at.
    #[test]
    fn no_config_in_a_checkpoint_makes_the_reader_panic(
        text in mutations(config(&[]).to_toml().into_bytes()),
    ) {
        let mut checkpoint = untrained();
        checkpoint.header.config_toml = String::from_utf8_lossy(&text).into_owned();
        let _ = Trained::from_checkpoint(checkpoint, Path::new("x.stcn"));
    }
}
