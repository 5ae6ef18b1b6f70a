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
    pub fn create(path: &Path, columns: &[impl AsRef<str>]) -> Result<Self> {
        let file = File::create(path).map_err(Error::write(path))?;
        let mut metrics = Self { path: path.into(), file, columns: columns.len() };
        metrics.write(&header(columns))?;
        Ok(metrics)
    }

    /// The file of a run resumed after `step`: drops rows of later steps and a truncated last row, which the run will
    /// write again. A missing file is created. A row without a readable step is kept. A file with some of the
    /// columns, of an earlier version, gets the others, empty.
    pub fn resume(path: &Path, columns: &[impl AsRef<str>], step: u64) -> Result<Self> {
        let mut bytes = if path.exists() { read(path)? } else { vec![] };
        let wanted = header(columns);
        if !bytes.contains(&b'\n') && wanted.as_bytes().starts_with(&bytes) {
            return Self::create(path, columns); // missing, or truncated in its header
        }
        if !bytes.starts_with(wanted.as_bytes()) {
            bytes = with_columns(&bytes, &wanted).map_err(|what| Error::invalid(path, what))?;
            write_whole(path, |file| file.write_all(&bytes))?;
        }
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let found = lines.next().unwrap_or_default();
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

/// The numbers of a row, where there are any.
pub type Row = Vec<Option<f64>>;

/// The columns of a metrics.csv, `step` first, and its rows; a value that is missing or no number is `None`.
pub fn table(path: &Path) -> Result<(Vec<String>, Vec<Row>)> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let columns = lines.next().unwrap_or_default().split(',').map(String::from).collect();
    let number = |cell: &str| cell.parse().ok().filter(|x: &f64| x.is_finite());
    Ok((columns, lines.map(|line| line.split(',').map(number).collect()).collect()))
}

/// Step and value of every row that has both; `None` if there is no such column.
pub fn points(columns: &[String], rows: &[Row], column: &str) -> Option<Vec<(f64, f64)>> {
    let of = |wanted: &str| columns.iter().position(|name| name == wanted);
    let (step, value) = (of("step")?, of(column)?);
    Some(rows.iter().filter_map(|row| Some(((*row.get(step)?)?, (*row.get(value)?)?))).collect())
}

fn header(columns: &[impl AsRef<str>]) -> String {
    let names = columns.iter().map(|name| format!(",{}", name.as_ref()));
    format!("step{}\n", names.collect::<String>())
}

/// The rows of a file under another header that has all its columns; the rest of a sentence if it has not. Rows that
/// have not as many values as there are columns stay as they are.
fn with_columns(bytes: &[u8], header: &str) -> Result<Vec<u8>, String> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let cells = |line: &'_ [u8]| -> Vec<Vec<u8>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.split(|&byte| byte == b',').map(<[u8]>::to_vec).collect()
    };
    let (found, wanted) = (cells(lines.next().unwrap_or_default()), cells(header.as_bytes()));
    if let Some(strange) = found.iter().find(|name| !wanted.contains(name)) {
        let name = String::from_utf8_lossy(strange);
        return Err(format!("has the column {name}, which this run does not write: move it away"));
    }
    let row = |line: &[u8]| {
        let values = cells(line);
        if values.len() != found.len() || !line.ends_with(b"\n") {
            return line.to_vec();
        }
        let value = |name| found.iter().position(|known| known == name).map(|i| &*values[i]);
        let values: Vec<&[u8]> =
            wanted.iter().map(|name| value(name).unwrap_or_default()).collect();
        [&values.join(&b','), &b"\n"[..]].concat()
    };
    Ok(lines.fold(header.as_bytes().to_vec(), |all, line| [all, row(line)].concat()))
}

/// The step of a row; a row without one is kept.
fn step_of(line: &[u8]) -> Option<u64> {
    let first = line.split(|&byte| byte == b',').next()?;
    str::from_utf8(first).ok()?.trim().parse().ok()
}
