//! [`Audio`]: a recording in any supported container, checked when opened and read in blocks of 64 KiB.
//!
//! The format is detected by a file's first bytes, not by its name. Not here: the containers' headers
//! ([`super::sphere`], [`super::riff`]).

use super::header::{Coding, Header};
use super::{riff, sphere};
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::file::open_regular;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The most samples of a recording that is loaded whole: four and a half hours at 16 kHz, 1 GiB.
const MOST_SAMPLES: u64 = 1 << 28;

const WANTED: &str = "a recording: name its file";

/// Samples per second of the corpora with a published layout.
pub const SPEECH_RATE: u32 = 16_000;

/// Bytes read at a time.
const BLOCK: usize = 1 << 16;

/// An open recording.
pub struct Audio<R = File> {
    header: Header,
    path: PathBuf,
    reader: R,
    /// The sample to be read next.
    next: u64,
}

impl Audio {
    /// Opens a file and checks its header against its size.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(open_regular(path, WANTED)?, path)
    }

    /// Opens a file that may have no header; if so, it is read as 16-bit little-endian mono at 16 kHz.
    pub fn open_raw(path: &Path) -> Result<Self> {
        let mut reader = open_regular(path, WANTED)?;
        let mut magic = vec![];
        reader.by_ref().take(7).read_to_end(&mut magic).map_err(Error::read(path))?;
        if magic.starts_with(b"RIFF") || magic == b"NIST_1A" {
            return Self::open(path);
        }
        let bytes = reader.seek(SeekFrom::End(0)).map_err(Error::read(path))?;
        reader.rewind().map_err(Error::read(path))?;
        if bytes % 2 == 1 {
            let what = format!(
                "has no header and {bytes} bytes, wanted an even number (16-bit samples); copy it \
                 again"
            );
            return Err(Error::invalid(path, what));
        }
        let (coding, samples) = (Coding::Signed16, bytes / 2);
        let header =
            Header { rate: SPEECH_RATE, channels: 1, coding, start: 0, samples, extremes: None };
        Ok(Self { header, path: path.into(), reader, next: 0 })
    }
}

impl<R: Read + Seek> Audio<R> {
    /// As [`Audio::open`], from any reader; `path` is for error messages.
    pub fn new(mut reader: R, path: &Path) -> Result<Self> {
        let length = reader.seek(SeekFrom::End(0)).map_err(Error::read(path))?;
        reader.rewind().map_err(Error::read(path))?;
        let mut magic = vec![];
        reader.by_ref().take(7).read_to_end(&mut magic).map_err(Error::read(path))?;
        reader.rewind().map_err(Error::read(path))?;
        let wrong = |what: String| Err(Error::invalid(path, what));
        let header = match magic.as_slice() {
            b"NIST_1A" => sphere::header(&mut reader, length, path)?,
            [b'R', b'I', b'F', b'F', ..] => riff::header(&mut reader, length, path)?,
            [] => return wrong("is empty, wanted a recording; copy it again".into()),
            other => {
                return wrong(format!(
                    "begins with \"{}\", wanted \"RIFF\" (a wav file) or \"NIST_1A\" (SPHERE); \
                     convert it, as with `sox in out.wav`",
                    other.escape_ascii()
                ));
            }
        };
        let rates = DataSet::RATES;
        if !rates.contains(&header.rate) {
            return wrong(format!(
                "has {} samples per second, wanted {} to {}; convert it with `sox in.wav -r 16000 \
                 out.wav`",
                header.rate,
                rates.start(),
                rates.end()
            ));
        }
        if !(1..=2).contains(&header.channels) {
            return wrong(format!(
                "has {} channels, wanted 1 or 2; mix them with `sox in.wav out.wav remix -`",
                header.channels
            ));
        }
        reader.seek(SeekFrom::Start(header.start)).map_err(Error::read(path))?;
        Ok(Self { header, path: path.into(), reader, next: 0 })
    }

