use crate::common::preset;
use stcn::data::Normalise;
use stcn::models::stcn::Decoder;
use stcn::models::{self, ALL, Registry, STCN_DENSE};
use stcn::models::{HeadKind, ModelConfig, ObservationConfig, Preset, Task};
use stcn::train::{Config, Reduction, ScheduleKind};
use std::path::Path;

fn of(name: &str, model: &str, head: &str) -> Config {
    preset(name, Some(model), Some(head)).unwrap()
}

#[test]
fn every_preset_with_every_model_and_fitting_head_is_valid_and_survives_toml() {
    for &name in Preset::ALL {
        let task = ObservationConfig::preset(name, None).task;
        for kind in ALL {
            for &head in HeadKind::ALL {
                let fits = match head {
                    HeadKind::Bernoulli => task == Task::Music,
                    HeadKind::Bigmm => task == Task::Ink,
                    HeadKind::Normal | HeadKind::Gmm => task != Task::Music,
                    HeadKind::Ar => true,
                };
                let config = Config::preset(name, kind, Some(head));
                assert_eq!(config.is_ok(), fits, "{name} {kind} {head}: {config:?}");
                for config in config.into_iter().flat_map(|c| [c.clone(), c.as_released()]) {
                    let (text, path) = (config.to_toml(), Path::new("x.toml"));
                    let again = Config::from_toml(&text, path, &Registry::default()).unwrap();
                    assert_eq!(again, config);
                }
            }
        }
    }
}

#[test]
fn the_usual_model_is_stcn_dense_with_the_head_of_the_data() {
    let head = |name| preset(name, None, None).map(|c| (c.model.kind, c.model.obs.head)).unwrap();
    assert_eq!(head("ink-tiny"), (STCN_DENSE, HeadKind::Gmm));
    assert_eq!(head("speech"), (STCN_DENSE, HeadKind::Gmm));
    assert_eq!(head("music-small"), (STCN_DENSE, HeadKind::Bernoulli));
    assert_eq!(Config::default().preset, Preset::InkTiny);
}

#[test]
fn an_unknown_preset_is_answered_with_the_nearest_and_all_others() {
    assert_eq!(
        preset("ink-smal", None, None).unwrap_err().to_string(),
        "unknown preset `ink-smal`: did you mean `ink-small` (of ink-tiny, ink-small, ink, \
         speech-small, speech, speech-large, music-small, series-tiny, series-small)?"
    );
}

#[test]
fn the_paper_presets_have_the_papers_numbers() {
    let ink = of("ink", "stcn-dense", "gmm");
    let own = |config: &Config| config.model.own::<models::stcn::Config>();
    let sizes = own(&ink);
    assert_eq!((sizes.channels, sizes.blocks_per_latent, sizes.latents.len()), (256, 6, 5));
    assert_eq!((ink.train.batch, ink.train.lr, ink.train.lr_rate), (20, 5e-4, 0.92));
    assert_eq!((ink.train.reduction, ink.train.eval_every), (Reduction::MeanStep, 500));
    assert_eq!((ink.train.kl_anneal, ink.train.after_step, ink.train.epochs), (10_000, 10_000, 80));
    let speech = of("speech", "stcn", "normal");
    assert_eq!((speech.model.obs.input, own(&speech).decoder), (200, Decoder::Gated));
    assert_eq!(own(&speech).latents, [256, 128, 64, 32, 16]);
    assert_eq!((speech.train.reduction, speech.data.crop), (Reduction::MeanSequence, 40));
    let normalised =
        |name| of(name, "wavenet", if name == "music-small" { "bernoulli" } else { "gmm" });
    let normalised = ["ink", "speech", "music-small"].map(|name| normalised(name).data.normalise);
    assert_eq!(normalised, [Normalise::PerChannel, Normalise::Scalar, Normalise::None]);
    assert_eq!(own(&of("speech-large", "stcn-dense", "gmm")).channels, 512);
}

