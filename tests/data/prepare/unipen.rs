//! UNIPEN's release, made up and in part real: selection, scale, splits, and what is refused.

use crate::common::recordings::{Folder, imported, sequence};
use crate::common::says;
use crate::data::{real, refusal};
use flate2::read::GzDecoder;
use stcn::data::{DataSet, Split};
use stcn::internals::prepare::unipen::{
    COLUMNS, Contributors, Options, PUBLISHED, Report, Units, import, scale, scaled, split_writers,
    verdict,
};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

/// What comes of the release in `folder`.
fn prepared(folder: &Path, options: &Options) -> stcn::Result<(DataSet, Vec<String>, Report)> {
    imported(3, &COLUMNS, |writer, progress| import(folder, options, writer, progress))
}

/// A component with the pen down: `points` steps of (dx, dy) from (x, 0).
fn stroke(x: i32, steps: i32, dx: i32, dy: i32) -> String {
    let points = (0..=steps).map(|t| format!("{} {}\n", x + t * dx, (t % 2) * dy));
    format!(".PEN_DOWN\n{}.PEN_UP\n", points.collect::<String>())
}

/// The file of a writer with lines of `strokes` strokes each, and those lines.
fn lines(writer: &str, count: i32, strokes: i32) -> (String, String) {
    let mut ink = format!(".COORD X Y\n.WRITER_ID {writer}\n");
    let mut segments = String::new();
    for line in 0..count {
        for i in 0..strokes {
            // The line's number in the ink, so that no two are equal.
            ink += &stroke(300 * i + line, 20, 10 + line, 30);
        }
        let first = line * strokes;
        segments += &format!(".SEGMENT TEXT {first}-{} OK \"line {line}\"\n", first + strokes - 1);
    }
    (ink, segments)
}

/// Writes a file of a contributor into a release.
fn add(folder: &Folder, contributor: &str, name: &str, (ink, segments): (String, String)) {
    folder.write(&format!("include/{contributor}/data/{name}"), ink);
    let text = format!(".VERSION 1.0\n.INCLUDE {contributor}/data/{name}\n{segments}");
    folder.write(&format!("data/8/{contributor}/{name}"), text);
}

fn release() -> Folder {
    let folder = Folder::new(&[]);
    add(&folder, "aaa", "b.dat", lines("Ann", 3, 4));
    add(&folder, "aaa", "a.DAT", lines("bob", 2, 4));
    add(&folder, "bbb", "c.dat", lines("cy", 1, 4));
    add(&folder, "zzz", "d.dat", lines("dee", 1, 4));
    folder
}

#[test]
fn sequences_come_in_the_order_of_paths_with_their_writers_and_texts() {
    let folder = release();
    let (set, about, report) = prepared(&folder.path(""), &Options::default()).unwrap();
    assert_eq!(report.segments, 7);
    assert_eq!(report.repeated, 4, "bob's lines, cy's and dee's are Ann's or bob's");
    assert_eq!(
        about,
        [
            "1,train,83,\"aaa\",\"bob\",\"line 0\",\"aaa/a.DAT\"",
            "2,train,83,\"aaa\",\"bob\",\"line 1\",\"aaa/a.DAT\"",
            "3,train,83,\"aaa\",\"Ann\",\"line 2\",\"aaa/b.dat\"",
        ]
    );
    let names: Vec<_> = report.contributors.iter().map(|of| (&of.name[..], of.writers)).collect();
    assert_eq!(names, [("aaa", 2)]);
    set.check_ink().unwrap();
    // Divided by one number, which gives the integers back.
    let scale = report.contributors[0].scale;
    let raw = prepared(&folder.path(""), &Options { units: Units::Tablet, ..Options::default() });
    let (raw, ..) = raw.unwrap();
    for i in 0..3 {
        assert_eq!(sequence(&set, i), scaled(&sequence(&raw, i), scale));
    }
    assert_eq!(sequence(&raw, 2)[..6], [12., 30., 0., 12., -30., 0.]);
    assert_eq!(sequence(&raw, 2)[57..66], [12., -30., 1., 60., 0., 0., 12., 30., 0.]);
    // The folder above will do.
    let above = Folder::new(&[]);
    fs::rename(folder.path(""), above.path("train_r01_v07")).unwrap();
    let (again, ..) = prepared(&above.path(""), &Options::default()).unwrap();
    assert_eq!(sequence(&again, 0), sequence(&set, 0));
    fs::create_dir(folder.path("")).unwrap(); // to be removed at the end
}

