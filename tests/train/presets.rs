use stcn::data::Normalise;
use stcn::models::{self, config::*};
use stcn::train::config::{Config, Reduction, ScheduleKind};
use stcn::train::presets::PRESETS;
use std::path::Path;

fn preset(name: &str, model: &str, head: &str) -> Config {
    Config::preset(name, Some(model), Some(head)).unwrap()
}

#[test]
fn every_preset_with_every_model_and_fitting_head_is_valid_and_survives_toml() {
    for (name, _) in PRESETS {
        let task = Config::preset(name, None, None).unwrap().model.task;
        for kind in ModelKind::ALL {
            for head in HeadKind::ALL {
                let fits = match head {
                    HeadKind::Bernoulli => task == Task::Music,
                    HeadKind::Bigmm => task == Task::Ink,
                    HeadKind::Normal | HeadKind::Gmm => task != Task::Music,
                };
                let config = Config::preset(name, Some(kind.name()), Some(head.name()));
                assert_eq!(config.is_ok(), fits, "{name} {kind} {head}: {config:?}");
                for config in config.into_iter().flat_map(|c| [c.clone(), c.as_released()]) {
                    let text = config.to_toml();
                    assert_eq!(Config::from_toml(&text, Path::new("x.toml")).unwrap(), config);
                    assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
                }
            }
        }
    }
}

#[test]
fn the_usual_model_is_stcn_dense_with_the_head_of_the_data() {
    let head =
        |name| Config::preset(name, None, None).map(|c| (c.model.kind, c.model.head)).unwrap();
    assert_eq!(head("ink-tiny"), (ModelKind::StcnDense, HeadKind::Gmm));
    assert_eq!(head("speech"), (ModelKind::StcnDense, HeadKind::Gmm));
    assert_eq!(head("music-small"), (ModelKind::StcnDense, HeadKind::Bernoulli));
    assert_eq!(Config::default().preset, "ink-tiny");
}

#[test]
fn an_unknown_preset_is_answered_with_the_nearest_and_all_others() {
    assert_eq!(
        Config::preset("ink-smal", None, None).unwrap_err().to_string(),
        "unknown preset `ink-smal`: did you mean `ink-small` (of ink-tiny, ink-small, ink, \
         speech-small, speech, speech-large, music-small)?"
    );
}

#[test]
fn the_paper_presets_have_the_papers_numbers() {
    let ink = preset("ink", "stcn-dense", "gmm");
    assert_eq!((ink.model.channels, ink.model.blocks_per_latent, ink.model.levels()), (256, 6, 5));
    assert_eq!((ink.train.batch, ink.train.lr, ink.train.lr_rate), (20, 5e-4, 0.92));
    assert_eq!((ink.train.reduction, ink.train.eval_every), (Reduction::MeanStep, 500));
    assert_eq!((ink.train.kl_anneal, ink.train.after_step, ink.train.epochs), (10_000, 10_000, 80));
    let speech = preset("speech", "stcn", "normal");
    assert_eq!((speech.model.input, speech.model.decoder), (200, Decoder::Gated));
    assert_eq!(speech.model.latents, [256, 128, 64, 32, 16]);
    assert_eq!((speech.train.reduction, speech.data.crop), (Reduction::MeanSequence, 40));
    let normalised =
        |name| preset(name, "wavenet", if name == "music-small" { "bernoulli" } else { "gmm" });
    let normalised = ["ink", "speech", "music-small"].map(|name| normalised(name).data.normalise);
    assert_eq!(normalised, [Normalise::PerChannel, Normalise::Scalar, Normalise::None]);
    assert_eq!(preset("speech-large", "stcn-dense", "gmm").model.channels, 512);
}

#[test]
fn small_presets_follow_the_rivals_page() {
    let small = preset("ink-small", "stcn-dense", "gmm");
    assert_eq!((small.train.batch, small.data.crop, small.train.steps), (16, 256, 5000));
    assert_eq!((small.train.schedule, small.train.lr_floor), (ScheduleKind::Cosine, 1e-4));
    assert_eq!((small.train.reduction, small.train.kl_anneal), (Reduction::PerStep, 1000));
    assert_eq!((small.train.eval_every, small.train.patience), (250, 10));
}

