//! Configs of models: switches, ranges, what keys are refused with.

use super::{has, size, with, with_those_of};
use stcn::models::{
    self, ModelKind, RNN, Registry, STCN, STCN_DENSE, SWAVENET, WAVENET, WAVENET_DENSE, shapes,
};
use stcn::models::{Floors, HeadKind, ModelConfig, ObservationConfig, PenDraw, Preset, Task};
use toml::{Table, Value};

fn ink(kind: ModelKind) -> ModelConfig {
    ModelConfig::preset(kind, Preset::Ink, None)
}

/// Every switch between a paper and its release, on the paper's side.
const HONEST: [(&str, &str); 7] = [
    ("floors", "exact"),
    ("pen_draw", "bernoulli"),
    ("draws", "shared"),
    ("precision", "product"),
    ("dense_taps", "every-level"),
    ("gate_act", "sigmoid"),
    ("auxiliary_target", "stop"),
];

#[test]
fn every_preset_is_the_honest_reading_of_every_switch() {
    for (switch, honest) in HONEST {
        let mut seen = 0;
        for kind in models::ALL {
            for &preset in Preset::ALL {
                let config = ModelConfig::preset(kind, preset, None);
                config.validate().unwrap();
                if let Some(word) = config.table().get(switch) {
                    assert_eq!(word.as_str(), Some(honest), "{kind} {preset} {switch}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 0, "{switch}");
    }
}

#[test]
fn as_released_takes_the_released_reading_of_every_switch() {
    let words = |kind: ModelKind| -> Vec<(&str, String)> {
        let (honest, released) = (ink(kind).table(), ink(kind).as_released());
        released.validate().unwrap();
        let changed = released.keys().into_iter().filter(|(key, now)| honest[key.name] != *now);
        changed.map(|(key, now)| (key.name, now.to_string())).collect()
    };
    let word = |key, value: &str| (key, format!("\"{value}\""));
    let of_all = [word("floors", "as-released"), word("pen_draw", "threshold")];
    let of_stcn = [word("draws", "fresh"), word("precision", "as-released")];
    assert_eq!(words(STCN_DENSE), [&of_all[..], &of_stcn].concat());
    let of_wavenet = [("blocks_per_level", "5".to_string()), word("dense_taps", "release")];
    assert_eq!(words(WAVENET_DENSE), [&of_all[..], &of_wavenet].concat());
    assert_eq!(words(WAVENET), [&of_all[..], &of_wavenet[..1]].concat());
    assert_eq!(words(SWAVENET), [word("gate_act", "linear-as-released")]);
    let obs = ink(STCN).as_released().obs;
    assert_eq!((obs.floors, obs.pen_draw), (Floors::AsReleased, PenDraw::Threshold));
}

#[test]
fn models_without_that_release_keep_their_bounds() {
    let others = ["rnn", "vrnn", "srnn", "srnn-filter", "z-forcing", "var-bilstm", "dmm"];
    for name in others.into_iter().chain(["ladder-rnn", "ladder-rnn-dense"]) {
        let config = ink(Registry::default().find(name).unwrap());
        assert_eq!(config.clone().as_released(), config);
    }
}

#[test]
fn wavenet_on_ink_was_released_with_25_blocks() {
    let blocks = |config: &ModelConfig| size(config, "levels") * size(config, "blocks_per_level");
    assert_eq!(blocks(&ink(WAVENET)), 30);
    assert_eq!(blocks(&ink(WAVENET).as_released()), 25);
}

#[test]
fn the_hidden_width_of_latents_follows_the_channels_unless_set() {
    let width = |config: &ModelConfig| {
        let shapes = shapes(config).unwrap();
        let shape = shapes.iter().find(|(path, _)| path == "prior.1.mean.1.weight");
        shape.expect("the prior's first layer").1[1]
    };
    let config = with(&ink(STCN), "channels", 54);
    assert_eq!(width(&config), 54);
    assert_eq!(width(&with(&config, "latent_hidden", 10)), 10);
}

#[test]
fn names_parse_back_to_their_values() {
    let registry = Registry::default();
    for kind in models::ALL {
        assert_eq!(registry.find(kind.name()).unwrap(), kind);
        assert_eq!(serde_json::json!(kind), serde_json::json!(kind.name()));
        assert_eq!(format!("[{kind:>17}]"), format!("[{:>17}]", kind.name()));
    }
    assert_eq!(registry.models(), models::ALL);
    assert!(registry.find("wave").is_err() && registry.find("").is_err());
    for &head in HeadKind::ALL {
        assert_eq!(HeadKind::parse(&head.to_string()).unwrap(), head);
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_and_all_others() {
    assert_eq!(
        Registry::default().find("wavnet").unwrap_err().to_string(),
        "unknown model `wavnet`: did you mean `wavenet` (of stcn, stcn-dense, wavenet, wavenet-dense, rnn, vrnn, srnn, srnn-filter, z-forcing, var-bilstm, ladder-rnn, ladder-rnn-dense, swavenet, dmm)?"
    );
    assert_eq!(
        HeadKind::parse("gmmm").unwrap_err().to_string(),
        "unknown head `gmmm`: did you mean `gmm` (of normal, gmm, bigmm, bernoulli, ar)?"
    );
}

#[track_caller]
fn complaint(config: &ModelConfig) -> String {
    config.validate().unwrap_err().to_string()
}

#[test]
fn taps_of_a_wavenet_that_has_none_are_refused() {
    let config = with(&ink(WAVENET), "dense_taps", "release");
    let cure = "model.dense_taps is read by --model wavenet-dense alone: choose that, or leave the key out";
    assert_eq!(complaint(&config), cure);
}

#[test]
fn sizes_that_no_model_has_are_refused() {
    let dense = ink(STCN_DENSE);
    let said = |key: &str, value: Value| complaint(&with(&dense, key, value));
    assert_eq!(said("channels", 0.into()), "model.channels is 0: choose a number from 1 to 65536");
    assert_eq!(
        said("latents", Value::Array(vec![])),
        "model.latents is empty: give at least one number, such as [32, 16]"
    );
    assert_eq!(
        said("latents", vec![4, 0].into()),
        "an entry of model.latents is 0: choose a number from 1 to 65536"
    );
    assert_eq!(
        said("latents", vec![1; 65].into()),
        "the number of model.latents is 65: choose a number from 1 to 64"
    );
    assert_eq!(
        said("blocks_per_latent", 64.into()),
        "model.blocks_per_latent is 64: choose a number from 1 to 24"
    );
    assert_eq!(said("mixtures", 0.into()), "model.mixtures is 0: choose a number from 1 to 4096");
    // Two million rows to remember while drawing, of a model with a hundred parameters.
    let far = |kind, sizes: &str| complaint(&with_those_of(&ink(kind), &sizes.parse().unwrap()));
    assert_eq!(
        far(STCN_DENSE, "channels = 1\nblocks_per_latent = 20\nlatents = [1, 1]"),
        "model.blocks_per_latent is 20 and model.kernel_size 2, so that 2 levels look 2097150 steps back: \
         choose smaller values, for 1048576 steps at most"
    );
    assert_eq!(
        far(WAVENET, "channels = 1\nblocks_per_level = 20\nlevels = 2"),
        "model.blocks_per_level is 20 and model.kernel_size 2, so that 2 levels look 2097150 steps back: \
         choose smaller values, for 1048576 steps at most"
    );
}

#[test]
fn every_size_has_a_largest_value_and_a_smallest() {
    // No layer before those with latents, and nets of latents as wide as the channels.
    let may_be_zero =
        [(SWAVENET, "pre_layers"), (STCN, "latent_hidden"), (STCN_DENSE, "latent_hidden")];
    for config in models::ALL.into_iter().map(ink) {
        for (key, _) in config.keys().into_iter().filter(|(_, value)| value.is_integer()) {
            let set = |size: i64| with(&config, key.name, size);
            let starts = |size: i64| format!("model.{} is {size}: choose a number from ", key.name);
            let said = complaint(&set(1 << 40));
            assert!(said.starts_with(&starts(1 << 40)), "{}: {said}", config.kind);
            if may_be_zero.contains(&(config.kind, key.name)) {
                set(0).validate().unwrap();
            } else {
                let said = complaint(&set(0));
                assert!(said.starts_with(&starts(0)), "{}: {said}", config.kind);
            }
        }
    }
}

#[test]
fn weights_that_weigh_nothing_are_refused() {
    let mut seen = 0;
    for key in ["auxiliary_weight", "state_weight", "backward_weight"] {
        let having = models::ALL.into_iter().map(ink).filter(|config| has(config, key));
        for config in having {
            for (weight, word) in
                [(-1., "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e7, "10000000")]
            {
                assert_eq!(
                    complaint(&with(&config, key, weight)),
                    format!("model.{key} is {word}: choose a number from 0 to 1000000")
                );
            }
            with(&config, key, 0).validate().unwrap();
            seen += 1;
        }
    }
    assert_eq!(seen, 4); // two each of Z-forcing and Bi-LSTM
}

#[test]
fn a_swavenet_looks_as_far_back_as_any() {
    let swavenet = |pre_layers: u32, layers: usize| {
        with(&with(&ink(SWAVENET), "pre_layers", pre_layers), "latents", vec![1; layers])
    };
    let said = "the sum of model.pre_layers and the number of model.latents is 21: choose a number from 1 to 20";
    assert_eq!(complaint(&swavenet(20, 1)), said);
    assert_eq!(complaint(&swavenet(1, 20)), said);
    assert_eq!(complaint(&swavenet(65, 1)), "model.pre_layers is 65: choose a number from 0 to 64");
    swavenet(19, 1).validate().unwrap();
}

#[test]
fn heads_that_do_not_suit_the_data_are_refused_with_one_that_does() {
    let said = |change: fn(&mut ObservationConfig)| {
        let mut config = ink(STCN_DENSE);
        change(&mut config.obs);
        complaint(&config)
    };
    assert_eq!(
        said(|obs| obs.input = 4),
        "model.input is 4 but ink has 3 channels (dx, dy, pen): set it to 3, or model.task to series"
    );
    assert_eq!(
        said(|obs| obs.head = HeadKind::Bernoulli),
        "head bernoulli takes keys that are 0 or 1, and model.task is ink: choose head normal or gmm, \
         or the preset music-small"
    );
    assert_eq!(
        said(|obs| obs.task = Task::Music),
        "head gmm is a density of real numbers, and music has keys that are 0 or 1: choose head \
         bernoulli"
    );
    assert_eq!(
        said(|obs| (obs.task, obs.head) = (Task::Speech, HeadKind::Bigmm)),
        "head bigmm is a density of (dx, dy) beside a pen, and model.task is speech: choose head \
         normal or gmm, or an ink preset"
    );
    let series = |head| ModelConfig::preset(RNN, Preset::SeriesTiny, Some(head));
    assert_eq!(
        complaint(&series(HeadKind::Bernoulli)),
        "head bernoulli takes keys that are 0 or 1, and model.task is series: choose head normal or gmm, \
         or the preset music-small"
    );
    assert_eq!(
        complaint(&series(HeadKind::Bigmm)),
        "head bigmm is a density of (dx, dy) beside a pen, and model.task is series: choose head \
         normal or gmm, or an ink preset"
    );
}

#[test]
fn a_key_that_a_model_does_not_have_is_refused_with_one_that_it_has_if_it_is_near() {
    let said = |kind, key: &str| ink(kind).with(key, 24).unwrap_err().to_string();
    assert_eq!(
        said(RNN, "hidden_sizes"),
        "rnn has no key `model.hidden_sizes`: did you mean `model.hidden_size`? (`stcn list --model rnn` shows all)"
    );
    assert_eq!(
        said(RNN, "blocks_per_latent"),
        "rnn has no key `model.blocks_per_latent`: `stcn list --model rnn` shows all"
    );
    for (kind, key, near) in [
        (SWAVENET, "gate_kinds", "gate_kind"),
        (WAVENET, "blocks_per_latent", "blocks_per_level"),
        (models::LADDER_RNN, "blocks_per_latent", "cells_per_latent"),
        (STCN, "mixture", "mixtures"), // a key of every model
    ] {
        let said = said(kind, key);
        assert!(said.contains(&format!("did you mean `model.{near}`?")), "{said}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_its_key() {
    let said = |key: &str, value: Value| ink(STCN).with(key, value).unwrap_err().to_string();
    assert_eq!(
        said("draws", "frehs".into()),
        "model.draws: unknown kind of draws `frehs`: did you mean `fresh` (of shared, fresh)?"
    );
    for (key, value) in
        [("channels", Value::from("wide")), ("channels", (-1).into()), ("latents", 3.into())]
    {
        let said = said(key, value);
        assert!(said.starts_with(&format!("model.{key}: invalid ")), "{said}");
    }
}

#[test]
fn a_config_goes_through_its_table_and_its_typed_form() {
    for config in super::every() {
        let table = config.table();
        let keys: Vec<&str> = config.keys().iter().map(|(key, _)| key.name).collect();
        assert!(keys.len() == table.len() - 1 && keys.iter().all(|key| table.contains_key(*key)));
        assert_eq!(ModelConfig::from_table(config.kind, table.clone()).unwrap(), config);
        assert_eq!(Table::try_from(&config).unwrap(), table);
        let other = if config.kind == RNN { STCN } else { RNN };
        let said = ModelConfig::from_table(other, table.clone()).unwrap_err().to_string();
        assert_eq!(said, format!("model.kind is not {other}: choose it with --model"));
        let mut more = table;
        more.insert("chanels".into(), 3.into());
        ModelConfig::from_table(config.kind, more).unwrap_err();
    }
    let vrnn = ink(models::VRNN);
    let own: models::vrnn::Config = vrnn.own();
    assert_eq!(ModelConfig::new(&models::vrnn::Paper, vrnn.obs.clone(), &own), vrnn);
}

#[test]
#[should_panic(expected = "rnn has another config: missing field")]
fn a_config_of_another_model_is_not_taken_for_this_ones() {
    ink(RNN).own::<models::vrnn::Config>();
}

/// Every key's page, and the words it can be set to.
#[test]
fn every_key_says_what_it_means_and_a_switch_its_words() {
    for config in models::ALL.into_iter().map(ink) {
        for (key, value) in config.keys() {
            assert!(
                key.about.ends_with('.') && key.about.len() > 10,
                "{} {}",
                config.kind,
                key.name
            );
            let of_bool = value.as_bool().map(|value| if value { "true" } else { "false" });
            let words = value.as_str().or(of_bool);
            assert!(words.iter().all(|word| key.values.contains(word)), "{}", key.name);
            assert_eq!(key.values.is_empty(), words.is_none(), "{}", key.name);
        }
    }
}

mod of_another_crate {
    //! A model that this crate does not know.

    use super::{STCN, complaint};
    use stcn::models::rnn::{self, Rnn};
    use stcn::models::{Architecture, Description, ModelKind, Registry, build, count};
    use stcn::models::{ModelConfig, ObservationConfig, Preset};
    use stcn::nn::Init;

    stcn::settings! {
        /// Sizes of a small RNN.
        pub struct Config {
            /// Units of the LSTM.
            pub units: usize = 1..=16,
        }
    }

    struct Small;

    impl Architecture for Small {
        type Config = Config;
        type Model = Rnn;

        fn description(&self) -> Description {
            let about = "An RNN with layers as wide as its units.";
            Description { name: "small-rnn", about, has_latents: false, ..Description::default() }
        }

        fn preset(&self, _preset: Preset, _obs: &ObservationConfig) -> Config {
            Config { units: 8 }
        }

        fn gradcheck(&self, _: Config) -> Config {
            Config { units: 2 }
        }

        fn build(&self, init: &mut Init, config: &Config, obs: &ObservationConfig) -> Rnn {
            let units = config.units;
            let sizes = rnn::Config { hidden_size: units, embedding_size: units, layers: 1 };
            Rnn::new(init, &sizes, obs)
        }
    }

    const KIND: ModelKind = ModelKind::new(&Small);

    #[test]
    fn is_found_configured_checked_and_built_as_any_other() {
        let registry = Registry::default().with(KIND);
        let kind = registry.find("small-rnn").unwrap();
        assert!(kind == KIND && kind != STCN && !kind.has_latents());
        let config = ModelConfig::preset(kind, Preset::InkTiny, None);
        let model = build(&config, Init::new(1)).unwrap();
        assert_eq!(model.parameter_count(), count(&config).unwrap());
        let wide = config.with("units", 17).unwrap();
        assert_eq!(complaint(&wide), "model.units is 17: choose a number from 1 to 16");
        let said = config.with("unit", 3).unwrap_err().to_string();
        assert!(said.starts_with("small-rnn has no key `model.unit`: did you mean `model.units`?"));
        let said = Registry::default().find("small-rnn").unwrap_err().to_string();
        assert!(said.starts_with("unknown model `small-rnn`"), "{said}");
    }

    #[test]
    #[should_panic(expected = "there is a model named small-rnn: choose another name")]
    fn has_a_name_of_its_own() {
        Registry::default().with(KIND).with(KIND);
    }
}
