//! Sequences drawn: files, lengths, and the same bytes from the same seed.

use super::{TINY, tiny, trained};
use crate::common::{Lab, says, stderr};
use stcn::data::DataSet;
use stcn::models::{Registry, generate};
use stcn::train::Trained;
use stcn::{Noise, Tensor};

fn open(lab: &Lab, name: &str) -> DataSet {
    DataSet::open(lab.path(name), None).unwrap()
}

#[test]
fn ink_comes_as_numbers_and_as_pictures() {
    let lab = trained();
    let lines = lab.json("sample run --count 3 --steps 20 --out drawn");
    assert_eq!(lines.len(), 1);
    let files = ["drawn/sample.npz", "drawn/sample.svg", "drawn/sample.png"];
    let wanted = serde_json::json!({
        "checkpoint": "run/checkpoint/best.stcn", "step": 3, "count": 3, "steps": 20, "primed": 0, "files": files,
    });
    assert_eq!(lines[0], wanted);
    let set = open(&lab, "drawn/sample.npz");
    assert_eq!((set.len(), set.channels()), (3, 3));
    assert!((0..3).all(|i| set.length(i) == 20));
    set.check_ink().unwrap();
    assert!(lab.read("drawn/sample.svg").starts_with(b"<svg"));
    assert!(lab.read("drawn/sample.png").starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(lab.ok("sample run --count 3 --steps 20 --out drawn"), files.join("\n") + "\n");
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_1_and_3_threads() {
    let lab = trained();
    for words in ["1 --out a", "1 --out b", "3 --out c"] {
        lab.ok(&format!("sample run --count 2 --steps 30 --seed 3 --threads {words}"));
    }
    lab.ok("sample run --count 2 --steps 30 --seed 4 --out d");
    for name in ["sample.npz", "sample.svg", "sample.png"] {
        let a = lab.read(&format!("a/{name}"));
        assert!(
            lab.read(&format!("b/{name}")) == a && lab.read(&format!("c/{name}")) == a,
            "{name}"
        );
        assert!(lab.read(&format!("d/{name}")) != a, "{name}");
    }
    // The zip holds no clock: its members are of 1 January 1980.
    assert_eq!(lab.read("a/sample.npz")[10..14], [0, 0, 0x21, 0]);
}

#[test]
fn a_picture_on_the_way_is_the_one_that_sample_draws_from_that_checkpoint() {
    let lab = Lab::new();
    lab.ok(&format!("train --data ink.npz --out run --steps 3 --set train.sample_every=3 {TINY}"));
    lab.ok("sample run --latest --out drawn");
    assert!(lab.read("run/samples/step-000003.svg") == lab.read("drawn/sample.svg"));
    // Series and sound as well, in their own kind of picture.
    for (preset, data) in [("series-tiny", "series.npz"), ("speech-small", "sound.npz")] {
        let rows = |i: usize| (0..400).map(|t| ((t * (i + 3)) % 17) as f32 - 8.).collect();
        let split = vec![0, 0, 1];
        let set = DataSet::from_parts(preset, 200, (0..3).map(rows).collect(), Some(split));
        set.unwrap().save(lab.path(data)).unwrap();
        let words = format!("--preset {preset} --data {data} --steps 2 --set train.sample_every=1");
        lab.ok(&format!("train {words} --out {preset} {}", tiny("rnn")));
        lab.ok(&format!("sample {preset} --latest --out {preset}/drawn"));
        let picture = lab.read(&format!("{preset}/samples/step-000002.svg"));
        assert!(picture == lab.read(&format!("{preset}/drawn/sample.svg")), "{preset}");
    }
}

#[test]
fn fewer_sequences_are_the_first_of_more() {
    let lab = trained();
    lab.ok("sample run --count 1 --steps 10 --out one");
    lab.ok("sample run --count 3 --steps 10 --out three");
    let (one, three) = (open(&lab, "one/sample.npz"), open(&lab, "three/sample.npz"));
    assert_eq!(one.sequence(0).unwrap(), three.sequence(0).unwrap());
    assert_ne!(three.sequence(0).unwrap(), three.sequence(1).unwrap());
}

#[test]
fn a_primed_sequence_begins_with_the_real_one() {
    let lab = trained();
    let words = "sample run --count 2 --steps 9 --prime ink.npz:2 --prime-steps 6 --out drawn";
    assert_eq!(lab.json(words)[0]["primed"], 6);
    let (drawn, ink) = (open(&lab, "drawn/sample.npz"), open(&lab, "ink.npz"));
    for i in 0..2 {
        assert_eq!(drawn.length(i), 15);
        let (drawn, real) = (drawn.sequence(i).unwrap(), ink.sequence(1).unwrap());
        let pairs = drawn[..18].iter().zip(real.iter());
        assert!(
            pairs.clone().all(|(a, b)| (a - b).abs() < 1e-4),
            "{:?}",
            pairs.collect::<Vec<_>>()
        );
    }
    // What `sample` wrote can prime again, and so can the embedded handwriting.
    lab.ok("sample run --steps 3 --prime drawn/sample.npz:1 --out again");
    lab.ok("sample run --steps 3 --prime embedded:1 --prime-steps 4 --out embedded");
}

#[test]
fn without_a_length_samples_are_as_long_as_the_data_at_its_median() {
    let lab = trained();
    lab.ok("sample run --count 1 --out drawn");
    let summary = open(&lab, "ink.npz").summary(stcn::data::Split::Train).unwrap();
    assert_eq!(open(&lab, "drawn/sample.npz").length(0), summary.median as usize);
}

#[test]
fn at_temperature_0_all_sequences_are_the_likeliest() {
    let lab = Lab::new();
    let choice = format!("{} --head normal", tiny("wavenet"));
    lab.ok(&format!("train {choice} --data ink.npz --out run --steps 3"));
    lab.ok("sample run --count 2 --steps 12 --temperature 0 --out drawn");
    let set = open(&lab, "drawn/sample.npz");
    let (a, b) = (set.sequence(0).unwrap(), set.sequence(1).unwrap());
    let pairs = a.iter().zip(b.iter());
    assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", pairs.collect::<Vec<_>>());
}

/// They are drawn 32 side by side; which ones stand together changes no bit.
#[test]
fn many_sequences_are_those_that_are_drawn_all_at_once() {
    let lab = trained();
    let output = lab.stcn("sample run --count 70 --steps 5 --out drawn").output().unwrap();
    let said = stderr(&output);
    let note = "note: the picture shows the first 64 of 70 sequences\n";
    assert_eq!(said, format!("{note}drawn from run/checkpoint/best.stcn of step 3\n"));
    let trained = Trained::open(&lab.path("run"), &Registry::default()).unwrap();
    let samples: Vec<u64> = (0..70).collect();
    let (noise, nothing) = (Noise::new(1, "sample"), Tensor::zeros(&[70, 0, 3]));
    let x = generate(&*trained.model, &nothing, 5, &noise, &samples, 1., |_| ());
    let drawn = open(&lab, "drawn/sample.npz");
    assert_eq!(drawn.len(), 70);
    for (i, rows) in trained.raw(&x).iter().enumerate() {
        assert_eq!(drawn.sequence(i).unwrap().as_ref(), rows, "sequence {i}");
    }
}

/// A shell's `ulimit -v` stands for a small machine. What the model remembers of a sequence is 32 kB here, 650 MB of all at once;
/// of 32 at a time the command took less than 250 MB, most of it the program's own.
#[cfg(target_os = "linux")]
#[test]
fn many_sequences_take_no_more_memory_than_some() {
    let lab = Lab::new();
    let wide = TINY
        .replace("channels=4", "channels=64")
        .replace("blocks_per_latent=1", "blocks_per_latent=6");
    lab.ok(&format!("train --data ink.npz --out run --steps 1 {wide}"));
    let mut command = std::process::Command::new("sh");
    let words = "sample run --count 20000 --steps 2 --out drawn --threads 1";
    command.args(["-c", &format!("ulimit -v 300000; exec \"$STCN\" {words}")]);
    command.env("STCN", env!("CARGO_BIN_EXE_stcn")).current_dir(lab.path(""));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(open(&lab, "drawn/sample.npz").len(), 20_000);
}

/// Sequences of these values.
fn set(channels: usize, value: fn(usize) -> f32) -> DataSet {
    let rows = |n: usize| (0..n * channels).map(value).collect();
    DataSet::from_parts("set", channels, [12, 9, 12].map(rows).to_vec(), None).unwrap()
}

/// A run of two steps on sequences of these values.
fn trained_on(lab: &Lab, channels: usize, head: &str, task: &str, value: fn(usize) -> f32) {
    train_on(lab, set(channels, value), head, task);
}

fn train_on(lab: &Lab, set: DataSet, head: &str, task: &str) {
    let channels = set.channels();
    set.save(lab.path("set.npz")).unwrap();
    let kind = format!("--set model.task={task} --set model.input={channels} --head {head}");
    let data = "--data set.npz --set data.split=all-train --set data.normalise=scalar";
    let data = if task == "music" { data.replace("scalar", "none") } else { data.into() };
    lab.ok(&format!("train --out run --steps 2 {kind} {data} {TINY}"));
}

#[test]
fn speech_comes_as_numbers_as_pictures_and_as_sound_of_the_rate_asked_for() {
    let lab = Lab::new();
    trained_on(&lab, 4, "normal", "speech", |i| (i % 7) as f32 * 900. - 2700.);
    let line = &lab.json("sample run --count 2 --steps 6 --rate 8000 --out drawn")[0];
    let files = ["sample.npz", "sample-1.wav", "sample-2.wav", "sample.svg", "sample.png"];
    assert_eq!(line["files"], serde_json::json!(files.map(|name| format!("drawn/{name}"))));
    assert_eq!(line["clipped"], 0.);
    let set = open(&lab, "drawn/sample.npz");
    for i in 0..2 {
        let path = lab.path(format!("drawn/sample-{}.wav", i + 1));
        let mut wav = hound::WavReader::open(path).unwrap();
        let spec = wav.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8000, 16));
        let samples: Vec<f32> = wav.samples::<i16>().map(|x| f32::from(x.unwrap())).collect();
        let rounded: Vec<f32> = set.sequence(i).unwrap().iter().map(|x| x.round()).collect();
        assert_eq!(samples, rounded);
    }
    assert!(lab.read("drawn/sample.svg").starts_with(b"<svg"));
    assert_eq!(lab.files("drawn").len(), files.len());
    says(&lab.refused("sample run --out other --rate 10"), &["--rate 10: want samples per second"]);
}

