//! Checkpoints: a file format with checksums, written so that a kill or a full disk leaves the old file whole.
//!
//! ```text
//! magic     8 bytes   "STCN\r\n\x1a\n": shows a transfer that changed line ends
//! format    u32       FORMAT
//! header    section   serde + bincode: Header, then path and shape of every parameter
//! params    section   the numbers, raw little-endian f32, in the order of the header
//! adam.m    section   Adam's means, same order and shapes, or empty
//! adam.v    section   Adam's mean squares, likewise
//!
//! section = name (8 bytes, zero-padded) · length (u64) · payload · SHA-256 of format, name, length, payload
//! ```
//!
//! Everything little-endian. The bytes depend on the run's state alone (no clock, path, thread count or
//! host), so that two machines can compare their SHA-256, the `checkpoint_sha256`. Nothing is parsed before its
//! checksum is verified, and no more memory is allocated than the file is long. A resumed run needs nothing else:
//! noise and the order of batches follow from seed and step.

use crate::error::{Error, ErrorKind, Result};
use crate::file::{read_whole, write_whole};
use crate::models::MOST_PARAMETERS;
use crate::tensor::{Real, Tensor};
use bincode::Options;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// The first bytes of every checkpoint.
pub const MAGIC: [u8; 8] = *b"STCN\r\n\x1a\n";

/// Version of the file format. Also read: 2, which lacks [`Header::end`].
pub const FORMAT: u32 = 3;

/// Version of the arithmetic: it changes whenever any bit of a training step does. Its
/// [history](crate::book::same_bits#history-of-arithmetic) is in the book.
pub const ARITHMETIC: u32 = 5;

/// A parameter under its path.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Such as `tcn.3.filter.weight`.
    pub path: String,
    /// Its value.
    pub value: Tensor,
}

/// Everything about a run except its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`ARITHMETIC`] of the program that wrote it; resuming with another number warns.
    pub arithmetic: u32,
    /// Version of the crate that wrote it.
    pub crate_version: String,
    /// [`Config::portable_toml`](super::Config::portable_toml), the data's fingerprint included.
    pub config_toml: String,
    /// Updates made.
    pub step: u64,
    /// The best validation loss so far.
    pub best: Option<f64>,
    /// The validation ELBO per sequence at the same check.
    pub best_elbo: Option<f64>,
    /// The step of that check.
    pub best_step: u64,
    /// Checks in a row without progress.
    pub bad_checks: u64,
    /// The check at this very step, if the run ended here off the schedule of its checks: nothing above counts it.
    #[serde(skip)] // stored last: see `Stored`
    pub end: Option<EndCheck>,
    /// The mean of each channel, which the normalisation subtracts.
    pub mean: Vec<f64>,
    /// The standard deviation of each channel, which it then divides by.
    pub std: Vec<f64>,
}

/// What the check at the end of a run found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndCheck {
    /// The validation loss, as [`Header::best`].
    pub loss: f64,
    /// The validation ELBO per sequence.
    pub elbo: f64,
}

impl EndCheck {
    /// Whether the state at the end is better than the best of the schedule.
    pub fn beats(&self, best: Option<f64>) -> bool {
        best.is_none_or(|best| self.loss < best)
    }
}

impl Header {
    /// At step 0 of the run that `config_toml` describes, on data that needs no normalisation.
    pub fn new(config_toml: impl Into<String>) -> Self {
        Self {
            arithmetic: ARITHMETIC,
            crate_version: env!("CARGO_PKG_VERSION").into(),
            config_toml: config_toml.into(),
            step: 0,
            best: None,
            best_elbo: None,
            best_step: 0,
            bad_checks: 0,
            end: None,
            mean: vec![],
            std: vec![],
        }
    }
}

/// The state of a run at one step, complete: a run resumed from it makes the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Everything except the tensors.
    pub header: Header,
    /// The parameters, in the model's order.
    pub params: Vec<Named>,
    /// Adam's means, in the same order and shapes; empty if not kept.
    pub adam_m: Vec<Tensor>,
    /// Adam's mean squares, likewise.
    pub adam_v: Vec<Tensor>,
}

