//! Blizzard 2013: recordings of one speaker, cut into rows of half a second, in blocks of parallel streams.
//!
//! 200 recordings form a block, concatenated and cut into 128 streams of equal length; row `piece·128 + stream` holds
//! 8,000 samples, as in the release of Chung et al. 2015. The end of a block that does not fill a row in every
//! stream is dropped. Memory holds one row. Not here: mp3, which must be decoded first.

use super::audio::{Audio, SPEECH_RATE};
use super::folder::{self, Found};
use super::streams::Joined;
use crate::data::split::Split;
use crate::data::writer::Writer;
use crate::error::{Error, Result};
use std::path::Path;

/// D: samples per frame.
pub const FRAME: usize = 200;

/// Samples per row: 40 frames, half a second.
pub const ROW: usize = 40 * FRAME;

/// How the set is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Recordings per block.
    pub block: usize,
    /// Streams per block.
    pub streams: usize,
}

/// What was found, and how much of it was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Number of recordings.
    pub files: usize,
    /// Total samples.
    pub samples: u64,
    /// Samples in no row: the ends of blocks, and what is beyond the published number of rows.
    pub unused: u64,
}

/// The rows at which train, valid and test end: as published if there are enough rows, else at 0.9 and 0.95 of them,
/// rounded down to a multiple of `streams`.
pub fn ends(rows: u64, streams: u64) -> [u64; 3] {
    let published = [2_040_064, 2_152_704, 2_266_880];
    let whole = |row: u64| row / streams * streams;
    if rows >= published[2] {
        published
    } else {
        [whole(rows * 9 / 10), whole(rows * 19 / 20), rows]
    }
}

/// Reads the `.wav` and headerless `.raw` files below `folder`, in natural order of paths, and writes their rows.
pub fn import(
    folder: &Path,
    options: &Options,
    writer: &mut Writer,
    progress: &mut dyn FnMut(f64),
) -> Result<Counts> {
    let mut files = vec![];
    for file in folder::recordings(folder, &["wav", "raw"])? {
        let mut audio = open(&file)?;
        audio.check_extremes()?;
        files.push((file, audio.header().samples));
    }
    let samples = files.iter().map(|(_, samples)| samples).sum::<u64>();
    let streams = options.streams as u64;
    let pieces = |block: &[(Found, u64)]| {
        block.iter().map(|(_, samples)| samples).sum::<u64>() / (streams * ROW as u64)
    };
    let rows = files.chunks(options.block).map(|block| pieces(block) * streams).sum::<u64>();
    let ends = ends(rows, streams);
    if ends[0] == 0 {
        return Err(Error::invalid(
            folder,
            format!(
                "has {samples} samples, which in blocks of {} recordings and {streams} streams give {rows} rows of \
                 {ROW}, wanted at least two per stream; choose a larger --block or fewer --streams",
                options.block
            ),
        ));
    }
    writer.set_rate(SPEECH_RATE);
    let mut row = 0;
    for block in files.chunks(options.block) {
        let mut signal = Joined::new(block.iter().map(|(file, samples)| (file, *samples)), open);
        signal.rows(streams, pieces(block), ROW, |_, samples| {
            let split = Split::ALL.into_iter().zip(ends).find(|(_, end)| row < *end);
            row += 1;
            progress(row as f64 / rows as f64);
            split.map_or(Ok(()), |(split, _)| writer.push(samples, split, &[]))
        })?;
    }
    let unused = samples - ends[2] * ROW as u64;
    Ok(Counts { files: files.len(), samples, unused })
}

/// Opens a recording; only a `.raw` may lack a header.
fn open(file: &Found) -> Result<Audio> {
    let raw = file.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("raw"));
    let audio = if raw { Audio::open_raw(&file.path)? } else { Audio::open(&file.path)? };
    audio.check_speech().map(|()| audio)
}
