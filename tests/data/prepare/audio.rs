//! Recordings whatever their container: the same numbers from every coding, in blocks, from any place.

use crate::common::recordings::{Folder, format, little, ramp, ramp_rows, riff, sphere, wav};
use crate::common::{mutations, says};
use crate::data::refusal;
use proptest::prelude::*;
use stcn::internals::prepare::audio::Audio;
use std::io::Cursor;
use std::path::Path;

type Memory<'a> = Audio<Cursor<&'a [u8]>>;

fn open(bytes: &[u8]) -> stcn::Result<Memory<'_>> {
    Audio::new(Cursor::new(bytes), Path::new("x.wav"))
}

fn read(bytes: &[u8]) -> stcn::Result<Vec<f32>> {
    let mut audio = open(bytes)?;
    audio.check_extremes()?;
    let mut samples = vec![0.; audio.header().samples as usize];
    assert_eq!(audio.read(&mut samples)?, samples.len());
    assert_eq!(audio.read(&mut [0.; 3])?, 0, "the end stays the end");
    Ok(samples)
}

#[test]
fn every_coding_is_as_loud_as_16_bits() {
    let of = |tag, bits, data: Vec<u8>| {
        read(&riff(&[(b"fmt ", format(tag, 1, 8000, bits)), (b"data", data)])).unwrap()
    };
    assert_eq!(of(1, 8, vec![128, 129, 0, 255]), [0., 256., -32768., 32512.]);
    assert_eq!(of(1, 16, little(&[0, 1, -32768, 32767])), [0., 1., -32768., 32767.]);
    assert_eq!(of(1, 24, vec![0, 1, 0, 0, 0, 0x80, 128, 255, 255]), [1., -32768., -0.5]);
    let whole = |x: i32| (x * 65536).to_le_bytes();
    assert_eq!(of(1, 32, [whole(1), whole(-32768), whole(7)].concat()), [1., -32768., 7.]);
    let floats = [0.5_f32, -1., 1. / 32768.];
    let bytes = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(of(3, 32, bytes), [16384., -32768., 1.]);
    let bytes = floats.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
    assert_eq!(of(3, 64, bytes), [16384., -32768., 1.]);
}

#[test]
fn two_channels_are_mixed_to_their_mean() {
    let data = little(&[10, 20, -3, 4, 32767, 32767]);
    let bytes = riff(&[(b"fmt ", format(1, 2, 44_100, 16)), (b"data", data)]);
    assert_eq!(read(&bytes).unwrap(), [15., 0.5, 32767.]);
}

#[test]
fn a_long_file_reads_alike_in_blocks_of_any_length_and_from_any_place() {
    let bytes = wav(16_000, &ramp(0, 100_000));
    let all = ramp_rows(0, 100_000);
    assert_eq!(read(&bytes).unwrap(), all);
    for length in [1000, 32_768, 99_999] {
        let mut audio = open(&bytes).unwrap();
        let mut pieces: Vec<f32> = vec![];
        loop {
            let mut piece = vec![0.; length];
            let n = audio.read(&mut piece).unwrap();
            pieces.extend(&piece[..n]);
            if n < length {
                break;
            }
        }
        assert!(pieces == all, "in blocks of {length}");
    }
    let mut audio = open(&bytes).unwrap();
    for place in [70_000, 3, 99_990] {
        let mut samples = [0.; 10];
        audio.seek(place).unwrap();
        assert_eq!(audio.read(&mut samples).unwrap(), 10);
        assert_eq!(samples[..], all[place as usize..][..10]);
    }
}

#[test]
fn the_first_bytes_decide_and_never_the_name() {
    let samples = ramp(0, 50);
    let folder = Folder::new(&[("a.wav", sphere(&samples)), ("b.sph", wav(16_000, &samples))]);
    for name in ["a.wav", "b.sph"] {
        let mut audio = Audio::open(&folder.path(name)).unwrap();
        let mut found = [0.; 50];
        assert_eq!(audio.read(&mut found).unwrap(), 50, "{name}");
        assert_eq!(found[..], ramp_rows(0, 50), "{name}");
    }
}

#[test]
fn a_raw_file_is_16_khz_unless_it_has_a_header_after_all() {
    let folder = Folder::new(&[
        ("a.raw", little(&ramp(0, 50))),
        ("b.raw", wav(22_050, &ramp(0, 50))),
        ("c.raw", vec![0; 7]),
    ]);
    let open = |name: &str| Audio::open_raw(&folder.path(name));
    let mut found = [0.; 60];
    assert_eq!(open("a.raw").unwrap().read(&mut found).unwrap(), 50);
    assert_eq!(found[..50], ramp_rows(0, 50));
    open("a.raw").unwrap().check_speech().unwrap();
    assert_eq!(open("b.raw").unwrap().header().rate, 22_050);
    says(
        &refusal(open("c.raw")),
        &["c.raw: has no header and 7 bytes", "wanted an even number", "copy it again"],
    );
}

