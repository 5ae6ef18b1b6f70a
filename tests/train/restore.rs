use super::{small_header, untrained};
use stcn::Tensor;
use stcn::models::Registry;
use stcn::train::{Checkpoint, Trained};
use stcn::train::{Header, Named};

/// The sentence about a checkpoint with good checksums, without the file's name.
fn complaint(header: Header, params: Vec<Named>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.stcn");
    Checkpoint { header, params, adam_m: vec![], adam_v: vec![] }.save(&path).unwrap();
    let said = Trained::open(&path, &Registry::default()).err().expect("refused").to_string();
    said.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&said).to_string()
}

#[test]
fn a_checkpoint_without_the_parameters_its_config_asks_for_is_refused_before_a_model_is_built() {
    // 2⁴⁰ numbers, by words alone.
    let giant =
        small_header(&["model.channels=65536", "model.kernel_size=64", "model.latents=[65536]"]);
    assert_eq!(
        complaint(giant.clone(), vec![]),
        "holds nothing where the model has tcn.1.filter.weight [64, 3, 65536]: it belongs to another \
         config"
    );
    let bias = Named { path: "tcn.1.filter.bias".into(), value: Tensor::zeros(&[2, 3]) };
    assert_eq!(
        complaint(giant, vec![bias]),
        "holds tcn.1.filter.bias [2, 3] where the model has tcn.1.filter.weight [64, 3, 65536]: it \
         belongs to another config"
    );
}

#[test]
fn a_checkpoint_with_more_parameters_than_its_config_asks_for_is_refused() {
    let Checkpoint { mut params, .. } = untrained();
    params.push(Named { path: "more".into(), value: Tensor::zeros(&[1]) });
    assert_eq!(
        complaint(small_header(&[]), params),
        "holds more [1] where the model has no more parameters: it belongs to another config"
    );
}

#[test]
fn means_of_other_channels_than_the_config_asks_for_are_refused() {
    let mut checkpoint = untrained();
    (checkpoint.header.mean, checkpoint.header.std) = (vec![0.; 2], vec![1.; 2]);
    assert_eq!(
        complaint(checkpoint.header, checkpoint.params),
        "has means of 2 channels where its config has 3: take another copy"
    );
}
