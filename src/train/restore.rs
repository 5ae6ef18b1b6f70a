//! Restoring a model's parameters from a checkpoint, once they are known to fit.
//!
//! Not here: the checkpoint's file (`checkpoint`), the state of a run (`trainer`).

use super::checkpoint::{Checkpoint, Named};
use crate::error::{Error, Result};
use crate::models::{self, ModelConfig, SequenceModel, parameters};
use crate::tensor::Tensor;
use std::path::Path;

/// Refuses a checkpoint that does not hold exactly the parameters of the model in `config`, by path and shape,
/// and a mean for each input channel.
///
/// Called before the model is built: a config inside a file may name any sizes, and building them could take
/// more memory than there is.
pub(super) fn check(config: &ModelConfig, checkpoint: &Checkpoint, path: &Path) -> Result<()> {
    let (found, wanted) = (checkpoint.header.mean.len(), config.obs.input);
    if found != wanted {
        let what = format!(
            "has means of {found} channels where its config has {wanted}: take another copy"
        );
        return Err(Error::invalid(path, what));
    }
    let found = checkpoint.params.iter().map(|x| (x.path.as_str(), x.value.shape()));
    match difference(&found.collect::<Vec<_>>(), &models::shapes(config)?) {
        None => Ok(()),
        Some([found, wanted]) => {
            let what =
                format!("holds {found} where the model has {wanted}: it belongs to another config");
            Err(Error::invalid(path, what))
        }
    }
}

/// In words, the first parameter of `model` that the model in `config` has by another path or shape, and that one.
pub(super) fn mismatch(
    model: &dyn SequenceModel,
    config: &ModelConfig,
) -> Result<Option<[String; 2]>> {
    let found = parameters(model).into_iter().map(|(path, value)| (path, value.shape()));
    Ok(difference(&found.collect::<Vec<_>>(), &models::shapes(config)?))
}

/// In words, the first parameter that is found by another path or shape than it is wanted, and that one.
fn difference(found: &[(&str, &[usize])], wanted: &[(String, Vec<usize>)]) -> Option<[String; 2]> {
    let describe = |x: Option<(&str, &[usize])>, nothing: &str| {
        x.map_or(nothing.into(), |(path, shape)| format!("{path} {shape:?}"))
    };
    (0..wanted.len().max(found.len())).find_map(|i| {
        let found = found.get(i).copied();
        let wanted = wanted.get(i).map(|(path, shape)| (path.as_str(), shape.as_slice()));
        (found != wanted)
            .then(|| [describe(found, "nothing"), describe(wanted, "no more parameters")])
    })
}

/// Moves the tensors of a checkpoint into the model, after [`check`].
pub(super) fn fill(model: &mut dyn SequenceModel, params: Vec<Named>) {
    set(model, params.into_iter().map(|x| x.value));
}

/// Copies the parameters of another model into the model, after [`mismatch`].
pub(super) fn copy(model: &mut dyn SequenceModel, from: &dyn SequenceModel) {
    set(model, parameters(from).into_iter().map(|(_, value)| value.clone()));
}

fn set(model: &mut dyn SequenceModel, mut values: impl Iterator<Item = Tensor>) {
    model.visit_mut(&mut |p| p.value = values.next().expect("a tensor for every parameter"));
}