#[test]
fn lengths_qualities_and_parts_of_components_leave_segments_out() {
    let folder = Folder::new(&[]);
    let (ink, mut segments) = lines("Ann", 2, 4);
    segments += ".SEGMENT TEXT 0-1 OK \"short\"\n.SEGMENT TEXT 0-7 OK \"long\"\n.SEGMENT TEXT 0-2 BAD \"bad\"\n\
                 .SEGMENT TEXT 0:3-1 OK \"inside\"\n.SEGMENT TEXT 5-8 OK \"beyond\"\n.SEGMENT WORD 0-3 OK \"word\"\n";
    add(&folder, "aaa", "a.dat", (ink, segments));
    let options = Options { lengths: [42, 166], ..Options::default() };
    let (set, _, report) = prepared(&folder.path(""), &options).unwrap();
    assert_eq!((report.segments, report.bad, report.partial, report.other_lengths), (7, 1, 2, 2));
    assert_eq!((set.length(0), set.length(1), set.len()), (83, 83, 2));
    let options = Options { lengths: [41, 167], ..Options::default() };
    let (set, _, report) = prepared(&folder.path(""), &options).unwrap();
    assert_eq!((set.len(), report.other_lengths), (4, 0));
    let said = refusal(prepared(&folder.path(""), &Options { lengths: [500, 600], ..options }));
    says(
        &said,
        &[
            "has 7 segments in data/8, of which none is left (1 of quality BAD, 2 not",
            "4 too short",
        ],
    );
}

#[test]
fn contributors_are_judged_by_their_own_lines() {
    let row = |dx: f32, dy: f32, pen: f32| [dx, dy, pen];
    let line = |step: f32, lifts: usize, rests: usize, high: f32| -> Vec<f32> {
        let rows = (0..1000).flat_map(|t| {
            let rests = t % 1000 < rests;
            let up = if t % 2 == 0 { high } else { -high };
            let lifted = f32::from(u8::from(t % (1000 / lifts) == 1000 / lifts - 1));
            if rests { row(0., 0., lifted) } else { row(step, up, lifted) }
        });
        rows.collect()
    };
    let judged = |line: Vec<f32>| verdict(&[&line]);
    assert_eq!(judged(line(10., 10, 49, 1.)), None, "of 991 steps within strokes");
    says(&judged(line(10., 5, 0, 1.)).unwrap(), &["pen is lifted at 0.50 % of the points"]);
    says(&judged(line(6., 10, 0, 1.)).unwrap(), &["median step has 6.1 units of the tablet"]);
    says(&judged(line(10., 10, 60, 1.)).unwrap(), &["pen rests in 6.1 % of the steps"]);
    let stacked: Vec<f32> =
        (0..40).flat_map(|t| row(10., 3., f32::from(u8::from(t % 4 == 3)))).collect();
    says(&judged(stacked).unwrap(), &["median sequence is 3.3 times as wide as high"]);
    // Of two, the mean of both; of a line without height, any number.
    let flat: Vec<f32> =
        (0..40).flat_map(|t| row(10., 0., f32::from(u8::from(t % 4 == 3)))).collect();
    assert_eq!(judged(flat), None);

    let folder = release();
    let (ink, segments) = lines("eve", 1, 4);
    add(&folder, "yyy", "e.dat", (ink.replace(" 30\n", " 3000\n"), segments));
    let (.., report) = prepared(&folder.path(""), &Options::default()).unwrap();
    let left: Vec<_> = report.contributors.iter().filter(|of| of.verdict.is_some()).collect();
    assert_eq!((left.len(), &left[0].name[..], left[0].sequences), (1, "yyy", [1, 0, 0]));
    let all = Options { contributors: Contributors::All, ..Options::default() };
    let (set, ..) = prepared(&folder.path(""), &all).unwrap();
    assert_eq!(set.len(), 4);
}

#[test]
fn other_categories_have_words_and_characters() {
    let folder = release();
    let (ink, segments) = lines("Ann", 2, 4);
    folder.write("include/w", ink);
    for (category, level) in [("6", "WORD"), ("1a", "CHARACTER")] {
        let text = format!(".INCLUDE w\n{}", segments.replace("TEXT", level));
        folder.write(&format!("data/{category}/aaa/a.dat"), text);
        let options = Options { category: category.into(), ..Options::default() };
        assert_eq!(prepared(&folder.path(""), &options).unwrap().0.len(), 2, "{category}");
    }
    for other in ["7", "../data/8", "", ".", "8/aaa"] {
        let options = Options { category: other.into(), ..Options::default() };
        let said = refusal(prepared(&folder.path(""), &options));
        says(&said, &["data: has no category", "choose a --category of 1a, 6, 8"]);
    }
}

