//! Series of real numbers of any width, from the file to what is drawn.

use super::{TINY, tiny};
use crate::common::{Lab, says, stderr};
use stcn::data::DataSet;
use stcn::models::Registry;
use stcn::train::Config;

/// The unit of a channel, counted from 0.
fn unit(channel: usize) -> f32 {
    10_f32.powi((channel % 5) as i32 - 1)
}

/// A file of `channels` readings, each in another unit: eight series, and splits by turns of `splits`.
fn save(lab: &Lab, channels: usize, splits: &[u8]) {
    let value = |i: usize, j: usize| ((i + j) % 13) as f32 * unit(j % channels) + 100.5;
    let rows = |i: usize| (0..(12 + i) * channels).map(|j| value(i, j)).collect();
    let split = (0..8).map(|i| splits[i % splits.len()]).collect();
    let set = DataSet::from_parts("x", channels, (0..8).map(rows).collect(), Some(split));
    set.unwrap().save(lab.path("x.npz")).unwrap();
}

fn config(lab: &Lab) -> Config {
    let text = String::from_utf8(lab.read("run/config.toml")).unwrap();
    Config::from_toml(&text, "config.toml".as_ref(), &Registry::default()).unwrap()
}

/// Every width, models with latents and without, with all parts and with the training part alone.
#[test]
fn what_a_run_says_at_its_end_to_do_next_can_be_done() {
    let [all, test, train]: [&[u8]; 3] = [&[0, 0, 1, 2], &[0, 2], &[0]];
    for (channels, model, splits, evaluate) in [
        (1, "stcn-dense", all, "evaluate run --iwae 16"),
        (2, "rnn", all, "evaluate run"),
        (5, "vrnn", all, "evaluate run --iwae 16"),
        (12, "rnn", train, "evaluate run --split train"),
        (2, "stcn", test, "evaluate run --split test --iwae 16"),
    ] {
        let lab = Lab::new();
        save(&lab, channels, splits);
        let words =
            format!("--preset series-tiny --data x.npz --out run --steps 2 {}", tiny(model));
        let output = lab.stcn(&format!("train {words}")).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(config(&lab).model.obs.input, channels);
        let hints =
            said.lines().filter_map(|line| line.split_once(": ")?.1.trim().strip_prefix("stcn "));
        let hints: Vec<&str> = hints.collect();
        assert_eq!(hints, [evaluate, "sample run --out run/samples", "inspect run"], "{said}");
        says(&lab.ok(hints[0]), &["nats/sequence", "bits per channel in raw units"]);
        let files = ["npz", "svg", "png"].map(|end| format!("run/samples/sample.{end}\n")).concat();
        assert_eq!(lab.ok(hints[1]), files);
        lab.ok(hints[2]);
        let drawn = DataSet::open(lab.path("run/samples/sample.npz"), None).unwrap();
        assert_eq!((drawn.len(), drawn.channels()), (6, channels));
        assert!((12..20).contains(&drawn.length(0)), "{}", drawn.length(0));
        // In raw units: channel 1 lies between 100 and 102.
        let first = drawn.sequence(0).unwrap()[0];
        assert!((90. ..110.).contains(&first), "{first}");
        let svg = String::from_utf8(lab.read("run/samples/sample.svg")).unwrap();
        assert_eq!(svg.matches("stroke-width=\"1.5\"").count(), 6 * channels.min(8));
        lab.ok("sample run --prime x.npz:1 --prime-steps 6 --steps 4 --count 2 --out more");
        let (more, x) = ("more/sample.npz", "x.npz");
        let [more, x] = [more, x].map(|name| DataSet::open(lab.path(name), None).unwrap());
        assert_eq!(more.length(0), 10);
        let (more, x) = (more.sequence(0).unwrap(), x.sequence(0).unwrap());
        for (i, (a, b)) in more[..6 * channels].iter().zip(x.iter()).enumerate() {
            // Rounded to f32 when normalised, which no value here is beyond ±2 standard deviations, and when raw again.
            let largest = 101. + 13. * unit(i % channels);
            assert!((a - b).abs() <= 2. * f32::EPSILON * largest, "{a} for {b}");
        }
    }
}

#[test]
fn a_run_of_series_goes_on_is_fine_tuned_exported_and_laid_open() {
    let lab = Lab::new();
    save(&lab, 2, &[0, 0, 1, 2]);
    lab.ok(&format!("train --preset series-tiny --data x.npz --out run --steps 2 {TINY}"));
    lab.ok("train --resume run --steps 4");
    lab.ok("export run --out x.safetensors");
    lab.ok("train --init x.safetensors --data x.npz --out tuned --steps 1");
    lab.ok("inspect run --html pass.html");
    let page = String::from_utf8(lab.read("pass.html")).unwrap();
    says(&page, &["\"task\":\"series\""]);
    save(&lab, 3, &[0, 0, 1, 2]);
    let said = lab.refused("train --init run --data x.npz --out wide");
    says(&said, &["x.npz: has D = 3 channels, head gmm of preset series-tiny takes 2"]);
    says(&lab.refused("evaluate run --data x.npz"), &["has D = 3 channels", "takes 2"]);
    says(
        &lab.refused("sample run --prime x.npz:1 --out drawn"),
        &["D = 3 channels, the model takes 2"],
    );
}

#[test]
fn a_picture_of_many_channels_shows_fewer_series_and_says_so() {
    let lab = Lab::new();
    save(&lab, 12, &[0]);
    lab.ok(&format!("train --preset series-tiny --data x.npz --out run --steps 1 {TINY}"));
    let output = lab.stcn("sample run --count 9 --steps 3 --out drawn").output().unwrap();
    let notes = "note: the picture shows the first 8 of 9 sequences\n\
                 note: the picture shows channels 1 to 8, and leaves 4 out\n";
    assert!(stderr(&output).starts_with(notes), "{}", stderr(&output));
}

#[test]
fn a_suite_takes_the_width_of_series_from_the_data_and_goes_on_from_its_runs() {
    let lab = Lab::new();
    save(&lab, 2, &[0, 0, 1, 2]);
    let suite = "about = \"Series\"\npreset = \"series-tiny\"\ndata = \"x.npz\"\nsteps = 2\n\
                 evaluate = { draws = 1, iwae = 2 }\n[[row]]\nmodel = \"rnn\"\nset = { model.hidden_size = 4 }\n";
    lab.write("suite.toml", suite);
    lab.ok("table suite.toml --out out");
    // Nothing is left to do, and nothing is refused as the run of another suite.
    assert_eq!(lab.ok("table suite.toml --out out --list"), "");
    let text = String::from_utf8(lab.read("out/rnn.seed-1/config.toml")).unwrap();
    let config = Config::from_toml(&text, "x".as_ref(), &Registry::default()).unwrap();
    assert_eq!(config.model.obs.input, 2);
    let count = stcn::models::count(&config.model).unwrap();
    says(&String::from_utf8(lab.read("out/report.csv")).unwrap(), &[&format!(",{count},")]);
}
