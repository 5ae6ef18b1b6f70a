//! The container: what a file has to be, and the sentence if it is something else.

use super::refusal;
use crate::common::mutations;
use ndarray::{Array1, Array2, ShapeBuilder, array};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use proptest::prelude::*;
use stcn::data::{DataSet, Split};
use stcn::internals::npz::{self, Flat};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const FILE: &str = "x.npz";

fn parse(bytes: &[u8]) -> stcn::Result<Flat> {
    npz::parse(Cursor::new(bytes), Path::new(FILE))
}

/// The arrays of a file and its fingerprint, with all numbers in memory.
pub fn read(path: impl AsRef<Path>) -> stcn::Result<(Flat, String)> {
    let (flat, fingerprint) = npz::open(path, u64::MAX)?;
    let Flat { channels, samples, lengths, split, rate } = flat;
    let samples = samples.read(0..samples.len())?.into_owned();
    Ok((Flat { channels, samples, lengths, split, rate }, fingerprint))
}

/// A zip of these members.
fn zip_of(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An .npy of this version with this header, whatever it says.
fn npy_of_version(version: u8, header: &str, numbers: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let header = format!("{header}\n");
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.bytes());
    bytes.extend(numbers);
    bytes
}

fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    npy_of_version(1, &header, numbers)
}

fn f4(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn i8s(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn samples() -> Vec<u8> {
    npy("'<f4'", "(3, 2)", &f4(&[1., 2., 3., 4., 5., 6.]))
}

fn lengths() -> Vec<u8> {
    npy("'<i8'", "(2,)", &i8s(&[1, 2]))
}

/// As every command reads on, to the last check.
fn set_of(flat: Flat) -> stcn::Result<DataSet> {
    let missing = Some("fractions:0.2,0.2,1".parse()?);
    let set = stcn::internals::data_set(FILE.into(), String::new(), flat, missing)?;
    let _ = (set.check_ink(), set.check_binary(), Split::ALL.map(|split| set.summary(split)));
    Ok(set)
}

/// The sentence about a file whose `samples` are these bytes.
fn refused_samples(samples: Vec<u8>) -> String {
    let members = [("samples.npy", samples), ("lengths.npy", lengths())];
    refusal(parse(&zip_of(&members, CompressionMethod::Stored)))
}

/// The sentence about a file with good samples and these `lengths` and `split`.
fn refused_beside(lengths: Vec<u8>, split: Vec<u8>) -> String {
    let members = [("samples.npy", samples()), ("lengths.npy", lengths), ("split.npy", split)];
    refusal(parse(&zip_of(&members, CompressionMethod::Stored)))
}

fn good(method: CompressionMethod) -> Vec<u8> {
    let split = npy("'|i1'", "(2,)", &[0, 2]);
    zip_of(&[("samples.npy", samples()), ("lengths.npy", lengths()), ("split.npy", split)], method)
}

fn good_flat() -> Flat {
    Flat {
        channels: 2,
        samples: vec![1., 2., 3., 4., 5., 6.],
        lengths: vec![1, 2],
        split: Some(vec![0, 2]),
        rate: None,
    }
}

#[test]
fn stored_and_deflated_members_read_alike() {
    assert_eq!(parse(&good(CompressionMethod::Stored)).unwrap(), good_flat());
    assert_eq!(parse(&good(CompressionMethod::Deflated)).unwrap(), good_flat());
}

#[test]
fn a_file_without_split_has_none_and_unknown_members_are_ignored() {
    let members =
        [("samples.npy", samples()), ("notes.txt", b"hi".to_vec()), ("lengths.npy", lengths())];
    let flat = parse(&zip_of(&members, CompressionMethod::Stored)).unwrap();
    assert_eq!(flat, Flat { split: None, ..good_flat() });
}

#[test]
fn headers_of_versions_2_and_3_and_other_spellings_read_too() {
    let header = r#"{"shape":(3L,2L),"fortran_order":False,"descr":"<f4","other":[(1,2),'a,b']}"#;
    for version in [1, 2, 3] {
        let samples = npy_of_version(version, header, &f4(&[1., 2., 3., 4., 5., 6.]));
        let members = [("samples.npy", samples), ("lengths.npy", lengths())];
        let flat = parse(&zip_of(&members, CompressionMethod::Stored)).unwrap();
        assert_eq!(flat.samples, good_flat().samples);
    }
}

#[test]
fn the_rate_of_sound_is_a_single_number_of_either_width() {
    let beside = |rate: Vec<u8>| {
        let members = [("samples.npy", samples()), ("lengths.npy", lengths()), ("rate.npy", rate)];
        parse(&zip_of(&members, CompressionMethod::Stored))
    };
    let rate = |rate| beside(rate).unwrap().rate;
    assert_eq!(rate(npy("'<i8'", "()", &8000_i64.to_le_bytes())), Some(8000));
    assert_eq!(rate(npy("'<i4'", "()", &(-8000_i32).to_le_bytes())), Some(-8000));
    assert_eq!(
        refusal(beside(npy("'<f8'", "()", &8000_f64.to_le_bytes()))),
        "x.npz: `rate` has dtype '<f8', wanted '<i8' or '<i4'; convert it with rate.astype('<i8') before np.savez"
    );
    assert_eq!(
        refusal(beside(npy("'<i8'", "(1,)", &8000_i64.to_le_bytes()))),
        "x.npz: `rate` has shape (1,), wanted () (a single number); reshape it with rate.reshape(()) before np.savez"
    );
    assert!(refusal(beside(npy("'<i8'", "()", &[0; 4]))).contains("`rate` has 4 bytes of numbers"));
}

#[test]
fn what_ndarray_npy_writes_reads_and_what_we_write_it_reads() {
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    writer.add_array("samples", &array![[1_f32, 2.], [3., 4.], [5., 6.]]).unwrap();
    writer.add_array("lengths", &array![1_i64, 2]).unwrap();
    writer.add_array("split", &array![0_i8, 2]).unwrap();
    assert_eq!(parse(writer.finish().unwrap().get_ref()).unwrap(), good_flat());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.npz");
    npz::write(&path, &good_flat()).unwrap();
    let mut reader = ndarray_npy::NpzReader::new(fs::File::open(&path).unwrap()).unwrap();
    let samples: Array2<f32> = reader.by_name("samples").unwrap();
    assert_eq!(samples, array![[1., 2.], [3., 4.], [5., 6.]]);
    let lengths: Array1<i64> = reader.by_name("lengths").unwrap();
    assert_eq!(lengths, array![1, 2]);
}

#[test]
fn writing_and_reading_keeps_every_bit_and_leaves_no_partial_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("round.npz");
    let values: Vec<f32> =
        (0..40_000_u32).map(|i| f32::from_bits(i.wrapping_mul(0x9e37_79b9))).collect();
    let flat =
        Flat { channels: 4, samples: values, lengths: vec![9_999, 1], split: None, rate: None };
    npz::write(&path, &flat).unwrap();
    let (back, _) = read(&path).unwrap();
    let bits = |flat: &Flat| flat.samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&flat));
    assert_eq!((back.channels, back.lengths, back.split), (4, vec![9_999, 1], None));
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["round.npz"]);
    // Another time, the same bytes: no clock goes into the file.
    let first = fs::read(&path).unwrap();
    npz::write(&path, &flat).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
}

