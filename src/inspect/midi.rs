//! Music as a file to listen to: a Standard MIDI File of one track.
//!
//! Not here: pictures of it (`roll`), reading music (`data::prepare`). Layout: the MIDI Association, RP-001,
//! *Standard MIDI Files 1.0*.

use crate::error::Result;
use crate::file::write_whole;
use std::io::Write;
use std::path::Path;

/// Keys of a piano: D of the rows.
pub const KEYS: usize = 88;

/// The MIDI number of the lowest key, A0.
const LOWEST: u8 = 21;
/// Ticks of a step, which is a quarter note.
const STEP: u16 = 480;
/// The longest time between two events, in ticks: silence of more than three days is cut to that.
const LONGEST: u32 = (1 << 28) - 1;
/// Microseconds of a step: 120 steps a minute.
const TEMPO: u32 = 500_000;
/// How hard every key is struck, of 127.
const VELOCITY: u8 = 80;

/// Writes rows of 88 keys, 0 or 1. A step is a quarter note at tempo 120; a key that is on in several steps in a row is
/// struck once and held.
///
/// # Panics
/// If `rows` are not whole rows of 88 keys.
#[track_caller]
pub fn midi(rows: &[f32], path: impl AsRef<Path>) -> Result<()> {
    let found = rows.len();
    assert_eq!(found % KEYS, 0, "midi: {found} numbers are not rows of {KEYS} keys");
    let bytes = file(rows);
    write_whole(path, |file| file.write_all(&bytes))
}

fn file(rows: &[f32]) -> Vec<u8> {
    let mut track = vec![0, 0xff, 0x51, 3];
    track.extend(&TEMPO.to_be_bytes()[1..]);
    // After the last row, all keys are let go.
    let ends = vec![0.; KEYS];
    let (mut held, mut wait) = ([false; KEYS], 0);
    for row in rows.chunks_exact(KEYS).chain([&ends[..]]) {
        // First what ends, so that a reader never holds more keys than sound.
        for struck in [false, true] {
            for (key, &x) in row.iter().enumerate() {
                if held[key] != struck && (x > 0.5) == struck {
                    let velocity = if struck { VELOCITY } else { 0 };
                    track.extend(delta(wait));
                    track.extend([0x80 | u8::from(struck) << 4, LOWEST + key as u8, velocity]);
                    (held[key], wait) = (struck, 0);
                }
            }
        }
        wait = (wait + u32::from(STEP)).min(LONGEST);
    }
    track.extend(delta(wait - u32::from(STEP)));
    track.extend([0xff, 0x2f, 0]);
    // Format 0, one track.
    let mut bytes = b"MThd\0\0\0\x06\0\0\0\x01".to_vec();
    bytes.extend(STEP.to_be_bytes());
    bytes.extend(b"MTrk");
    bytes.extend((track.len() as u32).to_be_bytes());
    bytes.extend(track);
    bytes
}

/// A number in groups of seven bits, the highest first, all but the last marked.
fn delta(ticks: u32) -> Vec<u8> {
    let groups = (0..4).rev().map(|i| (ticks >> (7 * i)) as u8 & 0x7f);
    let mut bytes: Vec<u8> = groups.skip_while(|&group| group == 0).collect();
    let last = bytes.pop().unwrap_or(0);
    bytes.iter_mut().for_each(|byte| *byte |= 0x80);
    bytes.push(last);
    bytes
}
