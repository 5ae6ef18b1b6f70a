//! Folders of any recordings: rates, channels and codings brought to one, splits by shares and patterns.

use crate::common::recordings::{
    Folder, format, imported, little, ramp, riff, sequence, sequences, wav,
};
use crate::common::says;
use crate::data::{real, refusal};
use stcn::data::{DataSet, MissingSplit, Split};
use stcn::internals::prepare::pattern::{Rule, parse};
use stcn::internals::prepare::wav::{COLUMNS, Counts, Options, import};
use std::f64::consts::PI;
use std::path::Path;

const ALL: Rule = Rule::Fractions(MissingSplit::AllTrain);

fn prepared(
    input: &Path,
    rate: impl Into<Option<u32>>,
    frame: usize,
    split: Rule,
) -> stcn::Result<(DataSet, Vec<String>, Counts)> {
    let options = Options { rate: rate.into(), frame, split };
    imported(frame, &COLUMNS, |writer, progress| import(input, &options, writer, progress))
}

fn patterns(valid: &[&str], test: &[&str]) -> Rule {
    let all = |texts: &[&str]| texts.iter().map(|text| parse(text).unwrap()).collect();
    Rule::Patterns { valid: all(valid), test: all(test) }
}

/// A sine of this many hertz and samples.
fn sine(hertz: f64, rate: u32, samples: usize) -> Vec<i16> {
    let value = |t: usize| 20_000. * (2. * PI * hertz * t as f64 / f64::from(rate)).sin();
    (0..samples).map(|t| value(t).round() as i16).collect()
}

#[test]
fn files_of_the_rate_keep_their_samples_and_lose_their_tails() {
    let folder = Folder::new(&[
        ("b/2.wav", wav(8000, &ramp(0, 25))),
        ("b/10.wav", wav(8000, &ramp(100, 109))),
        ("a.wav", wav(8000, &ramp(200, 220))),
    ]);
    let (set, about, counts) = prepared(&folder.path(""), 8000, 10, ALL).unwrap();
    assert_eq!(counts, Counts { files: 2, short: 1, ..Counts::default() });
    let wanted = [ramp(200, 220), ramp(0, 20)].map(|x| x.into_iter().map(f32::from).collect());
    let wanted: [Vec<f32>; 2] = wanted;
    assert_eq!(sequences(&set, Split::Train), wanted);
    assert_eq!(about, ["1,train,2,\"a.wav\"", "2,train,2,\"b/2.wav\""]);
}