#[test]
fn small_presets_follow_the_rivals_page() {
    let small = of("ink-small", "stcn-dense", "gmm");
    assert_eq!((small.train.batch, small.data.crop, small.train.steps), (16, 256, 5000));
    assert_eq!((small.train.schedule, small.train.lr_floor), (ScheduleKind::Cosine, 1e-4));
    assert_eq!((small.train.reduction, small.train.kl_anneal), (Reduction::PerStep, 1000));
    assert_eq!((small.train.eval_every, small.train.patience), (250, 10));
}

#[test]
fn series_are_trained_as_ink_is_channel_by_channel_in_pieces_that_fit_a_laptop() {
    for (name, as_ink) in [("series-tiny", "ink-tiny"), ("series-small", "ink-small")] {
        let (series, ink) = (of(name, "stcn-dense", "gmm"), of(as_ink, "stcn-dense", "gmm"));
        assert_eq!(series.train, ink.train);
        assert_eq!(series.model.own::<models::stcn::Config>(), ink.model.own());
        assert_eq!((series.data.crop, series.data.normalise), (256, Normalise::PerChannel));
    }
}

#[test]
fn a_wavenet_is_trained_as_the_stcn_beside_it_unless_as_released() {
    for name in Preset::ALL.iter().filter(|name| **name != Preset::MusicSmall) {
        assert_eq!(of(name.name(), "wavenet", "gmm").train, of(name.name(), "stcn", "gmm").train);
    }
    let released = of("ink", "wavenet", "gmm").as_released();
    assert_eq!((released.train.batch, released.train.lr_rate), (32, 0.95));
    assert_eq!(released.model.own::<models::wavenet::Config>().blocks_per_level, 5);
    assert_eq!(of("speech", "wavenet", "gmm").as_released().train.lr_rate, 0.92);
    assert_eq!(of("ink", "stcn", "gmm").as_released().train.lr_rate, 0.92);
}

