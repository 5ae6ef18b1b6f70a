//! Hostile contents under good checksums, read as `stcn evaluate` reads a run: to the model, built and filled.
//!
//! Parts: config · means and standard deviations · directory · params · Adam's. Where one is empty, what suits
//! the config takes its place, so that every check is reached with all others passed.

#![no_main]

use bincode::Options;
use libfuzzer_sys::fuzz_target;
use stcn::models::Registry;
use stcn::train::{Checkpoint, Header};
use stcn::train::{Config, Trained};
use std::path::Path;

fuzz_target!(
    init: stcn_fuzz::seed("framed", seeds()),
    |input: &[u8]| {
        let bytes = framed(input);
        // A parameter of one number takes 7 bytes, and with its name, shape and tensor some 500; a list that
        // announces its length is given up to a megabyte before its first entry is met.
        let read = stcn_fuzz::within(&bytes, 80, 5 << 18, Checkpoint::from_bytes);
        let Ok(checkpoint) = read else { return };
        stcn_fuzz::same_again(&checkpoint);
        stcn_fuzz::within(&bytes, stcn_fuzz::CONFIG, stcn_fuzz::NAMES, |_| {
            let _ = Trained::from_checkpoint(checkpoint, Path::new("x"), &Registry::default());
        });
    }
);

/// A file of the parts of `input`.
fn framed(input: &[u8]) -> Vec<u8> {
    let [text, figures, directory, params, adam] = stcn_fuzz::parts(input);
    if text.is_empty() {
        return stcn_fuzz::checkpoint([directory, params, adam, adam]);
    }
    let text = String::from_utf8_lossy(text);
    let config = Config::from_toml(&text, Path::new("x"), &Registry::default()).ok();
    let channels = config.map_or(1, |config| config.model.obs.input);
    let mut header = Header::new(text);
    (header.mean, header.std) = (vec![0.; channels], vec![1.; channels]);
    let (words, _) = figures.as_chunks();
    let mut words = words.iter().map(|&word| u64::from_le_bytes(word));
    for count in [&mut header.step, &mut header.best_step, &mut header.bad_checks] {
        *count = words.next().unwrap_or(*count);
    }
    for (x, word) in header.mean.iter_mut().chain(&mut header.std).zip(words) {
        *x = f64::from_bits(word);
    }
    let shapes = stcn_fuzz::shapes(&header.config_toml).unwrap_or_default();
    let count: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let options = bincode::DefaultOptions::new();
    let header = match directory {
        [] => options.serialize(&(header, shapes)),
        bytes => options.serialize(&header).map(|header| [&header, bytes].concat()),
    };
    let zeros = vec![0; 4 * count];
    let params = if params.is_empty() { &zeros } else { params };
    stcn_fuzz::checkpoint([&header.expect("text and numbers"), params, adam, adam])
}

fn seeds() -> Vec<Vec<u8>> {
    let cut = stcn_fuzz::CUT;
    let numbers = [7_u64.to_le_bytes(), 3_u64.to_le_bytes(), 2_u64.to_le_bytes(), [0; 8]].concat();
    let directory = b"\x01\x01a\x02\x01\x02"; // one parameter a of shape (1, 2)
    let parts = [&cut[..], &cut, directory, &cut, &[0; 8], &cut, &[0; 8]].concat();
    let texts = stcn_fuzz::texts().into_iter().map(String::into_bytes);
    let whole = texts.flat_map(|text| {
        [text.clone(), [&text[..], &cut, &numbers].concat(), [&text[..], &parts].concat()]
    });
    // What takes the most memory for its length: a thousand parameters of one number and no name.
    let many = [&[251, 0xe8, 0x03][..], &[0, 1, 1].repeat(1000)].concat();
    let many = [b"seed = 1", &cut[..], &cut, &many, &cut, &[0; 4000]].concat();
    whole.chain([many]).collect()
}
