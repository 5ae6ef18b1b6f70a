//! UNIPEN's files, by hand: statements, components, segments and includes, and what is refused.

use crate::common::recordings::Folder;
use crate::common::{mutations, says};
use crate::data::refusal;
use proptest::prelude::*;
use stcn::internals::prepare::unipen_format::Document;

/// Reads `a.dat`, with texts for itself and the files below `include`.
fn read(text: &str, includes: &[(&str, &str)]) -> stcn::Result<Document> {
    let folder = Folder::new(&[("a.dat", text.into())]);
    folder.write("include/none", "");
    for (name, text) in includes {
        folder.write(&format!("include/{name}"), text);
    }
    Document::read(&folder.path("a.dat"), &folder.path("include"), "TEXT")
}

/// Label, writer and rows of every segment; no rows if it does not name whole components.
fn segments(document: &Document) -> Vec<(&str, &str, Option<Vec<f32>>)> {
    let rows = |segment| document.strokes(segment).map(|strokes| document.rows(&strokes));
    let about = |segment| rows(segment);
    let all = document.segments.iter();
    all.map(|s| (&s.label[..], &document.writers[s.writer][..], about(s))).collect()
}

const INK: &str = ".COORD X Y\n.PEN_DOWN\n1 1\n2 3\n.PEN_UP\n5 5\n.PEN_DOWN\n10 10\n";

#[test]
fn components_are_counted_from_0_without_the_empty_ones() {
    let text = ".COORD X Y\n.PEN_UP\n.PEN_DOWN\n1 1\n2 3\n.PEN_UP\n.PEN_UP\n5 5\n.PEN_DOWN\n.PEN_DOWN\n10 10\n12 10\n\
                .SEGMENT TEXT 0 OK \"a\"\n.SEGMENT TEXT 0-2 OK \"b\"\n.SEGMENT TEXT 1-2 OK \"c\"\n.SEGMENT TEXT 1 OK \"d\"\n\
                .SEGMENT TEXT 0,2 OK \"e\"\n";
    let document = read(text, &[]).unwrap();
    let all = vec![1., 2., 1., 8., 7., 0., 2., 0., 1.];
    let expected = [
        ("a", "", Some(vec![1., 2., 1.])),
        ("b", "", Some(all.clone())),
        ("c", "", Some(vec![2., 0., 1.])),
        ("d", "", Some(vec![])),
        ("e", "", Some(all)),
    ];
    assert_eq!(segments(&document), expected);
    let strokes = document.strokes(&document.segments[1]).unwrap();
    assert_eq!(document.points(&strokes), 4);
}

#[test]
fn coord_says_which_numbers_are_x_and_y() {
    let text = ".COORD T Y P X\n.PEN_DOWN\n0 10 7 20 1 11\n7 22\n.COORD X Y\n.PEN_DOWN 30 40\n.SEGMENT TEXT 0-1 OK\n";
    let document = read(text, &[]).unwrap();
    let rows = vec![2., 1., 1., 8., 29., 1.];
    assert_eq!(segments(&document), [("", "", Some(rows))]);
}

#[test]
fn statements_begin_with_a_dot_in_the_first_column_and_a_capital() {
    let text = ".COMMENT .SEGMENT TEXT 0 OK \"no\"\n .SEGMENT TEXT 0 OK \"no\"\n.segment TEXT 0\n...\n\r\n.COORD\tX Y\r\n.PEN_DOWN\r\n\
                1 1\r\n2 2\r\n.SEGMENT TEXT   0  \t?  \"yes\"";
    let document = read(text, &[]).unwrap();
    assert_eq!(segments(&document), [("yes", "", Some(vec![1., 1., 1.]))]);
}

