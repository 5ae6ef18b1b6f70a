//! Parameter counts, to the unit: stcn.md §9 and the small partners of rivals.md §9.

use stcn::models::config::{Decoder, DenseTaps, HeadKind, ModelConfig, ModelKind, Task};
use stcn::models::{self, build, shapes};
use stcn::nn::{Head, Init, Module};

const INK: [usize; 5] = [32, 16, 8, 4, 2];
const SPEECH: [usize; 5] = [256, 128, 64, 32, 16];

fn ink(kind: ModelKind) -> ModelConfig {
    let output_layers = if kind.has_latents() { 5 } else { 2 };
    ModelConfig { kind, latents: INK.into(), output_layers, ..ModelConfig::default() }
}

fn speech(kind: ModelKind) -> ModelConfig {
    ModelConfig {
        task: Task::Speech,
        input: 200,
        latents: SPEECH.into(),
        blocks_per_latent: 5,
        decoder: Decoder::Gated,
        ..ink(kind)
    }
}

fn released(config: ModelConfig) -> ModelConfig {
    ModelConfig { dense_taps: DenseTaps::Release, blocks_per_latent: 5, ..config }
}

/// Parameters whose path begins with one of `parts`.
fn count(config: &ModelConfig, parts: &[&str]) -> usize {
    let shapes = shapes(config).unwrap();
    let mine = shapes.iter().filter(|(path, _)| parts.iter().any(|part| path.starts_with(part)));
    mine.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

fn head(config: &ModelConfig, components: usize) -> usize {
    let channels = if config.task == Task::Ink { (2, 1) } else { (config.input, 0) };
    Head::new(&mut Init::new(1), config.channels, channels, components, false).parameter_count()
}

/// Stack, latent nets, decoder, then both totals, of the model with the Normal head; that a mixture takes
/// the place of that head alone is the next test.
#[track_caller]
fn assert_counts(config: ModelConfig, [stack, latents, decoder, normal, gmm]: [usize; 5]) {
    let config = ModelConfig { head: HeadKind::Normal, ..config };
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
    assert_eq!(
        found,
        [stack, latents, decoder, head(&config, 0)],
        "{} {}",
        config.kind,
        config.task
    );
    let total = models::count(&config).unwrap();
    assert_eq!([total, total - found[3] + head(&config, 20)], [normal, gmm]);
}

#[test]
fn a_head_has_as_many_parameters_as_the_table_says() {
    let wide = ModelConfig { channels: 512, ..speech(ModelKind::Stcn) };
    for (config, normal, gmm) in [
        (ink(ModelKind::Stcn), 1_285, 25_957),
        (speech(ModelKind::Stcn), 102_800, 2_061_140),
        (wide, 205_200, 4_114_260),
    ] {
        assert_eq!([head(&config, 0), head(&config, 20)], [normal, gmm]);
    }
    for kind in ModelKind::ALL {
        let small = ModelConfig { channels: 6, embedding: 6, ..speech(*kind) };
        for (kind, components) in [(HeadKind::Normal, 0), (HeadKind::Gmm, 20)] {
            let config = ModelConfig { head: kind, ..small.clone() };
            assert_eq!(count(&config, &["head"]), head(&config, components));
        }
    }
}

#[test]
fn stcn_on_ink_has_as_many_parameters_as_the_table_says() {
    let stack = [9_595_392, 2_726_136];
    let row = |rest: [usize; 3]| [stack[0], stack[1], rest[0], rest[1], rest[2]];
    assert_counts(ink(ModelKind::Stcn), row([271_616, 12_594_429, 12_619_101]));
    assert_counts(ink(ModelKind::StcnDense), row([279_296, 12_602_109, 12_626_781]));
}

#[test]
fn stcn_with_the_papers_ink_latents_has_as_many_parameters_as_the_table_says() {
    // Only latent nets and decoder differ from the rows above: the stack is one narrow block per level.
    let paper =
        |kind| ModelConfig { latents: vec![32, 16, 8, 5, 2], head: HeadKind::Normal, ..ink(kind) };
    let [plain, dense] = [ModelKind::Stcn, ModelKind::StcnDense].map(|kind| {
        let config = paper(kind);
        let narrow = ModelConfig { blocks_per_latent: 1, ..config };
        ["prior", "infer", "output", "head"]
            .map(|part| count(&narrow, &[part]))
            .iter()
            .sum::<usize>()
    });
    assert_eq!([9_595_392 + plain, 9_595_392 + dense], [12_596_481, 12_604_417]);
    assert_eq!([12_621_153 - 12_596_481, 12_629_089 - 12_604_417], [25_957 - 1_285; 2]);
    let narrow = ModelConfig { blocks_per_latent: 1, ..paper(ModelKind::StcnDense) };
    assert_eq!(count(&narrow, &["prior", "infer"]), 2_728_188);
    assert_eq!(count(&narrow, &["output"]), 279_552);
}

#[test]
fn stcn_on_speech_has_as_many_parameters_as_the_table_says() {
    let stack = [8_205_312, 3_387_328];
    let row = |rest: [usize; 3]| [stack[0], stack[1], rest[0], rest[1], rest[2]];
    assert_counts(speech(ModelKind::Stcn), row([1_642_240, 13_337_680, 15_296_020]));
    assert_counts(speech(ModelKind::StcnDense), row([2_015_232, 13_710_672, 15_669_012]));
}

#[test]
fn the_large_stcn_has_as_many_parameters_as_the_table_says() {
    let large = ModelConfig { channels: 512, ..speech(ModelKind::StcnDense) };
    assert_counts(large, [32_270_336, 12_015_552, 6_782_976, 51_274_064, 55_183_124]);
}

#[test]
fn wavenet_on_ink_has_as_many_parameters_as_the_table_says() {
    let [plain, dense] = [ModelKind::Wavenet, ModelKind::WavenetDense].map(ink);
    let short = 1_792 + 8_211_200;
    assert_counts(released(plain.clone()), [short, 0, 131_584, 8_345_861, 8_370_533]);
    assert_counts(released(dense.clone()), [short, 0, 262_656, 8_476_933, 8_501_605]);
    let matched = 1_792 + 9_853_440;
    assert_counts(plain, [matched, 0, 131_584, 9_988_101, 10_012_773]);
    assert_counts(dense, [matched, 0, 393_728, 10_250_245, 10_274_917]);
}

#[test]
fn wavenet_on_speech_has_as_many_parameters_as_the_table_says() {
    let [plain, dense] = [ModelKind::Wavenet, ModelKind::WavenetDense].map(speech);
    let stack = 102_656 + 8_211_200;
    assert_counts(plain, [stack, 0, 131_584, 8_548_240, 10_506_580]);
    assert_counts(released(dense.clone()), [stack, 0, 262_656, 8_679_312, 10_637_652]);
    assert_counts(dense, [stack, 0, 393_728, 8_810_384, 10_768_724]);
}

#[test]
fn the_small_partners_keep_the_budget_of_their_rivals() {
    let small = |config: ModelConfig, channels| {
        let speech = config.task == Task::Speech;
        let (latents, mixtures) =
            if speech { (vec![64, 32, 16, 8, 4], 5) } else { (INK.into(), 20) };
        ModelConfig { channels, latents, mixtures, ..config }
    };
    let rows = [
        (small(ink(ModelKind::StcnDense), 54), [591_217, 585_937]),
        (small(ink(ModelKind::Stcn), 54), [589_597, 584_317]),
        (small(ink(ModelKind::Wavenet), 62), [596_789, 590_741]),
        (small(ink(ModelKind::WavenetDense), 61), [592_777, 586_825]),
        (small(speech(ModelKind::StcnDense), 59), [901_130, 804_830]),
        (small(speech(ModelKind::Stcn), 60), [909_281, 811_376]),
        (small(speech(ModelKind::Wavenet), 75), [902_605, 780_625]),
        (small(speech(ModelKind::WavenetDense), 74), [903_103, 782_728]),
    ];
    for (config, want) in rows {
        let found = [HeadKind::Gmm, HeadKind::Normal]
            .map(|head| models::count(&ModelConfig { head, ..config.clone() }).unwrap());
        assert_eq!(found, want, "{} {}", config.kind, config.task);
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

/// Sizes at their largest: 2⁴⁸ numbers in 20 000 tensors.
fn largest(kind: ModelKind) -> ModelConfig {
    ModelConfig {
        kind,
        task: Task::Speech,
        head: HeadKind::Gmm,
        input: 1 << 16,
        channels: 1 << 16,
        kernel_size: 64,
        embedding: 1 << 16,
        latents: vec![1 << 16; if kind == ModelKind::Swavenet { 20 } else { 64 }],
        blocks_per_latent: 8,
        latent_layers: 64,
        output_layers: 64,
        mixtures: 1 << 12,
        ..ModelConfig::default()
    }
}

#[test]
fn the_largest_model_is_counted_without_being_built_and_not_built() {
    for &kind in ModelKind::ALL {
        let config = largest(kind);
        let count = models::count(&config).unwrap();
        assert!(count > 1 << 38, "{count}");
        assert_eq!(
            build(&config, Init::new(1)).err().expect("too large").to_string(),
            format!(
                "model.channels 65536 and the other sizes make a model of {count} parameters, which is \
                 more than 1073741824: choose smaller ones"
            )
        );
    }
}
