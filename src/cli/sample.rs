//! `stcn sample`: sequences drawn from a trained model, as numbers, as pictures and as sound.

use super::args::Sample;
use super::data::{check_rate, draw};
use super::print_json;
use crate::data::{DataSet, Split, handwriting, npz};
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::inspect::{page::Drawing, png, wav};
use crate::models::{config::Task, generate};
use crate::noise::Noise;
use crate::tensor::{Real, Tensor};
use crate::train::Trained;
use crate::train::fit::check_values;
use indicatif::ProgressBar;
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// Steps of a sample where nothing tells how long sequences are.
const STEPS: usize = 400;

/// The most numbers drawn at once: 1 GiB of them.
const MOST_NUMBERS: usize = 1 << 28;

pub(super) fn run(words: Sample) -> Result<()> {
    if words.count == 0 {
        return Err(Error::usage("--count 0 draws nothing: ask for 1 or more"));
    }
    if words.steps == Some(0) {
        return Err(Error::usage("--steps 0 draws nothing: ask for 1 or more"));
    }
    if !(words.temperature >= 0. && words.temperature.is_finite()) {
        return Err(Error::usage("--temperature takes a number from 0 on, such as 0.8"));
    }
    check_rate(words.rate)?;
    if words.prime_steps.is_some() && words.prime.is_none() {
        let cure = "name what the sequences begin with by --prime FILE.npz:INDEX";
        return Err(Error::usage(format!("--prime-steps without --prime: {cure}")));
    }
    let mut trained = Trained::open(&words.run, &crate::models::Registry::default())?;
    let channels = trained.config.model.obs.input;
    let given = words.prime.as_deref().map(|prime| primed(prime, &trained)).transpose()?;
    let mut given = given.unwrap_or_default();
    given.truncate(words.prime_steps.unwrap_or(usize::MAX).saturating_mul(channels));
    let primed = given.len() / channels;
    let steps = words.steps.unwrap_or_else(|| usual_length(&mut trained));
    let numbers =
        primed.checked_add(steps).and_then(|n| n.checked_mul(words.count)?.checked_mul(channels));
    if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
        return Err(Error::usage(format!(
            "--count {} of {primed} + {steps} steps make more than {MOST_NUMBERS} numbers: draw fewer, or shorter ones",
            words.count
        )));
    }
    std::fs::create_dir_all(&words.out).map_err(Error::write(&words.out))?;

    let prime = given.iter().map(|&x| Real::from(x)).collect::<Vec<_>>().repeat(words.count);
    let prime = Tensor::new(&[words.count, primed, channels], prime);
    let samples: Vec<u64> = (0..words.count as u64).collect();
    let bar =
        if words.json { ProgressBar::hidden() } else { ProgressBar::new((primed + steps) as u64) };
    let noise = Noise::new(words.seed, "sample");
    let temperature = words.temperature.max(1e-6) as Real; // 0: the likeliest of everything
    let drawn = generate(&*trained.model, &prime, steps, &noise, &samples, temperature, |t| {
        bar.set_position(t as u64);
    });
    bar.finish_and_clear();
    if !drawn.is_finite() {
        return Err(crate::error::ErrorKind::Diverged(
            "the model drew numbers that are not finite: train it further, or lower --temperature"
                .into(),
        )
        .into());
    }

    let rows = trained.raw(&drawn);
    let mut files = vec![write_npz(&words.out.join("sample.npz"), &rows, channels)?];
    let task = trained.config.model.obs.task;
    let clipped = (task == Task::Speech).then(|| listen(&words, &rows, &mut files)).transpose()?;
    let drawings: Vec<_> = rows.iter().map(|rows| Drawing { rows, primed }).collect();
    let svg = draw(task, &drawings, channels, words.rate);
    files.extend(pictures(&words.out.join("sample"), &svg)?);
    if words.json {
        let mut line =
            json!({ "count": words.count, "steps": steps, "primed": primed, "files": files });
        if let Some(clipped) = clipped {
            line["clipped"] = clipped.into();
        }
        print_json(&line);
    } else {
        files.iter().for_each(|file| println!("{file}"));
    }
    Ok(())
}

