//! Pickles: what numpy writes, and what would run code, fill memory or never end.

use crate::common::mutations;
use proptest::prelude::*;
use stcn::internals::prepare::numpy::pickled_numbers;
use stcn::internals::prepare::pickle::{Item, Pickle, Value};
use stcn::internals::unzip::Archive;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

/// The pickle in an array of a file of the fixtures.
pub fn fixture(file: &[u8], name: &str) -> Vec<u8> {
    let mut archive = Archive::new(Cursor::new(file)).unwrap();
    let mut bytes = vec![];
    archive.member(name).unwrap().read_to_end(&mut bytes).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes.split_off(header)
}

const PROTOCOLS: [&[u8]; 4] = [
    include_bytes!("../fixtures/v1_2_training.npz"),
    include_bytes!("../fixtures/v1_3_training.npz"),
    include_bytes!("../fixtures/v1_4_training.npz"),
    include_bytes!("../fixtures/v1_5_training.npz"),
];
const V2: &[u8] = include_bytes!("../fixtures/v2_training.npz");

/// The values in the list of an array of objects.
fn objects(pickle: &Pickle) -> Vec<Item<'_>> {
    let list = pickle.root().items().next().expect("an array has a list");
    list.items().collect()
}

/// Of as many instructions as there are.
fn read(bytes: Vec<u8>) -> Result<Pickle, String> {
    Pickle::read(bytes, usize::MAX)
}

fn met(bytes: &[u8]) -> String {
    read(bytes.to_vec()).expect_err("it is refused")
}

#[test]
fn arrays_in_arrays_come_out_of_every_protocol() {
    for file in PROTOCOLS {
        let pickle = read(fixture(file, "strokes.npy")).unwrap();
        let items = objects(&pickle);
        let dtype = |item: &Item| match item.value() {
            Value::Array { dtype, shape, fortran } => (dtype.to_string(), shape.to_vec(), fortran),
            other => panic!("{other:?}"),
        };
        let found: Vec<_> = items.iter().map(dtype).collect();
        let expected = [("f4", [5, 3], false), ("f4", [6, 3], true), ("f8", [7, 3], false)];
        assert_eq!(found, expected.map(|(d, s, f)| (d.to_string(), s.to_vec(), f)));
        for (i, item) in items.iter().enumerate() {
            let numbers = pickled_numbers(*item).unwrap();
            assert_eq!(numbers.shape, [5 + i, 3]);
            for (t, row) in numbers.values.chunks_exact(3).enumerate().skip(1) {
                let dx = (10 * i + t - 1) as f64 / 1000.;
                assert!((row[0] - (dx - 0.001) / 0.005).abs() < 1e-6, "{i} {t} {row:?}");
                assert_eq!(row[2], f64::from(u8::from(t == 4 + i)));
            }
        }
    }
}

#[test]
fn texts_bytes_and_numbers_come_out_of_every_protocol() {
    for file in PROTOCOLS {
        let pickle = read(fixture(file, "texts.npy")).unwrap();
        let texts: Vec<_> = objects(&pickle).iter().map(|item| item.value()).collect();
        assert_eq!(texts, ["a b", "naïve ½", "ὕλη"].map(Value::Text));
        let pickle = read(fixture(file, "subject_labels.npy")).unwrap();
        let items = objects(&pickle);
        assert_eq!(pickled_numbers(items[0]).unwrap().values, [7., 7.]);
        assert_eq!(items[1].value(), Value::Bytes(b"ann".to_vec()));
        assert_eq!(items[2].value(), Value::Int(12));
    }
}