#[test]
fn writers_go_to_one_split_and_the_sets_of_some_contributors_to_theirs() {
    let place = |group: &str, writer: &str| (group.to_string(), writer.to_string());
    let mut steps: BTreeMap<_, _> =
        (0..40).map(|i| (place("sta", &format!("w{i}")), 100)).collect();
    steps.extend([
        (place("bba", "a"), 900),
        (place("bbb", "a"), 7),
        (place("bbc", "b"), 1),
        (place("bbd", "a"), 5),
    ]);
    steps.extend((0..5).map(|i| (place("phi", &format!("w{i}")), 100)));
    let splits = split_writers(&steps);
    let count = |group: &str, wanted| {
        splits.iter().filter(|((of, _), split)| of == group && **split == wanted).count()
    };
    // 9.5 and 8.5 % of 4,000 steps.
    assert_eq!(Split::ALL.map(|split| count("sta", split)), [34, 3, 3]);
    assert_eq!(Split::ALL.map(|split| count("phi", split)), [5, 0, 0], "a fifth is too much");
    let fixed = [("bba", "a"), ("bbb", "a"), ("bbc", "b"), ("bbd", "a")]
        .map(|(of, w)| splits[&place(of, w)]);
    assert_eq!(fixed, [Split::Test, Split::Valid, Split::Valid, Split::Train]);

    // Without regard to case, and for three contributors together.
    let folder = Folder::new(&[]);
    for (i, contributor) in ["cea", "ceb", "cec"].into_iter().enumerate() {
        for writer in 0..13 {
            let name = if i == 1 { format!("W{writer}") } else { format!("w{writer}") };
            let (ink, segments) = lines(&name, 1, 4);
            let unlike = format!(" {}\n", 30 + 13 * i + writer);
            add(
                &folder,
                contributor,
                &format!("{writer}.dat"),
                (ink.replace(" 30\n", &unlike), segments),
            );
        }
    }
    let (_, about, _) = prepared(&folder.path(""), &Options::default()).unwrap();
    let mut splits: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in &about {
        let words: Vec<_> = line.split(',').collect();
        splits.entry(words[4].to_lowercase()).or_default().push(words[1]);
    }
    assert_eq!(splits.len(), 13);
    for split in splits.values() {
        assert!(split.len() == 3 && split.iter().all(|of| of == &split[0]), "{splits:?}");
    }
    assert_eq!(splits.values().filter(|split| split[0] == "test").count(), 1, "{splits:?}");
}

#[test]
fn damaged_files_are_refused_or_left_out_and_counted() {
    let folder = release();
    folder.write("data/8/aaa/c.dat", ".INCLUDE none\n");
    folder.write("data/8/aaa/._b.dat", "of macOS, and not read");
    let said = refusal(prepared(&folder.path(""), &Options::default()));
    says(&said, &["c.dat: line 1 includes none, which is not there", "add --skip-damaged"]);
    let options = Options { skip_damaged: true, ..Options::default() };
    let (set, _, report) = prepared(&folder.path(""), &options).unwrap();
    assert_eq!((set.len(), report.damaged), (3, 1));
    says(&report.first_damaged.unwrap(), &["c.dat: line 1 includes none"]);
}

#[test]
fn what_is_no_release_is_refused() {
    let folder = release();
    let said = |path: &Path| refusal(prepared(path, &Options::default()));
    says(&said(&folder.path("data")), &["data: is not a folder with the folders data and include"]);
    says(&said(&folder.path("none")), &["give the path of UNIPEN's train_r01_v07, unpacked"]);
    let empty = Folder::new(&[("data/8/aaa/notes.txt", vec![]), ("include/x", vec![])]);
    says(&said(&empty.path("")), &["data/8: holds no file that ends in .dat"]);
}

#[test]
fn segments_of_the_same_ink_again_and_again_are_refused_in_the_time_it_takes_to_read_them() {
    let folder = Folder::new(&[]);
    let (ink, _) = lines("Ann", 1, 90);
    // 2000 steps for 20 bytes: 34 million in 340 kB.
    let segments = ".SEGMENT TEXT 0-89 ?\n".repeat(18_000);
    add(&folder, "aaa", "a.dat", (ink, segments));
    let said = refusal(prepared(&folder.path(""), &Options::default()));
    says(&said, &["has more than 2097152 segments, 33554432 steps", "copy the release again"]);
}

/// A sequence of the real set: contributor, split, number of the writer, and rows in units of the tablet.
type Known = (String, Split, usize, Vec<f32>);

fn truth() -> Option<Vec<Known>> {
    let set = DataSet::open(real("unipen/unipen_text_raw.npz")?, None).unwrap();
    let about = fs::read_to_string(real("unipen/unipen_text.meta.csv")?).unwrap();
    let about = about.lines().skip(1).enumerate().map(|(i, line)| {
        let words: Vec<_> = line.split(',').collect();
        assert_eq!(words[0], i.to_string());
        (words[1].into(), words[2].parse().unwrap(), words[4].parse().unwrap(), sequence(&set, i))
    });
    Some(about.collect())
}