#[test]
fn the_fingerprint_is_the_sha256_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("abc");
    npz::write(&path, &good_flat()).unwrap();
    let (_, fingerprint) = read(&path).unwrap();
    use sha2::Digest;
    let digest = sha2::Sha256::digest(fs::read(&path).unwrap());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fingerprint, hex);
    assert_eq!(fingerprint.len(), 64);
}

#[test]
fn a_folder_that_is_not_there_cannot_be_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/x.npz");
    let said = refusal(npz::write(&path, &good_flat()));
    assert!(said.starts_with(&format!("cannot write {}: ", path.display())), "{said}");
}

#[test]
fn a_missing_file_is_named_with_the_cure() {
    assert_eq!(
        refusal(read("/nowhere/x.npz")),
        "/nowhere/x.npz: there is no such file; give the path of an .npz, or make one with `stcn data \
         prepare`"
    );
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let said = refusal(read(folder.path()));
    let wanted = "is not a file, want an .npz: give the path of one";
    assert_eq!(said, format!("{}: {wanted}", folder.path().display()));
    // Without an end, it would be read for ever.
    #[cfg(unix)]
    assert_eq!(refusal(read("/dev/zero")), format!("/dev/zero: {wanted}"));
}

#[test]
fn an_empty_file_is_called_empty() {
    let said = refusal(parse(b""));
    assert!(
        said.starts_with("x.npz: is empty, wanted an .npz; write it with np.savez(path, "),
        "{said}"
    );
}

