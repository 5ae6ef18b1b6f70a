//! RIFF/WAVE: chunks in every order, sizes that lie, formats that are refused by their names.

use crate::common::recordings::{format, little, riff, wav};
use crate::common::says;
use crate::data::refusal;
use stcn::internals::prepare::header::{Coding, Header};
use stcn::internals::prepare::riff::header;
use std::io::Cursor;
use std::path::Path;

fn read(bytes: &[u8]) -> stcn::Result<Header> {
    header(&mut Cursor::new(bytes), bytes.len() as u64, Path::new("x.wav"))
}

fn mono() -> Vec<u8> {
    format(1, 1, 16_000, 16)
}

/// A `fmt ` that names its format in the extension.
fn extended(tag: u16, bits: u16) -> Vec<u8> {
    let mut bytes = format(0xfffe, 1, 16_000, bits);
    bytes.extend([22, 0, bits as u8, 0, 4, 0, 0, 0]);
    bytes.extend(tag.to_le_bytes());
    bytes.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    bytes
}

#[test]
fn chunks_before_the_samples_are_skipped_with_their_padding() {
    let list = (b"LIST", vec![7; 5]);
    let bytes = riff(&[list, (b"fmt ", mono()), (b"fact", vec![1; 4]), (b"data", little(&[1, 2]))]);
    let header = read(&bytes).unwrap();
    assert_eq!((header.rate, header.channels, header.coding), (16_000, 1, Coding::Signed16));
    assert_eq!((header.start, header.samples), (bytes.len() as u64 - 4, 2));
    assert_eq!(bytes[header.start as usize..], [1, 0, 2, 0]);
}

#[test]
fn what_follows_the_samples_is_none_of_them() {
    let bytes = riff(&[(b"fmt ", mono()), (b"data", little(&[1, 2, 3])), (b"LIST", vec![7; 9])]);
    assert_eq!(read(&bytes).unwrap().samples, 3);
}

#[test]
fn a_recording_cut_short_anywhere_is_refused() {
    let good = wav(16_000, &[1, 2, 3]);
    for length in 44..good.len() {
        let there = format!("samples take 6 bytes, but has {}: it was truncated", length - 44);
        let said = refusal(read(&good[..length]));
        says(&said, &[&there, "copy it again", "`sox --ignore-length in.wav out.wav`"]);
    }
    // What recorders write that do not know how long it will be: there is no way to tell whether all is there.
    for claimed in [8_u32, 0x7fff_ffff, u32::MAX] {
        let mut bytes = good.clone();
        bytes[40..44].copy_from_slice(&claimed.to_le_bytes());
        says(&refusal(read(&bytes)), &[&format!("take {claimed} bytes, but has 6")]);
    }
    // Words behind the samples are none of them, so those may be cut.
    let words = riff(&[(b"fmt ", mono()), (b"data", little(&[1, 2, 3])), (b"LIST", vec![7; 9])]);
    assert_eq!(read(&words[..words.len() - 5]).unwrap().samples, 3);
}

#[test]
fn formats_of_every_length_and_kind_are_known() {
    let coding = |format: Vec<u8>| {
        read(&riff(&[(b"fmt ", format), (b"data", vec![0; 24])])).map(|header| header.coding)
    };
    for (bits, wanted) in [
        (8, Coding::Unsigned8),
        (16, Coding::Signed16),
        (24, Coding::Signed24),
        (32, Coding::Signed32),
    ] {
        let plain = format(1, 1, 16_000, bits);
        assert_eq!(coding(plain.clone()).unwrap(), wanted);
        assert_eq!(coding([plain, vec![0, 0]].concat()).unwrap(), wanted, "18 bytes");
        assert_eq!(coding(extended(1, bits)).unwrap(), wanted, "40 bytes");
        assert_eq!(coding([extended(1, bits), vec![9; 6]].concat()).unwrap(), wanted, "46 bytes");
    }
    for (bits, wanted) in [(32, Coding::Float32), (64, Coding::Float64)] {
        assert_eq!(coding(format(3, 1, 16_000, bits)).unwrap(), wanted);
        assert_eq!(coding(extended(3, bits)).unwrap(), wanted);
    }
}

#[test]
fn other_formats_are_refused_by_name() {
    let said = |format| refusal(read(&riff(&[(b"fmt ", format), (b"data", vec![0; 24])])));
    for (tag, name) in [
        (2, "ADPCM"),
        (6, "A-law"),
        (7, "µ-law"),
        (0x55, "MPEG"),
        (0x1234, "an unknown format (tag 4660)"),
    ] {
        says(&said(format(tag, 1, 8000, 8)), &["holds ", name, "wanted integers of 8, 16"]);
        says(&said(format(tag, 1, 8000, 8)), &["sox in.wav -e signed -b 16 out.wav"]);
    }
    says(&said(format(1, 1, 8000, 12)), &["integers (tag 1) of 12 bits"]);
    says(&said(format(3, 1, 8000, 16)), &["floating point (tag 3) of 16 bits"]);
    says(&said(extended(7, 8)), &["µ-law"]);
    let mut other = extended(1, 16);
    other[39] = 0;
    says(&said(other), &["an unknown format (tag 65534)"]);
    says(&said(mono()[..15].to_vec()), &["has a `fmt ` of 15 bytes, wanted at least 16"]);
    says(&said(format(1, 0, 8000, 16)), &["0 channel(s) of 16 bits take 0 bytes"]);
    let mut wide = mono();
    wide[12] = 4;
    says(&said(wide), &["1 channel(s) of 16 bits take 4 bytes", "write it again"]);
}

#[test]
fn chunks_that_are_missing_or_out_of_order_are_refused() {
    let said = |bytes: &[u8]| refusal(read(bytes));
    let parts = ["`data` before `fmt `", "write it again"];
    says(&said(&riff(&[(b"data", vec![0; 4]), (b"fmt ", mono())])), &parts);
    let parts = ["has no `data` chunk after `fmt `", "truncated, copy it again"];
    says(&said(&riff(&[(b"fmt ", mono())])), &parts);
    says(&said(&wav(16_000, &[1])[..39]), &parts);
    says(&said(b"RIFF"), &["is a RIFF file but not WAVE"]);
    says(&said(b"RIFF\0\0\0\0AVI LIST"), &["is a RIFF file but not WAVE", "convert or remove it"]);
    let mut unfinished = wav(16_000, &[1, 2]);
    unfinished[40..44].copy_from_slice(&[0; 4]);
    says(
        &said(&unfinished),
        &["says that it has no samples", "sox --ignore-length in.wav out.wav"],
    );
    assert_eq!(read(&wav(16_000, &[])).unwrap().samples, 0, "none is none");
    let mut endless = vec![(b"junk", vec![]); 1000];
    endless.push((b"fmt ", mono()));
    says(&said(&riff(&endless)), &parts);
}