#[test]
fn a_dictionary_without_axes_comes_out() {
    let pickle = read(fixture(V2, "statistics.npy")).unwrap();
    let dictionary = objects(&pickle)[0];
    let items: Vec<Item> = dictionary.items().collect();
    let names = items.chunks(2).map(|entry| match entry[0].value() {
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    });
    let entries: BTreeMap<String, Item> =
        names.zip(items.chunks(2).map(|entry| entry[1])).collect();
    let entry = |key: &str| entries[key];
    let mean = pickled_numbers(entry("mean_channel")).unwrap();
    assert_eq!(mean.values, [0.001_f32, 0.00002, 0.04].map(f64::from));
    let all = pickled_numbers(entry("mean_all")).unwrap();
    assert_eq!((all.shape, all.values), (vec![], vec![0.5]));
    assert_eq!(entry("note").value(), Value::Bytes(b"x".to_vec()));
    assert_eq!(entry("n").value(), Value::Int(-3));
    assert_eq!(entry("big").value(), Value::Int(1 << 40));
    assert_eq!(entry("none").value(), Value::None);
    assert_eq!(entry("yes").value(), Value::Int(1));
    assert_eq!(entry("f").value(), Value::Float(0.5));
    assert_eq!(entry("l").items().last().unwrap().items().len(), 2);
}