/// `sample-1.wav` … of rows in units of 16-bit integers; gives the share of samples that were clipped, and
/// says on stderr if there are any, or if there is nothing to hear.
fn listen(words: &Sample, rows: &[Vec<f32>], files: &mut Vec<String>) -> Result<f64> {
    let (mut clipped, mut samples) = (0, 0);
    for (i, rows) in rows.iter().enumerate() {
        let path = words.out.join(format!("sample-{}.wav", i + 1));
        clipped += wav::wav(rows, words.rate, &path)?;
        samples += rows.len();
        files.push(path.display().to_string());
    }
    let share = clipped as f64 / samples.max(1) as f64;
    if clipped > 0 {
        eprintln!("note: {:.3} % of the samples are beyond 16 bits and were clipped", 100. * share);
    }
    if rows.iter().flatten().all(|x| x.abs() < 2.) {
        eprintln!(
            "note: nothing to hear: all samples lie between -2 and 2 where a .wav goes to 32767; prepare \
             the data in units of 16-bit integers"
        );
    }
    Ok(share)
}

/// `stem.svg`, and `stem.png` if this build has it.
fn pictures(stem: &Path, svg: &str) -> Result<Vec<String>> {
    let path = stem.with_extension("svg");
    write_whole(&path, |file| file.write_all(svg.as_bytes()))?;
    let mut files = vec![path.display().to_string()];
    if cfg!(feature = "png") {
        let path = stem.with_extension("png");
        png::png(svg, &path)?;
        files.push(path.display().to_string());
    }
    Ok(files)
}

fn write_npz(path: &Path, rows: &[Vec<f32>], channels: usize) -> Result<String> {
    let lengths = rows.iter().map(|rows| (rows.len() / channels) as i64).collect();
    let split = Some(vec![0; rows.len()]);
    npz::write(path, &npz::Flat { channels, samples: rows.concat(), lengths, split })?;
    Ok(path.display().to_string())
}

/// The normalised rows of `FILE:INDEX`.
fn primed(prime: &str, trained: &Trained) -> Result<Vec<f32>> {
    let wrong = || Error::usage(format!("--prime {prime}: want FILE:INDEX, such as lines.npz:12"));
    let (file, index) = prime.rsplit_once(':').ok_or_else(wrong)?;
    let index: usize = index.parse().map_err(|_| wrong())?;
    let set = open(Path::new(file))?;
    let (found, wanted) = (set.channels(), trained.config.model.obs.input);
    if found != wanted {
        let what = format!(
            "has D = {found} channels, the model takes {wanted}: prime with data of its kind"
        );
        return Err(Error::invalid(file, what));
    }
    if index == 0 || index > set.len() {
        let what = format!("has sequences 1 to {}, not {index}: choose another", set.len());
        return Err(Error::invalid(file, what));
    }
    check_values(trained.config.model.obs.task, &set)?;
    let raw = set.sequence(index - 1)?;
    let mut rows = vec![0.; raw.len()];
    trained.normalisation.apply(&raw, &mut rows);
    Ok(rows)
}

/// A data set by its file, or the embedded one by the word.
pub(super) fn open(file: &Path) -> Result<DataSet> {
    if file == Path::new("embedded") {
        return handwriting::data_set();
    }
    DataSet::open(file, Some(crate::data::MissingSplit::AllTrain))
}

/// The median length of the data the run was trained on, if it is still there.
fn usual_length(trained: &mut Trained) -> usize {
    let set = trained.open_data(None).ok();
    let summary = set.and_then(|set| set.summary(Split::Train));
    summary.map_or(STEPS, |summary| summary.median as usize)
}