/// A folder with the part of the real release that is at hand.
fn part() -> Option<Folder> {
    let folder = Folder::new(&[]);
    let packed = File::open(real("unipen/unipen_raw_tree.tar.gz")?).unwrap();
    tar::Archive::new(GzDecoder::new(packed)).unpack(folder.path("")).unwrap();
    Some(folder)
}

#[test]
fn a_part_of_the_release_gives_the_sequences_of_the_real_set() {
    let (Some(truth), Some(folder)) = (truth(), part()) else { return };
    let options =
        Options { contributors: Contributors::All, units: Units::Tablet, ..Options::default() };
    let (set, about, report) = prepared(&folder.path(""), &options).unwrap();
    let mut compared = 0;
    for contributor in ["aga", "ceb", "phi"] {
        let own = |line: &&String| line.contains(&format!(",\"{contributor}\","));
        let writers: Vec<&str> =
            about.iter().filter(own).map(|line| line.split(',').nth(4).unwrap()).collect();
        let found: Vec<_> =
            (0..set.len()).filter(|&i| own(&&about[i])).map(|i| sequence(&set, i)).collect();
        // Numbers of the real set's writers and these writers' names are one to one.
        let mut hands = BTreeMap::new();
        let mut rest = truth.iter().filter(|(of, ..)| of == contributor);
        for (rows, writer) in found.iter().zip(writers) {
            let (_, _, hand, _) = rest.find(|(.., known)| known == rows).expect("in this order");
            assert_eq!(hands.entry(*hand).or_insert(writer), &writer);
            compared += 1;
        }
        // Of a writer who is there, every sequence is.
        let all =
            truth.iter().filter(|(of, _, hand, _)| of == contributor && hands.contains_key(hand));
        assert_eq!(all.count(), found.len(), "{contributor}");
    }
    assert_eq!(compared, 137 + 15 + 46);
    assert_eq!((report.segments, report.other_lengths, report.repeated), (321, 10, 0));
    // By default, lines alone: some lists of words are the most that is here of ceb.
    let (.., report) = prepared(&folder.path(""), &Options::default()).unwrap();
    let taken: Vec<_> = report
        .contributors
        .iter()
        .filter(|of| of.verdict.is_none())
        .map(|of| &of.name[..])
        .collect();
    assert_eq!(taken, ["aga", "phi"]);
}

#[test]
fn the_real_set_has_the_scales_the_contributors_and_the_splits_that_its_rules_give() {
    let Some(truth) = truth() else { return };
    let scaled_set = DataSet::open(real("unipen/unipen_text.npz").unwrap(), None).unwrap();
    let mut contributors: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, (of, ..)) in truth.iter().enumerate() {
        contributors.entry(of).or_default().push(i);
    }
    assert_eq!(contributors.len(), 11);
    for (contributor, own) in contributors {
        let rows: Vec<&[f32]> = own.iter().map(|&i| &truth[i].3[..]).collect();
        assert_eq!(verdict(&rows), None, "{contributor}");
        let scale = scale(&rows);
        for (&i, rows) in own.iter().zip(&rows) {
            assert!(scaled(rows, scale) == sequence(&scaled_set, i), "{contributor} {i}");
        }
    }
    let count = |wanted| truth.iter().filter(|(_, split, ..)| *split == wanted).count();
    assert_eq!(Split::ALL.map(count), PUBLISHED);
    // The writers are numbered in the order of their names.
    let aga = "amywldrp annzchrl crlmtchl dawnmrsh drdvlllb elsbthey greghunt jamesmor jhnshrly lzbthwht mlssdrry \
               nikkshmn scttjyns shrncrtr";
    let lex =
        "ehrls1 lackc1 mccup1 phamd1 phamn1 robie1 robip1 rounc1 rounp1 spanp1 squim1 tanq1 teglj1";
    for (group, names) in [("aga", aga), ("lex", lex)] {
        let mut hands: BTreeMap<usize, (usize, Split)> = BTreeMap::new();
        for (_, split, hand, rows) in truth.iter().filter(|(of, ..)| of == group) {
            hands.entry(*hand).or_insert((0, *split)).0 += rows.len() / 3;
        }
        let names: Vec<_> =
            names.split_whitespace().map(|name| (group.into(), name.into())).collect();
        assert_eq!(hands.len(), names.len());
        let steps = names.iter().cloned().zip(hands.values().map(|hand| hand.0)).collect();
        let splits = split_writers(&steps);
        let expected: Vec<_> = hands.values().map(|hand| hand.1).collect();
        assert_eq!(names.iter().map(|name| splits[name]).collect::<Vec<_>>(), expected);
    }
}