#[test]
fn what_python_2_wrote_comes_out() {
    // An array of two numbers, its texts in the bytes of Python 2, as cPickle lays them out.
    let bytes = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\0\x85U\x01b\x87Rq\x03\
                  (K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02f4K\0K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xff\
                  J\xff\xff\xff\xffK\0tb\x89U\x08\0\0\x80?\0\0\0\xc0tb.";
    let pickle = read(bytes.to_vec()).unwrap();
    assert_eq!(pickled_numbers(pickle.root()).unwrap().values, [1., -2.]);
    // Whole numbers of none, one and eight bytes.
    for (bytes, n) in [
        (&b"\x80\x02\x8a\0."[..], 0),
        (b"\x80\x02\x8a\x01\xfe.", -2),
        (b"\x80\x02\x8a\x08\0\0\0\0\0\0\0\x80.", i64::MIN),
    ] {
        assert_eq!(read(bytes.to_vec()).unwrap().root().value(), Value::Int(n));
    }
}

#[test]
fn what_would_run_something_is_refused_by_name() {
    let system = b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.";
    assert_eq!(met(system), "the function posix.system, which numbers and strings do not need");
    let stacked = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.";
    assert_eq!(met(stacked), "the function os.system, which numbers and strings do not need");
    for name in ["__builtin__\neval", "numpy\nload", "numpy.core.multiarray\nfromfile", "\n"] {
        let said = met(format!("\u{0}c{name}\n").replace('\0', "").as_bytes());
        assert_eq!(
            said,
            format!(
                "the function {}, which numbers and strings do not need",
                name.replace('\n', ".")
            )
        );
    }
    for (op, name) in [
        (&b"i"[..], "INST"),
        (b"o", "OBJ"),
        (b"\x81", "NEWOBJ"),
        (b"\x92", "NEWOBJ_EX"),
        (b"P", "PERSID"),
        (b"Q", "BINPERSID"),
        (b"\x82", "EXT1"),
        (b"I", "INT"),
        (b"\x8b", "LONG4"),
    ] {
        let said = met(&[b"\x80\x02", op].concat());
        assert_eq!(said, format!("the instruction {name}, which numbers and strings do not need"));
    }
    assert_eq!(met(b"\x80\x02\xff"), "byte 0xff where an instruction was expected");
    assert_eq!(met(b"\x80\x07"), "protocol 7, where numpy writes 2 to 5");
}

#[test]
fn calls_and_states_that_do_not_suit_are_refused() {
    assert_eq!(
        met(b"\x80\x02cnumpy\nndarray\n)R."),
        "a call of Ndarray with 0 unsuitable arguments"
    );
    assert_eq!(met(b"\x80\x02N)R."), "a call of something that is not a function");
    assert_eq!(
        met(b"\x80\x02cnumpy\ndtype\nN\x85R."),
        "a call of Dtype with 1 unsuitable arguments"
    );
    assert_eq!(met(b"\x80\x02]}b."), "a state for something that is not an array");
    assert_eq!(
        met(b"\x80\x02cnumpy\ndtype\nU\x02f4\x85R(K\x03U\x01>tb."),
        "numbers in byte order >"
    );
    let encode = b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0rot13\x86R.";
    assert_eq!(met(encode), "bytes in the encoding rot13");
    assert_eq!(met(b"\x80\x02NNa."), "items for something that is not a list");
    assert_eq!(met(b"\x80\x02h\x05."), "a memo that was not set");
    assert_eq!(met(b"\x80\x02."), "an empty stack");
    assert_eq!(met(b"\x80\x02]e."), "no mark");
    assert_eq!(met(b"\x80\x02N(\x85."), "an empty stack");
}

#[test]
fn lengths_that_are_not_there_take_no_memory() {
    let most = [0xff; 8];
    for op in [&b"\x8e"[..], b"\x8d", b"\x96", b"\x95"] {
        assert_eq!(met(&[b"\x80\x04", op, &most].concat()), "an unexpected end");
    }
    assert_eq!(met(b"\x80\x02X\xff\xff\xff\xffabc"), "an unexpected end");
    assert_eq!(met(b"\x80\x02cnumpy"), "an unexpected end");
    assert_eq!(met(b""), "an unexpected end");
    assert_eq!(met(b"\x80\x02\x8a\xff"), "an integer of 255 bytes");
    assert_eq!(met(b"\x80\x02X\x01\0\0\0\xff"), "text that is not UTF-8");
    // A memo far away is one entry.
    assert!(read(b"\x80\x02Nr\xff\xff\xff\xff.".to_vec()).is_ok());
}

#[test]
fn values_that_hold_themselves_or_lie_too_deep_are_refused() {
    assert_eq!(met(b"\x80\x02]q\0h\0a."), "a value that contains itself");
    assert_eq!(met(b"\x80\x02]q\0]q\x01h\0ah\x01a."), "a value that contains itself");
    let deep = [b"\x80\x02N".to_vec(), vec![0x85; 1_000_000], b".".to_vec()].concat();
    assert_eq!(met(&deep), "values nested more than 64 deep");
    let lists = [vec![b']'; 1_000_000], vec![b'a'; 999_999], b".".to_vec()].concat();
    assert_eq!(met(&lists), "values nested more than 64 deep");
}

#[test]
fn a_long_text_is_not_read_again_for_each_that_names_it() {
    // Each naming is a few bytes, and would take time in the length of the text.
    let text = [b"\x80\x02X\xe8\x03\0\0".to_vec(), vec![b'a'; 1000], b"q\0".to_vec()].concat();
    let encode = b"c_codecs\nencode\nh\0X\x06\0\0\0latin1\x86R";
    let times = |n| [text.clone(), encode.repeat(n), b".".to_vec()].concat();
    assert!(read(times(1)).is_ok());
    assert_eq!(met(&times(3)), "the same string decoded as bytes many times");
    let dtype = [text, b"cnumpy\ndtype\nh\0\x85R.".to_vec()].concat();
    assert_eq!(met(&dtype), "a call of Dtype with 1 unsuitable arguments");
}

#[test]
fn a_pickle_may_have_as_many_instructions_as_are_allowed() {
    let bytes = b"\x80\x02]q\0K\x01a.".to_vec();
    assert!(Pickle::read(bytes.clone(), 6).is_ok());
    assert_eq!(Pickle::read(bytes, 5).unwrap_err(), "more than 5 instructions");
}

#[test]
fn a_bomb_of_memos_stays_as_small_as_its_bytes() {
    // Each list holds the one before twice: 2⁴⁰ at the end, if they were copied.
    let mut bytes = b"\x80\x02]q\0".to_vec();
    for i in 0..40 {
        bytes.extend([b']', b'q', i + 1, b'(', b'h', i, b'h', i, b'e']);
    }
    bytes.push(b'.');
    let pickle = read(bytes).unwrap();
    assert_eq!(pickle.root().value(), Value::Items(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn pickles_a_little_beside_a_good_one_are_read_or_refused(
        bytes in (0..4_usize).prop_flat_map(|i| mutations(fixture(PROTOCOLS[i], "strokes.npy"))),
    ) {
        if let Ok(pickle) = read(bytes) {
            for list in pickle.root().items() {
                for item in list.items() {
                    let _ = pickled_numbers(item);
                }
            }
        }
    }
}