/// What the header section holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    header: Header,
    /// Path and shape of every parameter.
    directory: Vec<(String, Vec<u64>)>,
    /// [`Header::end`]. The last, so that a header of format 2 is one of today's but for the end.
    end: Option<EndCheck>,
}

/// Sections in the order of the file.
const SECTIONS: [&str; 4] = ["header", "params", "adam.m", "adam.v"];

impl Checkpoint {
    /// Writes the file; at any moment, even if killed or out of disk space, `path` is either the whole old
    /// checkpoint or the whole new one. Returns the SHA-256 of the bytes in hex. Refused, and nothing is written, if a
    /// number is not finite.
    pub fn save(&self, path: &Path) -> Result<String> {
        if let Some(name) = self.not_finite() {
            let step = self.header.step;
            let what = format!("step {step}: the state has a number in {name} that is not finite");
            return Err(ErrorKind::Diverged(what).into());
        }
        let bytes = self.to_bytes();
        write_whole(path, |file| file.write_all(&bytes))?;
        Ok(hex::encode(Sha256::digest(&bytes)))
    }

    /// The SHA-256 of the bytes in hex: the `checkpoint_sha256`.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.to_bytes()))
    }

    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_whole(path, LONGEST, "a checkpoint such as latest.stcn")?;
        Self::from_bytes(&bytes).map_err(|what| Error::invalid(path, what))
    }

    /// The bytes of the file. Panics if Adam's state does not match the parameters.
    pub fn to_bytes(&self) -> Vec<u8> {
        for state in [&self.adam_m, &self.adam_v] {
            let fits = state.iter().zip(&self.params).all(|(t, p)| t.shape() == p.value.shape());
            let whole = state.is_empty() || state.len() == self.params.len();
            assert!(fits && whole, "checkpoint: Adam's state does not match the parameters");
        }
        let shape = |t: &Tensor| t.shape().iter().map(|&n| n as u64).collect();
        let directory = self.params.iter().map(|p| (p.path.clone(), shape(&p.value))).collect();
        let stored = Stored { header: self.header.clone(), directory, end: self.header.end };
        let header = bincode::DefaultOptions::new().serialize(&stored).expect("text and numbers");
        // Written in place: with small batches, a second copy would be most of a run's memory.
        let numbers =
            (1 + usize::from(!self.adam_m.is_empty()) + usize::from(!self.adam_v.is_empty()))
                * self.params.iter().map(|p| p.value.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(12 + 4 * 48 + header.len() + 4 * numbers);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        let mut section = |name: &str, write: &mut dyn FnMut(&mut Vec<u8>)| {
            let start = bytes.len();
            bytes.extend(frame(name, 0));
            write(&mut bytes);
            let length = (bytes.len() - start - 16) as u64;
            bytes[start..start + 16].copy_from_slice(&frame(name, length));
            let sum = checksum(FORMAT, &bytes[start..start + 16], &bytes[start + 16..]);
            bytes.extend(sum);
        };
        section(SECTIONS[0], &mut |bytes| bytes.extend(&header));
        section(SECTIONS[1], &mut |bytes| self.params.iter().for_each(|p| raw(&p.value, bytes)));
        section(SECTIONS[2], &mut |bytes| self.adam_m.iter().for_each(|m| raw(m, bytes)));
        section(SECTIONS[3], &mut |bytes| self.adam_v.iter().for_each(|v| raw(v, bytes)));
        bytes
    }

    /// The inverse of [`to_bytes`](Self::to_bytes); an error is the rest of a sentence after the file's name.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("is empty, want an stcn checkpoint: take another copy".into());
        }
        let mut rest = bytes;
        // A beginning of the magic is a file cut short; anything else is another kind of file.
        if !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
            return Err(
                "is not an stcn checkpoint: name a run directory, or its latest.stcn".into()
            );
        }
        take(&mut rest, MAGIC.len() as u64)?;
        let format = take(&mut rest, 4)?.try_into().map(u32::from_le_bytes).expect("4 bytes");
        match format {
            2 | FORMAT => (),
            0 => return Err("is damaged (format 0): take another copy".into()),
            1 => {
                return Err(
                    "was written by stcn 0.1, whose configs have other keys: evaluate it with that version, \
                     or train the model again"
                        .into(),
                );
            }
            newer => {
                return Err(format!(
                    "was written by a newer stcn (format {newer}; this one reads {FORMAT}): upgrade"
                ));
            }
        }
        let [header, params, adam_m, adam_v] = sections(&mut rest, format)?;
        if !rest.is_empty() {
            let n = rest.len();
            return Err(format!("has {n} bytes too many after its end: take another copy"));
        }

        // Without the limit, a length inside the header could allocate more than the header has bytes.
        let options = bincode::DefaultOptions::new().with_limit(header.len() as u64);
        let read = match format {
            2 => options.deserialize(header).map(|(header, directory)| Stored {
                header,
                directory,
                end: None,
            }),
            _ => options.deserialize(header),
        };
        let mut stored: Stored =
            read.map_err(|e| format!("has a header that this stcn cannot read ({e}): upgrade"))?;
        stored.header.end = stored.end;
        let mut shapes = vec![];
        for (path, shape) in &stored.directory {
            shapes.push(known_shape(shape).ok_or_else(|| {
                format!("gives {path} the impossible shape {shape:?}: take another copy")
            })?);
        }
        let values = tensors("params", params, &shapes)?;
        let paths = stored.directory.into_iter().map(|(path, _)| path);
        let params = paths.zip(values).map(|(path, value)| Named { path, value }).collect();
        // A checkpoint of weights alone has neither section; one of them alone is refused.
        let (adam_m, adam_v) = match adam_m.is_empty() && adam_v.is_empty() {
            true => (vec![], vec![]),
            false => (tensors("adam.m", adam_m, &shapes)?, tensors("adam.v", adam_v, &shapes)?),
        };
        let checkpoint = Self { header: stored.header, params, adam_m, adam_v };
        checkpoint.check()?;
        Ok(checkpoint)
    }

    /// Refuses numbers that no run can have, which a checksum does not notice.
    pub(super) fn check(&self) -> Result<(), String> {
        let Header { step, best_step, bad_checks, mean, std, .. } = &self.header;
        if i64::try_from(*step).is_err() || best_step > step || bad_checks > step {
            return Err(format!(
                "counts {step} steps, the best at {best_step}, and {bad_checks} checks without \
                 progress, which cannot be: take another copy"
            ));
        }
        let (n, m) = (mean.len(), std.len());
        if n != m {
            return Err(format!("has {n} means and {m} standard deviations: take another copy"));
        }
        if let Some(d) = mean.iter().position(|x| !x.is_finite()) {
            let (mean, d) = (mean[d], d + 1);
            return Err(format!(
                "has the mean {mean} for channel {d}, want a finite number: take another copy"
            ));
        }
        if let Some(d) = std.iter().position(|x| !(*x > 0. && x.is_finite())) {
            let (std, d) = (std[d], d + 1);
            return Err(format!(
                "has the standard deviation {std} for channel {d}, want a number above 0: take \
                 another copy"
            ));
        }
        match self.not_finite() {
            None => Ok(()),
            Some(name) => Err(format!(
                "has a number in {name} that is not finite: take an earlier checkpoint, or a lower \
                 train.lr"
            )),
        }
    }

    /// The first tensor with a number that is not finite in the file, where all are f32.
    fn not_finite(&self) -> Option<String> {
        let bad = |tensor: &Tensor| tensor.data().iter().any(|&x| !(x as f32).is_finite());
        if let Some(param) = self.params.iter().find(|param| bad(&param.value)) {
            return Some(param.path.clone());
        }
        let moments = [&self.adam_m, &self.adam_v].map(|moments| moments.iter().zip(&self.params));
        let (_, param) = moments.into_iter().flatten().find(|(moment, _)| bad(moment))?;
        Some(format!("Adam's state of {}", param.path))
    }
}

