//! LadderRNN: counts, its contexts, its output.

use super::{batch, model, noise, row, tiny};
use stcn::models::config::*;
use stcn::models::{Bound, Stcn, count, shapes};
use stcn::nn::Init;
use stcn::tape::{Keep, Tape};
use stcn::train::config::Config;
use stcn::{Real, Tensor};

const KINDS: [ModelKind; 2] = [ModelKind::LadderRnn, ModelKind::LadderRnnDense];

#[test]
fn the_papers_sizes_have_the_parameter_counts_of_the_table() {
    // stcn.md §9: 25x256 as the presets are, 5x512 by two keys.
    for (preset, deep, wide) in [
        (
            "ink",
            [[15_872_765, 15_897_437], [15_880_445, 15_905_117]],
            [[13_763_325, 13_787_997], [13_771_005, 13_795_677]],
        ),
        (
            "speech",
            [[16_894_544, 18_852_884], [16_955_984, 18_914_324]],
            [[14_986_832, 16_945_172], [15_048_272, 17_006_612]],
        ),
    ] {
        for (i, kind) in KINDS.into_iter().enumerate() {
            for (j, head) in [HeadKind::Normal, HeadKind::Gmm].into_iter().enumerate() {
                let config = Config::preset(preset, Some(kind.name()), Some(head.name()));
                let model = config.unwrap().model;
                assert_eq!(count(&model).unwrap(), deep[i][j], "{kind} {preset} {head}");
                let model = ModelConfig { channels: 512, blocks_per_latent: 1, ..model };
                assert_eq!(count(&model).unwrap(), wide[i][j], "5x512 {kind} {preset} {head}");
            }
        }
    }
}

#[test]
fn stack_latent_nets_and_decoder_have_the_counts_of_the_table() {
    for (preset, want) in [
        ("ink", [[12_873_728, 2_726_136, 279_296], [9_453_568, 4_036_856, 279_296]]),
        ("speech", [[13_075_456, 3_387_328, 390_400], [9_857_024, 4_698_048, 390_400]]),
    ] {
        let deep = Config::preset(preset, Some("ladder-rnn-dense"), None).unwrap().model;
        let wide = ModelConfig { channels: 512, blocks_per_latent: 1, ..deep.clone() };
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
    let config = tiny(ModelKind::LadderRnn, (Task::Ink, HeadKind::Normal));
    let model = Stcn::new(&mut Init::new(2), &config);
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
    let config = tiny(ModelKind::LadderRnnDense, (Task::Speech, HeadKind::Normal));
    let model = Stcn::new(&mut Init::new(2), &config);
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
        let config = ModelConfig {
            embedding: 9,
            latent_hidden: 7,
            ..tiny(kind, (Task::Ink, HeadKind::Gmm))
        };
        let shapes = shapes(&config).unwrap();
        let shape = |wanted: &str| {
            shapes.iter().find(|(path, _)| path == wanted).map(|(_, shape)| shape.clone()).unwrap()
        };
        let y = if kind.is_dense() { 3 + 2 } else { 3 };
        assert_eq!(shape("output.1.weight"), [y, 9]);
        assert_eq!(shape("output.2.weight"), [9, 9]);
        assert_eq!(shape("head.mean.weight"), [9, 2 * 3]);
        assert_eq!(shape("prior.1.mean.1.weight"), [5 + 2, 7]);
        assert_eq!(shape("lstm.1.input.weight"), [3, 4 * 5]);
    }
}

#[test]
fn a_network_of_zeros_gives_the_numbers_of_the_specification() {
    for (kind, precision, want) in [
        (ModelKind::LadderRnn, Precision::Product, 5.987563),
        (ModelKind::LadderRnnDense, Precision::AsReleased, 38.422437),
    ] {
        let config = tiny(kind, (Task::Ink, HeadKind::Gmm));
        let config = ModelConfig { latents: vec![32, 16, 8, 4, 2], precision, ..config };
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
        let preset = Config::preset("speech-small", Some(kind.name()), None).unwrap().model;
        assert_eq!(preset.decoder, Decoder::Pointwise);
        let config = tiny(kind, (Task::Speech, HeadKind::Normal));
        let config = ModelConfig { decoder: Decoder::Pointwise, ..config };
        let model = model(&config);
        assert_eq!(model.bound(), Bound::Lower);
        let weights = model.importance_weights(&batch(&config, &[4]), &noise(), 2).unwrap();
        let finite = |w: &Tensor| w.data().iter().all(|w: &Real| w.is_finite());
        assert!(weights.iter().all(finite) && weights[0] != weights[1]);
    }
}

#[test]
fn no_dilation_limits_how_many_cells_a_level_may_have() {
    let config = tiny(ModelKind::LadderRnn, (Task::Ink, HeadKind::Gmm));
    ModelConfig { blocks_per_latent: 24, ..config.clone() }.validate().unwrap();
    let said = ModelConfig { blocks_per_latent: 25, ..config }.validate().unwrap_err().to_string();
    assert_eq!(said, "model.blocks_per_latent is 25: choose a number from 1 to 24");
}