#[test]
fn segments_keep_level_quality_label_and_the_last_writer_before_them() {
    let text = format!(
        "{INK}.WRITER_ID  Ann B.\n more\n.SEGMENT WORD 0 OK \"word\"\n.SEGMENT TEXT 0-0 BAD \"say \\\"it\\\\\\\" \\n twice\n so\"\n\
         .WRITER_ID bob\n.SEGMENT TEXT 0 OK\n"
    );
    let document = read(&text, &[]).unwrap();
    let found: Vec<_> =
        segments(&document).into_iter().map(|(label, writer, _)| (label, writer)).collect();
    assert_eq!(found, [("say \"it\\\" twice so", "Ann B."), ("", "bob")]);
    assert_eq!(document.segments.iter().map(|s| s.bad).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn segments_that_do_not_name_whole_components_have_no_strokes() {
    for part in
        ["0:1-0:2", "0-3", "3", "2-1", "one", "0,", "-1", "99999999999999999999999", "\"a\""]
    {
        let document = read(&format!("{INK}.SEGMENT TEXT {part} OK \"a\"\n"), &[]).unwrap();
        assert_eq!(document.strokes(&document.segments[0]), None, "{part}");
    }
}

#[test]
fn includes_are_read_in_place_and_once() {
    let includes = [
        ("x/head", ".VERSION 1.0\n.INCLUDE x/head\n.INCLUDE x/ink\n.WRITER_ID ann\n"),
        ("x/ink", ".INCLUDE x/head\n.COORD X Y\n.PEN_DOWN\n1 1\n2 3\n"),
    ];
    let text = ".INCLUDE x/head\n.PEN_DOWN\n5 5\n.INCLUDE x/ink\n.SEGMENT TEXT 0-1 OK \"a\"\n";
    let document = read(text, &includes).unwrap();
    assert_eq!(segments(&document), [("a", "ann", Some(vec![1., 2., 1., 3., 2., 1.]))]);
    let all = text.len() + includes[0].1.len() + includes[1].1.len();
    assert_eq!(document.bytes, all as u64);
}

#[test]
fn includes_that_are_missing_or_lead_elsewhere_are_refused() {
    let said = refusal(read("\n.INCLUDE lex/none.dat \n", &[]));
    says(&said, &["a.dat: line 2 includes lex/none.dat, which is not there", "include; copy"]);
    for elsewhere in ["../a.dat", "/etc/passwd", "", "x/../../a.dat"] {
        let said = refusal(read(&format!(".INCLUDE {elsewhere}\n"), &[]));
        says(&said, &["line 1 includes", "wanted the name of a file below `include`"]);
    }
    let chain: Vec<(String, String)> =
        (0..40).map(|i| (format!("{i}"), format!(".INCLUDE {}\n", i + 1))).collect();
    let chain: Vec<_> = chain.iter().map(|(name, text)| (&name[..], &text[..])).collect();
    says(&refusal(read(".INCLUDE 0\n", &chain)), &["is included 17 deep", "at most 16 deep"]);
}

#[test]
fn points_that_are_none_are_refused_with_their_line() {
    let said = |text: &str| refusal(read(text, &[]));
    says(&said(".PEN_DOWN\n1 2\n"), &["line 1 has points before .COORD"]);
    says(&said(".COORD X\n"), &["line 1 is .COORD \"X\", wanted X and Y"]);
    says(&said(&format!(".COORD X Y{}\n", " Z".repeat(63))), &["X and Y among at most 64"]);
    let coord = ".COORD X Y\n.PEN_DOWN\n";
    says(&said(&format!("{coord}1 2\n3\n")), &["line 2 has 3 numbers, wanted a multiple of the 2"]);
    for number in ["1e9", "nan", "inf", "-16777218", "0x10", "x"] {
        let parts = [&format!("has the coordinate \"{number}\", wanted a number of at most")[..]];
        says(&said(&format!("{coord}1 {number}\n")), &parts);
    }
    says(&said(&format!("{coord}1 x\n")), &["--skip-damaged to leave such files out"]);
    let long = said(&format!("{coord}1 {}\n", "9".repeat(100_000)));
    assert!(long.len() < 4100, "{}", long.len());
}

#[test]
fn a_file_larger_than_any_is_refused() {
    let half = format!(".COMMENT {}\n", "a".repeat(1 << 25));
    let text = format!(".INCLUDE 0\n.INCLUDE 1\n{INK}");
    let said = refusal(read(&text, &[("0", &half), ("1", &half)]));
    says(&said, &["include/1: is included 1 deep, in a file of 67108", "67108864 bytes"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn files_a_little_beside_a_good_one_are_read_or_refused(
        bytes in mutations(format!("{INK}.WRITER_ID a\n.SEGMENT TEXT 0-2,1 OK \"a\\\"b\"\n").into_bytes())
    ) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(document) = read(&text, &[]) {
            for segment in &document.segments {
                if let Some(strokes) = document.strokes(segment) {
                    let rows = document.rows(&strokes);
                    prop_assert_eq!(rows.len() / 3, document.points(&strokes).saturating_sub(1));
                }
            }
        }
    }
}
