//! Blizzard's rows on a ramp, where each sample is its own place.

use crate::common::recordings::{Folder, imported, little, ramp, ramp_rows, sequence, wav};
use crate::common::says;
use crate::data::refusal;
use stcn::data::DataSet;
use stcn::internals::prepare::blizzard::{Counts, FRAME, Options, ROW, ends, import};

fn prepared(folder: &Folder, block: usize, streams: usize) -> stcn::Result<(DataSet, Counts)> {
    let (input, options) = (folder.path(""), Options { block, streams });
    imported(FRAME, &[], |writer, progress| import(&input, &options, writer, progress))
        .map(|(set, _, counts)| (set, counts))
}

/// A ramp in recordings of these lengths, with and without headers, named so that text order is another.
fn recordings(lengths: &[usize]) -> Folder {
    let folder = Folder::new(&[]);
    let mut start = 0;
    for (i, length) in lengths.iter().enumerate() {
        let samples = ramp(start, start + length);
        start += length;
        match i % 2 {
            0 => folder.write(&format!("data_{}/{i}.wav", i / 4), wav(16_000, &samples)),
            _ => folder.write(&format!("data_{}/{i}.raw", i / 4), little(&samples)),
        }
    }
    folder
}

#[test]
fn row_piece_times_streams_plus_stream_holds_that_piece_of_that_stream() {
    // Twelve recordings: one block of 10, and one of 2 whose streams begin anew.
    let folder = recordings(&[3 * ROW + 500; 12]);
    let (set, counts) = prepared(&folder, 10, 4).unwrap();
    let (first, pieces) = (10 * (3 * ROW + 500), 7);
    assert_eq!(set.len(), 4 * pieces + 4);
    for piece in 0..pieces {
        for stream in 0..4 {
            let from = (stream * pieces + piece) * ROW;
            let row = sequence(&set, piece * 4 + stream);
            assert!(row == ramp_rows(from, from + ROW), "piece {piece} of stream {stream}");
        }
    }
    for stream in 0..4 {
        let from = first + stream * ROW;
        assert!(sequence(&set, 4 * pieces + stream) == ramp_rows(from, from + ROW), "second block");
    }
    let samples = 12 * (3 * ROW + 500) as u64;
    assert_eq!(counts, Counts { files: 12, samples, unused: samples - 32 * ROW as u64 });
    assert_eq!((set.channels(), set.length(0), set.rate()), (200, 40, Some(16_000)));
}

#[test]
fn a_row_goes_on_one_row_of_streams_later_and_not_in_the_next() {
    let (set, _) = prepared(&recordings(&[9 * ROW; 5]), 200, 4).unwrap();
    let last = |i: usize| *sequence(&set, i).last().unwrap() as i16;
    let first = |i: usize| sequence(&set, i)[0] as i16;
    for i in 0..set.len() - 4 {
        assert_eq!(first(i + 4), last(i).wrapping_add(1), "row {i} and the one that follows it");
        assert_ne!(first(i + 1), last(i).wrapping_add(1), "row {i} and its neighbour");
    }
}

#[test]
fn parts_are_as_published_where_there_are_as_many_rows() {
    assert_eq!(ends(2_266_880, 128), [2_040_064, 2_152_704, 2_266_880]);
    assert_eq!(ends(3_000_000, 128), ends(2_266_880, 128), "what is beyond is in no part");
    // Else by shares, between two pieces of time of all streams.
    assert_eq!(ends(2_266_752, 128), [2_040_064, 2_153_344, 2_266_752]);
    assert_eq!((ends(100, 1), ends(66, 3)), ([90, 95, 100], [57, 60, 66]));
    let (set, _) = prepared(&recordings(&[10 * ROW; 4]), 200, 4).unwrap();
    let split: Vec<_> = (0..40).map(|i| set.split_of(i) as u8).collect();
    assert_eq!(split, [vec![0; 36], vec![2; 4]].concat(), "no piece of time is cut for a part");
}

#[test]
fn too_little_other_rates_and_damage_are_refused() {
    let folder = recordings(&[3 * ROW; 4]);
    let said = |block, streams| refusal(prepared(&folder, block, streams));
    let parts = ["has 96000 samples", "128 streams give 0 rows of 8000", "fewer --streams"];
    says(&said(200, 128), &parts);
    says(&said(1, 4), &["in blocks of 1 recordings"]);
    folder.write("data_0/9.wav", wav(22_050, &ramp(0, ROW)));
    says(&said(200, 4), &["9.wav: has 1 channel(s) of 16 bits at 22050 Hz", "prepare wav`"]);
    folder.write("data_0/9.wav", little(&ramp(0, ROW)));
    says(&said(200, 4), &["9.wav: begins with", "wanted \"RIFF\""]);
    folder.write("data_0/9.wav", wav(16_000, &ramp(0, ROW)));
    folder.write("data_0/10.raw", [0; 3]);
    says(&said(200, 4), &["10.raw: has no header and 3 bytes, wanted an even number"]);
}
