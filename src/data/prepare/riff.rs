//! RIFF/WAVE headers: the chunk `fmt ` describes the samples in the chunk `data`.
//!
//! Parsed here because hound, which writes our wav files, does not skip the padding byte after an odd chunk.
//! Not here: the samples ([`super::audio`]).

use super::header::{Coding, Header};
use crate::error::{Error, Result};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The most chunks to look through for the samples.
const MOST_CHUNKS: usize = 1000;

/// The rest of the GUID after the format tag in an extended format, for Microsoft's standard tags.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// Reads the chunks of a file of `length` bytes up to its samples.
pub fn header(reader: &mut (impl Read + Seek), length: u64, path: &Path) -> Result<Header> {
    let wrong = |what: &str| Error::invalid(path, what);
    let mut read = |place: u64, most: u64| -> Result<Vec<u8>> {
        reader.seek(SeekFrom::Start(place)).map_err(Error::read(path))?;
        let mut bytes = vec![];
        reader.by_ref().take(most).read_to_end(&mut bytes).map_err(Error::read(path))?;
        Ok(bytes)
    };
    if read(8, 4)? != b"WAVE" {
        return Err(wrong("is a RIFF file but not WAVE, wanted a recording; convert or remove it"));
    }
    let (mut place, mut fmt) = (12, None);
    for _ in 0..MOST_CHUNKS {
        let chunk = read(place, 8)?;
        let Some((id, &[a, b, c, d])) = chunk.split_first_chunk::<4>() else { break };
        let (start, size) = (place + 8, u64::from(u32::from_le_bytes([a, b, c, d])));
        match id {
            b"fmt " => fmt = Some(read(start, size.min(40))?),
            b"data" => {
                let Some(fmt) = fmt else {
                    return Err(wrong("has `data` before `fmt `, wanted it after; write it again"));
                };
                let there = length.saturating_sub(start);
                if size > there {
                    return Err(wrong(&format!(
                        "says that its samples take {size} bytes, but has {there}: it was truncated, or written \
                         by a program that did not know the length; copy it again, or repair it with \
                         `sox --ignore-length in.wav out.wav`"
                    )));
                }
                // What follows an empty recording may be a chunk of metadata.
                let chunk = |next: &[u8]| next.iter().all(u8::is_ascii_graphic);
                if size == 0 && there > 0 && !(there >= 8 && chunk(&read(start, 4)?)) {
                    return Err(wrong(
                        "says that it has no samples, but more follows, as after an interrupted \
                         recording; repair it with `sox --ignore-length in.wav out.wav`",
                    ));
                }
                let (rate, channels, coding) = self::format(&fmt).map_err(|what| wrong(&what))?;
                let samples = size / (channels * coding.bytes()) as u64;
                return Ok(Header { rate, channels, coding, start, samples, extremes: None });
            }
            _ => {}
        }
        place = start + size + size % 2;
    }
    Err(wrong("has no `data` chunk after `fmt `; it is truncated, copy it again"))
}

/// Rate, channels and coding of a `fmt ` chunk.
fn format(format: &[u8]) -> Result<(u32, usize, Coding), String> {
    let Some((start, more)) = format.split_first_chunk::<16>() else {
        return Err(format!(
            "has a `fmt ` of {} bytes, wanted at least 16; copy it again",
            format.len()
        ));
    };
    let word = |i: usize| u16::from_le_bytes([start[i], start[i + 1]]);
    let (channels, align, bits) = (word(2), word(12), word(14));
    let rate = u32::from_le_bytes([start[4], start[5], start[6], start[7]]);
    let tag = match (word(0), more) {
        // After the extension's length, valid bits and speaker positions.
        (0xfffe, [_, _, _, _, _, _, _, _, low, high, rest @ ..]) if *rest == SUBFORMAT => {
            u16::from_le_bytes([*low, *high])
        }
        (tag, _) => tag,
    };
    let coding = match (tag, bits) {
        (1, 8) => Coding::Unsigned8,
        (1, 16) => Coding::Signed16,
        (1, 24) => Coding::Signed24,
        (1, 32) => Coding::Signed32,
        (3, 32) => Coding::Float32,
        (3, 64) => Coding::Float64,
        _ => {
            let name = match tag {
                1 => "integers",
                2 | 0x11 => "ADPCM",
                3 => "floating point",
                6 => "A-law",
                7 => "µ-law",
                0x50 | 0x55 => "MPEG",
                _ => "an unknown format",
            };
            return Err(format!(
                "holds {name} (tag {tag}) of {bits} bits, wanted integers of 8, 16, 24 or 32 bits, or floating \
                 point; convert it with `sox in.wav -e signed -b 16 out.wav`"
            ));
        }
    };
    if channels == 0 || usize::from(align) != usize::from(channels) * coding.bytes() {
        return Err(format!(
            "says that {channels} channel(s) of {bits} bits take {align} bytes, which cannot be; write it \
             again"
        ));
    }
    Ok((rate, channels.into(), coding))
}