/// The formulas of stcn.md §9 and rivals.md.
fn parameters(c: &ModelConfig) -> usize {
    let (obs, table) = (&c.obs, c.table());
    let number = |key: &str| table[key].as_integer().unwrap() as usize;
    let latents = || -> Vec<usize> {
        let list = table["latents"].as_array().unwrap().iter();
        list.map(|size| size.as_integer().unwrap() as usize).collect()
    };
    let word = |key: &str| table[key].as_str().unwrap();
    let lin = |i, o| i * o + o;
    let mlp = |i, width, layers: usize| lin(i, width) + (layers - 1) * lin(width, width);
    let block =
        |f: usize, i: usize| 2 * (2 * i * f + f) + lin(f, f) + if i == f { 0 } else { lin(i, f) };
    let lstm = |h: usize, i: usize| 4 * h * (i + h + 1);
    let dense = c.kind.name().ends_with("dense");
    // Everything below the head, and the width there.
    let (below, width) = match c.kind.name() {
        "rnn" => {
            let (h, a, n) = (number("hidden_size"), number("embedding_size"), number("layers"));
            (mlp(obs.input, a, n) + lstm(h, a) + mlp(h, a, n), a)
        }
        "vrnn" => {
            let (h, a, n) = (number("hidden_size"), number("embedding_size"), number("layers"));
            let (u, p) = (number("latent_embedding_size"), number("latent_hidden_size"));
            let z = number("latent_size");
            let nets = mlp(h, p, n) + mlp(a + h, p, n) + 4 * lin(p, z);
            let layers = mlp(obs.input, a, n) + mlp(z, u, n) + mlp(u + h, a, n);
            (layers + nets + lstm(h, a + u), a)
        }
        "srnn" | "srnn-filter" => {
            let (h, a, n) = (number("hidden_size"), number("embedding_size"), number("layers"));
            let (p, z) = (number("latent_hidden_size"), number("latent_size"));
            let gru = |i| 3 * h * (i + h + 1);
            let smooth = c.kind.name() == "srnn";
            let summary = if smooth { gru(h + a) } else { mlp(h + a, h, n) };
            let nets = 4 * (lin(h + z, p) + lin(p, z));
            (mlp(obs.input, a, n) + gru(a) + summary + nets + mlp(h + z, a, n), a)
        }
        "z-forcing" => {
            let (h, a) = (number("hidden_size"), number("embedding_size"));
            let (m, z) = (number("latent_hidden_size"), number("latent_size"));
            let nets =
                lin(h, m) + lin(2 * h, m) + 2 * lin(m, 2 * z) + lin(z + h, m) + lin(m, 2 * h);
            let backward = match obs.task {
                Task::Ink => 2 * lin(h, 2) + lin(h, 1),
                Task::Speech | Task::Series => 2 * lin(h, obs.input),
                Task::Music => lin(h, obs.input),
            };
            let units = lstm(h, a) + lstm(h, a + m);
            (lin(obs.input, a) + units + lin(z, m) + nets + backward + lin(h, a), a)
        }
        "var-bilstm" => {
            let (h, a) = (number("hidden_size"), number("embedding_size"));
            let (m, z) = (number("latent_hidden_size"), number("latent_size"));
            let told = 2 * (lin(z, m) + lin(m, 2 * h));
            let nets = lin(h, m) + lin(2 * h, m) + 2 * lin(m, 2 * z) + told;
            (lin(obs.input, a) + lstm(h, a + z + h) + lstm(h, a) + nets + lin(h, a), a)
        }
        "swavenet" => {
            let (f, m, a) = (number("channels"), number("gate_hidden_size"), number("output_size"));
            let (z, levels, n) = (latents()[0], latents().len(), number("pre_layers"));
            let gate = |i, o| match word("gate_kind") {
                "two-layer" => lin(i, m) + lin(m, o),
                _ => lin(i, o),
            };
            let block = 2 * (2 * f * f + f) + lin(f, f);
            let nets = gate(f, 2 * z) + gate(2 * f, 2 * z) + gate(2 * f, f);
            let layers =
                levels * (2 * block + nets + gate(f + z, f)) + (levels - 1) * gate(f + z, f);
            let below = lin(obs.input, f) + gate(f, f) + n * (block + gate(f, f));
            (below + layers + lin(f, a) + lin(a, a), a)
        }
        "wavenet" | "wavenet-dense" => {
            let (f, levels) = (number("channels"), number("levels"));
            let taps = if dense { levels } else { 1 };
            let blocks = levels * number("blocks_per_level") * block(f, f);
            (2 * obs.input * f + f + blocks + lin(f * taps, f) + lin(f, f), f)
        }
        _ => {
            let ladder = c.kind.name().starts_with("ladder");
            let latents = latents();
            let (f, per_level) = if ladder {
                (number("hidden_size"), number("cells_per_latent"))
            } else {
                (number("channels"), number("blocks_per_latent"))
            };
            let width = if ladder { number("output_size") } else { f };
            let h = if number("latent_hidden") == 0 { f } else { number("latent_hidden") };
            let up = |l: usize| latents.get(l + 1).unwrap_or(&0);
            let net = |(l, &n)| 4 * (lin(f + up(l), h) + lin(h, h) + lin(h, n));
            let nets: usize = latents.iter().enumerate().map(net).sum();
            let y = if dense { latents.iter().sum() } else { latents[0] };
            let output = match word("decoder") {
                "pointwise" => lin(y, width) + 4 * lin(width, width),
                _ => block(f, y) + 4 * block(f, f),
            };
            let layer = |i| if ladder { lstm(f, i) } else { block(f, i) };
            let layers = latents.len() * per_level;
            (layer(obs.input) + (layers - 1) * layer(f) + nets + output, width)
        }
    };
    let real = if obs.task == Task::Ink { obs.input - 1 } else { obs.input };
    let real = if obs.task == Task::Music { 0 } else { real };
    let pen = if obs.task == Task::Ink && obs.head != HeadKind::Ar { lin(width, 1) } else { 0 };
    let head = match obs.head {
        HeadKind::Normal => 2 * lin(width, real),
        HeadKind::Gmm => 2 * lin(width, real * obs.mixtures) + lin(width, obs.mixtures),
        HeadKind::Bigmm => 5 * lin(width, obs.mixtures) + lin(width, obs.mixtures),
        HeadKind::Bernoulli => lin(width, obs.input),
        HeadKind::Ar => {
            let outputs = 3 * real * obs.mixtures + obs.input - real;
            let masked = obs.input * width + (obs.input + width) * outputs;
            let earlier = if obs.input > 1 { lin(width, width) + masked } else { 0 };
            lin(width, outputs) + earlier
        }
    };
    below + head + pen
}

