use super::config;
use crate::common::preset;
use stcn::internals::columns::Columns;
use stcn::models::build;
use stcn::nn::Init;
use stcn::train::{Checked, Control, Observer, Report, RunDir, Trainer, fit};
use std::collections::BTreeMap;

struct Nobody;

impl Observer for Nobody {
    fn updated(&mut self, _: &Report, _: &Trainer) {}
    fn checked(&mut self, _: &Checked, _: &Trainer) {}
    fn control(&mut self) -> Control {
        Control::Continue
    }
}

/// The rows of a run's metrics.csv by column; what is empty is not there.
fn rows(sets: &[&str]) -> Vec<BTreeMap<String, f64>> {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config(sets)).unwrap();
    let (run, _lock) = RunDir::create(dir.path(), trainer.config()).unwrap();
    fit(&mut trainer, &run, &mut Nobody).unwrap();
    let text = std::fs::read_to_string(run.metrics()).unwrap();
    let names: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = names.iter().zip(line.split(',')).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(name, cell)| (name.to_string(), cell.parse().unwrap())).collect()
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn a_row_has_the_kl_of_every_latent_and_the_norms_of_every_group() {
    let groups = ["tcn", "prior", "infer", "output", "head"];
    // Row 2 is of a check, row 10 due by its number, row 11 the last.
    for row in rows(&["train.eval_every=2", "train.steps=11"]) {
        let close =
            |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * b.abs(), "{a} and {b}: {row:?}");
        close(row["kl.1"] + row["kl.2"], row["kl_seq"]);
        let norm = |group: &&str| row[&format!("grad_norm.{group}")];
        let sum = groups.iter().map(norm).fold(0., |sum, norm| sum + norm * norm);
        close(sum.sqrt(), row["grad_norm"]);
        for group in groups {
            let ratio = row[&format!("update_ratio.{group}")];
            assert!(ratio > 0. && ratio < 0.1, "{group}: {row:?}");
        }
        assert!((0. ..1.).contains(&row["dead_rectifiers"]));
    }
}

#[test]
fn a_row_says_whether_its_update_was_clipped() {
    for (clip, clipped) in [("0", 0.), ("1e-6", 1.), ("1e6", 0.)] {
        for row in rows(&[&format!("train.grad_clip={clip}")]) {
            assert_eq!(row["clipped"], clipped, "{clip}");
        }
    }
}

#[test]
fn what_does_not_apply_is_empty() {
    let fivo = ["train.objective=fivo", "train.particles=2", "train.steps=2"];
    let row = &rows(&fivo)[0];
    assert!(
        !row.contains_key("kl.1") && !row.contains_key("kl_seq") && row.contains_key("clipped")
    );
}

#[test]
fn columns_have_names_in_tensorboard() {
    let model = preset("ink-tiny", Some("vrnn"), None).unwrap().model;
    let model = build(&model, Init::new(1)).unwrap();
    let columns = Columns::new(&*model, 3);
    let names = columns.names();
    assert_eq!(names[..2], ["epoch", "seconds"]);
    assert_eq!(names[names.len() - 2..], ["valid_elbo_seq", "valid_loss"]);
    let tags = columns.tags(&vec![Some(1.); names.len()]);
    let tags: Vec<&str> = tags.iter().map(|(tag, _)| tag.as_str()).collect();
    for tag in ["train/loss", "kl/z.1", "train/clipped", "grad_norm/prior", "update_ratio/head"] {
        assert!(tags.contains(&tag), "{tag} in {tags:?}");
    }
    assert_eq!(tags.len(), names.len());
    assert_eq!(columns.tags(&vec![None; names.len()]), []);
}

#[test]
fn every_model_has_columns() {
    for kind in stcn::models::ALL {
        let model =
            build(&preset("ink-tiny", Some(kind.name()), None).unwrap().model, Init::new(1));
        let columns = Columns::new(&*model.unwrap(), 3);
        let latents = columns.names().iter().filter(|name| name.starts_with("kl.")).count();
        assert_eq!(latents > 0, kind.has_latents(), "{kind}");
    }
}
