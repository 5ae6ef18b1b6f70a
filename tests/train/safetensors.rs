//! Files that are, or pretend to be, from `stcn export`.

use crate::common::mutations;
use ::safetensors::tensor::{Dtype, TensorView};
use proptest::prelude::*;
use serde_json::{Value, json};
use stcn::inspect::Dump;
use stcn::internals::safetensors;
use stcn::models::Registry;
use stcn::models::{build, parameters};
use stcn::nn::Init;
use stcn::train::Config;
use std::path::Path;

const CONFIG: &str = "[model]\nchannels = 2\nlatents = [2, 1]\nblocks_per_latent = 1\nlatent_layers = 1\n\
                      output_layers = 1\nmixtures = 1\n";

fn about() -> Value {
    json!({ "config": CONFIG, "step": 7, "mean": [0, 1, 2], "std": [1, 2.5, 1] })
}

/// What `stcn export` writes of a small model.
fn exported(about: &Value) -> Vec<u8> {
    let config = Config::from_toml(CONFIG, Path::new("x"), &Registry::default()).unwrap();
    let model = build(&config.model, Init::new(1)).unwrap();
    let mut dump = Dump::default();
    parameters(&*model).iter().for_each(|(path, value)| dump.add(*path, value));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    dump.save(&path, about).unwrap();
    std::fs::read(path).unwrap()
}

fn complaint(bytes: &[u8]) -> String {
    let said = safetensors::from_bytes(bytes, Path::new("x"), &Registry::default())
        .unwrap_err()
        .to_string();
    said.strip_prefix("x: ").unwrap_or(&said).to_string()
}

/// The sentence about a good file whose metadata is changed so.
fn about_complaint(change: impl FnOnce(&mut Value)) -> String {
    let mut about = about();
    change(&mut about);
    complaint(&exported(&about))
}

/// The sentence about a file of one tensor of zeros.
fn one_complaint(config: &str, name: &str, dtype: Dtype, shape: &[usize]) -> String {
    let bytes = vec![0; dtype.bitsize() / 8 * shape.iter().product::<usize>()];
    let view = TensorView::new(dtype, shape.into(), &bytes).unwrap();
    let about = json!({ "config": config, "mean": [0, 0, 0], "std": [1, 1, 1] });
    let metadata = Some([("stcn".to_string(), about.to_string())].into());
    complaint(&::safetensors::serialize([(name, view)], metadata).unwrap())
}

#[test]
fn what_is_exported_comes_back() {
    let (config, checkpoint) =
        safetensors::from_bytes(&exported(&about()), Path::new("x"), &Registry::default()).unwrap();
    assert_eq!(config, Config::from_toml(CONFIG, Path::new("x"), &Registry::default()).unwrap());
    let model = build(&config.model, Init::new(1)).unwrap();
    let found: Vec<_> = checkpoint.params.iter().map(|p| (p.path.as_str(), &p.value)).collect();
    assert_eq!(found, parameters(&*model));
    let header = checkpoint.header;
    assert_eq!((header.step, header.mean, header.std), (7, vec![0., 1., 2.], vec![1., 2.5, 1.]));
}

#[test]
fn bytes_that_are_no_safetensors_are_refused() {
    let wanted = "is not a safetensors file: ";
    for bytes in [&b""[..], b"no", &[255; 8], &[255; 100]] {
        assert!(complaint(bytes).starts_with(wanted));
    }
    let whole = exported(&about());
    for n in (0..whole.len()).step_by(17) {
        assert!(complaint(&whole[..n]).starts_with(wanted), "{n} of {} bytes", whole.len());
    }
    // Deeper than any stack, were it followed.
    let deep = "{\"a\":".repeat(100_000);
    let bytes = [&(deep.len() as u64).to_le_bytes(), deep.as_bytes()].concat();
    assert!(complaint(&bytes).starts_with(wanted));
}

#[test]
fn metadata_that_no_export_writes_is_refused() {
    let foreign =
        "has no metadata key `stcn` with config, mean and std: want a file from `stcn export`";
    assert_eq!(about_complaint(|about| *about = json!(1)), foreign);
    for key in ["config", "mean", "std"] {
        assert_eq!(
            about_complaint(|about| drop(about.as_object_mut().unwrap().remove(key))),
            foreign
        );
    }
    assert_eq!(about_complaint(|about| about["std"] = json!([1, "x", 1])), foreign);
    assert_eq!(about_complaint(|about| about["step"] = json!(-1)), foreign);
    let deep = format!("{{\"more\":{}", "[".repeat(100_000));
    let header = json!({ "__metadata__": { "stcn": deep } }).to_string();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    assert_eq!(complaint(&bytes), foreign);
}

#[test]
fn numbers_that_no_run_has_are_refused() {
    assert_eq!(
        about_complaint(|about| about["mean"] = json!([0, 0])),
        "has means of 2 channels where its config has 3: export it again"
    );
    assert_eq!(
        about_complaint(|about| about["std"] = json!([1, 1])),
        "has 3 means and 2 standard deviations: take another copy"
    );
    assert_eq!(
        about_complaint(|about| about["std"][2] = json!(0)),
        "has the standard deviation 0 for channel 3, want a number above 0: take another copy"
    );
    let mut bytes = exported(&about());
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(complaint(&bytes).contains(" that is not finite: "), "{}", complaint(&bytes));
}

#[test]
fn a_config_that_asks_for_more_than_the_file_has_is_refused_at_once() {
    let giant = "[model]\nchannels = 65536\nkernel_size = 64\n";
    assert_eq!(
        one_complaint(giant, "head.pen.bias", Dtype::F32, &[1]),
        "has no f32 tensor tcn.1.filter.weight, which its config requires: export it again"
    );
    assert_eq!(
        one_complaint(giant, "tcn.1.filter.weight", Dtype::F16, &[2]),
        "has no f32 tensor tcn.1.filter.weight, which its config requires: export it again"
    );
    assert_eq!(
        one_complaint(giant, "tcn.1.filter.weight", Dtype::F32, &[2, 3, 4]),
        "holds tcn.1.filter.weight [2, 3, 4] where the model has tcn.1.filter.weight [64, 3, 65536]: \
         it belongs to another config"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_the_reader_panic(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        mutated in mutations(exported(&about())),
        about in mutations(about().to_string().into_bytes()),
    ) {
        let header = |json: &[u8]| [&(json.len() as u64).to_le_bytes(), json].concat();
        let about = String::from_utf8_lossy(&about);
        let around = json!({ "__metadata__": { "stcn": about } }).to_string();
        for bytes in [&noise, &mutated, &header(&noise), &header(around.as_bytes())] {
            let _ = safetensors::from_bytes(bytes, Path::new("x"), &Registry::default());
        }
    }
}