#[test]
fn a_file_that_is_no_zip_is_shown_by_its_first_bytes() {
    let said = refusal(parse(b"<!doctype html>"));
    assert!(said.contains("begins with \"<!doct\", wanted \"PK\""), "{said}");
    assert!(said.contains("write it with np.savez("), "{said}");
}

#[test]
fn a_single_npy_is_recognised() {
    let mut bytes = Vec::new();
    array![1_f32].write_npy(&mut bytes).unwrap();
    let said = refusal(parse(&bytes));
    assert!(
        said.contains("is a single .npy array, wanted an .npz; write it with np.savez("),
        "{said}"
    );
}

#[test]
fn a_file_cut_short_anywhere_says_so() {
    let whole = good(CompressionMethod::Deflated);
    for n in 2..whole.len() {
        let said = refusal(parse(&whole[..n]));
        assert!(said.contains("begins like an .npz but"), "{n}: {said}");
        assert!(said.contains("truncated or damaged; copy or write it again"), "{n}: {said}");
    }
}

#[test]
fn a_flipped_bit_in_the_numbers_is_damage() {
    let mut bytes = good(CompressionMethod::Stored);
    let at = bytes.windows(4).position(|w| w == 5_f32.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    let said = refusal(parse(&bytes));
    assert!(said.contains("`samples` cannot be unpacked (Invalid checksum)"), "{said}");
    assert!(said.contains("write it again with np.savez or np.savez_compressed"), "{said}");
}

#[test]
fn a_missing_entry_is_named_beside_those_that_are_there() {
    let members = [("data.npy", samples()), ("n\n.npy", lengths())];
    let said = refusal(parse(&zip_of(&members, CompressionMethod::Stored)));
    assert!(
        said.starts_with(
            "x.npz: has no `samples.npy` (it holds `data.npy`, `n\\n.npy`), wanted `samples.npy`,"
        ),
        "{said}"
    );
    assert!(said.ends_with("lengths=np.array([len(s) for s in seqs], '<i8'))"), "{said}");

    let said = refusal(parse(&zip_of(&[("samples.npy", samples())], CompressionMethod::Stored)));
    assert!(said.contains("has no `lengths.npy` (it holds `samples.npy`)"), "{said}");
    let said = refusal(parse(&zip_of(&[], CompressionMethod::Stored)));
    assert!(said.contains("has no `samples.npy` (it holds nothing)"), "{said}");
    // As zip programs pack what is no .npy: what it holds must not read like what is wanted.
    let said = refusal(parse(&zip_of(&[("samples", samples())], CompressionMethod::Stored)));
    assert!(said.contains("has no `samples.npy` (it holds `samples`)"), "{said}");
}

#[test]
fn a_wrong_dtype_comes_with_the_conversion() {
    assert_eq!(
        refused_samples(npy("'<f8'", "(1, 1)", &[0; 8])),
        "x.npz: `samples` has dtype '<f8', wanted '<f4' or '<i2' or '|u1' or '|b1'; convert it with samples.astype('<f4') before \
         np.savez"
    );
    let said = refused_samples(npy("'>f4'", "(1, 1)", &[0; 4]));
    assert!(said.contains("dtype '>f4', wanted '<f4' or '<i2' or '|u1' or '|b1'"), "{said}");
    let said = refused_samples(npy("[('x', '<f4'), ('y', '<f4')]", "(1,)", &[0; 8]));
    assert!(
        said.contains(
            "dtype '[('x', '<f4'), ('y', '<f4')]', wanted '<f4' or '<i2' or '|u1' or '|b1'"
        ),
        "{said}"
    );
    let said = refused_beside(npy("'<i4'", "(2,)", &[0; 8]), Vec::new());
    assert!(said.contains(
        "`lengths` has dtype '<i4', wanted '<i8'; convert it with lengths.astype('<i8')"
    ));
    let said = refused_beside(lengths(), npy("'<i8'", "(2,)", &[0; 16]));
    assert!(
        said.contains("`split` has dtype '<i8', wanted '|i1'; convert it with split.astype('|i1')")
    );
}

#[test]
fn objects_are_refused_because_they_run_code() {
    let said = refused_samples(npy("'|O'", "(2,)", b"\x80\x04pickle"));
    assert!(
        said.contains("`samples` has dtype '|O' (Python objects, which are not read"),
        "{said}"
    );
    assert!(
        said.contains(
            "that could run code), wanted '<f4' or '<i2' or '|u1' or '|b1'; write it with np.savez("
        ),
        "{said}"
    );
}

/// [`samples`] column by column, as NumPy saves what np.concatenate makes of such pieces.
fn turned() -> Vec<u8> {
    let mut bytes = vec![];
    let samples = Array2::from_shape_vec((3, 2).f(), vec![1_f32, 3., 5., 2., 4., 6.]).unwrap();
    samples.write_npy(&mut bytes).unwrap();
    assert!(bytes.windows(21).any(|w| w == b"'fortran_order': True"));
    bytes
}

#[test]
fn fortran_order_is_turned_round_for_every_dtype() {
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let members = [("samples.npy", turned()), ("lengths.npy", lengths())];
        let flat = parse(&zip_of(&members, method)).unwrap();
        assert_eq!(flat, Flat { split: None, ..good_flat() });
    }
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}, }}")
    };
    // More than a buffer of each width, in columns of odd lengths.
    let (rows, columns) = (70_001, 3);
    let value = |row: usize, column: usize| ((row * 5 + column * 7) % 97) as u8;
    let by_column: Vec<u8> =
        (0..columns).flat_map(|c| (0..rows).map(move |r| value(r, c))).collect();
    let by_row: Vec<f32> =
        (0..rows).flat_map(|r| (0..columns).map(move |c| f32::from(value(r, c)))).collect();
    let lengths = || npy_of_version(1, &header("<i8", "(1,)"), &i8s(&[rows as i64]));
    let wide: Vec<u8> = by_column.iter().flat_map(|&x| i16::from(x).to_le_bytes()).collect();
    for (descr, numbers) in [("|u1", by_column), ("<i2", wide)] {
        let samples = npy_of_version(1, &header(descr, "(70001, 3)"), &numbers);
        let members = [("samples.npy", samples), ("lengths.npy", lengths())];
        let flat = parse(&zip_of(&members, CompressionMethod::Deflated)).unwrap();
        assert!(flat.samples == by_row, "{descr}");
    }
}

