//! `metrics.csv`: a header and one row of numbers per report, each written immediately.
//!
//! Also the only clock below `cli`. Not here: which numbers (`fit`), TensorBoard (`events`).

use crate::error::{Error, Result};
use crate::file::{read_whole, write_whole};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, for files whose bytes need not be reproducible.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0., |since| since.as_secs_f64())
}

/// A `metrics.csv` that is being written. Its first column is `step`.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
    columns: usize,
}

impl Metrics {
    /// A new file with the header `step,columns…`.
    pub fn create(path: &Path, columns: &[&str]) -> Result<Self> {
        let file = File::create(path).map_err(Error::write(path))?;
        let mut metrics = Self { path: path.into(), file, columns: columns.len() };
        metrics.write(&header(columns))?;
        Ok(metrics)
    }

    /// The file of a run resumed after `step`: drops rows of later steps and a truncated last row, which the run will
    /// write again. A missing file is created. A row without a readable step is kept.
    pub fn resume(path: &Path, columns: &[&str], step: u64) -> Result<Self> {
        let bytes = if path.exists() { read(path)? } else { vec![] };
        let wanted = header(columns);
        if !bytes.contains(&b'\n') && wanted.as_bytes().starts_with(&bytes) {
            return Self::create(path, columns); // missing, or truncated in its header
        }
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let found = lines.next().unwrap_or_default();
        if found != wanted.as_bytes() {
            let (found, wanted) = (String::from_utf8_lossy(found), wanted.trim_end());
            let found = found.trim_end();
            let what = format!("has the columns {found}, want {wanted}: move it away");
            return Err(Error::invalid(path, what));
        }
        let kept = lines.take_while(|line| line.ends_with(b"\n") && step_of(line) <= Some(step));
        let length = found.len() + kept.map(<[u8]>::len).sum::<usize>();
        let file = OpenOptions::new().write(true).open(path).map_err(Error::write(path))?;
        let mut metrics = Self { path: path.into(), file, columns: columns.len() };
        let cut = metrics.file.set_len(length as u64);
        cut.and_then(|()| metrics.file.seek(SeekFrom::End(0))).map_err(Error::write(path))?;
        Ok(metrics)
    }

    /// Empties the last `count` values of the last row, if that is the row of `step`; the file is replaced whole.
    pub fn empty(path: &Path, step: u64, count: usize) -> Result<()> {
        let bytes = read(path)?;
        let row = bytes.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or_default();
        let commas = row.iter().enumerate().filter(|(_, byte)| **byte == b',');
        let Some((cut, _)) = commas.rev().nth(count - 1).filter(|_| step_of(row) == Some(step))
        else {
            return Ok(());
        };
        let kept = bytes.len() - row.len() + cut;
        let text = [&bytes[..kept], &b",".repeat(count), b"\n"].concat();
        write_whole(path, |file| file.write_all(&text))
    }

    /// One row; a value that does not apply is left empty. Numbers are printed so that they read back to
    /// the same bits.
    #[track_caller]
    pub fn row(&mut self, step: u64, values: &[Option<f64>]) -> Result<()> {
        let (found, wanted) = (values.len(), self.columns);
        assert_eq!(found, wanted, "metrics: got {found} values for {wanted} columns");
        let mut line = step.to_string();
        for value in values {
            line.push(',');
            line.extend(value.map(|value| value.to_string()));
        }
        line.push('\n');
        self.write(&line)
    }

    fn write(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).map_err(Error::write(&self.path))
    }
}

/// The bytes of a metrics.csv, however many updates it holds.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    read_whole(path, u64::MAX, "the metrics.csv of a run")
}

fn header(columns: &[&str]) -> String {
    format!("step,{}\n", columns.join(","))
}

/// The step of a row; a row without one is kept.
fn step_of(line: &[u8]) -> Option<u64> {
    let first = line.split(|&byte| byte == b',').next()?;
    str::from_utf8(first).ok()?.trim().parse().ok()
}
