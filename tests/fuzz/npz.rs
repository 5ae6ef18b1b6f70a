//! A data set: the zip as it lies on the disk, or its arrays under good checksums, to the last check.
//!
//! The first byte says which: 0 and the file, 1 and the parts stored, 2 and the parts deflated.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stcn::internals::{data_set, npz::parse};
use stcn::data::{MissingSplit, Split};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fuzz_target!(
    init: stcn_fuzz::seed("npz", seeds()),
    |input: &[u8]| {
        let bytes = match input {
            [0, file @ ..] => file.to_vec(),
            [1, input @ ..] => packed(input, CompressionMethod::Stored),
            [2, input @ ..] => packed(input, CompressionMethod::Deflated),
            _ => return,
        };
        // Deflate makes of a byte 1032 at most, and a number of one byte takes four, which are all that is held.
        // The window of inflation, a buffer for numbers and one for the end of the file are constant.
        stcn_fuzz::within(&bytes, 4 * 1032, 1 << 18, |bytes| {
            let Ok(flat) = parse(Cursor::new(bytes), Path::new("x")) else { return };
            let missing = Some(MissingSplit::Fractions { valid: 0.2, test: 0.2, seed: 1 });
            let Ok(set) = data_set("x".into(), String::new(), flat, missing) else { return };
            let _ = (set.check_ink(), set.check_binary(), Split::ALL.map(|split| set.summary(split)));
        });
    }
);

fn packed(input: &[u8], method: CompressionMethod) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(method);
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let parts: [_; 4] = stcn_fuzz::parts(input);
    for (name, content) in ["samples.npy", "lengths.npy", "split.npy", "rate.npy"].iter().zip(parts) {
        if !content.is_empty() {
            zip.start_file(*name, options).expect("in memory");
            zip.write_all(content).expect("in memory");
        }
    }
    zip.finish().expect("in memory").into_inner()
}

fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), numbers].concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let numbers: Vec<u8> = [0.5_f32, 1., 1.].iter().flat_map(|x| x.to_le_bytes()).collect();
    let samples = npy("<f4", "(4, 3)", &numbers.repeat(4));
    let lengths = npy("<i8", "(2,)", &[1_i64.to_le_bytes(), 3_i64.to_le_bytes()].concat());
    let split = npy("|i1", "(2,)", &[0, 2]);
    let rate = npy("<i8", "()", &8000_i64.to_le_bytes());
    let cut = stcn_fuzz::CUT;
    let parts = [&samples[..], &cut, &lengths, &cut, &split, &cut, &rate].concat();
    let files = [CompressionMethod::Stored, CompressionMethod::Deflated]
        .map(|method| packed(&parts, method));
    let zeros = npy("<f4", "(2000, 3)", &[0; 24_000]);
    let lengths = npy("<i8", "(1,)", &2000_i64.to_le_bytes());
    let roll = packed(&[&zeros[..], &cut, &lengths].concat(), CompressionMethod::Deflated);
    // What takes the most memory for its length, and an array column by column.
    let quiet = npy("|u1", "(60000, 1)", &[0; 60_000]);
    let lengths = npy("<i8", "(1,)", &60_000_i64.to_le_bytes());
    let quiet = packed(&[&quiet[..], &cut, &lengths].concat(), CompressionMethod::Deflated);
    let at = samples.windows(5).position(|w| w == b"False").expect("a header");
    let turned = [&samples[..at], b"True ", &samples[at + 5..]].concat();
    let turned = [&turned[..], &cut, &npy("<i8", "(1,)", &4_i64.to_le_bytes())].concat();
    let turned = packed(&turned, CompressionMethod::Stored);
    let files = files.into_iter().chain([roll, quiet, turned]).map(|file| [&[0][..], &file].concat());
    files.chain([1, 2].map(|kind| [&[kind][..], &parts].concat())).collect()
}
