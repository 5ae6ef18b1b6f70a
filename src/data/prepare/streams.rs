//! [`Joined`]: concatenates recordings to one signal, and cuts it into pieces in the order of parallel streams.
//!
//! The signal is cut into streams of equal length, which are read in parallel: first piece 1 of every stream, then
//! piece 2 of every stream, and so on. So each row of a batch continues in the next batch, and a state could be
//! carried over. Not here: splits.

use super::audio::Audio;
use super::folder::Found;
use crate::error::{Error, Result};

/// Recordings as one signal. Only the file read last is open.
pub struct Joined<'a> {
    files: Vec<&'a Found>,
    /// Start of each file in the signal, then the end of the last, in samples.
    starts: Vec<u64>,
    open: fn(&Found) -> Result<Audio>,
    current: Option<(usize, Audio)>,
}

impl<'a> Joined<'a> {
    /// From files and their numbers of samples; `open` opens a file.
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

    /// Total samples.
    pub fn samples(&self) -> u64 {
        self.starts[self.files.len()]
    }

    /// Index of the file that holds a sample.
    ///
    /// # Panics
    /// If the signal is shorter.
    pub fn file_at(&self, sample: u64) -> usize {
        assert!(sample < self.samples(), "file_at: sample {sample} of {}", self.samples());
        self.starts.partition_point(|&start| start <= sample) - 1
    }

    /// Fills `out` with the samples starting at `from`.
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
                let what = "became shorter while it was read; try again when no other program writes to it";
                return Err(Error::invalid(&self.files[file].path, what));
            }
            from += done as u64;
            out = &mut out[done..];
        }
        Ok(())
    }

    /// Cuts the beginning of the signal into `streams` streams of `pieces` pieces of `piece` samples, and calls `row`
    /// with each piece and the index of the file in which it begins: call `i·streams + j` is piece i of stream j.
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
