//! Recordings as one signal, and the order of its pieces.

use crate::common::recordings::{Folder, ramp, ramp_rows, wav};
use crate::common::says;
use crate::data::refusal;
use stcn::internals::prepare::audio::Audio;
use stcn::internals::prepare::folder::{Found, recordings};
use stcn::internals::prepare::streams::Joined;

fn open(file: &Found) -> stcn::Result<Audio> {
    Audio::open(&file.path)
}

/// A ramp of 1,000 samples in four files, the third of them empty.
fn four() -> (Folder, Vec<(Found, u64)>) {
    let folder = Folder::new(&[]);
    let mut start = 0;
    for (i, end) in [300, 301, 301, 1000].into_iter().enumerate() {
        folder.write(&format!("{i}.wav"), wav(16_000, &ramp(start, end)));
        start = end;
    }
    let files = recordings(&folder.path(""), &["wav"]).unwrap();
    let files = files.into_iter().zip([300, 1, 0, 699]).collect();
    (folder, files)
}

fn joined(files: &[(Found, u64)]) -> Joined<'_> {
    Joined::new(files.iter().map(|(file, samples)| (file, *samples)), open)
}

#[test]
fn files_follow_one_another_without_a_gap() {
    let (_folder, files) = four();
    let mut signal = joined(&files);
    assert_eq!(signal.samples(), 1000);
    assert_eq!([0, 299, 300, 301, 999].map(|i| signal.file_at(i)), [0, 0, 1, 3, 3]);
    for (from, length) in [(0, 1000), (299, 3), (600, 400), (10, 20), (1000, 0)] {
        let mut samples = vec![0.; length];
        signal.read(from as u64, &mut samples).unwrap();
        assert_eq!(samples, ramp_rows(from, from + length), "from {from}");
    }
}

#[test]
fn row_i_times_streams_plus_j_is_piece_i_of_stream_j() {
    let (_folder, files) = four();
    let mut rows = vec![];
    joined(&files)
        .rows(4, 12, 20, |file, samples| {
            rows.push((file, samples.to_vec()));
            Ok(())
        })
        .unwrap();
    assert_eq!(rows.len(), 48);
    for i in 0..12 {
        for j in 0..4 {
            let from = (j * 12 + i) * 20;
            let (file, samples) = &rows[i * 4 + j];
            assert_eq!(*samples, ramp_rows(from, from + 20), "piece {i} of stream {j}");
            assert_eq!(*file, [0, 1, 3][usize::from(from >= 300) + usize::from(from > 300)]);
        }
    }
}

#[test]
fn nothing_is_read_where_there_is_no_piece() {
    let (_folder, files) = four();
    let none = |_: usize, _: &[f32]| panic!("a row");
    joined(&files).rows(64, 0, usize::MAX, none).unwrap();
}

#[test]
fn a_file_that_became_shorter_is_refused() {
    let (folder, files) = four();
    folder.write("3.wav", wav(16_000, &ramp(301, 900)));
    let said = refusal(joined(&files).read(0, &mut [0.; 1000]));
    says(&said, &["3.wav: became shorter while it was read", "try again"]);
}