const TONE: fn(usize) -> f32 = |i| (i % 7) as f32 * 900. - 2700.;

#[test]
fn a_run_knows_the_rate_of_the_sound_that_it_was_trained_on() {
    let lab = Lab::new();
    train_on(&lab, set(4, TONE).with_rate(8000).unwrap(), "normal", "speech");
    assert!(String::from_utf8(lab.read("run/config.toml")).unwrap().contains("\nrate = 8000\n"));
    // The checkpoint alone knows it too.
    std::fs::copy(lab.path("run/checkpoint/best.stcn"), lab.path("alone.stcn")).unwrap();
    let opened = |run: &str| format!("drawn from {run} of step 2\n");
    for (words, rate, said) in [
        ("run", 8000, opened("run/checkpoint/best.stcn")),
        ("alone.stcn --steps 6", 8000, opened("alone.stcn")),
        ("run --rate 11025", 11_025, opened("run/checkpoint/best.stcn")),
    ] {
        let output = lab.stcn(&format!("sample {words} --count 1 --out drawn")).output().unwrap();
        assert_eq!(stderr(&output), said);
        let wav = hound::WavReader::open(lab.path("drawn/sample-1.wav")).unwrap();
        assert_eq!(
            (wav.spec().sample_rate, open(&lab, "drawn/sample.npz").rate()),
            (rate, Some(rate))
        );
    }
    assert_eq!(lab.json("sample run --steps 6 --count 1 --out drawn")[0]["rate"], 8000);
    // The picture too is of this rate.
    let drawn = |words: &str| {
        lab.ok(&format!("sample run --steps 6 --count 1 {words} --out drawn"));
        lab.read("drawn/sample.svg")
    };
    assert!(drawn("") == drawn("--rate 8000") && drawn("") != drawn("--rate 16000"));
    // A run that goes on is the same run.
    lab.ok("train --resume run --steps 3");
    assert_eq!(lab.json("sample run --latest --steps 6 --count 1 --out drawn")[0]["rate"], 8000);
}

