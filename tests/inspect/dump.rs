use safetensors::SafeTensors;
use serde_json::json;
use stcn::inspect::Dump;
use stcn::nn::{Init, Linear};
use stcn::ops::sum;
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

fn numbers(file: &SafeTensors, name: &str) -> Vec<f32> {
    let view = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn a_pass_is_written_by_what_each_node_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pass.safetensors");
    let layer = Init::new(1).scope("layer", |init| Linear::new(init, 2, 1));
    let tape = Tape::new();
    let x = tape.constant(Tensor::new(&[1, 2], vec![3. as Real, 4.])).named("x");
    let noise = tape.constant(Tensor::new(&[1, 1], vec![0.5 as Real])).named("noise.z.1");
    let y = (layer.forward(x) + noise).named("y");
    let grads = tape.backward(sum(y), Keep::All);
    let mut dump = Dump::default();
    dump.add("input.x", &x.value());
    dump.add_pass(&tape, &grads, &layer);
    dump.save(&path, &json!({ "loss": 1.5 })).unwrap();

    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort();
    let want = [
        "grad.layer.bias",
        "grad.layer.weight",
        "input.x",
        "noise.z.1",
        "param.layer.bias",
        "param.layer.weight",
        "value.x",
        "value.y",
    ];
    assert_eq!(names, want);
    assert_eq!(numbers(&file, "grad.layer.weight"), [3., 4.]);
    assert_eq!(numbers(&file, "noise.z.1"), [0.5]);
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = metadata.metadata().clone().unwrap();
    assert_eq!(metadata.len(), 1);
    assert_eq!(metadata["stcn"], r#"{"loss":1.5}"#);
}

#[test]
fn a_parameter_without_a_gradient_is_there_with_zeros_and_a_label_of_every_step_is_numbered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pass.safetensors");
    let mut init = Init::new(1);
    let mut layer = |name: &str| init.scope(name, |init| Linear::new(init, 2, 1));
    let layers = vec![layer("used"), layer("idle")];
    let tape = Tape::new();
    let step = |x: Real| {
        let x = tape.constant(Tensor::new(&[1, 2], vec![x, 1.]));
        layers[0].forward(x).named("p.1.mean")
    };
    let loss = sum(step(2.) + step(3.)).named("loss");
    let mut dump = Dump::default();
    dump.add_pass(&tape, &tape.backward(loss, Keep::All), &layers);
    dump.save(&path, &json!({})).unwrap();

    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(numbers(&file, "grad.used.weight"), [5., 2.]);
    assert_eq!(numbers(&file, "grad.idle.weight"), [0., 0.]);
    assert_eq!(numbers(&file, "grad.idle.bias"), [0.]);
    assert_eq!(numbers(&file, "param.idle.weight").len(), 2);
    let weight = numbers(&file, "param.used.weight");
    for (x, name) in [(2., "value.p.1.mean.1"), (3., "value.p.1.mean.2")] {
        assert_eq!(numbers(&file, name), [x * weight[0] + weight[1]], "{name}");
    }
    assert!(file.tensor("value.p.1.mean").is_err());
    assert!(file.tensor("value.loss").is_ok());
}

#[test]
fn a_dump_that_cannot_be_written_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no such place").join("pass.safetensors");
    let message = Dump::default().save(&path, &json!({})).unwrap_err().to_string();
    assert!(message.starts_with("cannot write "), "{message}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
