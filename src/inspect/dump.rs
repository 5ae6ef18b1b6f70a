//! A finished pass as safetensors, for anyone to recompute in another framework and compare.

use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::tape::{Grads, Tape};
use crate::tensor::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Tensors by name, to be written in one file.
#[derive(Default)]
pub struct Dump {
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl Dump {
    /// Adds one tensor, as f32.
    pub fn add(&mut self, name: impl Into<String>, value: &Tensor) {
        let bytes = value.data().iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
        self.tensors.insert(name.into(), (value.shape().to_vec(), bytes));
    }

    /// Adds a pass: `param.<path>` and `grad.<path>` of every parameter, `noise.<label>` of every draw,
    /// `value.<label>` of every other labelled node.
    pub fn add_pass(&mut self, tape: &Tape, grads: &Grads) {
        tape.each(|node| {
            let parameter = node.tracked && node.inputs.is_empty();
            match node.label.as_str() {
                "" => (),
                label if parameter => {
                    self.add(format!("param.{label}"), &node.value);
                    if let Some(grad) = grads.at(node.id) {
                        self.add(format!("grad.{label}"), grad);
                    }
                }
                label if label.starts_with("noise.") => self.add(label, &node.value),
                label => self.add(format!("value.{label}"), &node.value),
            }
        });
    }

    /// Writes the file, with `about` as its one metadata key, `stcn`. Several keys would be written in an
    /// order that differs from run to run.
    pub fn save(&self, path: &Path, about: &serde_json::Value) -> Result<()> {
        let views = self.tensors.iter().map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name.clone(), view.expect("bytes match the shape"))
        });
        let metadata = [("stcn".to_string(), about.to_string())].into_iter().collect();
        let bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|e| Error::invalid(path, format!("cannot be written as safetensors: {e}")))?;
        write_whole(path, |file| file.write_all(&bytes))
    }
}
