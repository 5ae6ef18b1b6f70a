//! NIST SPHERE headers: lines of text, padded to the size on the second line, followed by the samples.
//!
//! The LDC distributes TIMIT in this format, with the extension .WAV. Only uncompressed 16-bit samples are supported.
//! Copies made in text mode, with converted line ends, are detected by their size. Not here: the samples
//! ([`super::audio`]).

use super::header::{Coding, Header};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// The longest header accepted; nearly all take 1024 bytes.
const LONGEST_HEADER: usize = 1 << 16;

const COPY_AGAIN: &str = "it is truncated, or damaged by a copy in text mode, so copy the original \
                          again in binary mode";

/// Reads the header of a file of `length` bytes, and checks that the samples have the right length.
pub fn header(reader: &mut impl Read, length: u64, path: &Path) -> Result<Header> {
    let wrong = |what: String| Error::invalid(path, what);
    let mut text = vec![];
    reader.take(LONGEST_HEADER as u64).read_to_end(&mut text).map_err(Error::read(path))?;
    if text[..text.len().min(16)].contains(&b'\r') {
        return Err(wrong(format!(
            "has carriage returns in its SPHERE header, wanted none; {COPY_AGAIN}"
        )));
    }
    let second = text.split(|&byte| byte == b'\n').nth(1).unwrap_or_default();
    let size = str::from_utf8(second).ok().and_then(|line| line.trim().parse().ok());
    let size = size.filter(|size| (16..=LONGEST_HEADER).contains(size)).ok_or_else(|| {
        let found = second[..second.len().min(40)].escape_ascii();
        wrong(format!(
            "gives the size of its SPHERE header as \"{found}\", wanted 16 to {LONGEST_HEADER} \
             bytes; {COPY_AGAIN}"
        ))
    })?;
    let fields = text
        .get(16..size)
        .and_then(fields)
        .ok_or_else(|| wrong(format!("has a SPHERE header without `end_head`; {COPY_AGAIN}")))?;
    let field = |name: &str| fields.get(name).copied();
    let number = |name: &str| {
        let value = field(name).unwrap_or_default();
        let whole = value.trim_end_matches('0').strip_suffix('.').unwrap_or(value); // -r 16000.000000
        whole.parse::<i64>().map_err(|_| {
            let found = field(name).map_or(format!("no {name}"), |value| format!("{name} {value}"));
            wrong(format!("has {found} in its header, wanted a number; {COPY_AGAIN}"))
        })
    };
    let count = |name: &str, most: u64| {
        number(name).and_then(|n| match u64::try_from(n) {
            Ok(n) if n <= most => Ok(n),
            _ => Err(wrong(format!(
                "has {name} {n} in its header, wanted 0 to {most}; {COPY_AGAIN}"
            ))),
        })
    };

    let coding = field("sample_coding").unwrap_or("pcm");
    if coding != "pcm" {
        return Err(wrong(format!(
            "is coded as `{coding}`, wanted `pcm`; convert it with `sph2pipe -p -f wav in.wav \
             out.wav`"
        )));
    }
    let bytes = count("sample_n_bytes", 64)?;
    let order = field("sample_byte_format").unwrap_or("(missing)");
    let coding = match (bytes, order) {
        (2, "01") => Coding::Signed16,
        (2, "10") => Coding::Signed16Big,
        _ => {
            return Err(wrong(format!(
                "has {bytes} byte(s) per sample in byte order {order}, wanted 2 in order 01 or 10; \
                  convert it with `sox -t sph in.wav -b 16 out.wav`"
            )));
        }
    };
    let channels = count("channel_count", 1 << 16)? as usize;
    let samples = count("sample_count", 1 << 48)?;
    // At most 2⁶⁵, so it fits u128.
    let wanted = size as u128 + 2 * u128::from(samples) * channels as u128;
    if wanted != u128::from(length) {
        return Err(wrong(format!(
            "has {length} bytes, but its header of {size} bytes and {samples} samples need \
             {wanted}; {COPY_AGAIN}"
        )));
    }
    let extremes = match (field("sample_min"), field("sample_max")) {
        (Some(_), Some(_)) => Some((number("sample_min")?, number("sample_max")?)),
        _ => None,
    };
    let rate = count("sample_rate", u32::MAX.into())? as u32;
    Ok(Header { rate, channels, coding, start: size as u64, samples, extremes })
}

/// The fields `name -type value` up to `end_head`, by name; `None` if `end_head` is missing.
fn fields(text: &[u8]) -> Option<BTreeMap<&str, &str>> {
    let mut fields = BTreeMap::new();
    let mut rest = text;
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        if line.trim_ascii() == b"end_head" {
            return Some(fields);
        }
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (name, kind, value) = (words.next()?, words.next(), words.next());
        let mut value = value.unwrap_or_default();
        // A string's type gives its length; it may contain spaces and line ends.
        let string = kind.and_then(|kind| str::from_utf8(kind.strip_prefix(b"-s")?).ok());
        if let Some(length) = string.and_then(|length| length.parse::<usize>().ok()) {
            let start = name.len() + kind?.len() + 2;
            value = rest.get(start..start.checked_add(length)?)?;
            rest = &rest[start + length..];
        }
        if let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) {
            fields.insert(name.trim(), value.trim());
        }
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        rest = &rest[end + 1..];
    }
}