#[test]
fn a_wrong_rank_is_refused_with_the_cure() {
    let said = refused_samples(npy("'<f4'", "(3,)", &[0; 12]));
    assert!(
        said.contains(
            "`samples` has shape (3,), wanted two axes [steps of all sequences, channels];"
        ),
        "{said}"
    );
    assert!(said.contains("np.concatenate(seqs).reshape(-1, D) before np.savez"), "{said}");
    let said = refused_samples(npy("'<f4'", "(1, 3, 2)", &[0; 24]));
    assert!(said.contains("`samples` has shape (1, 3, 2), wanted two axes"), "{said}");
    let said = refused_beside(npy("'<i8'", "(2, 1)", &[0; 16]), Vec::new());
    assert!(said.contains("`lengths` has shape (2, 1), wanted one axis [sequences]"), "{said}");
    let said = refused_beside(lengths(), npy("'|i1'", "()", &[0]));
    assert!(said.contains("`split` has shape (), wanted one axis [sequences]"), "{said}");
}

#[test]
fn a_shape_that_does_not_fit_the_bytes_is_refused_before_allocating() {
    assert_eq!(
        refused_samples(npy("'<f4'", "(1000000000000, 3)", &[0; 24])),
        "x.npz: `samples` has 24 bytes of numbers, but its shape (1000000000000, 3) needs \
         12000000000000; the file is damaged, write it again"
    );
    let said =
        refused_samples(npy("'<f4'", "(18446744073709551615, 18446744073709551615)", &[0; 8]));
    assert!(said.contains("has 8 bytes of numbers, but its shape"), "{said}");
    let said = refused_samples(npy("'<f4'", "(1, 1)", &[0; 8]));
    assert!(said.contains("has 8 bytes of numbers, but its shape (1, 1) needs 4"), "{said}");
}

/// Writes `size` into every place where the zip keeps the uncompressed size `from`.
fn lie_about_size(bytes: &mut [u8], from: u32, size: u32) {
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 4] == from.to_le_bytes() {
            bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
        }
    }
}

