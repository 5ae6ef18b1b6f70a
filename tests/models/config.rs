use stcn::models::config::*;

#[test]
fn the_default_is_the_honest_reading_of_every_switch() {
    let config = ModelConfig::default();
    assert_eq!(config.draws, Draws::Shared);
    assert_eq!(config.precision, Precision::Product);
    assert_eq!(config.floors, Floors::Exact);
    assert_eq!(config.first_step, FirstStep::Scored);
    assert_eq!(config.dense_taps, DenseTaps::EveryLevel);
    assert_eq!(config.pen_draw, PenDraw::Bernoulli);
    assert_eq!(config.gate_act, GateAct::Sigmoid);
    assert_eq!(config.auxiliary_target, AuxiliaryTarget::Stop);
    config.validate().unwrap();
}

#[test]
fn as_released_takes_the_released_reading_of_every_switch() {
    let config = ModelConfig::default().as_released();
    assert_eq!(config.draws, Draws::Fresh);
    assert_eq!(config.precision, Precision::AsReleased);
    assert_eq!(config.floors, Floors::AsReleased);
    assert_eq!(config.first_step, FirstStep::Skipped);
    assert_eq!(config.dense_taps, DenseTaps::Release);
    assert_eq!(config.pen_draw, PenDraw::Threshold);
    assert_eq!(config.gate_act, GateAct::Sigmoid); // SWaveNet's
    assert_eq!(config.blocks_per_latent, 6);
    config.validate().unwrap();
}

#[test]
fn models_without_that_release_keep_their_bounds() {
    for kind in ["rnn", "vrnn", "srnn", "z-forcing", "var-bilstm", "ladder-rnn-dense"] {
        let kind = ModelKind::parse(kind).unwrap();
        let config = ModelConfig { kind, ..ModelConfig::default() };
        assert_eq!(config.clone().as_released(), config);
    }
    let config = ModelConfig { kind: ModelKind::Swavenet, ..ModelConfig::default() };
    let released = ModelConfig { gate_act: GateAct::LinearAsReleased, ..config.clone() };
    assert_eq!(config.as_released(), released);
}

#[test]
fn wavenet_on_ink_was_released_with_25_blocks() {
    let config = ModelConfig { kind: ModelKind::Wavenet, ..ModelConfig::default() };
    assert_eq!(config.levels() * config.blocks_per_latent, 30);
    let released = config.as_released();
    assert_eq!(released.levels() * released.blocks_per_latent, 25);
}

#[test]
fn the_hidden_width_of_latents_follows_the_channels_unless_set() {
    let config = ModelConfig { channels: 54, ..ModelConfig::default() };
    assert_eq!(config.latent_width(), 54);
    assert_eq!(ModelConfig { latent_hidden: 10, ..config }.latent_width(), 10);
}

#[test]
fn names_parse_back_to_their_values() {
    for &kind in ModelKind::ALL {
        assert_eq!(ModelKind::parse(kind.name()).unwrap(), kind);
    }
    for &head in HeadKind::ALL {
        assert_eq!(HeadKind::parse(&head.to_string()).unwrap(), head);
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_and_all_others() {
    assert_eq!(
        ModelKind::parse("wavnet").unwrap_err().to_string(),
        "unknown model `wavnet`: did you mean `wavenet` (of stcn, stcn-dense, wavenet, wavenet-dense, rnn, vrnn, srnn, srnn-filter, z-forcing, var-bilstm, ladder-rnn, ladder-rnn-dense, swavenet)?"
    );
    assert_eq!(
        HeadKind::parse("gmmm").unwrap_err().to_string(),
        "unknown head `gmmm`: did you mean `gmm` (of normal, gmm, bigmm, bernoulli)?"
    );
}

fn complaint(change: impl FnOnce(&mut ModelConfig)) -> String {
    let mut config = ModelConfig::default();
    change(&mut config);
    config.validate().unwrap_err().to_string()
}

#[test]
fn sizes_that_no_model_has_are_refused() {
    assert_eq!(
        complaint(|c| c.channels = 0),
        "model.channels is 0: choose a number from 1 to 65536"
    );
    assert_eq!(
        complaint(|c| c.latents = vec![]),
        "model.latents is empty: give the size of each, lowest first, such as [32, 16, 8, 4, 2]"
    );
    assert_eq!(
        complaint(|c| c.latents = vec![4, 0]),
        "an entry of model.latents is 0: choose a number from 1 to 65536"
    );
    assert_eq!(
        complaint(|c| c.blocks_per_latent = 64),
        "model.blocks_per_latent is 64: choose a number from 1 to 24"
    );
    // Two million rows to remember while drawing, of a model with a hundred parameters.
    assert_eq!(
        complaint(|c| (c.channels, c.blocks_per_latent, c.latents) = (1, 20, vec![1, 1])),
        "model.blocks_per_latent is 20 and model.kernel_size 2, so that 2 levels look 2097150 steps back: \
         choose smaller ones, for 1048576 at most"
    );
}

#[test]
fn weights_that_weigh_nothing_are_refused() {
    for (key, set) in [
        ("auxiliary_weight", (|c, w| c.auxiliary_weight = w) as fn(&mut ModelConfig, f64)),
        ("state_weight", |c, w| c.state_weight = w),
        ("backward_weight", |c, w| c.backward_weight = w),
    ] {
        for (weight, word) in
            [(-1., "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e7, "10000000")]
        {
            assert_eq!(
                complaint(|c| set(c, weight)),
                format!("model.{key} is {word}: choose a number from 0 to 1000000, such as 0.005")
            );
        }
        let mut off = ModelConfig::default();
        set(&mut off, 0.);
        off.validate().unwrap();
    }
}

#[test]
fn a_swavenet_looks_as_far_back_as_any() {
    let swavenet = |pre_layers, layers: usize| {
        complaint(|c| {
            (c.kind, c.pre_layers, c.latents) = (ModelKind::Swavenet, pre_layers, vec![1; layers])
        })
    };
    let said = "the sum of model.pre_layers and the number of model.latents is 21: choose a number from 1 to 20";
    assert_eq!(swavenet(20, 1), said);
    assert_eq!(swavenet(1, 20), said);
    assert_eq!(swavenet(65, 1), "model.pre_layers is 65: choose a number from 0 to 64");
    let kind = ModelKind::Swavenet;
    let far = ModelConfig { kind, pre_layers: 19, latents: vec![1], ..ModelConfig::default() };
    far.validate().unwrap();
}

#[test]
fn heads_that_do_not_suit_the_data_are_refused_with_one_that_does() {
    assert_eq!(
        complaint(|c| c.input = 4),
        "model.input is 4 but ink has 3 channels (dx, dy, pen): set it to 3, or model.task to speech"
    );
    assert_eq!(
        complaint(|c| c.head = HeadKind::Bernoulli),
        "head bernoulli takes keys that are 0 or 1, and model.task is ink: choose head normal or gmm, \
         or the preset music-small"
    );
    assert_eq!(
        complaint(|c| c.task = Task::Music),
        "head gmm is a density of real numbers, and music has keys that are 0 or 1: choose head \
         bernoulli"
    );
    assert_eq!(
        complaint(|c| (c.task, c.head) = (Task::Speech, HeadKind::Bigmm)),
        "head bigmm is a density of (dx, dy) beside a pen, and model.task is speech: choose head \
         normal or gmm, or an ink preset"
    );
}
