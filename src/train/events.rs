//! Writing TensorBoard's event files: records with checksums around small protobuf messages.
//!
//! ```text
//! record  = length (u64) · masked CRC-32C of it (u32) · message · masked CRC-32C of it (u32)
//! Event   = wall_time (1, double) · step (2, int64) · file_version (3) | summary (5) | session_log (7)
//! Summary = value (1)*;   Value = tag (1) · simple_value (2, float);   SessionLog = status (1): 1 = START
//! ```
//!
//! Checked once against TensorBoard 2.21.0 itself: `EventAccumulator(directory).Reload()` gave back every
//! tag, step and value, and the START of a resumed run purged the steps that were written again.
//! Of the files of a run, only these and the `seconds` of `metrics.csv` hold times. Nothing here reads them back.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// An event file that is being written.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// A new `events.out.tfevents.<seconds>.<writer>` in `directory`, never one that is there already.
    pub fn create(directory: &Path, wall_time: f64) -> Result<Self> {
        let seconds = wall_time as u64;
        let mut writer = "stcn".to_string();
        for attempt in 1.. {
            let path = directory.join(format!("events.out.tfevents.{seconds:010}.{writer}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut events = Self { path, file };
                    events.write(wall_time, 0, &bytes_field(3, b"brain.Event:2"))?;
                    return Ok(events);
                }
                // Another run started in the same second.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    writer = format!("stcn.{attempt}")
                }
                Err(e) => return Err(Error::write(&path)(e)),
            }
        }
        unreachable!("there are more names than files")
    }

    /// Marks that the run resumes with `step`: TensorBoard then discards what earlier files hold from there on.
    pub fn restart(&mut self, wall_time: f64, step: u64) -> Result<()> {
        self.write(wall_time, step, &bytes_field(7, &varint_field(1, 1)))
    }

    /// One number per tag, such as `("train/loss", 3.5)`.
    pub fn scalars<S: AsRef<str>>(
        &mut self,
        wall_time: f64,
        step: u64,
        scalars: &[(S, f64)],
    ) -> Result<()> {
        let value = |(tag, value): &(S, f64)| {
            let mut message = bytes_field(1, tag.as_ref().as_bytes());
            message.extend(key(2, 5));
            message.extend((*value as f32).to_le_bytes());
            bytes_field(1, &message)
        };
        let summary: Vec<u8> = scalars.iter().flat_map(value).collect();
        self.write(wall_time, step, &bytes_field(5, &summary))
    }

    fn write(&mut self, wall_time: f64, step: u64, what: &[u8]) -> Result<()> {
        let mut event = key(1, 1);
        event.extend(wall_time.to_le_bytes());
        event.extend(varint_field(2, step));
        event.extend(what);
        // In one write, so that a killed run leaves at most one truncated record, which readers tolerate.
        self.file.write_all(&record(&event)).map_err(Error::write(&self.path))
    }
}

/// A message with its length and checksums.
pub fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(crc32c(&length)).to_le_bytes());
    record.extend(message);
    record.extend(masked(crc32c(message)).to_le_bytes());
    record
}

/// CRC-32C (Castagnoli), bit by bit: a few hundred bytes a report need no table.
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg())
        })
    })
}

/// The masked form that TFRecord stores, since a CRC over data that contain CRCs detects less.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// A protobuf key; wire types: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.
fn key(field: u64, wire_type: u64) -> Vec<u8> {
    varint(field << 3 | wire_type)
}

fn varint_field(field: u64, value: u64) -> Vec<u8> {
    [key(field, 0), varint(value)].concat()
}

fn bytes_field(field: u64, bytes: &[u8]) -> Vec<u8> {
    [&key(field, 2), &varint(bytes.len() as u64), bytes].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value > 0x7F {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
