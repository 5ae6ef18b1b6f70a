//! A finished pass as safetensors, for anyone to recompute in another framework and compare.
//!
//! The names and layouts in the file are a page of the [book](crate::book::dump).

use super::place::paths;
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::nn::Module;
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

    /// Adds a pass: `param.<path>` and `grad.<path>` of every parameter of the model (zeros if the loss does not
    /// depend on it), `noise.<label>` of every draw, `value.<label>` of every other labelled node. A label that
    /// several nodes have, one per step, is numbered in their order: `<label>.1`, `<label>.2`, …
    pub fn add_pass(&mut self, tape: &Tape, grads: &Grads, model: &dyn Module) {
        let parameters = paths(model);
        model.visit(&mut |p| {
            self.add(format!("param.{}", p.path()), &p.value);
            let zeros = || Tensor::zeros(p.value.shape());
            self.add(format!("grad.{}", p.path()), &grads.find(p).cloned().unwrap_or_else(zeros));
        });
        let mut labelled: BTreeMap<String, Vec<Tensor>> = BTreeMap::new();
        tape.each(|node| {
            if !node.label.is_empty() && !parameters.contains(&node.label) {
                labelled.entry(node.label.clone()).or_default().push(node.value.clone());
            }
        });
        for (label, values) in &labelled {
            let kind = if label.starts_with("noise.") { "" } else { "value." };
            for (i, value) in values.iter().enumerate() {
                let number = if values.len() > 1 { format!(".{}", i + 1) } else { String::new() };
                self.add(format!("{kind}{label}{number}"), value);
            }
        }
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
