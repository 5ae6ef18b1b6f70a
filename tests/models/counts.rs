//! Parameter counts, to the unit: stcn.md §9 and the small partners of rivals.md §9.

use super::{HEADS, size, with, with_those_of};
use stcn::models::{
    self, MOST_PARAMETERS, ModelKind, STCN, STCN_DENSE, SWAVENET, WAVENET, WAVENET_DENSE, build,
    shapes,
};
use stcn::models::{HeadKind, ModelConfig, Preset, Task};
use stcn::nn::{Head, Init, Module};
use std::collections::BTreeSet;
use toml::Table;

const INK: [u32; 5] = [32, 16, 8, 4, 2];

fn ink(kind: ModelKind) -> ModelConfig {
    ModelConfig::preset(kind, Preset::Ink, None)
}

fn speech(kind: ModelKind) -> ModelConfig {
    ModelConfig::preset(kind, Preset::Speech, None)
}

fn with_head(config: &ModelConfig, head: HeadKind) -> ModelConfig {
    let mut config = config.clone();
    config.obs.head = head;
    config
}

fn released(config: ModelConfig) -> ModelConfig {
    let config = with(&config, "blocks_per_level", 5);
    if config.kind == WAVENET_DENSE { with(&config, "dense_taps", "release") } else { config }
}

