//! Any folder of recordings: mixed to mono, resampled to one rate, in units of 16-bit integers, cut into frames.
//!
//! Resampling uses rubato's windowed sinc in f64. It selects instructions by CPU, so sums may differ in their last
//! bits; after rounding to integers, about one sample in a billion could differ between CPUs. Files that already have
//! the rate are the same everywhere. Not here: corpora with a published layout ([`super::timit`],
//! [`super::blizzard`]).

use super::audio::Audio;
use super::folder;
use super::pattern::Rule;
use crate::data::writer::Writer;
use crate::error::{Error, Result};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters};
use std::path::Path;

/// The metadata columns.
pub const COLUMNS: [&str; 1] = ["file"];

/// The output format and the splits.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Samples per second; `None`: those of the recordings, which must all have the same.
    pub rate: Option<u32>,
    /// D: samples per frame.
    pub frame: usize,
    /// How the files are split, by their paths relative to the folder.
    pub split: Rule,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that became a sequence.
    pub files: usize,
    /// Files shorter than a frame, left out.
    pub short: usize,
    /// Files that had another rate.
    pub resampled: usize,
    /// Samples beyond the 16-bit range, which were clipped.
    pub clipped: usize,
}

/// Reads the `.wav` and `.sph` files below `folder`, in natural order of paths; each becomes one sequence.
pub fn import(
    folder: &Path,
    options: &Options,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut files = vec![];
    let mut first: Option<(u32, String)> = None;
    for file in folder::recordings(folder, &["wav", "sph"])? {
        let mut audio = Audio::open(&file.path)?;
        audio.check_extremes()?;
        let found = audio.header().rate;
        let (of_first, name) = first.get_or_insert_with(|| (found, file.name.clone()));
        let rate = options.rate.unwrap_or(*of_first);
        if options.rate.is_none() && found != rate {
            let what = format!(
                "holds {name} of {rate} samples per second and {} of {found}, wanted one rate; choose one for all, such \
                 as --rate {}",
                file.name,
                rate.min(found)
            );
            return Err(Error::invalid(folder, what));
        }
        if rate.max(found) > MOST_RATIO * rate.min(found) {
            let what = format!(
                "has {found} samples per second, too far from {rate} to be converted (a factor of {MOST_RATIO} at most); \
                 choose a nearer --rate, or convert it with `sox in.wav -r {rate} out.wav`"
            );
            return Err(Error::invalid(&file.path, what));
        }
        let samples = resampled(&audio, rate);
        audio.check_length(samples)?;
        match samples < options.frame as u64 {
            true => counts.short += 1,
            false => files.push(file),
        }
    }
    if files.is_empty() {
        let what = format!(
            "has {} recordings, all shorter than a frame of {} samples; choose a smaller --frame",
            counts.short, options.frame
        );
        return Err(Error::invalid(folder, what));
    }
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let splits = options.split.assign(folder, "recording", &names)?;
    let rate = options.rate.or(first.map(|(rate, _)| rate)).expect("there are recordings");
    writer.set_rate(rate);
    let total = files.iter().map(|file| file.bytes).sum::<u64>().max(1) as f64;
    let (mut done, mut converter) = (0, Converter { from: rate, to: rate, sinc: None });
    for (file, split) in files.iter().zip(splits) {
        let mut audio = Audio::open(&file.path)?;
        counts.files += 1;
        counts.resampled += usize::from(audio.header().rate != rate);
        let mut samples = converter.convert(&mut audio)?;
        for x in &mut samples {
            counts.clipped += usize::from(!(-32768. ..=32767.).contains(x));
            *x = x.clamp(-32768., 32767.);
        }
        let frames = samples.len() / options.frame;
        writer.push(&samples[..frames * options.frame], split, &[&file.name])?;
        done += file.bytes;
        progress(done as f64 / total);
    }
    Ok(counts)
}

/// Number of samples of a recording at another rate.
fn resampled(audio: &Audio, rate: u32) -> u64 {
    (audio.header().samples * u64::from(rate)).div_ceil(audio.header().rate.into())
}

/// Converts recordings to integers at one rate; keeps the filter for the last file's rate.
struct Converter {
    from: u32,
    to: u32,
    sinc: Option<Async<f64>>,
}

/// The greatest factor between two rates, that of 48 and 8 kHz: the filter is too short for more.
const MOST_RATIO: u32 = 6;

/// Samples converted at a time.
const CHUNK: usize = 1024;

impl Converter {
    /// A whole recording, resampled and rounded.
    fn convert(&mut self, audio: &mut Audio) -> Result<Vec<f32>> {
        let wanted = resampled(audio, self.to) as usize;
        if audio.header().rate == self.to {
            let mut samples = vec![0.; wanted];
            audio.read(&mut samples)?;
            samples.iter_mut().for_each(|x| *x = x.round());
            return Ok(samples);
        }
        if self.from != audio.header().rate {
            (self.from, self.sinc) = (audio.header().rate, None);
        }
        let ratio = f64::from(self.to) / f64::from(self.from);
        let sinc = self.sinc.get_or_insert_with(|| {
            let filter = SincInterpolationParameters::default();
            let sinc = Async::new_sinc(ratio, 1., &filter, CHUNK, 1, FixedAsync::Input);
            sinc.expect("a ratio of rates that are not 0")
        });
        sinc.reset();
        // Skip the filter's delay. Its first output is already one step late.
        let mut delay = sinc.output_delay().saturating_sub(1);
        let mut samples = Vec::with_capacity(wanted);
        let mut chunk = vec![0.; CHUNK];
        while samples.len() < wanted {
            let n = audio.read(&mut chunk)?;
            chunk[n..].fill(0.);
            let input: Vec<f64> = chunk.iter().map(|&x| f64::from(x)).collect();
            let input = InterleavedSlice::new(&input, 1, CHUNK).expect("a chunk of one channel");
            let output = sinc.process(&input, None).expect("a chunk of the filter's own size");
            let output = output.take_data();
            let kept = output.iter().skip(delay).take(wanted - samples.len());
            samples.extend(kept.map(|x| x.round() as f32));
            delay = delay.saturating_sub(output.len());
        }
        Ok(samples)
    }
}
