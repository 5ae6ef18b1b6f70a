//! Model configs: both readings of every switch, and refusals that name the key and the cure.

use stcn::models::build;
use stcn::models::config::{
    Decoder, DenseTaps, Draws, FirstStep, Floors, HeadKind, ModelConfig, ModelKind, PenDraw,
    Precision, Task,
};

fn refused(config: &ModelConfig) -> String {
    config.validate().expect_err("accepted").to_string()
}

#[test]
fn the_default_is_the_honest_reading_and_as_released_the_other() {
    let honest = ModelConfig::default();
    assert_eq!(
        (honest.draws, honest.precision, honest.floors),
        (Draws::Shared, Precision::Product, Floors::Exact)
    );
    assert_eq!((honest.first_step, honest.dense_taps), (FirstStep::Scored, DenseTaps::EveryLevel));
    assert_eq!(honest.pen_draw, PenDraw::Bernoulli);
    let released = honest.clone().as_released();
    assert_eq!(
        (released.draws, released.precision, released.floors),
        (Draws::Fresh, Precision::AsReleased, Floors::AsReleased)
    );
    assert_eq!(
        (released.first_step, released.dense_taps),
        (FirstStep::Skipped, DenseTaps::Release)
    );
    assert_eq!(released.pen_draw, PenDraw::Threshold);
    // Nothing else moves, but the depth of a WaveNet on ink.
    assert_eq!((released.latents, released.blocks_per_latent), (honest.latents.clone(), 6));
    let wavenet = ModelConfig { kind: ModelKind::Wavenet, ..honest };
    assert_eq!(wavenet.clone().as_released().blocks_per_latent, 5);
    let speech = ModelConfig { task: Task::Speech, input: 200, blocks_per_latent: 5, ..wavenet };
    assert_eq!(speech.as_released().blocks_per_latent, 5);
}

#[test]
fn every_choice_is_read_as_it_is_written() {
    fn both_ways<T: Copy + PartialEq + std::fmt::Debug>(
        all: &[T],
        name: impl Fn(T) -> &'static str,
        parse: impl Fn(&str) -> stcn::Result<T>,
    ) {
        all.iter().for_each(|&value| assert_eq!(parse(name(value)).unwrap(), value));
    }
    both_ways(ModelKind::ALL, ModelKind::name, ModelKind::parse);
    both_ways(HeadKind::ALL, HeadKind::name, HeadKind::parse);
    both_ways(Task::ALL, Task::name, Task::parse);
    both_ways(Draws::ALL, Draws::name, Draws::parse);
    both_ways(Precision::ALL, Precision::name, Precision::parse);
    both_ways(Floors::ALL, Floors::name, Floors::parse);
    both_ways(FirstStep::ALL, FirstStep::name, FirstStep::parse);
    both_ways(DenseTaps::ALL, DenseTaps::name, DenseTaps::parse);
    both_ways(Decoder::ALL, Decoder::name, Decoder::parse);
    both_ways(PenDraw::ALL, PenDraw::name, PenDraw::parse);
}

#[test]
fn a_misspelt_choice_is_answered_with_the_nearest() {
    let message = ModelKind::parse("scn-dense").unwrap_err().to_string();
    assert_eq!(
        message,
        "unknown model `scn-dense`: did you mean `stcn-dense` (of stcn, stcn-dense, wavenet, wavenet-dense)?"
    );
}

#[test]
fn a_config_survives_a_file_and_a_stray_key_does_not() {
    let config = ModelConfig { kind: ModelKind::Wavenet, ..ModelConfig::default().as_released() };
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap(), config);
    let stray =
        toml::from_str::<ModelConfig>(&format!("{text}\nmixture = 3\n")).unwrap_err().to_string();
    assert!(stray.contains("unknown field `mixture`"), "{stray}");
}

#[test]
fn sizes_that_no_model_has_are_refused_by_their_key() {
    type Spoil = fn(&mut ModelConfig);
    let cases: [(Spoil, &str); 8] = [
        (|c| c.latents = vec![], "model.latents is empty"),
        (
            |c| c.latents = vec![3, 0],
            "an entry of model.latents is 0: choose a number from 1 to 65536",
        ),
        (|c| c.channels = 0, "model.channels is 0"),
        (|c| c.kernel_size = 0, "model.kernel_size is 0"),
        (
            |c| c.blocks_per_latent = 25,
            "model.blocks_per_latent is 25: choose a number from 1 to 24",
        ),
        (|c| c.latent_layers = 0, "model.latent_layers is 0"),
        (|c| c.output_layers = 0, "model.output_layers is 0"),
        (|c| c.mixtures = 0, "model.mixtures is 0"),
    ];
    for (spoil, want) in cases {
        let mut config = ModelConfig::default();
        spoil(&mut config);
        let found = refused(&config);
        assert!(found.contains(want), "{found}");
        assert!(build(&config, 1).is_err());
    }
}

#[test]
fn a_head_that_does_not_fit_the_task_is_refused_with_one_that_does() {
    let with = |task, input, head| ModelConfig { task, input, head, ..ModelConfig::default() };
    for (config, cure) in [
        (with(Task::Ink, 2, HeadKind::Gmm), "set it to 3"),
        (with(Task::Ink, 3, HeadKind::Bernoulli), "choose head normal or gmm"),
        (with(Task::Speech, 200, HeadKind::Bernoulli), "choose head normal or gmm"),
        (with(Task::Speech, 200, HeadKind::Bigmm), "choose head normal or gmm"),
        (with(Task::Music, 88, HeadKind::Normal), "choose head bernoulli"),
        (with(Task::Music, 88, HeadKind::Bigmm), "choose head bernoulli"),
    ] {
        assert!(refused(&config).contains(cure), "{}", refused(&config));
    }
    for (task, input, head) in [
        (Task::Ink, 3, HeadKind::Bigmm),
        (Task::Speech, 1, HeadKind::Normal),
        (Task::Music, 88, HeadKind::Bernoulli),
    ] {
        with(task, input, head).validate().unwrap();
    }
}
