use crate::common::mutations;
use crate::common::preset;
use crate::common::{says, sha256_of};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use stcn::Tensor;
use stcn::internals::checkpoint::EndCheck;
use stcn::internals::checkpoint::MAGIC;
use stcn::models::Registry;
use stcn::train::Config;
use stcn::train::{Checkpoint, FORMAT, Header, Named};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn small() -> Checkpoint {
    let named = |path: &str, shape: &[usize], data: Vec<stcn::Real>| Named {
        path: path.into(),
        value: Tensor::new(shape, data),
    };
    let params = vec![
        named("tcn.1.bias", &[2], vec![0.1, -0.0].map_real()),
        named("head.mean.weight", &[1, 2], vec![f32::MIN_POSITIVE / 4., -3.5e30].map_real()),
    ];
    let like = |x| params.iter().map(|p| p.value.map(|y| y * x)).collect();
    let (adam_m, adam_v) = (like(0.5), like(0.25));
    let mut header = Header::new("seed = 1\n");
    header.step = 42;
    header.best = Some(-1.5);
    header.best_step = 40;
    header.bad_checks = 2;
    header.end = Some(EndCheck { loss: -1.75, elbo: 1.5 });
    (header.mean, header.std) = (vec![0.5], vec![2.]);
    Checkpoint { header, params, adam_m, adam_v }
}

/// f32 literals in a build of either Real.
trait MapReal {
    fn map_real(self) -> Vec<stcn::Real>;
}

impl MapReal for Vec<f32> {
    #[allow(clippy::useless_conversion)] // Real is f64 under the feature
    fn map_real(self) -> Vec<stcn::Real> {
        self.into_iter().map(stcn::Real::from).collect()
    }
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    #[allow(clippy::unnecessary_cast)] // Real is f64 under the feature
    tensor.data().iter().map(|&x| (x as f32).to_bits()).collect()
}

fn complaint(bytes: &[u8]) -> String {
    Checkpoint::from_bytes(bytes).unwrap_err()
}

#[test]
fn a_checkpoint_comes_back_to_the_bit() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("latest.stcn");
    let saved = small();
    let sha = saved.save(&path).unwrap();
    assert_eq!(saved.sha256(), sha);
    let loaded = Checkpoint::load(&path).unwrap();
    assert_eq!(loaded.header, saved.header);
    for (a, b) in loaded.params.iter().zip(&saved.params) {
        assert_eq!((&a.path, a.value.shape()), (&b.path, b.value.shape()));
        assert_eq!(bits(&a.value), bits(&b.value));
    }
    for (a, b) in
        loaded.adam_m.iter().chain(&loaded.adam_v).zip(saved.adam_m.iter().chain(&saved.adam_v))
    {
        assert_eq!(bits(a), bits(b));
    }
    assert_eq!(loaded.to_bytes(), saved.to_bytes());
    assert_eq!(sha, hex::encode(Sha256::digest(fs::read(&path).unwrap())));
    assert_eq!(sha, sha256_of(&path));
}

#[test]
fn a_checkpoint_without_parameters_or_without_adam_comes_back() {
    let bare =
        Checkpoint { header: Header::new(""), params: vec![], adam_m: vec![], adam_v: vec![] };
    assert_eq!(Checkpoint::from_bytes(&bare.to_bytes()).unwrap(), bare);
    let only_params = Checkpoint { adam_m: vec![], adam_v: vec![], ..small() };
    assert_eq!(Checkpoint::from_bytes(&only_params.to_bytes()).unwrap(), only_params);
}

#[test]
fn the_same_state_gives_the_same_bytes_wherever_it_is_saved() {
    let (a, b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let at = |dir: &TempDir| small().save(&dir.path().join("x.stcn")).unwrap();
    assert_eq!(at(&a), at(&b));
}

#[test]
fn the_layout_of_the_file_is_what_it_was() {
    // A change here needs a new FORMAT.
    let mut checkpoint = small();
    checkpoint.header.crate_version = "0.1.0".into();
    checkpoint.header.arithmetic = 1;
    assert_eq!(FORMAT, 3);
    assert_eq!(
        hex::encode(Sha256::digest(checkpoint.to_bytes())),
        "3e06358a6e65bfe00d098460ab44d859a845926074403ec0ded19b02be41771b"
    );
}

#[test]
fn saving_again_replaces_the_old_checkpoint_and_leaves_nothing_beside_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("latest.stcn");
    small().save(&path).unwrap();
    let mut next = small();
    next.header.step = 43;
    next.save(&path).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap().header.step, 43);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_temporary_file_left_by_a_kill_is_in_nobodys_way() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("latest.stcn");
    fs::write(dir.path().join(".latest.stcn.tmp"), [7; 100_000]).unwrap();
    small().save(&path).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap(), small());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_to_a_device_under_the_temporary_name_is_refused_and_the_old_checkpoint_stays() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("latest.stcn");
    small().save(&path).unwrap();
    let temporary = dir.path().join(".latest.stcn.tmp");
    std::os::unix::fs::symlink("/dev/full", &temporary).unwrap();
    let mut next = small();
    next.header.step = 43;
    let error = next.save(&path).unwrap_err().to_string();
    says(&error, &[".latest.stcn.tmp: is not a regular file, but its name is needed for one"]);
    assert_eq!(Checkpoint::load(&path).unwrap().header.step, 42);
}