/// Parameters whose path begins with one of `parts`.
fn count(config: &ModelConfig, parts: &[&str]) -> usize {
    let shapes = shapes(config).unwrap();
    let mine = shapes.iter().filter(|(path, _)| parts.iter().any(|part| path.starts_with(part)));
    mine.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

fn head(config: &ModelConfig, width: usize, components: usize) -> usize {
    let ink = config.obs.task == Task::Ink;
    let channels = if ink { (2, 1) } else { (config.obs.input, 0) };
    Head::new(&mut Init::new(1), width, channels, components, false).parameter_count()
}

/// Stack, latent nets, decoder, then both totals, of the model with the Normal head; that a mixture takes
/// the place of that head alone is the next test.
#[track_caller]
fn assert_counts(config: ModelConfig, [stack, latents, decoder, normal, gmm]: [usize; 5]) {
    let config = with_head(&config, HeadKind::Normal);
    let width = size(&config, "channels");
    let mut found = [0; 4];
    for (path, shape) in shapes(&config).unwrap() {
        let i = match path.split('.').next().unwrap() {
            "tcn" | "first" => 0,
            "prior" | "infer" => 1,
            "output" => 2,
            "head" => 3,
            _ => panic!("{path}: in no column"),
        };
        found[i] += shape.iter().product::<usize>();
    }
    let want = [stack, latents, decoder, head(&config, width, 0)];
    assert_eq!(found, want, "{} {}", config.kind, config.obs.task);
    let total = models::count(&config).unwrap();
    assert_eq!([total, total - found[3] + head(&config, width, 20)], [normal, gmm]);
}

#[test]
fn a_head_has_as_many_parameters_as_the_table_says() {
    for (config, width, normal, gmm) in [
        (ink(STCN), 256, 1_285, 25_957),
        (speech(STCN), 256, 102_800, 2_061_140),
        (speech(STCN), 512, 205_200, 4_114_260),
    ] {
        assert_eq!([head(&config, width, 0), head(&config, width, 20)], [normal, gmm]);
    }
    let sizes = "channels = 6\nembedding_size = 6\noutput_size = 6\nemission_size = 6";
    for kind in models::ALL {
        let small = with_those_of(&speech(kind), &sizes.parse().unwrap());
        for (kind, components) in [(HeadKind::Normal, 0), (HeadKind::Gmm, 20)] {
            let config = with_head(&small, kind);
            assert_eq!(count(&config, &["head"]), head(&config, 6, components), "{}", config.kind);
        }
    }
}

#[test]
fn stcn_on_ink_has_as_many_parameters_as_the_table_says() {
    let stack = [9_595_392, 2_726_136];
    let row = |rest: [usize; 3]| [stack[0], stack[1], rest[0], rest[1], rest[2]];
    assert_counts(ink(STCN), row([271_616, 12_594_429, 12_619_101]));
    assert_counts(ink(STCN_DENSE), row([279_296, 12_602_109, 12_626_781]));
}

#[test]
fn stcn_with_the_papers_ink_latents_has_as_many_parameters_as_the_table_says() {
    // Only latent nets and decoder differ from the rows above: the stack is one narrow block per level.
    let narrow = |kind| {
        let config =
            with(&with_head(&ink(kind), HeadKind::Normal), "latents", vec![32, 16, 8, 5, 2]);
        with(&config, "blocks_per_latent", 1)
    };
    let [plain, dense] = [STCN, STCN_DENSE].map(|kind| {
        let parts = ["prior", "infer", "output", "head"];
        parts.map(|part| count(&narrow(kind), &[part])).iter().sum::<usize>()
    });
    assert_eq!([9_595_392 + plain, 9_595_392 + dense], [12_596_481, 12_604_417]);
    assert_eq!([12_621_153 - 12_596_481, 12_629_089 - 12_604_417], [25_957 - 1_285; 2]);
    let narrow = narrow(STCN_DENSE);
    assert_eq!(count(&narrow, &["prior", "infer"]), 2_728_188);
    assert_eq!(count(&narrow, &["output"]), 279_552);
}

#[test]
fn stcn_on_speech_has_as_many_parameters_as_the_table_says() {
    let stack = [8_205_312, 3_387_328];
    let row = |rest: [usize; 3]| [stack[0], stack[1], rest[0], rest[1], rest[2]];
    assert_counts(speech(STCN), row([1_642_240, 13_337_680, 15_296_020]));
    assert_counts(speech(STCN_DENSE), row([2_015_232, 13_710_672, 15_669_012]));
}

#[test]
fn the_large_stcn_has_as_many_parameters_as_the_table_says() {
    let large = with(&speech(STCN_DENSE), "channels", 512);
    assert_counts(large, [32_270_336, 12_015_552, 6_782_976, 51_274_064, 55_183_124]);
}

#[test]
fn wavenet_on_ink_has_as_many_parameters_as_the_table_says() {
    let [plain, dense] = [WAVENET, WAVENET_DENSE].map(ink);
    let short = 1_792 + 8_211_200;
    assert_counts(released(plain.clone()), [short, 0, 131_584, 8_345_861, 8_370_533]);
    assert_counts(released(dense.clone()), [short, 0, 262_656, 8_476_933, 8_501_605]);
    let matched = 1_792 + 9_853_440;
    assert_counts(plain, [matched, 0, 131_584, 9_988_101, 10_012_773]);
    assert_counts(dense, [matched, 0, 393_728, 10_250_245, 10_274_917]);
}

#[test]
fn wavenet_on_speech_has_as_many_parameters_as_the_table_says() {
    let [plain, dense] = [WAVENET, WAVENET_DENSE].map(speech);
    let stack = 102_656 + 8_211_200;
    assert_counts(plain, [stack, 0, 131_584, 8_548_240, 10_506_580]);
    assert_counts(released(dense.clone()), [stack, 0, 262_656, 8_679_312, 10_637_652]);
    assert_counts(dense, [stack, 0, 393_728, 8_810_384, 10_768_724]);
}

#[test]
fn the_small_partners_keep_the_budget_of_their_rivals() {
    let small = |mut config: ModelConfig, channels: u32| {
        let speech = config.obs.task == Task::Speech;
        let (latents, mixtures) = if speech { ([64, 32, 16, 8, 4], 5) } else { (INK, 20) };
        config.obs.mixtures = mixtures;
        let sizes = [("channels", channels.into()), ("latents", latents.to_vec().into())];
        with_those_of(
            &config,
            &sizes.map(|(key, size)| (key.to_string(), size)).into_iter().collect(),
        )
    };
    let rows = [
        (small(ink(STCN_DENSE), 54), [591_217, 585_937]),
        (small(ink(STCN), 54), [589_597, 584_317]),
        (small(ink(WAVENET), 62), [596_789, 590_741]),
        (small(ink(WAVENET_DENSE), 61), [592_777, 586_825]),
        (small(speech(STCN_DENSE), 59), [901_130, 804_830]),
        (small(speech(STCN), 60), [909_281, 811_376]),
        (small(speech(WAVENET), 75), [902_605, 780_625]),
        (small(speech(WAVENET_DENSE), 74), [903_103, 782_728]),
    ];
    for (config, want) in rows {
        let found = [HeadKind::Gmm, HeadKind::Normal]
            .map(|head| models::count(&with_head(&config, head)).unwrap());
        assert_eq!(found, want, "{} {}", config.kind, config.obs.task);
    }
}

#[test]
fn shapes_and_counts_are_those_of_the_model_that_is_built() {
    for config in super::every() {
        let model = build(&config, Init::new(1)).unwrap();
        let mut built = vec![];
        model.visit(&mut |p| built.push((p.path().to_string(), p.value.shape().to_vec())));
        assert_eq!(shapes(&config).unwrap(), built, "{}", super::name(&config));
        assert_eq!(models::count(&config).unwrap(), model.parameter_count());
    }
}

#[test]
fn models_of_a_small_preset_have_the_same_number_of_parameters_within_three_per_cent() {
    use Preset::{InkSmall, InkTiny, MusicSmall, SeriesSmall, SeriesTiny, SpeechSmall};
    let small = [InkTiny, InkSmall, MusicSmall, SpeechSmall, SeriesTiny, SeriesSmall];
    for preset in small {
        let count = |kind| models::count(&ModelConfig::preset(kind, preset, None)).unwrap();
        let mut counts = models::ALL.map(count);
        counts.sort();
        let middle = counts[counts.len() / 2] as f64;
        for kind in models::ALL {
            let off = count(kind) as f64 / middle - 1.;
            assert!(off.abs() < 0.03, "{preset} {kind}: {off:+.4}");
        }
    }
}

#[test]
fn every_preset_has_sizes_for_every_model_and_every_head_that_suits_its_data() {
    for (kind, &preset) in
        models::ALL.iter().flat_map(|&kind| Preset::ALL.iter().map(move |p| (kind, p)))
    {
        for &head in HeadKind::ALL {
            let config = ModelConfig::preset(kind, preset, Some(head));
            let suits = HEADS.contains(&(config.obs.task, head));
            assert_eq!(config.validate().is_ok(), suits, "{kind} {preset} {head}");
            if !suits {
                continue;
            }
            for config in [config.clone().as_released(), config] {
                let shapes = shapes(&config).unwrap();
                let paths: BTreeSet<&String> = shapes.iter().map(|(path, _)| path).collect();
                assert_eq!(paths.len(), shapes.len(), "{kind} {preset} {head}: a path twice");
                assert!(models::count(&config).unwrap() < MOST_PARAMETERS);
            }
        }
    }
}

/// Sizes at their largest: 2⁴⁸ numbers in 20 000 tensors.
fn largest(kind: ModelKind) -> ModelConfig {
    let mut config = speech(kind);
    (config.obs.input, config.obs.mixtures) = (1 << 16, 1 << 12);
    let mut sizes: Table = "
        channels = 65536
        hidden_size = 65536
        embedding_size = 65536
        output_size = 65536
        latent_embedding_size = 65536
        latent_size = 65536
        latent_hidden = 65536
        latent_hidden_size = 65536
        gate_hidden_size = 65536
        transition_size = 65536
        emission_size = 65536
        kernel_size = 64
        levels = 64
        blocks_per_level = 8
        blocks_per_latent = 8
        cells_per_latent = 8
        latent_layers = 64
        output_layers = 64
        layers = 64
    "
    .parse()
    .unwrap();
    let levels = if kind == SWAVENET { 20 } else { 64 };
    sizes.insert("latents".into(), vec![1 << 16; levels].into());
    with_those_of(&config, &sizes)
}

#[test]
fn the_largest_model_is_counted_without_being_built_and_not_built() {
    for kind in models::ALL {
        let config = largest(kind);
        let count = models::count(&config).unwrap();
        assert!(count > 1 << 38, "{count}");
        assert_eq!(
            build(&config, Init::new(1)).err().expect("too large").to_string(),
            format!(
                "the sizes under [model] make a model of {count} parameters, which is more than 1073741824: \
                 choose smaller ones"
            )
        );
    }
}
