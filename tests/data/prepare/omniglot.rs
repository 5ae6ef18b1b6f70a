//! Omniglot's stroke files, made up: folders and zip files, splits by alphabet, and what is refused.

use crate::common::recordings::{Folder, imported, sequence};
use crate::common::{mutations, says};
use crate::data::{real, refusal};
use proptest::prelude::*;
use stcn::data::{DataSet, MissingSplit, Split};
use stcn::internals::prepare::omniglot::{COLUMNS, PUBLISHED, Report, SMALL, import, rows};
use stcn::internals::prepare::pattern::{Rule, parse};
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn prepared(input: &Path, rule: Option<&Rule>) -> stcn::Result<(DataSet, Vec<String>, Report)> {
    imported(3, &COLUMNS, |writer, progress| import(input, rule, writer, progress))
}

/// A drawing of two strokes, the first `dx` wide.
fn drawing(dx: usize) -> Vec<u8> {
    format!("START\n10.0,-20.0,0.0\n{}.000000,-19.5,12.5\nBREAK\n0,0,99\nBREAK\n", 10 + dx)
        .into_bytes()
}

/// The files of these alphabets: two drawings of one character each.
fn drawings(alphabets: &[&str]) -> Vec<(String, Vec<u8>)> {
    let of = |(i, name): (usize, &&str)| {
        [1, 2]
            .map(|d| (format!("{name}/character01/0{i}01_0{d}.txt"), drawing(10 * name.len() + d)))
    };
    alphabets.iter().enumerate().flat_map(of).collect()
}

