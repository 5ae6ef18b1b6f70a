//! LadderRNN: counts, its contexts, its output.

use super::{batch, is_dense, model, new_stcn, noise, row, tiny, with};
use stcn::models::ladder::Config as LadderConfig;
use stcn::models::stcn::Decoder;
use stcn::models::{Bound, LADDER_RNN, LADDER_RNN_DENSE, ModelKind, count, shapes};
use stcn::models::{HeadKind, ModelConfig, Preset, Task};
use stcn::tape::{Keep, Tape};
use stcn::{Real, Tensor};

const KINDS: [ModelKind; 2] = [LADDER_RNN, LADDER_RNN_DENSE];

/// 5x512 instead of 25x256.
fn five_wide_cells(config: &ModelConfig) -> ModelConfig {
    with(&with(config, "hidden_size", 512), "cells_per_latent", 1)
}

#[test]
fn the_papers_sizes_have_the_parameter_counts_of_the_table() {
    // stcn.md §9: 25x256 as the presets are, 5x512 by two keys.
    for (preset, deep, wide) in [
        (
            Preset::Ink,
            [[15_872_765, 15_897_437], [15_880_445, 15_905_117]],
            [[13_763_325, 13_787_997], [13_771_005, 13_795_677]],
        ),
        (
            Preset::Speech,
            [[16_894_544, 18_852_884], [16_955_984, 18_914_324]],
            [[14_986_832, 16_945_172], [15_048_272, 17_006_612]],
        ),
    ] {
        for (i, kind) in KINDS.into_iter().enumerate() {
            for (j, head) in [HeadKind::Normal, HeadKind::Gmm].into_iter().enumerate() {
                let config = ModelConfig::preset(kind, preset, Some(head));
                assert_eq!(count(&config).unwrap(), deep[i][j], "{kind} {preset} {head}");
                let config = five_wide_cells(&config);
                assert_eq!(count(&config).unwrap(), wide[i][j], "5x512 {kind} {preset} {head}");
            }
        }
    }
}

#[test]
fn stack_latent_nets_and_decoder_have_the_counts_of_the_table() {
    for (preset, want) in [
        (Preset::Ink, [[12_873_728, 2_726_136, 279_296], [9_453_568, 4_036_856, 279_296]]),
        (Preset::Speech, [[13_075_456, 3_387_328, 390_400], [9_857_024, 4_698_048, 390_400]]),
    ] {
        let deep = ModelConfig::preset(LADDER_RNN_DENSE, preset, None);
        let wide = five_wide_cells(&deep);
        for (config, want) in [deep, wide].into_iter().zip(want) {
            let shapes = shapes(&config).unwrap();
            let sum = |parts: &[&str]| -> usize {
                let mine = |path: &str| parts.contains(&path.split('.').next().unwrap());
                let mine = shapes.iter().filter(|(path, _)| mine(path));
                mine.map(|(_, shape)| shape.iter().product::<usize>()).sum()
            };
            let found = [sum(&["lstm"]), sum(&["prior", "infer"]), sum(&["output"])];
            assert_eq!(found, want, "{preset}");
        }
    }
}

#[test]
fn contexts_are_the_outputs_of_every_k_th_cell_and_see_all_of_the_past() {
    let config = tiny(LADDER_RNN, (Task::Ink, HeadKind::Normal));
    let model = new_stcn(2, &config);
    let tape = Tape::new();
    let x = tape.input(batch(&config, &[30]).x, "x");
    let d = model.contexts(x);
    assert_eq!(d.iter().map(|d| d.value().shape().to_vec()).collect::<Vec<_>>(), [[1, 31, 5]; 2]);
    // The last row of d^l knows the first x, and cells 1 … l·K = 2l alone stand below it.
    for (l, d) in d.into_iter().enumerate() {
        let mut last_row = Tensor::zeros(&[1, 31, 5]);
        last_row.data_mut()[30 * 5..].fill(1.);
        let grads = tape.pull_back(d, last_row, Keep::Leaves);
        assert!(row(grads.wrt(x).unwrap(), 0, 0).iter().any(|&g| g != 0.), "d.{}", l + 1);
        stcn::nn::Module::visit(&model, &mut |p| {
            if let Some(cell) = p.path().strip_prefix("lstm.") {
                let cell: usize = cell.split('.').next().unwrap().parse().unwrap();
                let weight = tape.find(p.path()).unwrap().id();
                let heard = grads.at(weight).is_some_and(|g| g.squared_norm() > 0.);
                assert_eq!(heard, cell <= 2 * (l + 1), "{} in d.{}", p.path(), l + 1);
            }
        });
    }
}