#[test]
fn models_of_a_preset_have_the_parameter_counts_of_the_specification() {
    let count = |name: &str, model: &str, head: &str| {
        let config = preset(name, Some(model), Some(head)).unwrap().model;
        let built = models::count(&config).unwrap();
        assert_eq!(built, parameters(&config), "{name} {model} {head}");
        built
    };
    // ink-small and speech-small with either head, the papers' ink and speech, ink-tiny, music-small, and series of one
    // channel.
    let presets = [
        ("ink-small", "gmm"),
        ("ink-small", "normal"),
        ("speech-small", "gmm"),
        ("speech-small", "normal"),
        ("ink", "gmm"),
        ("speech", "gmm"),
        ("ink-tiny", "gmm"),
        ("music-small", "bernoulli"),
        ("series-tiny", "gmm"),
        ("series-small", "gmm"),
    ];
    #[rustfmt::skip]
    let counts = [
        ("stcn", [589_597, 584_317, 909_281, 811_376, 12_619_101, 15_296_020, 113_333, 611_832, 111_660, 586_802]),
        ("stcn-dense", [591_217, 585_937, 901_130, 804_830, 12_626_781, 15_669_012, 113_717, 613_452, 112_044, 588_422]),
        ("wavenet", [596_789, 590_741, 902_605, 780_625, 10_012_773, 10_506_580, 111_249, 606_510, 109_543, 593_958]),
        ("wavenet-dense", [592_777, 586_825, 903_103, 782_728, 10_274_917, 10_768_724, 113_987, 602_341, 112_281, 589_991]),
        ("rnn", [597_853, 591_613, 899_805, 744_120, 7_596_701, 86_723_620, 112_701, 602_448, 111_284, 595_060]),
        ("vrnn", [600_565, 594_325, 902_085, 746_400, 8_484_551, 94_894_820, 111_853, 605_160, 110_436, 597_772]),
        ("srnn", [598_917, 592_677, 901_269, 745_584, 2_967_301, 21_136_212, 113_064, 603_512, 111_647, 596_124]),
        ("srnn-filter", [599_125, 592_885, 898_869, 743_184, 2_216_701, 15_892_308, 112_853, 603_720, 111_436, 596_332]),
        ("z-forcing", [597_406, 591_166, 904_801, 749_116, 8_471_494, 23_777_508, 112_015, 619_016, 110_346, 593_998]),
        ("var-bilstm", [600_149, 593_909, 899_509, 743_824, 8_492_241, 94_177_620, 112_045, 604_744, 110_628, 597_356]),
        ("ladder-rnn", [596_277, 590_997, 897_965, 800_060, 15_897_437, 18_852_884, 109_329, 600_336, 110_156, 593_198]),
        ("ladder-rnn-dense", [597_897, 592_617, 901_565, 803_660, 15_905_117, 18_914_324, 109_713, 601_776, 110_540, 594_818]),
        ("swavenet", [591_583, 585_343, 909_753, 754_068, 2_148_101, 79_524_692, 112_543, 600_088, 111_098, 588_698]),
    ];
    let [names @ .., _dmm] = ALL.map(|kind| kind.name()); // whose counts are in its own test
    assert_eq!(counts.map(|(model, _)| model), names);
    for (model, counts) in counts {
        assert_eq!(presets.map(|(name, head)| count(name, model, head)), counts, "{model}");
    }
    assert_eq!(count("speech-large", "stcn-dense", "gmm"), 55_183_124);
    let autoregressive = ["ink-small", "speech-small", "music-small"];
    let counts = autoregressive.map(|name| count(name, "stcn-dense", "ar"));
    assert_eq!(counts, [602_346, 987_570, 633_670]);
}
