//! One hostile file among good ones, through a whole import: read or refused, and nothing is left behind.
//!
//! The first byte says which file it is.

#![no_main]

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use stcn::data::Writer;
use stcn::internals::prepare::{blizzard, deepwriting, iam, music, omniglot, pattern, timit, unipen, wav};
use stcn::data::MissingSplit;
use stcn_fuzz::CUT;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A folder of this process, with what does not change.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("stcn-fuzz-prepare-{}", std::process::id()));
    let sound = wave(&[7; 400]);
    for (name, bytes) in [
        ("ink/deepwriting_validation.npz", &include_bytes!("../data/fixtures/v1_4_validation.npz")[..]),
        ("lines/trainset.txt", b"a01-000\n"),
        ("lines/testset_v.txt", b"b01-000\n"),
        ("lines/testset_t.txt", b"c01-000\n"),
        ("lines/testset_f.txt", b"d01-000\n"),
        ("lines/lineStrokes/b01-000-01.xml", &xml()),
        ("timit/TRAIN/DR1/A/1.WAV", &sound),
        ("timit/TRAIN/DR1/A/2.WAV", &sound),
        ("timit/TEST/DR1/B/1.WAV", &sound),
        ("sound/b.wav", &sound),
        ("unipen/data/8/aaa/a.dat", b".INCLUDE ink\n.INCLUDE ink\n.SEGMENT TEXT 0-2 OK \"a\"\n"),
        ("unipen/include/ink", INK),
        ("drawings/Latin/character01/0001_01.txt", DRAWING),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder");
        fs::write(path, bytes).expect("a temporary file");
    }
    folder
});

fuzz_target!(
    init: stcn_fuzz::seed("prepare", seeds()),
    |input: &[u8]| {
        let Some((&kind, input)) = input.split_first() else { return };
        let (name, bytes) = match kind {
            0 => ("music", input.to_vec()),
            1 => ("ink/deepwriting_training.npz", input.to_vec()),
            2 => ("ink/deepwriting_training.npz", ink(input)),
            3 => ("lines/lineStrokes/a01-000-01.xml", input.to_vec()),
            4 => ("lines/ascii-all.tar.gz", gz(input)),
            5 => ("lines/original-all.tar", input.to_vec()),
            6 => ("lines/trainset.txt", input.to_vec()),
            7 => ("valid.txt", input.to_vec()),
            8 => ("sound/a.wav", input.to_vec()),
            9 => ("timit/TRAIN/DR1/A/3.WAV", input.to_vec()),
            10 => ("sound/a.raw", input.to_vec()),
            11 => ("unipen/data/8/aaa/b.dat", input.to_vec()),
            12 => ("unipen/include/ink", input.to_vec()),
            13 => ("drawings/Latin/character01/0001_02.txt", input.to_vec()),
            14 => ("drawings/strokes_background_small1.zip", input.to_vec()),
            _ => return,
        };
        let path = FOLDER.join(name);
        let old = fs::read(&path).ok();
        fs::write(&path, &bytes).expect("a temporary file");
        // Deflate makes of a byte 1032 at most, and a number of one byte four; of a pickle, an instruction of one byte
        // makes a value and its place. Good files beside it, buffers and the rows of a piece are constant.
        let result = stcn_fuzz::within(&bytes, 4 * 1032, 1 << 26, |_| import(kind, &path));
        let left = FOLDER.join("out").read_dir().expect("the folder is there").count();
        assert_eq!(left, 0, "files are left of {result:?}");
        match old {
            Some(old) => fs::write(&path, old).expect("a temporary file"),
            None => fs::remove_file(&path).expect("a temporary file"),
        }
    }
);

/// What the command does, but for the last step.
fn import(kind: u8, path: &Path) -> stcn::Result<()> {
    let out = FOLDER.join("out");
    fs::create_dir_all(&out).expect("a temporary folder");
    let (channels, columns) = match kind {
        0 => (music::KEYS, &[][..]),
        1 | 2 => (3, &deepwriting::COLUMNS[..]),
        3..=6 => (3, &iam::COLUMNS[..]),
        7 | 9 => (200, &timit::COLUMNS[..]),
        10 => (200, &[][..]),
        11 | 12 => (3, &unipen::COLUMNS[..]),
        13 | 14 => (3, &omniglot::COLUMNS[..]),
        _ => (200, &wav::COLUMNS[..]),
    };
    let mut writer = Writer::create(out.join("x.npz"), channels, columns)?;
    let mut last = 0.;
    let progress = &mut |share: f64| {
        assert!((last..=1.).contains(&share), "from {last} to {share}");
        last = share;
    };
    let (lines, ink, timit, sound) =
        (FOLDER.join("lines"), FOLDER.join("ink"), FOLDER.join("timit"), FOLDER.join("sound"));
    let all = pattern::Rule::Fractions(MissingSplit::AllTrain);
    match kind {
        0 => music::import(path, &mut writer, progress).map(drop),
        1 | 2 => deepwriting::import(&ink, None, &mut writer, progress).map(drop),
        3..=6 => iam::import(&lines, iam::Protocol::Vrnn, &mut writer, progress).map(drop),
        7 => {
            let lists = timit::Lists { valid: path.into(), train: None, test: None };
            let split = timit::Rule::Lists(lists);
            let options = timit::Options { segment: 0, streams: None, split };
            timit::import(&timit, &options, &mut writer, progress).map(drop)
        }
        9 => {
            let split = timit::Rule::Utterances;
            let options = timit::Options { segment: 1, streams: Some(1), split };
            timit::import(&timit, &options, &mut writer, progress).map(drop)
        }
        10 => {
            let options = blizzard::Options { block: 2, streams: 1 };
            blizzard::import(&sound, &options, &mut writer, progress).map(drop)
        }
        11 | 12 => {
            let contributors = unipen::Contributors::All;
            let options = unipen::Options { lengths: [1, 100], contributors, ..Default::default() };
            unipen::import(&FOLDER.join("unipen"), &options, &mut writer, progress).map(drop)
        }
        13 | 14 => omniglot::import(&FOLDER.join("drawings"), None, &mut writer, progress).map(drop),
        _ => {
            let options = wav::Options { rate: Some(16_000), frame: 200, split: all };
            wav::import(&sound, &options, &mut writer, progress).map(drop)
        }
    }
}