#[test]
fn a_directory_that_lies_with_the_header_allocates_only_what_is_there() {
    // Both say 3.6 GB; the member holds a few bytes, so it is the end of the data that decides.
    let member = npy("'<f4'", "(300000000, 3)", &[1; 24]);
    let (real, claimed) = (member.len() as u32, member.len() as u32 - 24 + 3_600_000_000);
    let members = [("samples.npy", member), ("lengths.npy", lengths())];
    let mut bytes = zip_of(&members, CompressionMethod::Deflated);
    lie_about_size(&mut bytes, real, claimed);
    let said = refusal(parse(&bytes));
    let lie = format!("({} bytes cannot unpack to {claimed})", packed_size(&bytes));
    assert!(said.contains(&format!("`samples` cannot be unpacked {lie}")), "{said}");
    // What it could unpack to, but does not.
    let claimed = npy("'<f4'", "(42, 3)", &[1; 24]);
    let (real, whole) = (claimed.len() as u32, claimed.len() as u32 - 24 + 42 * 12);
    let lengths = npy("'<i8'", "(1,)", &i8s(&[42]));
    let members = [("samples.npy", claimed), ("lengths.npy", lengths)];
    let mut bytes = zip_of(&members, CompressionMethod::Deflated);
    lie_about_size(&mut bytes, real, whole);
    let said = refusal(parse(&bytes));
    assert!(said.contains("`samples` cannot be unpacked (it ends too early)"), "{said}");
}

/// The bytes that the first member takes in the file.
fn packed_size(bytes: &[u8]) -> u32 {
    let at = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap() + 20;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A zip of samples whose packed bytes are damaged behind their header, and these lengths and split.
fn damaged_behind_the_header(lengths: Vec<u8>, split: Option<Vec<u8>>) -> Vec<u8> {
    // Numbers that hardly pack, so that the header comes out of the first bytes alone.
    let mut numbers = vec![0; 120_000];
    numbers.iter_mut().fold(1_u32, |x, byte| {
        let next = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (next >> 24) as u8;
        next
    });
    let mut members =
        vec![("samples.npy", npy("'<f4'", "(10000, 3)", &numbers)), ("lengths.npy", lengths)];
    members.extend(split.map(|split| ("split.npy", split)));
    let mut bytes = zip_of(&members, CompressionMethod::Deflated);
    bytes[60_000..80_000].fill(0xff);
    bytes
}

#[test]
fn no_samples_are_unpacked_before_everything_beside_them_agrees() {
    let said = |lengths: &[i64], split: Option<&[u8]>| {
        let (n, m) = (lengths.len(), split.unwrap_or_default().len());
        let lengths = npy("'<i8'", &format!("({n},)"), &i8s(lengths));
        let split = split.map(|split| npy("'|i1'", &format!("({m},)"), split));
        refusal(parse(&damaged_behind_the_header(lengths, split)))
    };
    let unpacked = said(&[10_000], Some(&[0]));
    assert!(unpacked.contains("`samples` cannot be unpacked ("), "{unpacked}");
    let sum = said(&[9_999], None);
    assert!(sum.contains("`lengths` add up to 9999, wanted the 10000 steps"), "{sum}");
    let split = said(&[10_000], Some(&[0, 1]));
    assert!(split.contains("`split` has 2 entries, wanted one for each of the 1 seq"), "{split}");
    let many = said(&vec![1; 10_001], None);
    assert!(many.contains("`lengths` has 10001 entries, more than the 10000 steps"), "{many}");
}

#[test]
fn samples_beyond_the_memory_that_they_may_take_are_refused_packed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let open = |bytes: Vec<u8>, most| {
        fs::write(&path, bytes).unwrap();
        npz::open(&path, most).map(|(flat, _)| flat.samples.read(0..6).unwrap().into_owned())
    };
    let damaged = || damaged_behind_the_header(npy("'<i8'", "(1,)", &i8s(&[10_000])), None);
    let said = refusal(open(damaged(), 119_999));
    assert!(
        said.ends_with(
            "`samples` would take 1 MiB of memory, where 0 are allowed, and cannot be left on disk because they \
             are compressed; write them with np.savez, not np.savez_compressed, or train with a larger --set \
             data.in_memory"
        ),
        "{said}"
    );
    assert!(refusal(open(damaged(), 120_000)).contains("cannot be unpacked"));
    assert_eq!(open(good(CompressionMethod::Deflated), 24).unwrap(), good_flat().samples);
    assert_eq!(open(good(CompressionMethod::Stored), 23).unwrap(), good_flat().samples);
    let turned = [("samples.npy", turned()), ("lengths.npy", lengths())];
    let turned = |method| zip_of(&turned, method);
    assert_eq!(open(turned(CompressionMethod::Stored), 24).unwrap(), good_flat().samples);
    let said = refusal(open(turned(CompressionMethod::Stored), 23));
    assert!(said.contains("because they are in Fortran order; convert them with np.asc"), "{said}");
    let said = refusal(open(turned(CompressionMethod::Deflated), 23));
    assert!(said.contains("because they are compressed"), "{said}");
    // Half a million sequences of a step: their lengths alone, packed, are a hundred times their bytes.
    let steps = (1 << 24) / 40 + 1;
    let ones = npy("'<i8'", &format!("({steps},)"), &i8s(&vec![1; steps]));
    let rows = npy("'|u1'", &format!("({steps}, 1)"), &vec![7; steps]);
    let many =
        |method| zip_of(&[("samples.npy", rows.clone()), ("lengths.npy", ones.clone())], method);
    let said = refusal(open(many(CompressionMethod::Deflated), 4 * steps as u64));
    assert!(said.contains("`lengths` would take 17 MiB of memory, where 16 are allowed"), "{said}");
    assert_eq!(open(many(CompressionMethod::Deflated), 40 * steps as u64).unwrap(), [7.; 6]);
    assert_eq!(open(many(CompressionMethod::Stored), 0).unwrap(), [7.; 6]);
}