/// The SHA-256 of a file's bytes in hex; of a checkpoint, its `checkpoint_sha256`.
pub fn sha256_of(path: &Path) -> Result<String> {
    Ok(hex::encode(Sha256::digest(fs::read(path).map_err(Error::read(path))?)))
}

/// The longest checkpoint: parameters and both of Adam's moments of the largest model, and 16 MiB of names.
pub(super) const LONGEST: u64 = 12 * MOST_PARAMETERS as u64 + (1 << 24);

/// The name and length before a payload.
fn frame(name: &str, length: u64) -> [u8; 16] {
    let mut frame = [0; 16];
    frame[..name.len()].copy_from_slice(name.as_bytes());
    frame[8..].copy_from_slice(&length.to_le_bytes());
    frame
}

fn checksum(format: u32, frame: &[u8], payload: &[u8]) -> [u8; 32] {
    let sum = Sha256::new().chain_update(format.to_le_bytes()).chain_update(frame);
    sum.chain_update(payload).finalize().into()
}

/// The next `n` bytes.
fn take<'a>(rest: &mut &'a [u8], n: u64) -> Result<&'a [u8], String> {
    let cut = usize::try_from(n).ok().and_then(|n| rest.split_at_checked(n));
    let (taken, after) = cut.ok_or("is cut short or damaged: take another copy")?;
    *rest = after;
    Ok(taken)
}