#[test]
fn sound_of_another_rate_is_refused_wherever_a_run_takes_data() {
    let lab = Lab::new();
    train_on(&lab, set(4, TONE).with_rate(8000).unwrap(), "normal", "speech");
    set(4, TONE).with_rate(16_000).unwrap().save(lab.path("other.npz")).unwrap();
    let parts = [
        "other.npz: has 16000 samples of sound per second, and data.rate of this run is 8000",
        "give data of that rate, or train another run",
    ];
    for words in [
        "evaluate run --data other.npz --split train",
        "sample run --prime other.npz:1 --out drawn",
        "train --resume run --steps 3 --data other.npz",
    ] {
        says(&lab.refused(words), &parts);
    }
    // To begin with its weights is to train another run.
    lab.ok("train --init run --data other.npz --out another --steps 1");
    assert_eq!(lab.json("sample another --steps 6 --count 1 --out drawn")[0]["rate"], 16_000);
}

#[test]
fn where_nobody_knows_the_rate_the_usual_one_is_taken_and_told() {
    let lab = Lab::new();
    trained_on(&lab, 4, "normal", "speech", TONE);
    let said = |words: &str| {
        let words = format!("sample run --steps 6 --count 1 {words} --out drawn");
        stderr(&lab.stcn(&words).output().unwrap())
    };
    let note = "note: the sampling rate is unknown and taken to be 16000 Hz: give it with --rate\n";
    let opened = "drawn from run/checkpoint/best.stcn of step 2\n";
    assert_eq!(said(""), format!("{note}{opened}"));
    let rate = || {
        let wav = hound::WavReader::open(lab.path("drawn/sample-1.wav")).unwrap();
        (wav.spec().sample_rate, open(&lab, "drawn/sample.npz").rate())
    };
    assert_eq!(rate(), (16_000, None));
    // What it goes on from may know.
    set(4, TONE).with_rate(22_050).unwrap().save(lab.path("known.npz")).unwrap();
    assert_eq!(said("--prime known.npz:1"), opened);
    assert_eq!(rate(), (22_050, Some(22_050)));
}