#[test]
fn the_last_step_has_a_posterior_context_of_its_own() {
    // A stack that stopped at row T − 1 would leave zeros there: stcn.md §2.
    let config = tiny(LADDER_RNN_DENSE, (Task::Speech, HeadKind::Normal));
    let model = new_stcn(2, &config);
    let (x, tape) = (batch(&config, &[4]).x, Tape::inference());
    let d = model.contexts(tape.constant(x.clone()));
    let moved = model.contexts(tape.constant(moved_last(&x)));
    for (d, moved) in d.iter().zip(&moved) {
        assert_ne!(row(&d.value(), 0, 4), row(&moved.value(), 0, 4));
        assert_eq!(row(&d.value(), 0, 3), row(&moved.value(), 0, 3));
    }
}

fn moved_last(x: &Tensor) -> Tensor {
    let mut x = x.clone();
    let last = x.len() - 1;
    x.data_mut()[last] += 1.;
    x
}

#[test]
fn the_output_network_has_a_width_of_its_own() {
    for kind in KINDS {
        let config = tiny(kind, (Task::Ink, HeadKind::Gmm));
        let config = with(&with(&config, "output_size", 9), "latent_hidden", 7);
        let shapes = shapes(&config).unwrap();
        let shape = |wanted: &str| {
            shapes.iter().find(|(path, _)| path == wanted).map(|(_, shape)| shape.clone()).unwrap()
        };
        let y = if is_dense(kind) { 3 + 2 } else { 3 };
        assert_eq!(shape("output.1.weight"), [y, 9]);
        assert_eq!(shape("output.2.weight"), [9, 9]);
        assert_eq!(shape("head.mean.weight"), [9, 2 * 3]);
        assert_eq!(shape("prior.1.mean.1.weight"), [5 + 2, 7]);
        assert_eq!(shape("lstm.1.input.weight"), [3, 4 * 5]);
    }
}

#[test]
fn a_network_of_zeros_gives_the_numbers_of_the_specification() {
    for (kind, precision, want) in
        [(LADDER_RNN, "product", 5.987563), (LADDER_RNN_DENSE, "as-released", 38.422437)]
    {
        let config = tiny(kind, (Task::Ink, HeadKind::Gmm));
        let config = with(&with(&config, "latents", vec![32, 16, 8, 4, 2]), "precision", precision);
        let mut model = model(&config);
        model.visit_mut(&mut |p| p.value.data_mut().fill(0.));
        let mut batch = batch(&config, &[3]);
        batch.x.data_mut().fill(0.);
        let tape = Tape::inference();
        let elbo = model.elbo(&tape, &batch, &noise(), stcn::models::Kl::Analytic);
        let at = |x: stcn::Var| f64::from(row(&x.value(), 0, 2)[0]);
        let kl: f64 = elbo.kl.iter().map(|&kl| at(kl)).sum();
        super::assert_close(kl, want, 200. * want * 2f64.powi(-24), "KL");
        super::assert_close(at(elbo.log_px), -1.7979984, 400. * 2f64.powi(-24), "log p(0)");
    }
}

#[test]
fn steps_have_weights_of_their_own_on_speech_too() {
    for kind in KINDS {
        let preset = ModelConfig::preset(kind, Preset::SpeechSmall, None);
        assert_eq!(preset.own::<LadderConfig>().decoder, Decoder::Pointwise);
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let config = with(&config, "decoder", "pointwise");
        let model = model(&config);
        assert_eq!(model.bound(), Bound::Lower);
        let weights = model.importance_weights(&batch(&config, &[4]), &noise(), 2).unwrap();
        let finite = |w: &Tensor| w.data().iter().all(|w: &Real| w.is_finite());
        assert!(weights.iter().all(finite) && weights[0] != weights[1]);
    }
}

#[test]
fn no_dilation_limits_how_many_cells_a_level_may_have() {
    let config = tiny(LADDER_RNN, (Task::Ink, HeadKind::Gmm));
    with(&config, "cells_per_latent", 24).validate().unwrap();
    let said = with(&config, "cells_per_latent", 25).validate().unwrap_err().to_string();
    assert_eq!(said, "model.cells_per_latent is 25: choose a number from 1 to 24");
}
