//! A checkpoint as it lies on the disk: whatever was changed, it is refused or says the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stcn::Tensor;
use stcn::train::{Checkpoint, Header, Named};

fuzz_target!(
    init: stcn_fuzz::seed("checkpoint", seeds()),
    |bytes: &[u8]| {
        // Nothing gets past the checksums but what was written: a header and its numbers, once each.
        let read = stcn_fuzz::within(bytes, 8, 1 << 12, Checkpoint::from_bytes);
        if let Ok(checkpoint) = read {
            stcn_fuzz::same_again(&checkpoint);
        }
    }
);

fn seeds() -> Vec<Vec<u8>> {
    let header = Header { mean: vec![0.5], std: vec![2.], ..Header::new("seed = 1\n") };
    let value = Tensor::new(&[1, 2], vec![1., -2.]);
    let params = vec![Named { path: "a".into(), value: value.clone() }];
    let whole = Checkpoint {
        header: header.clone(),
        params: params.clone(),
        adam_m: vec![value.clone()],
        adam_v: vec![value],
    };
    let weights = Checkpoint { header, params, adam_m: vec![], adam_v: vec![] };
    vec![whole.to_bytes(), weights.to_bytes(), stcn_fuzz::checkpoint([b"", b"", b"", b""])]
}
