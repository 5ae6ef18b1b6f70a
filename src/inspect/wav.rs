//! Sound as a file to listen to: 16-bit, one channel.
//!
//! Not here: reading sound (`data::prepare`), pictures of it (`wave`).

use crate::error::Result;
use crate::file::write_whole;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::io;
use std::path::Path;

/// Writes samples in units of 16-bit integers, rounded. Returns how many were outside −32768 to 32767 and are
/// clipped.
pub fn wav(samples: &[f32], rate: u32, path: impl AsRef<Path>) -> Result<usize> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let to_io = |e| match e {
        hound::Error::IoError(e) => e,
        e => io::Error::other(e),
    };
    write_whole(path, |file| {
        let mut file = WavWriter::new(file, spec).map_err(to_io)?;
        // The cast saturates, and makes NaN 0.
        samples.iter().try_for_each(|x| file.write_sample(x.round() as i16)).map_err(to_io)?;
        file.finalize().map_err(to_io)
    })?;
    let clipped = |x: &&f32| !(-32768. ..=32767.).contains(&x.round());
    Ok(samples.iter().filter(clipped).count())
}
