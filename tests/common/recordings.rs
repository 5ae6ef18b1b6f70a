//! Recordings that nobody made, byte by byte, so that each can be spoilt.

use stcn::data::{DataSet, Split, Writer};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A RIFF/WAVE file of these chunks; odd ones are padded.
pub fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (id, content) in chunks {
        body.extend(*id);
        body.extend((content.len() as u32).to_le_bytes());
        body.extend(content);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A `fmt ` chunk of 16 bytes.
pub fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let align = channels * (bits / 8);
    let mut bytes = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    bytes.extend([rate.to_le_bytes(), (rate * u32::from(align)).to_le_bytes()].concat());
    bytes.extend([align.to_le_bytes(), bits.to_le_bytes()].concat());
    bytes
}

pub fn little(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Mono of 16 bits.
pub fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
    riff(&[(b"fmt ", format(1, 1, rate, 16)), (b"data", little(samples))])
}

/// A SPHERE header of these lines, padded to its size.
pub fn sphere_header(size: usize, lines: &str) -> Vec<u8> {
    let mut header = format!("NIST_1A\n{size:7}\n{lines}").into_bytes();
    header.resize(size, b' ');
    header
}

/// The lines of a file of TIMIT.
pub fn sphere_lines(samples: usize, order: &str) -> String {
    format!(
        "database_id -s5 TIMIT\nutterance_id -s8 cjf0_sa1\nchannel_count -i 1\nsample_count -i \
         {samples}\nsample_rate -i 16000\nsample_n_bytes -i 2\nsample_byte_format -s2 {order}\n\
         sample_sig_bits -i 16\nend_head\n"
    )
}

/// As the LDC hands them out.
pub fn sphere(samples: &[i16]) -> Vec<u8> {
    let lines = sphere_lines(samples.len(), "01");
    let (least, greatest) = (samples.iter().min(), samples.iter().max());
    let extremes = match least.zip(greatest) {
        Some((a, b)) => format!("sample_min -i {a}\nsample_max -i {b}\nend_head"),
        None => "end_head".into(),
    };
    [sphere_header(1024, &lines.replace("end_head", &extremes)), little(samples)].concat()
}

/// Sample numbers `from` to `to`, as far as 16 bits go, then round again.
pub fn ramp(from: usize, to: usize) -> Vec<i16> {
    (from..to).map(|x| x as i16).collect()
}

/// The same as numbers of a data set.
pub fn ramp_rows(from: usize, to: usize) -> Vec<f32> {
    ramp(from, to).into_iter().map(f32::from).collect()
}

/// A folder that vanishes.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        files.iter().for_each(|(name, bytes)| folder.write(name, bytes));
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// What an importer writes into frames of `channels`, the lines about its sequences, and what it counted.
pub fn imported<T>(
    channels: usize,
    columns: &[&'static str],
    import: impl FnOnce(&mut Writer, &mut dyn FnMut(f64)) -> stcn::Result<T>,
) -> stcn::Result<(DataSet, Vec<String>, T)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = Writer::create(&path, channels, columns)?;
    let mut last = 0.;
    let counts = import(&mut writer, &mut |share| {
        assert!((last..=1.).contains(&share), "progress from {last} to {share}");
        last = share;
    })?;
    assert_eq!(last, 1., "progress ends where the work does");
    writer.finish()?;
    let lines = meta(&path).lines().skip(1).map(String::from).collect();
    Ok((DataSet::open(path, None)?, lines, counts))
}

/// What is known of each sequence of an .npz; empty if nothing is. Read by another hand than ours.
pub fn meta(npz: &Path) -> String {
    let mut zip = zip::ZipArchive::new(fs::File::open(npz).unwrap()).unwrap();
    let mut text = String::new();
    if let Ok(mut member) = zip.by_name("meta.csv") {
        member.read_to_string(&mut text).unwrap();
    }
    text
}

/// Sequence `i`, its own.
pub fn sequence(set: &DataSet, i: usize) -> Vec<f32> {
    set.sequence(i).unwrap().into_owned()
}

/// The sequences of a split.
pub fn sequences(set: &DataSet, split: Split) -> Vec<Vec<f32>> {
    set.split(split).iter().map(|&i| sequence(set, i)).collect()
}
