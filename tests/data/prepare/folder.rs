//! Recordings of a folder: all of them, in an order that every machine shares.

use crate::common::recordings::Folder;
use crate::common::says;
use crate::data::refusal;
use proptest::prelude::*;
use stcn::internals::prepare::folder::{natural, recordings};
use std::cmp::Ordering;

#[test]
fn every_folder_is_searched_and_numbers_count_as_numbers() {
    let names = ["data_10/1.wav", "data_2/10.wav", "data_2/9.WAV", "data_2/deep/er/0.Wav", "0.raw"];
    let folder = Folder::new(&names.map(|name| (name, vec![0; name.len()])));
    for name in ["notes.txt", ".hidden.wav", "._1.wav", ".git/1.wav", "wav"] {
        folder.write(name, "");
    }
    let found = recordings(&folder.path(""), &["wav", "raw"]).unwrap();
    let order = ["0.raw", "data_2/9.WAV", "data_2/10.wav", "data_2/deep/er/0.Wav", "data_10/1.wav"];
    assert_eq!(found.iter().map(|file| &file.name[..]).collect::<Vec<_>>(), order);
    for file in found {
        assert_eq!(file.bytes, file.name.len() as u64);
        assert_eq!(file.path, folder.path(&file.name));
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_is_followed_and_one_to_a_folder_is_not() {
    let folder = Folder::new(&[("a/1.wav", vec![0; 3])]);
    std::os::unix::fs::symlink(folder.path("a/1.wav"), folder.path("2.wav")).unwrap();
    std::os::unix::fs::symlink(folder.path(""), folder.path("a/round")).unwrap();
    let found = recordings(&folder.path(""), &["wav"]).unwrap();
    assert_eq!(found.iter().map(|file| &file.name[..]).collect::<Vec<_>>(), ["2.wav", "a/1.wav"]);
}

#[test]
fn a_folder_without_recordings_and_what_is_no_folder_are_refused() {
    let folder = Folder::new(&[("a/notes.txt", vec![])]);
    let said = |name: &str| refusal(recordings(&folder.path(name), &["wav", "raw"]));
    says(&said("a"), &["holds no file that ends in .wav or .raw", "unpack the data set"]);
    says(&said("a/notes.txt"), &["is not a folder", "give the path"]);
    says(&said("b"), &["cannot read", "b: "]);
}

#[test]
fn names_compare_as_people_count() {
    let ordered = [
        "", "/", "1", "01", "2", "2.wav", "10", "10a", "a", "a1b2", "a1b10", "a02", "a10", "b", "é",
    ];
    for (i, a) in ordered.iter().enumerate() {
        for (j, b) in ordered.iter().enumerate() {
            // Names that differ only in leading zeros compare as text.
            let wanted = if (*a, *b) == ("1", "01") { Ordering::Greater } else { i.cmp(&j) };
            let wanted = if (*a, *b) == ("01", "1") { Ordering::Less } else { wanted };
            assert_eq!(natural(a, b), wanted, "{a:?} and {b:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_order_of_names_is_an_order(names in prop::collection::vec("[a0-1/é]{0,6}", 3)) {
        let (a, b, c) = (&names[0], &names[1], &names[2]);
        assert_eq!(natural(a, b), natural(b, a).reverse());
        assert_eq!(natural(a, b) == Ordering::Equal, a == b);
        if natural(a, b).is_le() && natural(b, c).is_le() {
            assert!(natural(a, c).is_le(), "{a} {b} {c}");
        }
    }
}
