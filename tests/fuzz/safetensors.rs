//! A file for `stcn import`: as it lies on the disk, header and numbers in a good frame, or hostile metadata
//! beside all the tensors that its config asks for.
//!
//! The first byte says which: 0 and the file, 1 and header and numbers, 2 and the metadata's text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use stcn::models::Registry;
use stcn::internals::safetensors;
use stcn::train::Config;
use std::path::Path;

fuzz_target!(
    init: stcn_fuzz::seed("safetensors", seeds()),
    |input: &[u8]| {
        let bytes = match input {
            [0, file @ ..] => file.to_vec(),
            [1, input @ ..] => {
                let [header, numbers] = stcn_fuzz::parts(input);
                stcn_fuzz::safetensors(header, numbers)
            }
            [2, about @ ..] => beside_tensors(&String::from_utf8_lossy(about)),
            _ => return,
        };
        // A number of a shape comes to 32 bytes; the text of the config to more.
        stcn_fuzz::within(&bytes, stcn_fuzz::CONFIG, stcn_fuzz::NAMES, |bytes| {
            let _ = safetensors::from_bytes(bytes, Path::new("x"), &Registry::default());
        });
    }
);

fn beside_tensors(about: &str) -> Vec<u8> {
    let mut header = json!({ "__metadata__": { "stcn": about } });
    let about: serde_json::Value = serde_json::from_str(about).unwrap_or_default();
    let shapes = about["config"].as_str().and_then(stcn_fuzz::shapes).unwrap_or_default();
    let mut end = 0;
    for (path, shape) in shapes {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        header[path] = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
    }
    stcn_fuzz::safetensors(header.to_string().as_bytes(), &vec![0; end])
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![];
    for text in stcn_fuzz::texts() {
        let config = Config::from_toml(&text, Path::new("x"), &Registry::default());
        let config = config.unwrap_or_default();
        let channels = config.model.obs.input;
        let (mean, std) = (vec![0; channels], vec![1; channels]);
        let about = json!({ "config": text, "step": 3, "mean": mean, "std": std });
        seeds.push([&[2][..], about.to_string().as_bytes()].concat());
        if stcn_fuzz::shapes(&text).is_some() {
            let file = stcn_fuzz::exported(&config.model, &about);
            seeds.push([&[0][..], &file].concat());
        }
    }
    let one = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    seeds.push([&[1][..], one, &stcn_fuzz::CUT, &[0; 4]].concat());
    // What takes the most memory for its length, as above.
    let flat = format!(
        r#"{{"a":{{"dtype":"F32","shape":[{}1],"data_offsets":[0,4]}}}}"#,
        "1,".repeat(3000)
    );
    seeds.push([&[1][..], flat.as_bytes(), &stcn_fuzz::CUT, &[0; 4]].concat());
    let names = (0..150).map(|i| {
        format!(r#""{i}":{{"dtype":"F32","shape":[],"data_offsets":[{},{}]}}"#, 4 * i, 4 * i + 4)
    });
    let names = format!("{{{}}}", names.collect::<Vec<_>>().join(","));
    seeds.push([&[1][..], names.as_bytes(), &stcn_fuzz::CUT, &[0; 600]].concat());
    let about = format!(r#"{{"mean":[{}0]}}"#, "0,".repeat(3000));
    seeds.push([&[2][..], about.as_bytes()].concat());
    seeds
}