    /// Format and length of the recording.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Checks for the format of speech corpora: 16-bit mono at 16 kHz.
    pub fn check_speech(&self) -> Result<()> {
        let Header { rate, channels, coding, .. } = self.header;
        match (rate, channels, coding) {
            (SPEECH_RATE, 1, Coding::Signed16 | Coding::Signed16Big) => Ok(()),
            _ => Err(Error::invalid(
                &self.path,
                format!(
                    "has {channels} channel(s) of {} bits at {rate} Hz, wanted 1 of 16 bits at {SPEECH_RATE} \
                     Hz; get the original, or convert the folder with `stcn data prepare wav`",
                    8 * coding.bytes()
                ),
            )),
        }
    }

    /// Checks that `samples` samples, at any rate, are few enough to be loaded at once.
    pub fn check_length(&self, samples: u64) -> Result<()> {
        match samples <= MOST_SAMPLES {
            true => Ok(()),
            false => {
                let what = format!(
                    "has {samples} samples, wanted at most {MOST_SAMPLES}, which must fit in memory; split it"
                );
                Err(Error::invalid(&self.path, what))
            }
        }
    }

    /// Checks that the smallest and largest sample match the header, if it states them; then returns to the first
    /// sample.
    pub fn check_extremes(&mut self) -> Result<()> {
        let Some(said) = self.header.extremes else { return Ok(()) };
        let mut found: Option<(i64, i64)> = None;
        loop {
            let block = self.block(BLOCK)?;
            if block.is_empty() {
                break;
            }
            for x in block {
                let x = x as i64;
                let (least, greatest) = found.unwrap_or((x, x));
                found = Some((least.min(x), greatest.max(x)));
            }
        }
        self.seek(0)?;
        match found {
            Some(found) if found != said => {
                let what = format!(
                    "has samples from {} to {}, but its header says {} to {}; it is damaged, probably by \
                     a copy in text mode, so copy the original again in binary mode",
                    found.0, found.1, said.0, said.1
                );
                Err(Error::invalid(&self.path, what))
            }
            _ => Ok(()),
        }
    }

    /// Seeks to a sample, counted from 0.
    pub fn seek(&mut self, sample: u64) -> Result<()> {
        let bytes = (self.header.channels * self.header.coding.bytes()) as u64;
        let place = SeekFrom::Start(self.header.start + sample * bytes);
        self.reader.seek(place).map_err(Error::read(&self.path))?;
        self.next = sample;
        Ok(())
    }

    /// Fills `out` with the next samples in units of 16-bit integers, stereo averaged to mono; returns how many were
    /// read, fewer than `out` has room for only at the end.
    pub fn read(&mut self, out: &mut [f32]) -> Result<usize> {
        let mut done = 0;
        while done < out.len() {
            let block = self.block(out.len() - done)?;
            let samples = block.chunks_exact(self.header.channels);
            if samples.len() == 0 {
                break;
            }
            let rest = &mut out[done..];
            done += samples.len();
            for (out, channels) in rest.iter_mut().zip(samples) {
                *out = channels.iter().fold(0., |sum, x| sum + x) / channels.len() as f32;
            }
        }
        Ok(done)
    }

    /// The next samples, channels interleaved: at most `most` per channel, none at the end.
    fn block(&mut self, most: usize) -> Result<Vec<f32>> {
        let Header { channels, coding, samples, .. } = self.header;
        let width = channels * coding.bytes();
        let count = (samples - self.next).min(most.min(BLOCK / width) as u64) as usize;
        let mut bytes = vec![0; count * width];
        self.reader.read_exact(&mut bytes).map_err(Error::read(&self.path))?;
        let block: Vec<f32> =
            bytes.chunks_exact(coding.bytes()).map(|b| coding.decode(b)).collect();
        if let Some(i) = block.iter().position(|x| !x.is_finite()) {
            let what = format!(
                "sample {} is {}, wanted finite numbers; write the file again",
                self.next + (i / channels) as u64 + 1,
                block[i]
            );
            return Err(Error::invalid(&self.path, what));
        }
        self.next += count as u64;
        Ok(block)
    }
}