/// They are drawn 32 side by side; the 128th is the first with a number beyond f32.
#[test]
fn a_late_sequence_that_is_not_finite_leaves_no_file_of_those_before() {
    let lab = Lab::new();
    trained_on(&lab, 4, "normal", "speech", |i| (i % 7) as f32 * 900. - 2700.);
    let words = |count| format!("sample run --count {count} --steps 1 --temperature 1.35e33");
    lab.ok(&format!("{} --out few", words(32)));
    let output = lab.stcn(&format!("{} --out drawn", words(400))).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    says(&stderr(&output), &["not finite: train it further, or lower --temperature"]);
    assert_eq!(lab.files("drawn").len(), 0, "{:?}", lab.files("drawn").keys());
    // Those of an earlier command stay as they are.
    let few = lab.files("few");
    assert_eq!(
        lab.stcn(&format!("{} --out few", words(400))).output().unwrap().status.code(),
        Some(1)
    );
    assert!(lab.files("few") == few);
}

#[test]
fn sound_that_is_too_loud_or_too_soft_is_told() {
    let said = |value: fn(usize) -> f32| {
        let lab = Lab::new();
        trained_on(&lab, 4, "normal", "speech", value);
        let output =
            lab.stcn("sample run --count 1 --steps 6 --rate 8000 --out drawn").output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    says(&said(|i| (i % 7) as f32 * 9e4 - 27e4), &["% of the samples are beyond 16 bits"]);
    says(&said(|i| (i % 7) as f32 * 0.1 - 0.3), &["nothing to hear", "16-bit integers"]);
    let opened = "drawn from run/checkpoint/best.stcn of step 2\n";
    assert_eq!(said(|i| (i % 7) as f32 * 900. - 2700.), opened);
}

#[test]
fn music_comes_as_numbers_and_as_a_roll() {
    let lab = Lab::new();
    trained_on(&lab, 5, "bernoulli", "music", |i| (i % 3 / 2) as f32);
    let line = &lab.json("sample run --count 2 --steps 6 --out drawn")[0];
    let files = ["drawn/sample.npz", "drawn/sample.svg", "drawn/sample.png"];
    assert_eq!((&line["files"], line.get("clipped")), (&serde_json::json!(files), None));
    open(&lab, "drawn/sample.npz").check_binary().unwrap();
    assert!(lab.read("drawn/sample.svg").starts_with(b"<svg"));
    let evaluated = lab.ok("evaluate run --split train --iwae 2");
    says(&evaluated, &["mean over sequences of each one's nats per step: ", ", IWAE "]);
}

#[test]
fn music_of_88_keys_comes_as_midi_too() {
    let lab = Lab::new();
    trained_on(&lab, 88, "bernoulli", "music", |i| (i % 3 / 2) as f32);
    let line = &lab.json("sample run --count 2 --steps 6 --out drawn")[0];
    let files = ["sample.npz", "sample-1.mid", "sample-2.mid", "sample.svg", "sample.png"];
    assert_eq!(line["files"], serde_json::json!(files.map(|name| format!("drawn/{name}"))));
    let drawn = open(&lab, "drawn/sample.npz");
    for i in 0..2 {
        let path = lab.path("again.mid");
        stcn::inspect::midi(&drawn.sequence(i).unwrap(), &path).unwrap();
        assert!(lab.read(&format!("drawn/sample-{}.mid", i + 1)) == lab.read("again.mid"));
    }
}

#[test]
fn more_than_a_machine_can_hold_is_refused_before_anything_is_made() {
    let lab = trained();
    for (words, part) in [
        ("--count 18446744073709551615", "--count 18446744073709551615: want 67108864 at most"),
        ("--count 99999999999", "--count 99999999999: want 67108864 at most"),
        ("--steps 18446744073709551615", "make more than 67108864: draw shorter sequences by"),
        ("--steps 22369622", "0 + 22369622 steps of 3 numbers make more than 67108864: draw"),
    ] {
        says(&lab.refused(&format!("sample run {words} --out huge")), &[part]);
        assert!(!lab.path("huge").exists());
    }
    says(&lab.refused("sample run --prime-steps 3 --out drawn"), &["without --prime: name"]);
}
