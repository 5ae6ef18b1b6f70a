//! Errors: one sentence, an exit code, and the nearest word.

use stcn::internals::error::{near, nearest_few};
use stcn::{Error, ErrorKind};
use std::io;

#[test]
fn a_message_names_the_file_first() {
    let e = Error::invalid("lines.npz", "has no entry samples: save one");
    assert_eq!(e.to_string(), "lines.npz: has no entry samples: save one");
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    assert!(Error::read("a.npz")(gone()).to_string().starts_with("cannot read a.npz: "));
    let unwritten = Error::write("b/c")(gone()).to_string();
    assert!(unwritten.starts_with("cannot write b/c: "), "{unwritten}");
    assert!(unwritten.ends_with(": its folder is not there, make it first"), "{unwritten}");
}

#[test]
fn what_a_file_puts_into_a_message_stays_one_harmless_line() {
    let e = Error::invalid("a\u{1b}[2J.npz", "holds \"x\ny\u{7}\"");
    assert_eq!(e.to_string(), "a\\u{1b}[2J.npz: holds \"x\\ny\\u{7}\"");
    let said = Error::usage("é".repeat(1 << 20)).to_string();
    assert_eq!((said.chars().count(), said.ends_with("é…")), (4000, true));
    let whole = Error::usage("é".repeat(3999)).to_string();
    assert!(!whole.contains('…'));
}

#[test]
fn exit_codes_tell_words_and_files_from_failed_and_stopped_runs() {
    assert_eq!(Error::usage("what").exit_code(), 2);
    assert_eq!(Error::invalid("f", "x").exit_code(), 2);
    assert_eq!(Error::from(ErrorKind::Diverged("NaN".into())).exit_code(), 1);
    assert_eq!(Error::from(ErrorKind::Interrupted).exit_code(), 130);
}

#[test]
fn the_nearest_word_is_the_one_with_the_fewest_edits() {
    let known = ["stcn", "stcn-dense", "wavenet", "wavenet-dense"];
    assert_eq!(near("wavnet", known), Some("wavenet"));
    assert_eq!(near("stcn_dense", known), Some("stcn-dense"));
    assert_eq!(near("x", []), None);
    // One that begins with it may be longer by any number of letters; swapped letters are one edit.
    assert_eq!(near("stcn-d", known), Some("stcn-dense"));
    assert_eq!((near("sctn", known), near("tscn", known)), (Some("stcn"), Some("stcn")));
    // A third of the letters may be wrong, and no more.
    assert_eq!((near("wabemet", known), near("wabemat", known)), (Some("wavenet"), None));
    assert_eq!((near("scnt", known), near("xxxn", known), near("", known)), (None, None, None));
    assert_eq!((near("foo", ["rnn", "vrnn"]), near("nn", ["rnn"])), (None, Some("rnn")));
    assert_eq!(nearest_few("wavnet", known, 2), ["wavenet", "stcn"]);
    assert_eq!(nearest_few("wave", known, 9), ["wavenet", "wavenet-dense", "stcn", "stcn-dense"]);
}
