//! IAM-OnDB, made up: rows by hand, lists, order, protocols, and what is refused.

use crate::common::recordings::meta;
use crate::common::{mutations, says};
use crate::data::refusal;
use proptest::prelude::*;
use stcn::data::{DataSet, Split, Writer};
use stcn::internals::prepare::iam::{COLUMNS, Count, Protocol, Report, import, rows};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A file of the database: its path, and what it holds.
pub type File = (String, Vec<u8>);

/// The XML of a line. The é in it is one byte, as in ISO-8859-1.
pub fn xml(strokes: &[&[(i32, i32)]]) -> Vec<u8> {
    let point = |(x, y): &(i32, i32)| format!("<Point x=\"{x}\" y=\"{y}\" time=\"1.00\"/> ");
    let stroke = |points: &&[(i32, i32)]| {
        let points: String = points.iter().map(point).collect();
        format!("<Stroke colour=\"black\" start_time=\"1.00\">{points}</Stroke>\n")
    };
    let strokes: String = strokes.iter().map(stroke).collect();
    let head = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><WhiteboardCaptureSession>\
                <WhiteboardDescription><SensorLocation corner=\"";
    let tail = format!(
        "\"/></WhiteboardDescription>\n<StrokeSet>{strokes}</StrokeSet></WhiteboardCaptureSession>\n"
    );
    [head.as_bytes(), b"\xe9", tail.as_bytes()].concat()
}

/// Line `number` of a form: as many steps as its number, each `dx` wide and 20 up or down.
pub fn line(form: &str, number: usize, dx: i32) -> File {
    let points: Vec<_> = (0..=number as i32).map(|t| (100 + t * dx, 50 - 20 * (t % 2))).collect();
    let folder = format!("lineStrokes/{}/{}", &form[..3], &form[..7]);
    (format!("{folder}/{form}-{number:02}.xml"), xml(&[&points]))
}

/// Five forms in four lists, and one in none.
pub fn database() -> Vec<File> {
    let mut files = vec![
        line("a01-000u", 9, 1),
        line("a01-000u", 10, 2),
        line("a01-000u", 100, 3),
        line("a01-000", 1, 4),
        line("b02-010z", 2, 5),
        line("b02-010z", 1, 6),
        line("c03-000", 3, 7),
        line("d04-000x", 4, 8),
        line("e05-000", 5, 9),
    ];
    for (name, text) in [
        ("task1/trainset.txt", " b02-010z\r\n a01-000u\n\n"),
        ("task1/testset_v.txt", "c03-000\n"),
        ("task1/testset_t.txt", " a01-000\n"),
        ("task1/testset_f.txt", " d04-000x\n"),
        (
            "ascii/b02/b02-010/b02-010z.txt",
            "OCR:\n\nno\nno\n\nCSR:\n\nA \"move\"\nto st\u{00e9}p .\n",
        ),
        ("ascii/c03/c03-000/c03-000.txt", "OCR:\n\nonly\n"),
        (
            "original/b02/b02-010/strokesz.xml",
            "<?xml version=\"1.0\"?><WhiteboardCaptureSession><General><CaptureTime/>\
             <Form id=\"b02-010z\" writerID=\"10086\"/></General><StrokeSet><Stroke>",
        ),
        ("original/c03/c03-000/strokesz.xml", "<General><Form id=\"c03-000\"/></General>"),
    ] {
        files.push((name.into(), text.chars().map(|c| c as u8).collect()));
    }
    files
}

