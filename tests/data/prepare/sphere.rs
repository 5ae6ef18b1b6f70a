//! SPHERE: both byte orders, headers of any length, and copies that were damaged on their way.

use crate::common::recordings::{little, sphere, sphere_header, sphere_lines};
use crate::common::says;
use crate::data::refusal;
use stcn::internals::prepare::audio::Audio;
use stcn::internals::prepare::header::{Coding, Header};
use stcn::internals::prepare::sphere::header;
use std::io::Cursor;
use std::path::Path;

fn read(bytes: &[u8]) -> stcn::Result<Header> {
    header(&mut Cursor::new(bytes), bytes.len() as u64, Path::new("SA1.WAV"))
}

/// A file of three samples whose header has one thing replaced by another.
fn spoilt(from: &str, to: &str) -> stcn::Result<Header> {
    let lines = sphere_lines(3, "01");
    assert!(lines.contains(from), "{from}");
    read(&[sphere_header(1024, &lines.replace(from, to)), vec![0; 6]].concat())
}

#[test]
fn both_byte_orders_and_headers_of_both_lengths_read_alike() {
    let samples = [1_i16, -2, 300];
    let big = samples.iter().flat_map(|x| x.to_be_bytes()).collect();
    for (order, data, coding) in
        [("01", little(&samples), Coding::Signed16), ("10", big, Coding::Signed16Big)]
    {
        for size in [1024, 2048] {
            let bytes = [sphere_header(size, &sphere_lines(3, order)), data.clone()].concat();
            let found = read(&bytes).unwrap();
            let start = size as u64;
            let (rate, channels) = (16_000, 1);
            let wanted = Header { rate, channels, coding, start, samples: 3, extremes: None };
            assert_eq!(found, wanted);
            let mut audio = Audio::new(Cursor::new(&bytes[..]), Path::new("x")).unwrap();
            let mut found = [0.; 3];
            audio.read(&mut found).unwrap();
            assert_eq!(found, [1., -2., 300.], "order {order}, header {size}");
        }
    }
}

#[test]
fn values_may_hold_blanks_and_line_ends_and_numbers_may_be_real() {
    let more = "database_version -s12 a b\nend_head\nspeaker -s3 x y\nchannel_count";
    assert_eq!(spoilt("channel_count", more).unwrap().samples, 3);
    assert_eq!(spoilt("sample_rate -i 16000", "sample_rate -r 16000.00").unwrap().rate, 16_000);
    assert_eq!(spoilt("sample_rate", "sample_coding -s3 pcm\nsample_rate").unwrap().samples, 3);
    assert_eq!(spoilt("sample_rate", ";; a comment\n\nsample_rate").unwrap().rate, 16_000);
}

#[test]
fn other_codings_are_refused_by_name() {
    for coding in ["ulaw", "pcm,embedded-shorten-v2.00", "alaw"] {
        let line = format!("sample_coding -s{} {coding}\nsample_rate", coding.len());
        let said = refusal(spoilt("sample_rate", &line));
        says(&said, &[&format!("SA1.WAV: is coded as `{coding}`, wanted `pcm`"), "sph2pipe"]);
    }
    let said = refusal(spoilt("-i 2", "-i 1"));
    says(&said, &["has 1 byte(s) per sample in byte order 01, wanted 2", "sox -t sph"]);
    says(&refusal(spoilt("-s2 01", "-s2 11")), &["in byte order 11"]);
    says(&refusal(spoilt("sample_byte_format", "other")), &["in byte order (missing)"]);
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let said = refusal(spoilt("-i 3", "-i 4"));
    says(&said, &["has 1030 bytes", "1024 bytes and 4 samples need 1032", "in binary mode"]);
    says(&refusal(spoilt("-i 3", "-i 2")), &["need 1028"]);
    says(&refusal(spoilt("channel_count -i 1", "channel_count -i 2")), &["need 1036"]);
    let large = refusal(spoilt("-i 3", "-i 9223372036854775807"));
    says(&large, &["has sample_count 9223372036854775807", "wanted 0 to 281474976710656"]);
    says(&refusal(spoilt("-i 3", "-i -3")), &["has sample_count -3"]);
}

#[test]
fn copies_as_text_are_refused() {
    let good = sphere(&[10, 2560, 13, -7]);
    let mut crlf = vec![];
    for byte in &good {
        if *byte == b'\n' {
            crlf.push(b'\r');
        }
        crlf.push(*byte);
    }
    let said = refusal(read(&crlf));
    says(
        &said,
        &["has carriage returns in its SPHERE header", "copy in text mode", "in binary mode"],
    );
    // Only the samples went through it: here the size has changed, there only the extremes.
    let mut samples_only = good.clone();
    samples_only.insert(1024, b'\r');
    says(&refusal(read(&samples_only)), &["has 1033 bytes", "need 1032"]);
    let mut same_size = good.clone();
    same_size[1030..].copy_from_slice(&[0, 0x7f]);
    let mut audio = Audio::new(Cursor::new(&same_size[..]), Path::new("SA1.WAV")).unwrap();
    let said = refusal(audio.check_extremes());
    says(
        &said,
        &["has samples from 10 to 32512, but its header says -7 to 2560", "in binary mode"],
    );
    let mut audio = Audio::new(Cursor::new(&good[..]), Path::new("SA1.WAV")).unwrap();
    audio.check_extremes().unwrap();
    let mut first = [0.];
    audio.read(&mut first).unwrap();
    assert_eq!(first, [10.], "the check goes back to the beginning");
}

#[test]
fn headers_that_do_not_end_or_lie_about_their_size_are_refused() {
    let said = |text: &str| refusal(read(text.as_bytes()));
    let parts = ["without `end_head`", "truncated"];
    says(&refusal(spoilt("end_head", "end_hand")), &parts);
    says(&said("NIST_1A\n   1024\n"), &parts);
    says(&said("NIST_1A\n   1024\nchannel_count -i 1\nend_head\n"), &parts);
    for size in ["", "many", "15", "65537", "-1024", "99999999999999999999"] {
        let said = said(&format!("NIST_1A\n{size}\nend_head\n"));
        says(&said, &[&format!("size of its SPHERE header as \"{size}\"")]);
        says(&said, &["wanted 16 to 65536"]);
    }
    says(&refusal(spoilt("-s8 cjf0_sa1", "-s99999 cjf0_sa1")), &parts);
    says(&refusal(spoilt("-s8 cjf0_sa1", "-s18446744073709551615 x")), &parts);
}

#[test]
fn fields_that_are_missing_or_no_numbers_are_refused_by_name() {
    for name in ["channel_count", "sample_count", "sample_rate", "sample_n_bytes"] {
        let said = refusal(spoilt(name, "other"));
        says(&said, &[&format!("has no {name} in its header, wanted a number")]);
    }
    says(&refusal(spoilt("-i 16000", "-s4 fast")), &["has sample_rate fast"]);
    says(&refusal(spoilt("-i 16000", "-i 99999999999")), &["has sample_rate 99999999999"]);
    let extremes = "sample_min -s3 low\nsample_max -i 3\nend_head";
    says(&refusal(spoilt("end_head", extremes)), &["has sample_min low"]);
}