/// The payloads in the order of [`SECTIONS`], their checksums verified.
fn sections<'a>(rest: &mut &'a [u8], format: u32) -> Result<[&'a [u8]; 4], String> {
    let mut payloads: [&[u8]; 4] = [&[]; 4];
    for (name, payload) in SECTIONS.iter().zip(&mut payloads) {
        let found = take(rest, 16)?;
        let length = found[8..].try_into().map(u64::from_le_bytes).expect("8 bytes");
        *payload = take(rest, length)?;
        let sum = take(rest, 32)?;
        if checksum(format, found, payload) != sum || found != frame(name, length) {
            return Err(format!("is damaged in its section {name}: take another copy"));
        }
    }
    Ok(payloads)
}

/// The shape, if a tensor can have it and its size fits this machine's integers.
fn known_shape(shape: &[u64]) -> Option<Vec<usize>> {
    let sizes: Option<Vec<usize>> = shape.iter().map(|&n| n.try_into().ok()).collect();
    // No parameter is empty; if one could be, a short file could name any number of tensors.
    let sizes = sizes.filter(|sizes| (1..=4).contains(&sizes.len()) && !sizes.contains(&0))?;
    sizes.iter().try_fold(4isize, |bytes, &n| bytes.checked_mul(n.try_into().ok()?))?;
    Some(sizes)
}

/// Appends the numbers as little-endian f32; f64 builds round.
#[allow(clippy::unnecessary_cast)] // Real is f64 under the feature
fn raw(tensor: &Tensor, bytes: &mut Vec<u8>) {
    tensor.data().iter().for_each(|&x| bytes.extend((x as f32).to_le_bytes()));
}

/// The inverse of [`raw`]; allocates no more than `bytes` holds.
fn tensors(section: &str, bytes: &[u8], shapes: &[Vec<usize>]) -> Result<Vec<Tensor>, String> {
    let size = |shape: &Vec<usize>| shape.iter().product::<usize>() * 4;
    let want = shapes.iter().map(size).try_fold(0usize, |sum, n| sum.checked_add(n));
    if want != Some(bytes.len()) {
        let complaint = "bytes, which is not what its shapes take: take another copy";
        return Err(format!("has a section {section} of {} {complaint}", bytes.len()));
    }
    let mut rest = bytes;
    let mut tensor = |shape: &Vec<usize>| {
        let (mine, after) = rest.split_at(size(shape));
        rest = after;
        let number = |b: &[u8]| Real::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Tensor::new(shape, mine.chunks_exact(4).map(number).collect())
    };
    Ok(shapes.iter().map(&mut tensor).collect())
}