/// Writes files below a folder that vanishes.
pub fn unpacked(files: &[File]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// What `import` makes of a folder: its report, and the file in a folder that vanishes.
pub fn imported(folder: &Path, protocol: Protocol) -> stcn::Result<(Report, TempDir, PathBuf)> {
    let out = TempDir::new().unwrap();
    let path = out.path().join("lines.npz");
    let mut writer = Writer::create(&path, 3, &COLUMNS)?;
    let mut shares = vec![0.];
    let report = import(folder, protocol, &mut writer, &mut |share| shares.push(share))?;
    assert!(shares.is_sorted() && *shares.last().unwrap() == 1., "{shares:?}");
    writer.finish()?;
    Ok((report, out, path))
}

fn refused(files: &[File]) -> String {
    refusal(imported(unpacked(files).path(), Protocol::Vrnn))
}

/// The database with one file changed.
fn with(name: &str, bytes: &[u8]) -> Vec<File> {
    let mut files = database();
    files.retain(|file| file.0 != name);
    files.push((name.into(), bytes.into()));
    files
}

#[test]
fn rows_are_ways_with_y_up_and_a_pen_lifted_at_the_end_of_each_stroke() {
    // A stroke of two points, an empty one, one of one point, and one that stands still.
    let strokes: [&[(i32, i32)]; 4] = [&[(10, 20), (12, 21)], &[], &[(30, 5)], &[(31, 4), (31, 4)]];
    let expected = [[2, -1, 1], [18, 16, 1], [1, 1, 0], [0, 0, 1]];
    assert_eq!(rows(&xml(&strokes)).unwrap(), expected);
    assert_eq!(rows(&xml(&[&[], strokes[0]])).unwrap(), [[2, -1, 1]]);
}

#[test]
fn lines_come_in_the_order_of_the_lists_and_then_by_number() {
    let (_, _out, path) = imported(unpacked(&database()).path(), Protocol::Vrnn).unwrap();
    let set = DataSet::open(&path, None).unwrap();
    let found: Vec<_> = (0..set.len())
        .map(|i| (set.sequence(i).unwrap()[0] as i32, set.length(i), set.split_of(i)))
        .collect();
    use Split::{Train, Valid};
    let expected = [
        (6, 1, Train), // b02-010z, first in its list
        (5, 2, Train),
        (1, 9, Train), // a01-000u, whose line 10 is behind 9, and 100 behind 10
        (2, 10, Train),
        (3, 100, Train),
        (7, 3, Valid),
        (4, 1, Train), // a01-000, which is not a01-000u
        (8, 4, Train),
    ];
    assert_eq!(found, expected);
    assert_eq!(set.sequence(1).unwrap()[..], [5., 20., 0., 5., -20., 1.]);
}

#[test]
fn the_official_protocol_tests_on_testset_f_and_leaves_testset_t_out() {
    let mut files = database();
    for without in [false, true] {
        let (report, _out, path) = imported(unpacked(&files).path(), Protocol::Official).unwrap();
        let set = DataSet::open(&path, None).unwrap();
        let count = |split| set.split(split).len();
        assert_eq!(Split::ALL.map(count), [5, 1, 1]);
        assert_eq!(set.sequence(6).unwrap()[0], 8.);
        assert_eq!(report.counts[2].lines, usize::from(!without));
        files.retain(|file| !file.0.contains("testset_t"));
    }
    says(&refused(&files), &["has no testset_t.txt", "--protocol vrnn needs"]);
}

#[test]
fn counts_are_told_with_the_forms_that_have_no_line() {
    let files = with("task1/trainset.txt", b"b02-010z\na01-000u\nz99-000\n");
    let (report, ..) = imported(unpacked(&files).path(), Protocol::Vrnn).unwrap();
    let count = |name, forms, lines, steps| Count { name, forms, lines, steps };
    let expected = [
        count("trainset", 2, 5, 122),
        count("testset_v", 1, 1, 3),
        count("testset_t", 1, 1, 1),
        count("testset_f", 1, 1, 4),
        count("in no list", 1, 1, 0),
    ];
    assert_eq!(report.counts, expected);
    assert_eq!(report.absent, ["z99-000"]);
}

#[test]
fn names_writers_and_texts_are_in_the_file() {
    let (_, _out, path) = imported(unpacked(&database()).path(), Protocol::Vrnn).unwrap();
    let meta = meta(&path);
    let lines: Vec<_> = meta.lines().collect();
    assert_eq!(lines[0], "index,split,steps,name,form,writer,text");
    says(lines[1], &["b02-010z-01\"", "\"10086\"", "\"A \"\"move\"\"\""]);
    says(lines[2], &["b02-010z-02\"", "\"10086\"", "\"to st\u{00e9}p .\""]);
    says(lines[5], &["a01-000u-100\",\"a01-000u\",\"\",\"\""]);
    says(lines[6], &["c03-000-03\",\"c03-000\",\"\",\"\""]);
}

#[test]
fn what_is_missing_is_said_with_where_to_find_it() {
    let missing = |part: &str| {
        let mut files = database();
        files.retain(|file| !file.0.contains(part));
        refused(&files)
    };
    says(&missing("lineStrokes"), &["neither a folder lineStrokes nor", "lineStrokes-all.tar.gz"]);
    says(&missing("trainset"), &["has no trainset.txt", "benchmark task"]);
    says(&missing("testset_v"), &["has no testset_v.txt"]);
    says(&missing("c03-000-03"), &["has no lines of the 1 forms in testset_v.txt"]);
    let said = refusal(imported(Path::new("nowhere"), Protocol::Vrnn));
    says(&said, &["nowhere: is not a folder", "give its path"]);
}

#[test]
fn lists_that_contradict_are_refused() {
    let said = refused(&with("task1/testset_v.txt", b"c03-000\n a01-000u\n"));
    says(
        &said,
        &["testset_v.txt: names form a01-000u, which is already in", "trainset.txt, wanted"],
    );
    let said = refused(&with("task1/trainset.txt", b"a01-000u\na01-000u\n"));
    says(&said, &["trainset.txt: names form a01-000u, which", "every form once"]);
    says(&refused(&with("task1/testset_v.txt", b"\n \n")), &["testset_v.txt: names no form"]);
    let said = refused(&with("task2/trainset.txt", b"a01-000u\n"));
    says(&said, &["task2/trainset.txt: differs from", "task1/trainset.txt", "remove one"]);
    let same = with("trainset.txt", b"b02-010z\na01-000u");
    imported(unpacked(&same).path(), Protocol::Vrnn).expect("two lists of the same forms");
}

#[test]
fn a_line_that_is_there_twice_is_refused() {
    let again = with("lineStrokes/a01/a01-000/a01-000u-009.xml", &line("a01-000u", 1, 1).1);
    says(
        &refused(&again),
        &["a01-000u-09.xml: is a second copy of a line", "remove one of the two"],
    );
}

#[test]
fn a_damaged_line_is_refused_by_its_name() {
    let name = "lineStrokes/b02/b02-010/b02-010z-01.xml";
    let said = refused(&with(name, b"<Whiteboard"));
    says(&said, &[name, "cannot be read as XML", "unpack the file from the archive again"]);
}

#[test]
fn hostile_xml_is_refused_in_a_sentence() {
    let said = |text: &str| rows(text.as_bytes()).unwrap_err();
    let strokes = |inside: &str| format!("<W><StrokeSet><Stroke>{inside}</Stroke></StrokeSet></W>");
    let points = |a: &str, b: &str| said(&strokes(&format!("<Point {a}/><Point {b}/>")));
    let good = "x=\"1\" y=\"2\"";

    let bomb = "<!DOCTYPE W [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
    says(&said(&format!("{bomb}{}", strokes("&b;"))), &["cannot be read as XML", "DTD"]);
    says(&said(""), &["cannot be read as XML", "archive again"]);
    says(
        &said(&"<a>".repeat(300_000)),
        &["cannot be read as XML (elements nested more than 64 deep"],
    );
    let many: String = (0..20_000).map(|i| format!(" a{i}=''")).collect();
    says(&said(&format!("<W{many}/>")), &["cannot be read as XML (an element with more than 64"]);
    says(&said(&" ".repeat((1 << 20) + 1)), &["longer than 1 MiB"]);
    says(&said("<W><Stroke/></W>"), &["has no StrokeSet"]);
    says(&said(&strokes("")), &["has 0 points, wanted at least 2"]);
    says(&said(&strokes("<Point x=\"1\" y=\"1\"/>")), &["has 1 points"]);
    says(&points(good, "y=\"1\""), &["point 2 has nothing for x", "an integer"]);
    says(&points(good, "x=\"1\""), &["point 2 has nothing for y"]);
    says(&points("x=\"1.5\" y=\"1\"", good), &["point 1 has \"1.5\" for x"]);
    says(&points("x=\"\" y=\"1\"", good), &["point 1 has \"\" for x"]);
    let huge = "9".repeat(1000);
    says(
        &points(&format!("x=\"{huge}\" y=\"1\""), good),
        &["point 1 has \"999", "at most 16777216"],
    );
    says(&points("x=\"-2147483648\" y=\"1\"", good), &["has \"-2147483648\" for x"]);
    says(&points("x=\"1\" y=\"2147483647\"", good), &["has \"2147483647\" for y"]);
    says(&points("x=\"40000\" y=\"1\"", good), &["point 2 is 39999 units", "at most 32767"]);
    says(&points("x=\"1\" y=\"40000\"", good), &["point 2 is 39998 units"]);
    let outside = strokes(&format!("<Point {good}/><Dot><Point {good}/></Dot>"));
    says(&said(&outside), &["has 2 points, of which only 1 are in strokes"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn xml_a_little_beside_a_good_one_is_read_or_refused(
        bytes in mutations(xml(&[&[(1, 2), (3, 4)], &[(5, 6)]]))
    ) {
        let _ = rows(&bytes);
    }
}