#[test]
fn every_rate_of_a_tone_comes_out_as_that_tone() {
    for rate in [8000, 11_025, 16_001, 22_050, 44_100, 48_000] {
        let samples = rate as usize / 2;
        let folder = Folder::new(&[("a.wav", wav(rate, &sine(440., rate, samples)))]);
        let (set, _, counts) = prepared(&folder.path(""), 16_000, 1, ALL).unwrap();
        assert_eq!((counts.resampled, set.rate()), (1, Some(16_000)));
        let found = sequence(&set, 0);
        assert_eq!(found.len(), (samples * 16_000).div_ceil(rate as usize), "of {rate} Hz");
        assert!(found.iter().all(|x| x.fract() == 0.), "whole numbers");
        // Away from the ends, where the filter hears silence. The delay is known to a sample or two.
        let middle = &found[1000..7000];
        let error = |delay: f64| {
            let tone = |t: usize| 20_000. * (2. * PI * 440. * (t as f64 + delay) / 16_000.).sin();
            let errors =
                middle.iter().enumerate().map(|(i, x)| (f64::from(*x) - tone(1000 + i)).abs());
            errors.fold(0., f64::max)
        };
        let delays = (-200..=200).map(|d| f64::from(d) / 100.);
        let (best, delay) =
            delays.map(|d| (error(d), d)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        assert!(best < 60., "a tone of {rate} Hz is off by {best} at a delay of {delay}");
    }
}

#[test]
fn recordings_of_any_one_rate_keep_it() {
    for rate in [1000, 8000, 44_100, 768_000] {
        let one = |samples| wav(rate, &ramp(0, samples));
        let folder = Folder::new(&[("a.wav", one(20)), ("b.wav", one(30))]);
        let (set, _, counts) = prepared(&folder.path(""), None, 10, ALL).unwrap();
        assert_eq!((set.rate(), counts.resampled), (Some(rate), 0));
        assert_eq!(sequence(&set, 1), crate::common::recordings::ramp_rows(0, 30));
    }
}

#[test]
fn recordings_of_two_rates_are_refused_unless_one_is_chosen() {
    let mixed = [("a.wav", wav(16_000, &ramp(0, 20))), ("b.wav", wav(8000, &ramp(0, 20)))];
    let folder = Folder::new(&mixed);
    let said = refusal(prepared(&folder.path(""), None, 10, ALL));
    says(&said, &["holds a.wav of 16000 samples per second and b.wav of 8000, wanted one rate"]);
    says(&said, &["choose one for all, such as --rate 8000"]);
    let (set, ..) = prepared(&folder.path(""), 8000, 10, ALL).unwrap();
    assert_eq!((set.len(), set.rate()), (2, Some(8000)));
}

#[test]
fn a_rate_too_far_from_that_of_a_recording_is_refused() {
    let folder = Folder::new(&[("a.wav", wav(48_000, &ramp(0, 2000)))]);
    let at = |rate| prepared(&folder.path(""), rate, 10, ALL);
    at(8000).unwrap();
    for rate in [7999, 288_001] {
        let said = refusal(at(rate));
        says(&said, &[&format!("a.wav: has 48000 samples per second, too far from {rate} to be")]);
        says(&said, &["a factor of 6 at most", "nearer --rate", "`sox in.wav -r "]);
    }
    at(288_000).unwrap();
}

#[test]
fn tones_that_the_new_rate_cannot_hold_are_silenced() {
    let folder = Folder::new(&[("a.wav", wav(48_000, &sine(11_000., 48_000, 24_000)))]);
    let (set, ..) = prepared(&folder.path(""), 16_000, 1, ALL).unwrap();
    let loudest = sequence(&set, 0)[500..7500].iter().fold(0_f32, |a, x| a.max(x.abs()));
    assert!(loudest <= 1., "{loudest} of 20000 is left");
}

#[test]
fn files_in_a_row_do_not_hear_one_another() {
    let (loud, soft) = (wav(48_000, &sine(440., 48_000, 9000)), wav(44_100, &ramp(0, 9000)));
    let folder = Folder::new(&[
        ("1.wav", soft.clone()),
        ("2.wav", loud.clone()),
        ("3.wav", loud),
        ("4.wav", soft),
    ]);
    let (set, ..) = prepared(&folder.path(""), 16_000, 100, ALL).unwrap();
    assert_eq!(sequence(&set, 0), sequence(&set, 3));
    assert_eq!(sequence(&set, 1), sequence(&set, 2));
}

#[test]
fn stereo_halves_are_rounded_and_what_is_too_loud_is_clipped_and_counted() {
    let stereo =
        riff(&[(b"fmt ", format(1, 2, 8000, 16)), (b"data", little(&[1, 2, -1, -2, 4, 4]))]);
    let floats = [2_f32, -2., 0.25].iter().flat_map(|x| x.to_le_bytes()).collect();
    let loud = riff(&[(b"fmt ", format(3, 1, 8000, 32)), (b"data", floats)]);
    let folder = Folder::new(&[("a.wav", stereo), ("b.wav", loud)]);
    let (set, _, counts) = prepared(&folder.path(""), 8000, 3, ALL).unwrap();
    assert_eq!(sequence(&set, 0), [2., -2., 4.]);
    assert_eq!(sequence(&set, 1), [32767., -32768., 8192.]);
    assert_eq!(counts, Counts { files: 2, clipped: 2, ..Counts::default() });
}

/// Ten short files of two speakers.
fn ten() -> Folder {
    let folder = Folder::new(&[]);
    for i in 0..10 {
        let name = format!("{}_{i}.wav", ["ann", "bob"][i % 2]);
        folder.write(&name, wav(8000, &ramp(i, i + 5)));
    }
    folder
}

#[test]
fn patterns_and_shares_decide_what_files_are_for() {
    let folder = ten();
    let splits = |rule| {
        let (set, about, _) = prepared(&folder.path(""), 8000, 5, rule).unwrap();
        let of = |split| set.split(split).iter().map(|&i| about[i].clone()).collect::<Vec<_>>();
        Split::ALL.map(of)
    };
    let [train, valid, test] = splits(patterns(&["ann_[0-2]*"], &["bob_1.wav", "bob_?.wav"]));
    assert_eq!((train.len(), valid.len(), test.len()), (3, 2, 5));
    assert!(
        test.iter().all(|line| line.contains("bob")) && valid.iter().all(|l| l.contains("ann"))
    );
    let [train, valid, test] = splits(Rule::Fractions("fractions:0.2,0.3,1".parse().unwrap()));
    assert_eq!((train.len(), valid.len(), test.len()), (5, 2, 3));
}

#[test]
fn patterns_that_fit_nothing_or_fit_both_or_leave_nothing_are_refused() {
    let folder = ten();
    let said = |rule| refusal(prepared(&folder.path(""), 8000, 5, rule));
    let parts = ["holds no recording that matches the pattern `*_carl_*`", "look like ann_0.wav"];
    says(&said(patterns(&[], &["*_carl_*"])), &parts);
    let parts = ["ann_0.wav matches patterns of both --valid and --test", "narrow them"];
    says(&said(patterns(&["ann*"], &["*_0.wav"])), &parts);
    let parts = ["has 10 recordings, of which none is left to train on"];
    says(&said(patterns(&["ann*"], &["bob*"])), &parts);
    says(&said(Rule::Fractions(MissingSplit::AllTest)), &parts);
    let said = refusal(prepared(&folder.path(""), 8000, 6, ALL));
    says(&said, &["has 10 recordings, all shorter than a frame of 6 samples"]);
}

#[test]
fn the_spoken_digits_have_the_figures_of_their_page() {
    let Some(folder) = real("fsdd") else { return };
    let rule = patterns(&["*_theo_[5-9].wav"], &["*_[0-4].wav"]);
    let (set, about, counts) = prepared(&folder, 8000, 200, rule).unwrap();
    assert_eq!((counts.files, counts.short, counts.resampled, counts.clipped), (3000, 0, 0, 0));
    let count = |split| set.split(split).len();
    assert_eq!(Split::ALL.map(count), [2650, 50, 300]);
    let steps = |split| set.steps(split);
    assert_eq!(steps(Split::Train) + steps(Split::Valid), 45_973, "of 9,464,394 samples");
    assert_eq!(about[0], "1,test,11,\"0_george_0.wav\"");
}
