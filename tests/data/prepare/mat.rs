//! MATLAB's files: those of scipy (`../fixtures/music.py` made them), others byte by byte, and what is refused.

use crate::common::{mutations, says};
use crate::data::refusal;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;
use stcn::internals::prepare::mat::{Mat, Matrix};
use std::io::{Cursor, Write};
use std::path::Path;

pub const PLAIN: &[u8] = include_bytes!("../fixtures/music.mat");
pub const PACKED: &[u8] = include_bytes!("../fixtures/music_packed.mat");

/// Numbers of a matrix of the tests at most.
const MOST: usize = 4 * 88;

fn read(bytes: &[u8], name: &str) -> stcn::Result<Vec<Matrix>> {
    let mut found = vec![];
    let mut mat = Mat::new(Cursor::new(bytes), Path::new("x.mat"))?;
    mat.each(name, MOST, &mut |i, cells, matrix| {
        assert_eq!(i, found.len() as u64);
        assert!(i < cells);
        found.push(matrix);
        Ok(())
    })?;
    Ok(found)
}

fn refused(bytes: &[u8]) -> String {
    refusal(read(bytes, "a"))
}

/// A file under construction, in either order of bytes.
#[derive(Clone, Copy)]
struct Maker {
    big_endian: bool,
}

const LITTLE: Maker = Maker { big_endian: false };