#[test]
fn a_wavenet_is_trained_as_the_stcn_beside_it_unless_as_released() {
    for (name, ..) in PRESETS.iter().filter(|(name, _)| *name != "music-small") {
        assert_eq!(preset(name, "wavenet", "gmm").train, preset(name, "stcn", "gmm").train);
    }
    let released = preset("ink", "wavenet", "gmm").as_released();
    assert_eq!((released.train.batch, released.train.lr_rate), (32, 0.95));
    assert_eq!(released.model.blocks_per_latent, 5);
    assert_eq!(preset("speech", "wavenet", "gmm").as_released().train.lr_rate, 0.92);
    assert_eq!(preset("ink", "stcn", "gmm").as_released().train.lr_rate, 0.92);
}

/// The formulas of stcn.md §9.
fn parameters(c: &ModelConfig) -> usize {
    let (f, levels, latent) = (c.channels, c.levels(), c.kind.has_latents());
    let lin = |i, o| i * o + o;
    let mlp = |i, width, layers: usize| lin(i, width) + (layers - 1) * lin(width, width);
    let block = |i: usize| 2 * (2 * i * f + f) + lin(f, f) + if i == f { 0 } else { lin(i, f) };
    let blocks = levels * c.blocks_per_latent;
    let ladder = c.kind.is_ladder();
    let width = if c.kind.is_recurrent() || ladder || c.kind == ModelKind::Swavenet {
        c.embedding
    } else {
        f
    }; // below the head
    let (a, n) = (c.embedding, c.output_layers);
    let (stack, output) = if c.kind == ModelKind::Rnn {
        (mlp(c.input, a, n) + 4 * f * (a + f + 1), mlp(f, a, n)) // rivals.md §2
    } else if c.kind == ModelKind::Vrnn {
        let (u, p, z) = (c.latent_embedding, c.latent_hidden, c.latents[0]); // rivals.md §3
        let nets = mlp(f, p, n) + mlp(a + f, p, n) + 4 * lin(p, z);
        let units = 4 * f * (a + u + f + 1);
        (mlp(c.input, a, n) + mlp(z, u, n) + nets + units, mlp(u + f, a, n))
    } else if matches!(c.kind, ModelKind::Srnn | ModelKind::SrnnFilter) {
        let (p, z, gru) = (c.latent_hidden, c.latents[0], |i| 3 * f * (i + f + 1)); // rivals.md §4
        let smooth = c.kind == ModelKind::Srnn;
        let summary = if smooth { gru(f + a) } else { mlp(f + a, f, n) };
        let nets = 4 * (lin(f + z, p) + lin(p, z));
        (mlp(c.input, a, n) + gru(a) + summary + nets, mlp(f + z, a, n))
    } else if c.kind == ModelKind::ZForcing {
        let (m, z) = (c.latent_width(), c.latents[0]); // rivals.md §9
        let units = |i: usize| 4 * f * (i + f + 1);
        let nets = lin(f, m) + lin(2 * f, m) + 2 * lin(m, 2 * z) + lin(z + f, m) + lin(m, 2 * f);
        let backward = match c.task {
            Task::Ink => 2 * lin(f, 2) + lin(f, 1),
            Task::Speech => 2 * lin(f, c.input),
            Task::Music => lin(f, c.input),
        };
        (lin(c.input, a) + units(a) + units(a + m) + lin(z, m) + nets + backward, lin(f, a))
    } else if c.kind == ModelKind::VarBilstm {
        let (m, z) = (c.latent_width(), c.latents[0]); // rivals.md §9
        let units = |i: usize| 4 * f * (i + f + 1);
        let tell = 2 * (lin(z, m) + lin(m, 2 * f));
        let nets = lin(f, m) + lin(2 * f, m) + 2 * lin(m, 2 * z) + tell;
        (lin(c.input, a) + units(a + z + f) + units(a) + nets, lin(f, a))
    } else if c.kind == ModelKind::Swavenet {
        let (m, z, n) = (c.latent_hidden, c.latents[0], c.pre_layers); // rivals.md §9
        let gate = |i, o| match c.gate_kind {
            GateKind::TwoLayer => lin(i, m) + lin(m, o),
            GateKind::PreReluLinear => lin(i, o),
        };
        let block = 2 * (2 * f * f + f) + lin(f, f);
        let nets = gate(f, 2 * z) + gate(2 * f, 2 * z) + gate(2 * f, f);
        let layers = levels * (2 * block + nets + gate(f + z, f)) + (levels - 1) * gate(f + z, f);
        let below = lin(c.input, f) + gate(f, f) + n * (block + gate(f, f));
        (below + layers, lin(f, a) + lin(a, a))
    } else if latent {
        let (up, h) = (|l: usize| c.latents.get(l + 1).unwrap_or(&0), c.latent_width());
        let net = |(l, &n)| 4 * (lin(f + up(l), h) + lin(h, h) + lin(h, n));
        let latents: usize = c.latents.iter().enumerate().map(net).sum();
        let y = if c.kind.is_dense() { c.latents.iter().sum() } else { c.latents[0] };
        let output = match c.decoder {
            Decoder::Pointwise => lin(y, width) + 4 * lin(width, width),
            Decoder::Gated => block(y) + 4 * block(f),
        };
        let cell = |i| 4 * ((i + f) * f + f);
        let layer = |i| if ladder { cell(i) } else { block(i) };
        (layer(c.input) + (blocks - 1) * layer(f) + latents, output)
    } else {
        let taps = if c.kind.is_dense() { levels } else { 1 };
        (2 * c.input * f + f + blocks * block(f), lin(f * taps, f) + lin(f, f))
    };
    let real = if c.task == Task::Ink { c.input - 1 } else { c.input };
    let pen = if c.task == Task::Ink { lin(width, 1) } else { 0 };
    let head = match c.head {
        HeadKind::Normal => 2 * lin(width, real),
        HeadKind::Gmm => 2 * lin(width, real * c.mixtures) + lin(width, c.mixtures),
        HeadKind::Bigmm => 5 * lin(width, c.mixtures) + lin(width, c.mixtures),
        HeadKind::Bernoulli => lin(width, c.input),
    };
    stack + output + head + pen
}