fn zipped(folder: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in files {
        zip.start_file(format!("{folder}/{name}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What is in the set: alphabet, split and dx of the first row of each drawing.
fn found((set, about, _): &(DataSet, Vec<String>, Report)) -> Vec<(String, Split, f32)> {
    let of = |i: usize| {
        let name = about[i].split('"').nth(1).unwrap();
        (name.to_string(), set.split_of(i), sequence(set, i)[0])
    };
    (0..set.len()).map(of).collect()
}

fn patterns(valid: &[&str], test: &[&str]) -> Rule {
    let all = |texts: &[&str]| texts.iter().map(|text| parse(text).unwrap()).collect();
    Rule::Patterns { valid: all(valid), test: all(test) }
}

#[test]
fn points_become_offsets_between_start_and_break() {
    assert_eq!(rows(&drawing(5)).unwrap(), [5., 0.5, 1., -15., 19.5, 1.]);
    assert_eq!(rows(b"START\r\n1,2,3\r\n\r\n2,4,9\r\nBREAK\r\n").unwrap(), [1., 2., 1.]);
    assert_eq!(rows(b"START\nBREAK\n").unwrap(), [0.; 0]);
}

#[test]
fn two_zip_files_give_the_same_as_folders_and_what_is_in_both_is_taken_once() {
    let (first, second) =
        (drawings(&["Latin", "Greek", "Tagalog"]), drawings(&["Latin", "Early_Aramaic"]));
    let zips = Folder::new(&[
        ("python/strokes_background_small1.zip", zipped("strokes_background_small1", &first)),
        ("python/strokes_background_small2.zip", zipped("strokes_background_small2", &second)),
        ("python/images_background.zip", b"not even a zip".to_vec()),
    ]);
    let made = prepared(&zips.path(""), None).unwrap();
    let (train, valid, test) = (Split::Train, Split::Valid, Split::Test);
    let expected = [
        ("Early_Aramaic", test, 131.),
        ("Early_Aramaic", test, 132.),
        ("Greek", train, 51.),
        ("Greek", train, 52.),
        ("Latin", train, 51.),
        ("Latin", train, 52.),
        ("Tagalog", valid, 71.),
        ("Tagalog", valid, 72.),
    ];
    assert_eq!(found(&made), expected.map(|(name, split, dx)| (name.to_string(), split, dx)));
    assert_eq!(made.2.repeated, 2);
    assert_eq!(made.1[2], "3,train,2,\"Greek\",\"character01\",\"0101_01\"");

    let folders = Folder::new(&[]);
    for (top, files) in [("strokes_background_small1", &first), ("small2", &second)] {
        files.iter().for_each(|(name, bytes)| folders.write(&format!("{top}/{name}"), bytes));
    }
    folders.write("small2/Latin/character01/._0001_01.txt", "of macOS, and not read");
    folders.write("small2/README.txt", "not read");
    assert_eq!(found(&prepared(&folders.path(""), None).unwrap()), found(&made));
    // One zip file by its name, whatever that is.
    folders.write("x.zip", zipped("x", &first));
    let made = prepared(&folders.path("x.zip"), None).unwrap();
    assert_eq!((made.0.len(), made.2.repeated), (6, 0));
}

#[test]
fn alphabets_of_the_larger_sets_are_left_out_unless_splits_are_chosen() {
    let folder = Folder::new(&[]);
    let all = ["Angelic", "Bengali", "Greek", "Latin", "Tagalog"];
    drawings(&all).iter().for_each(|(name, bytes)| folder.write(name, bytes));
    let input = folder.path("");
    let (set, _, report) = prepared(&input, None).unwrap();
    assert_eq!((set.len(), report.unlisted), (6, 2));
    assert_eq!(report.alphabets, [vec!["Greek", "Latin"], vec!["Tagalog"], vec![]]);
    let (set, _, report) = prepared(&input, Some(&patterns(&["Ben*"], &["[LT]*"]))).unwrap();
    assert_eq!((set.len(), report.unlisted), (10, 0));
    assert_eq!(
        report.alphabets,
        [vec!["Angelic", "Greek"], vec!["Bengali"], vec!["Latin", "Tagalog"]]
    );
    let random = Rule::Fractions("fractions:0.2,0.4,3".parse().unwrap());
    let (_, _, report) = prepared(&input, Some(&random)).unwrap();
    assert_eq!(report.alphabets.each_ref().map(Vec::len), [2, 1, 2]);
    let (_, _, report) = prepared(&input, Some(&Rule::Fractions(MissingSplit::AllTrain))).unwrap();
    assert_eq!(report.alphabets[0], all);

    let said = |rule: &Rule| refusal(prepared(&input, Some(rule)));
    says(
        &said(&patterns(&["Korean"], &[])),
        &["holds no alphabet that matches the pattern `Korean`"],
    );
    says(&said(&patterns(&["*"], &[])), &["has 5 alphabets, of which none is left to train on"]);
    let other = Folder::new(&[]);
    drawings(&["Angelic", "Tagalog"]).iter().for_each(|(name, bytes)| other.write(name, bytes));
    let said = refusal(prepared(&other.path(""), None));
    says(
        &said,
        &["has the alphabets Angelic, Tagalog, of which none is for training", "small2.zip"],
    );
}

#[test]
fn what_is_no_drawing_is_refused() {
    let said = |text: &str| rows(text.as_bytes()).unwrap_err();
    for line in ["1,2", "1,2,3,4", "1;2;3", "1,nan,3", "1,2,inf", "1e9,1,1", "END", "é"] {
        let parts = [&format!("has \"{line}\" in line 2, wanted x,y,t or START or BREAK")[..]];
        says(&said(&format!("START\n{line}\nBREAK\n")), &parts);
    }
    says(&said("START\n1,2,3\n"), &["ends within a stroke, wanted BREAK after its last point"]);
    let of = |files: &[(&str, Vec<u8>)]| refusal(prepared(&Folder::new(files).path(""), None));
    says(&of(&[("Latin/0001_01.txt", vec![])]), &["holds no drawing like Latin/character01/"]);
    let good = ("a/Latin/character01/0001_01.txt", drawing(1));
    let other = ("b/Latin/character01/0001_01.txt", drawing(2));
    says(&of(&[good.clone(), other]), &["b/Latin/character01/0001_01.txt: differs from another"]);
    says(&of(&[("strokes_x.zip", vec![0; 100])]), &["strokes_x.zip: cannot be read as a zip file"]);
    let mut zip = zipped("x", &drawings(&["Latin"]));
    zip[70] ^= 1; // behind the header of 30 bytes and the name of 31
    says(
        &of(&[("strokes_x.zip", zip)]),
        &["strokes_x.zip/x/Latin/character01/0001_01.txt: cannot be unpacked"],
    );
    let long = [("Latin/character01/0001_01.txt".to_string(), vec![b'\n'; (1 << 18) + 1])];
    says(&of(&[("strokes_x.zip", zipped("x", &long))]), &["is longer than 262144 bytes"]);
    says(&of(&[(&long[0].0, long[0].1.clone())]), &["has 262145 bytes, more than any such file"]);
    says(&refusal(prepared(Path::new("nowhere"), None)), &["nowhere"]);
}

#[test]
fn drawings_of_one_point_are_counted() {
    let folder =
        Folder::new(&[("Latin/character01/0001_02.txt", b"START\n1,1,0\nBREAK\n".to_vec())]);
    folder.write("Latin/character01/0001_01.txt", drawing(1));
    let (set, _, report) = prepared(&folder.path(""), None).unwrap();
    assert_eq!((set.len(), report.short), (1, 1));
}

/// The stroke file of rows, from the point 0, 0.
fn file(rows: &[f32]) -> Vec<u8> {
    let (mut text, mut place) = (String::from("START\n0,0,0\n"), [0_f64; 2]);
    for row in rows.as_chunks::<3>().0 {
        place = [place[0] + f64::from(row[0]), place[1] + f64::from(row[1])];
        write!(text, "{},{},0\n{}", place[0], place[1], if row[2] == 1. { "BREAK\n" } else { "" })
            .unwrap();
    }
    text.into_bytes()
}

/// The real set, written out as the two zip files and imported again.
#[test]
fn the_real_drawings_come_back_from_stroke_files() {
    let Some(path) = real("omniglot/omniglot_strokes.npz") else { return };
    let truth = DataSet::open(path, None).unwrap();
    let mut files = vec![];
    // The drawings of the real set in the order of alphabets, twenty of a character.
    for ((name, _), count) in SMALL.iter().zip([480, 440, 480, 940, 800, 520, 840, 340]) {
        for i in 0..count {
            let rows = sequence(&truth, files.len());
            let (character, drawer) = (i / 20 + 1, i % 20 + 1);
            files.push((
                format!("{name}/character{character:02}/{i:04}_{drawer:02}.txt"),
                file(&rows),
            ));
        }
    }
    let twice = |name: &str| name.starts_with("Latin") || name.starts_with("Greek");
    let (first, second): (Vec<_>, Vec<_>) =
        files.iter().cloned().partition(|(name, _)| twice(name) || name < &"K".into());
    let second = [second, files.into_iter().filter(|(name, _)| twice(name)).collect()].concat();
    let folder = Folder::new(&[
        ("strokes_background_small1.zip", zipped("strokes_background_small1", &first)),
        ("strokes_background_small2.zip", zipped("strokes_background_small2", &second)),
    ]);
    let (set, _, report) = prepared(&folder.path(""), None).unwrap();
    assert_eq!((set.len(), report.repeated, report.short), (truth.len(), 1000, 0));
    assert_eq!(Split::ALL.map(|split| set.split(split).len()), PUBLISHED);
    for i in 0..set.len() {
        let (found, expected) = (sequence(&set, i), sequence(&truth, i));
        assert_eq!((found.len(), set.split_of(i)), (expected.len(), truth.split_of(i)));
        for (x, y) in found.iter().zip(&expected) {
            // Two coordinates below 128, rounded to f32, and their difference.
            assert!((x - y).abs() <= 3. * 2_f32.powi(-18), "{i}: {x} {y}");
        }
        if expected.iter().all(|x| x.fract() == 0.) {
            assert_eq!(found, expected, "integers have no rounding");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn drawings_a_little_beside_a_good_one_are_read_or_refused(bytes in mutations(drawing(3))) {
        if let Ok(rows) = rows(&bytes) {
            prop_assert!(rows.iter().all(|x| x.is_finite()));
        }
    }
}
