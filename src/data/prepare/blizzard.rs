//! Blizzard 2013: recordings of one voice become rows of half a second, in blocks of parallel streams.
//!
//! 200 recordings make a block, joined and cut into 128 streams of the same length; row `piece·128 + stream`
//! holds 8,000 samples, as in the release of Chung et al. 2015. A block's rest that fills no row of all
//! streams is dropped. Memory holds one row, however many hours there are. Not here: mp3, which has to be
//! decoded before.

use super::audio::Audio;
use super::folder::{self, Found};
use super::streams::Joined;
use crate::data::split::Split;
use crate::data::writer::Writer;
use crate::error::{Error, Result};
use std::path::Path;

/// D: samples of a frame.
pub const FRAME: usize = 200;

/// Samples of a row: 40 frames, half a second.
pub const ROW: usize = 40 * FRAME;

/// How the set is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Recordings of a block.
    pub block: usize,
    /// Streams of a block.
    pub streams: usize,
}

/// What was there, and what was not used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Recordings.
    pub files: usize,
    /// Their samples.
    pub samples: u64,
    /// Samples in no row: the blocks' rests, and what is beyond the published rows.
    pub unused: u64,
}

/// Where train, valid and test end: as published where there are as many rows, else at 0.9 and 0.95 of
/// them, between two pieces of time of all `streams`.
pub fn ends(rows: u64, streams: u64) -> [u64; 3] {
    let published = [2_040_064, 2_152_704, 2_266_880];
    let whole = |row: u64| row / streams * streams;
    if rows >= published[2] {
        published
    } else {
        [whole(rows * 9 / 10), whole(rows * 19 / 20), rows]
    }
}

/// Reads `.wav` and headerless `.raw` below `folder`, by natural order of paths, and pushes their rows.
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
                "has {samples} samples, of which {} recordings at a time and {streams} streams \
                 leave {rows} rows of {ROW}, wanted at least two pieces of each stream; choose a larger --block or fewer \
                 --streams",
                options.block
            ),
        ));
    }
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

/// Only a `.raw` may have no header.
fn open(file: &Found) -> Result<Audio> {
    let raw = file.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("raw"));
    let audio = if raw { Audio::open_raw(&file.path)? } else { Audio::open(&file.path)? };
    audio.check_speech().map(|()| audio)
}