#[test]
fn numbers_that_unpack_to_a_thousand_times_their_bytes_are_read_and_no_more_than_that() {
    // Deflate makes of a byte 1032 at most, and a quiet roll of keys comes near that.
    let quiet = npy("'<f4'", "(1000000, 1)", &vec![0; 4_000_000]);
    let lengths = npy("'<i8'", "(1,)", &i8s(&[1_000_000]));
    let members = [("samples.npy", quiet), ("lengths.npy", lengths)];
    let bytes = zip_of(&members, CompressionMethod::Deflated);
    assert!(bytes.len() < 4_000_000 / 900, "{}", bytes.len());
    assert_eq!(parse(&bytes).unwrap().samples, vec![0.; 1_000_000]);
}

#[test]
fn a_header_that_is_none_is_shown() {
    let said = refused_samples(b"hello".to_vec());
    assert!(said.contains("`samples` does not begin with an .npy header"), "{said}");
    assert!(said.contains("(found \"hello\"); write it with np.savez("), "{said}");
    let said = refused_samples(npy_of_version(7, "", &[]));
    assert!(said.contains("(found \"\\x93NUMPY\\x07\\x00\")"), "{said}");
    for header in ["", "{", "[]", "{'descr': '<f4'}", "{'shape': (-1, 2), }", "{'shape': (a,)}"] {
        let said = refused_samples(npy_of_version(1, header, &[]));
        assert!(said.contains(&format!("(found \"{header}\")").replace('\'', "\\'")), "{said}");
    }
    let said = refused_samples(b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec());
    assert!(said.contains("(found a header of 4294967295 bytes)"), "{said}");
    let said = refused_samples(b"\x93NUMPY\x01\x00\xff".to_vec());
    assert!(said.contains("(found nothing after the version)"), "{said}");
    let said = refused_samples(b"\x93NUMPY\x01\x00\xff\x00{".to_vec());
    assert!(said.contains("(found \"{\")"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_at_all_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        let _ = parse(&[b"PK\x03\x04", bytes.as_slice(), b"PK\x05\x06", &bytes].concat());
        // Behind a good magic, the bytes are a header.
        let npy = [b"\x93NUMPY\x01\x00", bytes.as_slice()].concat();
        let _ = parse(&zip_of(&[("samples.npy", npy)], CompressionMethod::Stored));
    }

    #[test]
    fn no_text_as_a_header_makes_the_reader_panic(text in "[{}()\\[\\]'\",: a-zL0-9é]{0,60}") {
        let _ = refused_samples(npy_of_version(3, &text, &[]));
    }

    #[test]
    fn no_mutation_of_a_good_file_makes_the_reader_panic(
        stored in mutations(good(CompressionMethod::Stored)),
        deflated in mutations(good(CompressionMethod::Deflated)),
    ) {
        let _ = parse(&stored).and_then(set_of);
        let _ = parse(&deflated).and_then(set_of);
    }

    #[test]
    fn no_arrays_make_the_set_of_them_panic(
        channels in 0..4_usize,
        samples in prop::collection::vec(any::<f32>(), 0..20),
        lengths in prop::collection::vec(prop_oneof![any::<i64>(), 0..5_i64], 0..6),
        split in prop::option::of(prop::collection::vec(prop_oneof![any::<i8>(), 0..3_i8], 0..6)),
        rate in prop::option::of(any::<i64>()),
    ) {
        let _ = set_of(Flat { channels, samples, lengths, split, rate });
    }
}
