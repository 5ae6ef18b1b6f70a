//! Errors: one sentence, an exit code, and the nearest word.

use stcn::internals::error::{near, nearest, nearest_few};
use stcn::{Error, ErrorKind};
use std::io;

#[test]
fn a_message_names_the_file_first() {
    let e = Error::invalid("lines.npz", "has no entry samples: save one");
    assert_eq!(e.to_string(), "lines.npz: has no entry samples: save one");
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    assert!(Error::read("a.npz")(gone()).to_string().starts_with("cannot read a.npz: "));
    assert!(Error::write("b/c")(gone()).to_string().starts_with("cannot write b/c: "));
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
    assert_eq!(nearest("wavnet", known), Some("wavenet"));
    assert_eq!(nearest("stcn_dense", known), Some("stcn-dense"));
    assert_eq!(nearest("scnt", known), Some("stcn"));
    assert_eq!(nearest("x", []), None);
    // What lists all names anyway suggests one of which half is right.
    assert_eq!((nearest("foo", known), near("foo", known)), (Some("stcn"), None));
    assert_eq!(
        (near("wavnet", known), near("stcn-d", known)),
        (Some("wavenet"), Some("stcn-dense"))
    );
    assert_eq!((near("xxxn", known), near("", known)), (None, None));
    assert_eq!(nearest_few("wavnet", known, 2), ["wavenet", "stcn"]);
    assert_eq!(nearest_few("wave", known, 9), ["wavenet", "wavenet-dense", "stcn", "stcn-dense"]);
}