#[test]
fn other_files_are_refused_with_the_cure() {
    let said = |bytes: &[u8]| refusal(open(bytes));
    says(&said(b""), &["x.wav: is empty", "copy it again"]);
    says(&said(b"ID3\x03 and so on"), &["begins with \"ID3\\x03 an\"", "\"RIFF\"", "sox"]);
    says(&said(b"RI"), &["begins with \"RI\""]);
    says(&said(&wav(768_001, &[1])), &["768001 samples per second", "1000 to 768000", "sox"]);
    says(&said(&wav(999, &[1])), &["999 samples per second"]);
    let six = riff(&[(b"fmt ", format(1, 6, 48_000, 16)), (b"data", vec![0; 12])]);
    says(&said(&six), &["has 6 channels", "1 or 2", "remix -"]);
}

#[test]
fn floats_that_are_not_finite_are_refused_with_their_place() {
    let mut data = vec![0; 40_000 * 4];
    data[4 * 30_001..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let bytes = riff(&[(b"fmt ", format(3, 2, 8000, 32)), (b"data", data)]);
    says(&refusal(read(&bytes)), &["sample 15001 is NaN", "finite", "write the file again"]);
}

#[test]
fn what_is_no_speech_corpus_is_refused() {
    let said = |bytes: &[u8]| refusal(open(bytes).unwrap().check_speech());
    let parts = ["has 1 channel(s) of 16 bits at 8000 Hz, wanted 1 of 16 bits at 16000 Hz"];
    says(&said(&wav(8000, &[1])), &parts);
    says(&said(&wav(8000, &[1])), &["`stcn data prepare wav`"]);
    let stereo = riff(&[(b"fmt ", format(1, 2, 16_000, 16)), (b"data", vec![0; 4])]);
    says(&said(&stereo), &["has 2 channel(s) of 16 bits"]);
    let deep = riff(&[(b"fmt ", format(1, 1, 16_000, 24)), (b"data", vec![0; 3])]);
    says(&said(&deep), &["of 24 bits"]);
    open(&sphere(&[1])).unwrap().check_speech().unwrap();
}

#[test]
fn recordings_that_are_held_whole_may_last_some_hours() {
    let bytes = wav(16_000, &[1]);
    let audio = open(&bytes).unwrap();
    audio.check_length(1 << 28).unwrap();
    let said = refusal(audio.check_length((1 << 28) + 1));
    says(&said, &["x.wav: has 268435457 samples, wanted at most 268435456", "split it"]);
}

/// A day of silence, which takes no room on most disks.
#[test]
fn a_recording_of_a_day_is_refused_before_it_is_read() {
    use crate::common::recordings::{imported, sphere_header, sphere_lines};
    use stcn::data::MissingSplit;
    use stcn::internals::prepare::{pattern, timit, wav};
    let samples = 24 * 3600 * 16_000;
    let header = sphere_header(1024, &sphere_lines(samples, "01"));
    let folder =
        Folder::new(&[("TRAIN/DR1/A/1.WAV", header), ("TEST/DR1/A/1.WAV", sphere(&ramp(0, 400)))]);
    let long =
        std::fs::OpenOptions::new().write(true).open(folder.path("TRAIN/DR1/A/1.WAV")).unwrap();
    long.set_len(1024 + 2 * samples as u64).unwrap();
    let options = wav::Options {
        rate: Some(16_000),
        frame: 200,
        split: pattern::Rule::Fractions(MissingSplit::AllTrain),
    };
    let said = refusal(imported(200, &wav::COLUMNS, |writer, progress| {
        wav::import(&folder.path(""), &options, writer, progress)
    }));
    let parts = ["1.WAV: has 1382400000 samples, wanted at most 268435456"];
    says(&said, &parts);
    let options = timit::Options { segment: 0, streams: None, split: timit::Rule::Utterances };
    says(
        &refusal(imported(200, &timit::COLUMNS, |writer, progress| {
            timit::import(&folder.path(""), &options, writer, progress)
        })),
        &parts,
    );
}

/// Reads as every importer does; what is accepted is all there.
fn attempt(bytes: &[u8]) {
    let Ok(audio) = open(bytes) else { return };
    let header = *audio.header();
    let numbers = header.samples * header.channels as u64 * header.coding.bytes() as u64;
    assert!(header.start + numbers <= bytes.len() as u64, "{header:?} of {} bytes", bytes.len());
    let _ = (audio.check_speech(), read(bytes));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        magic in prop::sample::select(vec!["", "RIFF....WAVE", "RIFF....WAVEfmt \x10\0\0\0", "NIST_1A\n   1024\n"]),
    ) {
        attempt(&[magic.as_bytes(), &bytes].concat());
    }

    #[test]
    fn files_a_little_beside_good_ones_are_read_or_refused(
        bytes in prop_oneof![
            mutations(wav(16_000, &ramp(0, 40))),
            mutations(sphere(&ramp(0, 40))),
            mutations(riff(&[(b"LIST", vec![1; 5]), (b"fmt ", format(3, 2, 8000, 32)), (b"data", vec![7; 80])])),
        ],
    ) {
        attempt(&bytes);
    }
}