impl Maker {
    fn word(self, n: u32) -> [u8; 4] {
        if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    /// An element of this kind, padded.
    fn element(self, kind: u32, bytes: &[u8]) -> Vec<u8> {
        let mut element = [self.word(kind), self.word(bytes.len() as u32)].concat();
        element.extend(bytes);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    }

    /// The same where up to four bytes stand in the tag.
    fn small(self, kind: u32, bytes: &[u8]) -> Vec<u8> {
        let mut element = self.word((bytes.len() as u32) << 16 | kind).to_vec();
        element.extend(bytes);
        element.resize(8, 0);
        element
    }

    /// A matrix of this class and shape; `inside` are the elements behind its name.
    fn matrix(self, class: u32, shape: &[u32], name: &str, inside: &[u8]) -> Vec<u8> {
        let flags = [self.word(class), self.word(0)].concat();
        let shape: Vec<u8> = shape.iter().flat_map(|&n| self.word(n)).collect();
        let parts =
            [self.element(6, &flags), self.element(5, &shape), self.element(1, name.as_bytes())];
        self.element(14, &[&parts.concat(), inside].concat())
    }

    /// A file with the variable `a`, a cell of these.
    fn file(self, cells: &[Vec<u8>]) -> Vec<u8> {
        self.holding(&self.matrix(1, &[1, cells.len() as u32], "a", &cells.concat()))
    }

    fn holding(self, variables: &[u8]) -> Vec<u8> {
        let mut file = b"MATLAB 5.0 MAT-file".to_vec();
        file.resize(124, b' ');
        file.extend(if self.big_endian { *b"\x01\0MI" } else { *b"\0\x01IM" });
        file.extend(variables);
        file
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(vec![], Compression::default());
    packed.write_all(bytes).unwrap();
    let packed = packed.finish().unwrap();
    let tag = [LITTLE.word(15), LITTLE.word(packed.len() as u32)].concat();
    [tag, packed].concat()
}

#[test]
fn what_scipy_writes_is_read_plain_and_packed() {
    for file in [PLAIN, PACKED] {
        let keys = |matrix: &Matrix| {
            assert_eq!(matrix.columns, 88);
            assert_eq!(matrix.values.len(), 88 * matrix.rows);
            assert!(matrix.values.iter().all(|&x| x == 0. || x == 1.));
            let row = |row: &[f32]| (0..88).filter(|&key| row[key] == 1.).collect::<Vec<_>>();
            matrix.values.chunks_exact(88).map(row).collect::<Vec<_>>()
        };
        let read = |name| read(file, name).unwrap().iter().map(keys).collect::<Vec<_>>();
        let train = [vec![vec![39, 43], vec![39, 43], vec![], vec![0, 87]], vec![vec![5], vec![6]]];
        assert_eq!(read("traindata"), train);
        assert_eq!(read("validdata"), [vec![vec![39]], vec![vec![1], vec![2], vec![3]]]);
        assert_eq!(read("testdata"), [[[87]]]);
    }
}

#[test]
fn numbers_of_every_kind_are_read_in_either_order_of_bytes() {
    for maker in [LITTLE, Maker { big_endian: true }] {
        // Two rows of three, column by column.
        let numbers = [1_i8, 4, 2, 5, 3, 6];
        let bytes = |width: usize, whole: &dyn Fn(i8) -> [u8; 8]| {
            numbers
                .iter()
                .flat_map(|&x| {
                    let mut bytes = whole(x)[..width].to_vec();
                    if maker.big_endian {
                        bytes.reverse();
                    }
                    bytes
                })
                .collect::<Vec<u8>>()
        };
        let whole = |x: i8| i64::from(x).to_le_bytes();
        let single = |x: i8| f64::from_bits(f32::from(x).to_bits().into()).to_bits().to_le_bytes();
        let double = |x: i8| f64::from(x).to_le_bytes();
        let kinds = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (6, 4), (12, 8), (13, 8)];
        let mut elements: Vec<_> =
            kinds.iter().map(|&(kind, width)| (kind, bytes(width, &whole))).collect();
        elements.extend([(7, bytes(4, &single)), (9, bytes(8, &double))]);
        for (kind, bytes) in elements {
            // MATLAB keeps doubles in as few bytes as do.
            let cell = maker.matrix(6, &[2, 3], "", &maker.element(kind, &bytes));
            let wanted = Matrix { rows: 2, columns: 3, values: vec![1., 2., 3., 4., 5., 6.] };
            assert_eq!(read(&maker.file(&[cell]), "a").unwrap(), [wanted], "kind {kind}");
        }
        let cell = maker.matrix(9, &[1, 3], "", &maker.small(2, &[1, 0, 1]));
        let empty = maker.element(14, &[]);
        let none = maker.matrix(6, &[0, 88], "", &maker.element(9, &[]));
        let found = read(&maker.file(&[cell, empty, none]), "a").unwrap();
        let shapes: Vec<_> = found.iter().map(|m| (m.rows, m.columns, &m.values[..])).collect();
        assert_eq!(shapes, [(1, 3, &[1., 0., 1.][..]), (0, 0, &[]), (0, 88, &[])]);
    }
}

#[test]
fn what_is_no_matrix_of_numbers_is_refused_by_its_name() {
    let said = |class, shape: &[u32]| {
        let good = LITTLE.matrix(9, &[1, 1], "", &LITTLE.small(2, &[1]));
        refused(&LITTLE.file(&[good, LITTLE.matrix(class, shape, "", &LITTLE.element(9, &[0; 8]))]))
    };
    for (class, name) in [
        (1, "a cell array"),
        (2, "a structure"),
        (3, "an object"),
        (4, "text"),
        (5, "a sparse matrix"),
        (99, "a variable of unknown class"),
    ] {
        says(&said(class, &[1, 1]), &[&format!("x.mat: `a` has {name} in cell 2")]);
    }
    says(&said(6 | 8 << 8, &[1, 1]), &["`a` has complex numbers in cell 2"]);
    says(&said(6, &[1, 1, 1]), &["`a` has an array of more than two axes in cell 2"]);
    says(&said(6, &[5, 88]), &["`a` has a matrix of 5 × 88, too large in cell 2"]);
    says(&said(6, &[u32::MAX, u32::MAX]), &["too large in cell 2"]);
    says(&said(6, &[2, 1]), &["cannot be read at cell 2 (8 bytes for 2 numbers)", "another copy"]);
    let plain = LITTLE.holding(&LITTLE.matrix(6, &[1, 1], "a", &LITTLE.element(9, &[0; 8])));
    says(&refused(&plain), &["`a` is a matrix, want a cell array of matrices"]);
    says(
        &refused(PLAIN),
        &["has no `a` (it holds `testdata`, `nottingham`, `traindata`, `validdata`)"],
    );
    says(&refused(&LITTLE.holding(&[])), &["has no `a` (it holds nothing), want a cell array"]);
}

#[test]
fn files_that_are_none_are_refused() {
    let said = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = LITTLE.file(&[]);
        change(&mut bytes);
        refused(&bytes)
    };
    says(&said(&|b| b[125] = 2), &["version 7.3, which is HDF5: save it with '-v7'"]);
    says(&said(&|b| b[125] = 9), &["it is of an unknown version"]);
    says(&said(&|b| b[126] = 0), &["its byte order is missing"]);
    says(&said(&|b| b.truncate(100)), &["cannot be read as a MATLAB file (it ends too early)"]);
    says(&said(&|b| b.extend([1, 2, 3])), &["(it ends too early)"]);
    says(&said(&|b| b.extend_from_within(128..)), &["it has two variables of one name"]);
    says(&said(&|b| b[138] = 7), &["an element is invalid"]);
    let many: Vec<u8> =
        (0..1001).flat_map(|i| LITTLE.matrix(1, &[0, 0], &format!("v{i}"), &[])).collect();
    says(&refused(&LITTLE.holding(&many)), &["it has more than 1000 variables"]);
    let long = LITTLE.matrix(1, &[0, 0], &"a".repeat(65), &[]);
    says(&refused(&LITTLE.holding(&long)), &["an element is too long"]);
    // A thousand million cells, of which one is there; and more than the cells there are.
    let cell = LITTLE.matrix(9, &[1, 1], "", &LITTLE.small(2, &[1]));
    let huge = LITTLE.matrix(1, &[1 << 15, 1 << 15], "a", &cell);
    says(&refused(&LITTLE.holding(&huge)), &["cannot be read at cell 2 (it ends too early)"]);
    let more = LITTLE.matrix(1, &[1, 1], "a", &cell.repeat(2));
    says(&refused(&LITTLE.holding(&more)), &["cell 1 (it is longer than it says)"]);
    let endless = LITTLE.matrix(1, &[u32::MAX, u32::MAX, u32::MAX], "a", &[]);
    says(
        &refused(&LITTLE.holding(&endless)),
        &["`a` has [4294967295, 4294967295, 4294967295] cells"],
    );
    // A packed variable that goes on behind its matrix.
    let matrix = LITTLE.matrix(1, &[1, 1], "a", &cell);
    assert_eq!(read(&LITTLE.holding(&deflated(&matrix)), "a").unwrap().len(), 1);
    let more = deflated(&[&matrix[..], &[0]].concat());
    says(&refused(&LITTLE.holding(&more)), &["cell 1 (it is longer than it says)"]);
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let all = |bytes: &[u8]| {
        ["traindata", "validdata", "testdata"]
            .map(|name| read(bytes, name))
            .into_iter()
            .collect::<stcn::Result<Vec<_>>>()
    };
    for file in [PLAIN, PACKED] {
        all(file).unwrap();
        for length in 0..file.len() {
            says(&refusal(all(&file[..length])), &["x.mat: "]);
        }
    }
}

#[test]
fn a_flipped_bit_of_a_packed_file_changes_no_number() {
    let good = read(PACKED, "traindata").unwrap();
    for at in 0..PACKED.len() {
        let mut bytes = PACKED.to_vec();
        bytes[at] ^= 1 << (at % 8);
        if let Ok(found) = read(&bytes, "traindata") {
            assert!(found == good, "byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn files_a_little_beside_a_good_one_are_read_or_refused(
        bytes in prop_oneof![mutations(PLAIN.to_vec()), mutations(PACKED.to_vec())],
    ) {
        for name in ["traindata", "validdata", "testdata", "nottingham"] {
            let _ = read(&bytes, name);
        }
    }
}
