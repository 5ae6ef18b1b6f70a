//! A file of MATLAB: read or refused, a matrix at a time.
//!
//! The first byte says which: 0 and the file, 1 and a variable to be deflated.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::path::Path;
use stcn::internals::prepare::mat::Mat;

fuzz_target!(
    init: stcn_fuzz::seed("mat", seeds()),
    |input: &[u8]| {
        let bytes = match input {
            [0, file @ ..] => file.to_vec(),
            [1, variable @ ..] => packed(variable),
            _ => return,
        };
        // A variable takes its name, in a list that grows by doubling; the largest matrix, the windows and buffers of
        // inflation, twice, are constant.
        stcn_fuzz::within(&bytes, 32, 1 << 18, |bytes| {
            let Ok(mut mat) = Mat::new(Cursor::new(bytes), Path::new("x")) else { return };
            for name in ["traindata", "validdata", "testdata"] {
                let _ = mat.each(name, 1 << 12, &mut |_, _, matrix| {
                    assert_eq!(matrix.values.len(), matrix.rows * matrix.columns);
                    Ok(())
                });
            }
        });
    }
);

fn header() -> Vec<u8> {
    let mut header = b"MATLAB 5.0 MAT-file".to_vec();
    header.resize(124, b' ');
    header.extend(b"\0\x01IM");
    header
}

/// A file of one deflated variable.
fn packed(variable: &[u8]) -> Vec<u8> {
    let mut content = vec![];
    let mut zlib = flate2::write::ZlibEncoder::new(&mut content, flate2::Compression::fast());
    std::io::Write::write_all(&mut zlib, variable).and_then(|()| zlib.finish().map(drop)).expect("in memory");
    let tag = [15_u32.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
    [header(), tag, content].concat()
}

fn seeds() -> Vec<Vec<u8>> {
    let plain = include_bytes!("../data/fixtures/music.mat");
    let files = [&plain[..], include_bytes!("../data/fixtures/music_packed.mat")];
    let files = files.map(|file| [&[0][..], file].concat());
    // A variable of it is as long as its tag says, and its tag.
    let at = 128;
    let length = u32::from_le_bytes([plain[at + 4], plain[at + 5], plain[at + 6], plain[at + 7]]);
    let one = [&[1][..], &plain[at..at + 8 + length as usize]].concat();
    files.into_iter().chain([one]).collect()
}