/// Ink of UNIPEN, and a drawing of Omniglot.
const INK: &[u8] = b".COORD X Y\n.WRITER_ID a\n.PEN_DOWN\n1 1\n2 3\n.PEN_UP\n5 5\n.PEN_DOWN\n10 10\n";
const DRAWING: &[u8] = b"START\n1.5,-2,0\n2,3,10\nBREAK\n4,4,20\nBREAK\n";

/// A release of DeepWriting out of these pickles and arrays, under good checksums.
fn ink(input: &[u8]) -> Vec<u8> {
    let [strokes, mean, std, texts, subjects] = stcn_fuzz::parts(input);
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in [
        ("strokes.npy", strokes),
        ("mean.npy", mean),
        ("std.npy", std),
        ("texts.npy", texts),
        ("subject_labels.npy", subjects),
    ] {
        if !content.is_empty() {
            zip.start_file(name, options).expect("in memory");
            zip.write_all(content).expect("in memory");
        }
    }
    zip.finish().expect("in memory").into_inner()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(bytes).expect("in memory");
    packed.finish().expect("in memory")
}

fn npy(descr: &str, shape: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), content].concat()
}

fn xml() -> Vec<u8> {
    let points = "<Point x=\"1\" y=\"2\"/><Point x=\"3\" y=\"4\" time=\"1\"/>";
    format!("<W><StrokeSet><Stroke>{points}</Stroke></StrokeSet></W>").into_bytes()
}

fn wave(samples: &[i16]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    bytes.extend([16_000_u32.to_le_bytes(), 32_000_u32.to_le_bytes()].concat());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((2 * samples.len() as u32).to_le_bytes());
    bytes.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

/// A zip file of one member.
fn stored(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    zip.start_file(name, SimpleFileOptions::default()).expect("in memory");
    zip.write_all(content).expect("in memory");
    zip.finish().expect("in memory").into_inner()
}

/// A tar archive of one file.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content).expect("in memory");
    archive.into_inner().expect("in memory")
}

fn seeds() -> Vec<Vec<u8>> {
    let of = |kind: u8, bytes: &[u8]| [&[kind][..], bytes].concat();
    let numbers = |x: f32| npy("<f4", "(3,)", &x.to_le_bytes().repeat(3));
    let pickle = b"\x80\x02](cnumpy.core.numeric\n_frombuffer\n(C\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80?\0\0\x80?\0\0\0\0cnumpy\ndtype\n\
                   U\x02f4\x85RK\x02K\x03\x86U\x01CtRe.";
    let strokes = npy("|O", "(1,)", pickle);
    let (mean, std) = (numbers(0.), numbers(1.));
    let with = |texts: Vec<u8>, subjects: Vec<u8>| {
        of(2, &[&strokes[..], &CUT, &mean, &CUT, &std, &CUT, &texts, &CUT, &subjects].concat())
    };
    let text = npy("<U2", "(1,)", b"a\0\0\0b\0\0\0");
    let form = "<General><Form id=\"a01-000\" writerID=\"7\"/></General>";
    let notes = r#"{"train": [[[60, 64], [60.0], []]], "valid": [[[21]]], "test": [[[108, -1]]]}"#;
    vec![
        of(0, notes.as_bytes()),
        of(0, include_bytes!("../data/fixtures/music.mat")),
        of(0, include_bytes!("../data/fixtures/music_packed.mat")),
        of(1, include_bytes!("../data/fixtures/v1_4_training.npz")),
        with(text, npy("<i8", "(1,)", &[7; 8])),
        with(npy("|S3", "(1,)", b"abc"), npy("|O", "(1,)", b"\x80\x02]X\x02\0\0\0cda.")),
        with(npy("<f4", "(4000,)", &[0; 16_000]), vec![]),
        of(3, &xml()),
        of(4, &tar("ascii/a01-000.txt", b"CSR:\n\nsome words\n")),
        of(4, &tar("ascii/a01-000.txt", &[b'a'; 600])[..1000]),
        of(5, &tar("original/strokesz.xml", form.as_bytes())),
        of(6, b"a01-000\n b01-001\n"),
        of(7, b"TRAIN/DR1/A/1.WAV\ntrain/dr1/a/2"),
        of(8, &wave(&[1; 300])),
        of(9, &wave(&[1; 300])),
        of(10, &[1; 600]),
        of(11, &[INK, b".SEGMENT TEXT 0-1,2 ? \"say \\\"a\\\"\"\n.SEGMENT TEXT 0:1-2 BAD \"b\"\n"].concat()),
        of(12, INK),
        of(13, DRAWING),
        of(14, &stored("x/Latin/character01/0001_02.txt", DRAWING)),
    ]
}
