//! [`Joined`]: recordings one after another as a single signal, and its pieces in the order of streams.
//!
//! A signal is cut into streams of the same length that are read side by side: piece i of every stream, then
//! piece i + 1 of every stream. So the rows of one batch go on in the next, and a state may be carried.
//! Not here: what a piece is for.

use super::audio::Audio;
use super::folder::Found;
use crate::error::{Error, Result};

/// Recordings as one signal. Nothing is held but the file that was read last.
pub struct Joined<'a> {
    files: Vec<&'a Found>,
    /// Where each file begins in the signal, and where the last ends, in samples.
    starts: Vec<u64>,
    open: fn(&Found) -> Result<Audio>,
    current: Option<(usize, Audio)>,
}

impl<'a> Joined<'a> {
    /// Of these files with so many samples each, opened by `open`.
    pub fn new(
        files: impl IntoIterator<Item = (&'a Found, u64)>,
        open: fn(&Found) -> Result<Audio>,
    ) -> Self {
        let (files, samples): (Vec<_>, Vec<u64>) = files.into_iter().unzip();
        let ends = samples.iter().scan(0, |end, samples| {
            *end += samples;
            Some(*end)
        });
        Self { files, starts: std::iter::once(0).chain(ends).collect(), open, current: None }
    }

    /// Samples of all files together.
    pub fn samples(&self) -> u64 {
        self.starts[self.files.len()]
    }

    /// The file that holds a sample, by its number.
    ///
    /// # Panics
    /// If the signal has no such sample.
    pub fn file_at(&self, sample: u64) -> usize {
        assert!(sample < self.samples(), "file_at: sample {sample} of {}", self.samples());
        self.starts.partition_point(|&start| start <= sample) - 1
    }

    /// Fills `out` with the samples from `from` on.
    pub fn read(&mut self, mut from: u64, mut out: &mut [f32]) -> Result<()> {
        while !out.is_empty() {
            let file = self.file_at(from);
            if self.current.as_ref().is_none_or(|(current, _)| *current != file) {
                self.current = Some((file, (self.open)(self.files[file])?));
            }
            let (_, audio) = self.current.as_mut().expect("just opened");
            audio.seek(from - self.starts[file])?;
            let most = out.len().min((self.starts[file + 1] - from) as usize);
            let done = audio.read(&mut out[..most])?;
            if done < most {
                let what = "became shorter while it was read; try again when nobody writes to it";
                return Err(Error::invalid(&self.files[file].path, what));
            }
            from += done as u64;
            out = &mut out[done..];
        }
        Ok(())
    }

    /// Cuts the beginning of the signal into `streams` streams of `pieces` pieces of `piece` samples, and
    /// gives them to `row` in order, each with the number of the file in which it begins: row
    /// `i·streams + j` is piece i of stream j.
    pub fn rows(
        &mut self,
        streams: u64,
        pieces: u64,
        piece: usize,
        mut row: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let mut samples = vec![0.; if pieces > 0 { piece } else { 0 }];
        for i in 0..pieces {
            for j in 0..streams {
                let from = (j * pieces + i) * piece as u64;
                self.read(from, &mut samples)?;
                row(self.file_at(from), &samples)?;
            }
        }
        Ok(())
    }
}
