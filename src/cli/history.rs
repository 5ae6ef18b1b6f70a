//! The passes at the kept checkpoints of a run, for `stcn inspect --history`.

use crate::data::Batch;
use crate::error::{Error, Result};
use crate::file::in_shell;
use crate::inspect::History;
use crate::models::Registry;
use crate::noise::Noise;
use crate::tape::{Keep, Tape};
use crate::train::config::Objective;
use crate::train::objective::forward;
use crate::train::{Kept, RunDir, Trained, metrics};
use serde_json::json;
use std::path::PathBuf;

/// Those of the run that `newest` is of, each on `batch` and with the same `noise`, so that only the parameters differ and
/// the weight of the KL, which is that of the checkpoint's step. `tape` is the pass of `newest` itself.
pub(super) fn history(
    newest: &Trained,
    batch: &Batch,
    noise: &Noise,
    tape: &Tape,
    registry: &Registry,
) -> Result<History> {
    let Some(run) = RunDir::of(&newest.checkpoint) else {
        let what = "--history wants a run directory, whose kept checkpoints it shows";
        return Err(Error::usage(what));
    };
    let train = &newest.config.train;
    if train.objective == Objective::Fivo {
        let what = "--history compares passes node by node, and with train.objective fivo each has its own: leave it out";
        return Err(Error::usage(what));
    }
    let mut kept = Kept::all(&run.kept())?;
    kept.retain(|(step, _)| *step != newest.step);
    if kept.is_empty() {
        let root = in_shell(run.root());
        let what = format!(
            "has kept no checkpoints for --history to show: train with `--set train.keep=16`, or go on with `stcn train \
             --resume {root} --steps N --set train.keep=16`"
        );
        return Err(Error::invalid(run.root(), what));
    }
    let mut history = History::default();
    for path in spread(kept, History::room(tape)) {
        let trained = Trained::open(&path, registry)?;
        let weight = trained.kl_weight();
        let pass = Tape::new();
        let loss =
            forward(&*trained.model, &pass, batch, &batch.lengths, noise, weight, train).loss;
        if pass.len() != tape.len() {
            let (found, wanted) = (pass.len(), tape.len());
            let what =
                format!("has a pass of {found} nodes, the newest {wanted}: leave --history out");
            return Err(Error::invalid(path, what));
        }
        let grads = pass.backward(loss, Keep::All);
        let loss = f64::from(loss.value().item());
        history.add(
            &pass,
            &grads,
            json!({"step": trained.step, "loss": loss, "kl_weight": weight}),
        );
    }
    let (columns, rows) = match run.metrics() {
        path if path.exists() => metrics::table(&path)?,
        _ => (vec![], vec![]),
    };
    Ok(history.with_curves(&columns, &rows))
}

/// At most so many paths, the first and the last among them, evenly spread.
fn spread(kept: Vec<(u64, PathBuf)>, most: usize) -> Vec<PathBuf> {
    let (last, count) = (kept.len() - 1, kept.len().min(most));
    let chosen: Vec<usize> = (0..count).map(|i| i * last / (count - 1).max(1)).collect();
    let all = kept.into_iter().enumerate().filter(|(i, _)| chosen.contains(i));
    all.map(|(_, (_, path))| path).collect()
}
