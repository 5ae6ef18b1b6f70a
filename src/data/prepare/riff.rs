//! RIFF/WAVE: chunks, of which `fmt ` says what the samples in `data` are.
//!
//! Walked by our own few lines: hound, which writes our wav files, skips no padding byte after an odd chunk.
//! Not here: the samples ([`super::audio`]).

use super::header::{Coding, Header};
use crate::error::{Error, Result};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// More chunks than this before the samples are no recording.
const MOST_CHUNKS: usize = 1000;

/// What stands behind the tag of an extended format: the rest of Microsoft's name for its own tags.
const SUBFORMAT: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// Walks the chunks of a file of `length` bytes as far as its samples.
pub fn header(reader: &mut (impl Read + Seek), length: u64, path: &Path) -> Result<Header> {
    let wrong = |what: &str| Error::invalid(path, what);
    let mut read = |place: u64, most: u64| -> Result<Vec<u8>> {
        reader.seek(SeekFrom::Start(place)).map_err(Error::read(path))?;
        let mut bytes = vec![];
        reader.by_ref().take(most).read_to_end(&mut bytes).map_err(Error::read(path))?;
        Ok(bytes)
    };
    if read(8, 4)? != b"WAVE" {
        return Err(wrong("is a RIFF file but no WAVE, wanted a recording; convert or remove it"));
    }
    let (mut place, mut format) = (12, None);
    for _ in 0..MOST_CHUNKS {
        let chunk = read(place, 8)?;
        let Some((id, &[a, b, c, d])) = chunk.split_first_chunk::<4>() else { break };
        let (start, size) = (place + 8, u64::from(u32::from_le_bytes([a, b, c, d])));
        match id {
            b"fmt " => format = Some(read(start, size.min(40))?),
            b"data" => {
                let Some(format) = format else {
                    return Err(wrong(
                        "has `data` before `fmt `, wanted it behind; write it again",
                    ));
                };
                let there = length.saturating_sub(start);
                if size > there {
                    return Err(wrong(&format!(
                        "says that its samples take {size} bytes, but has {there}, so it was cut short, or \
                         written by a program that could not know its end: copy it again, or mend it with \
                         `sox --ignore-length in.wav out.wav`"
                    )));
                }
                // What is there may be a chunk of words behind an empty recording.
                let chunk = |next: &[u8]| next.iter().all(u8::is_ascii_graphic);
                if size == 0 && there > 0 && !(there >= 8 && chunk(&read(start, 4)?)) {
                    return Err(wrong(
                        "says that it has no samples, but more follows, as if its recorder was cut \
                         off; mend it with `sox --ignore-length in.wav out.wav`",
                    ));
                }
                let (rate, channels, coding) = kind(&format).map_err(|what| wrong(&what))?;
                let samples = size / (channels * coding.bytes()) as u64;
                return Ok(Header { rate, channels, coding, start, samples, extremes: None });
            }
            _ => {}
        }
        place = start + size + size % 2;
    }
    Err(wrong("has no `data` chunk, wanted one behind `fmt `; it was cut short, copy it again"))
}

/// Rate, channels and coding out of a `fmt ` chunk.
fn kind(format: &[u8]) -> Result<(u32, usize, Coding), String> {
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
        // Behind the extension's length, valid bits and the places of the loudspeakers.
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
                1 => "whole numbers",
                2 | 0x11 => "ADPCM",
                3 => "floating point",
                6 => "A-law",
                7 => "µ-law",
                0x50 | 0x55 => "MPEG",
                _ => "an unknown format",
            };
            return Err(format!(
                "holds {name} (tag {tag}) of {bits} bits, wanted whole numbers of 8, 16, 24 or 32, \
                 or floating point; convert it with `sox in.wav -e signed -b 16 out.wav`"
            ));
        }
    };
    if channels == 0 || usize::from(align) != usize::from(channels) * coding.bytes() {
        return Err(format!(
            "says that {channels} channel(s) of {bits} bits take {align} bytes, wanted at least \
             one channel, each in its own bytes; write it again"
        ));
    }
    Ok((rate, channels.into(), coding))
}