#[test]
fn models_of_a_preset_have_the_parameter_counts_of_the_specification() {
    let count = |name, model, head| {
        let config = preset(name, model, head).model;
        let built = models::count(&config).unwrap();
        assert_eq!(built, parameters(&config), "{name} {model} {head}");
        built
    };
    // ink-small and speech-small with either head, the papers' ink and speech, ink-tiny, music-small.
    let presets = [
        ("ink-small", "gmm"),
        ("ink-small", "normal"),
        ("speech-small", "gmm"),
        ("speech-small", "normal"),
        ("ink", "gmm"),
        ("speech", "gmm"),
        ("ink-tiny", "gmm"),
        ("music-small", "bernoulli"),
    ];
    #[rustfmt::skip]
    let counts = [
        ("stcn", [589_597, 584_317, 909_281, 811_376, 12_619_101, 15_296_020, 113_333, 611_832]),
        ("stcn-dense", [591_217, 585_937, 901_130, 804_830, 12_626_781, 15_669_012, 113_717, 613_452]),
        ("wavenet", [596_789, 590_741, 902_605, 780_625, 10_012_773, 10_506_580, 111_249, 606_510]),
        ("wavenet-dense", [592_777, 586_825, 903_103, 782_728, 10_274_917, 10_768_724, 113_987, 602_341]),
        ("rnn", [597_853, 591_613, 899_805, 744_120, 7_596_701, 86_723_620, 112_701, 602_448]),
        ("vrnn", [600_565, 594_325, 902_085, 746_400, 8_484_551, 94_894_820, 111_853, 605_160]),
        ("srnn", [598_917, 592_677, 901_269, 745_584, 2_967_301, 21_136_212, 113_064, 603_512]),
        ("srnn-filter", [599_125, 592_885, 898_869, 743_184, 2_216_701, 15_892_308, 112_853, 603_720]),
        ("z-forcing", [597_406, 591_166, 904_801, 749_116, 8_471_494, 23_777_508, 112_015, 619_016]),
        ("var-bilstm", [600_149, 593_909, 899_509, 743_824, 8_492_241, 94_177_620, 112_045, 604_744]),
        ("ladder-rnn", [596_277, 590_997, 897_965, 800_060, 15_897_437, 18_852_884, 109_329, 600_336]),
        ("ladder-rnn-dense", [597_897, 592_617, 901_565, 803_660, 15_905_117, 18_914_324, 109_713, 601_776]),
        ("swavenet", [591_583, 585_343, 909_753, 754_068, 2_148_101, 79_524_692, 112_543, 600_088]),
    ];
    assert_eq!(
        counts.map(|(model, _)| model).to_vec(),
        ModelKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>()
    );
    for (model, counts) in counts {
        assert_eq!(presets.map(|(name, head)| count(name, model, head)), counts, "{model}");
    }
    assert_eq!(count("speech-large", "stcn-dense", "gmm"), 55_183_124);
}