#[test]
fn a_directory_that_is_not_there_cannot_be_written_to() {
    let error = small().save(Path::new("/nowhere/latest.stcn")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write /nowhere/latest.stcn: No such file"), "{error}");
}

#[test]
fn every_flipped_bit_is_detected() {
    let bytes = small().to_bytes();
    let mut damaged = bytes.clone();
    for bit in 0..8 * bytes.len() {
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Checkpoint::from_bytes(&damaged).is_err(), "bit {bit} of {}", 8 * bytes.len());
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Checkpoint::from_bytes(&damaged).is_ok());
}

#[test]
fn every_truncation_is_detected() {
    let bytes = small().to_bytes();
    assert_eq!(complaint(&[]), "is empty, want an stcn checkpoint: take another copy");
    for length in 1..bytes.len() {
        assert_eq!(
            complaint(&bytes[..length]),
            "is cut short or damaged: take another copy",
            "{length} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = small().to_bytes();
    bytes.extend([0; 3]);
    assert_eq!(complaint(&bytes), "has 3 bytes too many after its end: take another copy");
}

#[test]
fn another_kind_of_file_is_refused() {
    let wanted = "is not an stcn checkpoint: name a run directory, or its latest.stcn";
    assert_eq!(complaint(b"PK\x03\x04 and so on"), wanted);
    assert_eq!(complaint(b"x"), wanted);
    // What a transfer that rewrites line ends makes of the magic.
    assert_eq!(complaint(b"STCN\n\x1a\n\x01\0\0\0"), wanted);
}

#[test]
fn a_newer_format_asks_for_an_upgrade() {
    let mut bytes = small().to_bytes();
    bytes[8] = 4;
    assert_eq!(
        complaint(&bytes),
        "was written by a newer stcn (format 4; this one reads 3): upgrade"
    );
    bytes[8] = 1;
    assert_eq!(
        complaint(&bytes),
        "was written by stcn 0.1, whose configs have other keys: evaluate it with that version, or train the \
         model again"
    );
    bytes[8] = 0;
    assert_eq!(complaint(&bytes), "is damaged (format 0): take another copy");
}

#[test]
fn damage_is_reported_with_the_section_it_is_in() {
    let bytes = small().to_bytes();
    for section in ["header", "params", "adam.m", "adam.v"] {
        let at = bytes.windows(section.len()).position(|window| window == section.as_bytes());
        let mut damaged = bytes.clone();
        damaged[at.unwrap() + 16] ^= 1;
        assert_eq!(
            complaint(&damaged),
            format!("is damaged in its section {section}: take another copy")
        );
    }
}

#[test]
fn files_that_are_not_there_or_not_files_are_named() {
    let missing = Checkpoint::load(Path::new("/nowhere/latest.stcn")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read /nowhere/latest.stcn: there is no such file");
    assert_eq!(missing.exit_code(), 2);
    let dir = TempDir::new().unwrap();
    let error = Checkpoint::load(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with(": is not a file, want a checkpoint such as latest.stcn"), "{error}");
    let path = dir.path().join("empty.stcn");
    fs::write(&path, "").unwrap();
    let error = Checkpoint::load(&path).unwrap_err().to_string();
    let wanted = "is empty, want an stcn checkpoint: take another copy";
    assert_eq!(error, format!("{}: {wanted}", path.display()));
}

/// A file with a correct checksum around whatever payloads.
fn forge(payloads: [&[u8]; 4]) -> Vec<u8> {
    forge_format(FORMAT, payloads)
}

fn forge_format(format: u32, payloads: [&[u8]; 4]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &format.to_le_bytes()].concat();
    for (name, payload) in ["header", "params", "adam.m", "adam.v"].iter().zip(payloads) {
        let mut frame = name.as_bytes().to_vec();
        frame.resize(8, 0);
        frame.extend((payload.len() as u64).to_le_bytes());
        let sum = [&format.to_le_bytes()[..], &frame, payload].concat();
        bytes.extend([&frame, payload, &Sha256::digest(sum)].concat());
    }
    bytes
}

fn header(directory: Vec<(&str, Vec<u64>)>) -> Vec<u8> {
    use bincode::Options;
    let end: Option<EndCheck> = None;
    bincode::DefaultOptions::new().serialize(&(Header::new(""), directory, end)).unwrap()
}

#[test]
fn a_checkpoint_of_format_2_is_read_as_one_whose_run_had_not_ended() {
    let header = header(vec![("w", vec![2])]);
    let (end, of_format_2) = header.split_last().unwrap();
    assert_eq!(*end, 0, "no end: one byte");
    let old = Checkpoint::from_bytes(&forge_format(2, [of_format_2, &[0; 8], &[], &[]])).unwrap();
    assert_eq!((old.header.end, old.params.len()), (None, 1));
    // Damage is found by its own checksum.
    let mut bytes = forge_format(2, [of_format_2, &[0; 8], &[], &[]]);
    bytes[8] = 3;
    assert_eq!(complaint(&bytes), "is damaged in its section header: take another copy");
}

#[test]
fn a_state_with_numbers_that_are_not_finite_is_not_saved() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("latest.stcn");
    small().save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    type Part = fn(&mut Checkpoint) -> &mut Tensor;
    let spoil: [(Part, _); 3] = [
        (|c| &mut c.params[0].value, "tcn.1.bias"),
        (|c| &mut c.adam_m[1], "Adam's state of head.mean.weight"),
        (|c| &mut c.adam_v[0], "Adam's state of tcn.1.bias"),
    ];
    for (tensor, name) in spoil {
        for x in [stcn::Real::NAN, stcn::Real::NEG_INFINITY] {
            let mut ruined = small();
            tensor(&mut ruined).data_mut()[1] = x;
            let error = ruined.save(&path).unwrap_err();
            let wanted = format!("step 42: the state has a number in {name} that is not finite");
            assert_eq!((error.to_string(), error.exit_code()), (wanted, 1));
            let loaded = complaint(&ruined.to_bytes());
            assert!(loaded.starts_with(&format!("has a number in {name} that is not")), "{loaded}");
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_hostile_length_of_a_section_is_refused_before_anything_is_allocated() {
    let mut bytes = small().to_bytes();
    for length in [u64::MAX, 1 << 62, 1 << 40] {
        bytes[20..28].copy_from_slice(&length.to_le_bytes());
        assert_eq!(complaint(&bytes), "is cut short or damaged: take another copy");
    }
}

#[test]
fn a_hostile_header_under_a_good_checksum_is_refused() {
    // In bincode's variable lengths 253 announces eight bytes: a string of 2⁶⁴ − 1 bytes.
    let huge = [&[1, 253][..], &[255; 8]].concat();
    let error = complaint(&forge([&huge, &[], &[], &[]]));
    assert!(error.starts_with("has a header that this stcn cannot read ("), "{error}");
    let error = complaint(&forge([&[], &[], &[], &[]]));
    assert!(error.starts_with("has a header that this stcn cannot read ("), "{error}");
}

#[test]
fn hostile_shapes_under_a_good_checksum_are_refused() {
    for shape in [
        vec![u64::MAX],
        vec![1 << 62],
        vec![1 << 31, 1 << 31, 1 << 31],
        vec![0, u64::MAX],
        vec![0],
        vec![3, 0],
        vec![],
        vec![1, 1, 1, 1, 1],
    ] {
        let error = complaint(&forge([&header(vec![("w", shape.clone())]), &[], &[], &[]]));
        assert_eq!(error, format!("gives w the impossible shape {shape:?}: take another copy"));
    }
    // Each fits, their sum does not.
    let half = vec![1u64 << 60];
    let directory =
        vec![("a", half.clone()), ("b", half.clone()), ("c", half.clone()), ("d", half)];
    let error = complaint(&forge([&header(directory), &[], &[], &[]]));
    assert!(error.contains("is not what its shapes take"), "{error}");
}

#[test]
fn sections_of_another_size_than_their_shapes_are_refused() {
    let header = header(vec![("w", vec![2])]);
    let eight = [0; 8];
    assert!(Checkpoint::from_bytes(&forge([&header, &eight, &[], &[]])).is_ok());
    assert_eq!(
        complaint(&forge([&header, &eight[..4], &[], &[]])),
        "has a section params of 4 bytes, which is not what its shapes take: take another copy"
    );
    assert_eq!(
        complaint(&forge([&header, &eight, &eight, &eight[..4]])),
        "has a section adam.v of 4 bytes, which is not what its shapes take: take another copy"
    );
}

#[test]
#[should_panic(expected = "Adam's state does not match the parameters")]
fn adams_state_has_to_match_the_parameters() {
    Checkpoint { adam_m: vec![Tensor::zeros(&[3])], ..small() }.to_bytes();
}

#[test]
fn the_config_comes_back_from_a_checkpoint() {
    let config = preset("ink-small", Some("wavenet"), None).unwrap();
    let checkpoint = Checkpoint { header: Header::new(config.portable_toml()), ..small() };
    let loaded = Checkpoint::from_bytes(&checkpoint.to_bytes()).unwrap();
    let text = &loaded.header.config_toml;
    assert_eq!(
        Config::from_toml(text, Path::new("latest.stcn"), &Registry::default()).unwrap(),
        config
    );
}

/// The sentence about a small checkpoint changed so, under good checksums.
fn senseless(change: impl FnOnce(&mut Checkpoint)) -> String {
    let mut checkpoint = small();
    change(&mut checkpoint);
    complaint(&checkpoint.to_bytes())
}

#[test]
fn adams_means_without_his_mean_squares_are_refused() {
    assert_eq!(
        senseless(|c| c.adam_v.clear()),
        "has a section adam.v of 0 bytes, which is not what its shapes take: take another copy"
    );
    assert_eq!(
        senseless(|c| c.adam_m.clear()),
        "has a section adam.m of 0 bytes, which is not what its shapes take: take another copy"
    );
}

#[test]
fn numbers_that_no_run_has_are_refused_under_a_good_checksum() {
    assert_eq!(
        senseless(|c| c.header.mean = vec![0., 1.]),
        "has 2 means and 1 standard deviations: take another copy"
    );
    for (x, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        assert_eq!(
            senseless(|c| c.header.mean = vec![x]),
            format!("has the mean {name} for channel 1, want a finite number: take another copy")
        );
    }
    for (x, name) in [(0., "0"), (-1., "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let pair = |c: &mut Checkpoint| (c.header.mean, c.header.std) = (vec![0.; 2], vec![1., x]);
        assert_eq!(
            senseless(pair),
            format!(
                "has the standard deviation {name} for channel 2, want a number above 0: take another copy"
            )
        );
    }
    for x in [stcn::Real::NAN, stcn::Real::INFINITY] {
        assert_eq!(
            senseless(|c| c.params[1].value.data_mut()[0] = x),
            "has a number in head.mean.weight that is not finite: take an earlier checkpoint, or a \
             lower train.lr"
        );
    }
    // Each would be one too many at the next update or check.
    for (step, best_step, bad_checks) in [(u64::MAX, 0, 0), (3, 4, 0), (3, 0, u64::MAX)] {
        let header = |c: &mut Checkpoint| {
            (c.header.step, c.header.best_step, c.header.bad_checks) =
                (step, best_step, bad_checks);
        };
        assert_eq!(
            senseless(header),
            format!(
                "counts {step} steps, the best at {best_step}, and {bad_checks} checks without \
                 progress, which cannot be: take another copy"
            )
        );
    }
}

#[test]
fn a_file_larger_than_any_checkpoint_is_not_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.stcn");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap(); // of holes
    let error = Checkpoint::load(&path).unwrap_err().to_string();
    assert!(
        error.ends_with(
            ": has 1099511627776 bytes, more than any such file (12901679104): want a checkpoint such as \
             latest.stcn"
        ),
        "{error}"
    );
    #[cfg(unix)]
    assert_eq!(
        Checkpoint::load(Path::new("/dev/zero")).unwrap_err().to_string(),
        "/dev/zero: is not a file, want a checkpoint such as latest.stcn"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, frame in prop::bool::ANY) {
        let bytes = if frame { forge([&bytes, &[], &[], &[]]) } else { [&MAGIC[..], &bytes].concat() };
        prop_assert!(Checkpoint::from_bytes(&bytes).is_err());
    }

    #[test]
    fn no_mutation_of_a_checkpoint_is_taken_for_one(bytes in mutations(small().to_bytes())) {
        if bytes != small().to_bytes() {
            prop_assert!(Checkpoint::from_bytes(&bytes).is_err());
        }
    }

    /// Behind a good checksum, it is the contents that have to be looked at.
    #[test]
    fn mutated_contents_under_a_good_checksum_never_panic(
        header in mutations(header(vec![("a", vec![2]), ("b", vec![1, 3])])),
        params in mutations(vec![0; 20]),
        adam in mutations(vec![0; 20]),
    ) {
        for sections in [[&header[..], &params, &adam, &adam], [&header, &[0; 20], &[], &[]]] {
            if let Ok(checkpoint) = Checkpoint::from_bytes(&forge(sections)) {
                // Compared as bytes, for the best loss may be no number.
                let again = Checkpoint::from_bytes(&checkpoint.to_bytes()).unwrap();
                prop_assert_eq!(again.to_bytes(), checkpoint.to_bytes());
            }
        }
    }
}
