//! A recording: chunks or a header of lines, then samples, read to the last as the importers do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::path::Path;
use stcn::internals::prepare::audio::Audio;

fuzz_target!(
    init: stcn_fuzz::seed("audio", seeds()),
    |bytes: &[u8]| {
        // A byte becomes one number of four, beside the block it lay in; fields of a header are a line
        // each and kept as places in it. Blocks and headers of 64 KiB are constant.
        stcn_fuzz::within(bytes, 64, 1 << 19, |bytes| {
            let Ok(mut audio) = Audio::new(Cursor::new(bytes), Path::new("x")) else { return };
            let header = *audio.header();
            let numbers = header.samples * header.channels as u64 * header.coding.bytes() as u64;
            assert!(header.start + numbers <= bytes.len() as u64, "{header:?}");
            if audio.check_speech().and_then(|()| audio.check_extremes()).is_ok() {
                let mut samples = vec![0.; header.samples as usize];
                let read = audio.read(&mut samples).expect("16 bits are always finite");
                assert_eq!(read, samples.len());
            }
        });
    }
);

fn seeds() -> Vec<Vec<u8>> {
    let mut riff = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x01\0".to_vec();
    riff.extend([16_000_u32.to_le_bytes(), 32_000_u32.to_le_bytes()].concat());
    riff.extend(b"\x02\0\x10\0data\x08\0\0\0\x01\0\x02\0\x03\0\x04\0");
    let lines = "channel_count -i 1\nsample_count -i 2\nsample_rate -i 16000\nsample_min -i 1\n\
                 sample_max -i 2\nsample_n_bytes -i 2\nsample_byte_format -s2 01\nend_head\n";
    let mut sphere = format!("NIST_1A\n    256\n{lines}").into_bytes();
    sphere.resize(256, b' ');
    sphere.extend([1, 0, 2, 0]);
    vec![riff, sphere]
}
