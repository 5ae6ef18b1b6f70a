use stcn::Noise;
use stcn::data::Batch;
use stcn::internals::place::{Place, places};
use stcn::models::HeadKind;
use stcn::models::{Kl, ModelConfig, ModelKind, SRNN, STCN_DENSE, VRNN, WAVENET, build};
use stcn::nn::Init;
use stcn::tape::Tape;
use stcn::{Real, Tensor};
use std::collections::{BTreeMap, BTreeSet};

const STEPS: usize = 6;

/// Rule, label and place of every node of a pass over six steps of two sequences.
fn placed(kind: ModelKind) -> Vec<(&'static str, String, Place)> {
    let model = build(&ModelConfig::gradcheck(kind, HeadKind::Gmm), Init::new(1)).unwrap();
    let data =
        (0..2 * STEPS * 3).map(|i| if i % 3 == 2 { 0. } else { (i % 5) as Real - 2. }).collect();
    let x = Tensor::new(&[2, STEPS, 3], data);
    let batch = Batch { x, lengths: vec![STEPS; 2], samples: vec![0, 1] };
    let tape = Tape::new();
    model.elbo(&tape, &batch, &Noise::new(1, "train"), Kl::Analytic);
    let mut parameters = BTreeSet::new();
    model.visit(&mut |p| {
        parameters.insert(p.path().to_string());
    });
    let places = places(&tape, &parameters, STEPS);
    let mut all = vec![];
    tape.each(|node| {
        all.push((node.rule.name, node.label.clone(), places[node.id.index()].clone()));
    });
    all
}

fn path<'a>(all: &'a [(&str, String, Place)], label: &str) -> &'a str {
    let (_, _, place) = all.iter().find(|(_, known, _)| known == label).unwrap();
    &place.path
}

#[test]
fn a_node_belongs_to_its_layer_or_to_the_quantity_it_is_a_part_of() {
    let all = placed(STCN_DENSE);
    assert_eq!(path(&all, "tcn.2.filter.weight"), "tcn.2.filter");
    assert_eq!(
        path(&all, "d.1"),
        "tcn.2.mix",
        "an op belongs to the layer whose parameters it reads"
    );
    assert_eq!(path(&all, "z.2"), "z.2");
    assert_eq!(path(&all, "q.1.mean"), "q.1");
    assert_eq!(path(&all, "kl.1"), "kl.1");
    let gates = all.iter().filter(|(rule, _, _)| *rule == "gated_conv");
    let gates: Vec<&str> = gates.map(|(_, _, place)| &*place.path).collect();
    assert_eq!(
        gates,
        ["tcn.1", "tcn.2", "tcn.3", "tcn.4"],
        "filter and gate have the block in common"
    );
    let words: BTreeSet<&str> =
        all.iter().map(|(_, _, p)| p.path.split('.').next().unwrap()).collect();
    let want =
        ["head", "infer", "kl", "log_px", "noise", "output", "p", "prior", "q", "tcn", "x", "z"];
    assert_eq!(words, BTreeSet::from(want));
    assert!(all.iter().all(|(_, _, place)| place.step.is_none()));
}

#[test]
fn layers_that_run_at_every_step_are_folded_over_time() {
    for kind in [VRNN, SRNN] {
        let all = placed(kind);
        let mut series: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (_, _, place) in &all {
            if let Some((op, step)) = &place.step {
                series.entry((&place.path, op)).or_default().push(*step);
            }
        }
        assert!(series.len() > 5, "{kind}: {series:?}");
        for (op, steps) in &series {
            let all: Vec<usize> = (STEPS - steps.len()..STEPS).collect();
            assert_eq!((steps, steps.len() + 1 >= STEPS), (&all, true), "{kind}: {op:?}");
        }
        // An op of the recurrence, at every step.
        let cell = if kind == VRNN { "lstm_cell" } else { "rsample" };
        let cells = all.iter().filter(|(rule, _, _)| *rule == cell);
        let steps: Vec<usize> = cells.filter_map(|(_, _, p)| Some(p.step.as_ref()?.1)).collect();
        assert_eq!(steps[..STEPS], (0..STEPS).collect::<Vec<_>>(), "{kind}");
    }
    assert!(placed(WAVENET).iter().all(|(_, _, place)| place.step.is_none()));
}
