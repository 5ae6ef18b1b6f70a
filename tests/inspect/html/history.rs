use serde_json::json;
use stcn::inspect::{History, table};
use stcn::nn::{Init, Linear, Module};
use stcn::ops::{concat_time, sum, tanh};
use stcn::tape::{Grads, Keep, Tape};
use stcn::{Real, Tensor};

/// Two sequences of three steps, `d` with a row before the first, `z.1` put together from its steps; weights of `seed`.
fn pass(seed: u64, look: impl FnOnce(&Tape, &Grads, &dyn Module)) {
    let layer = Linear::new(&mut Init::new(seed), 2, 2);
    let tape = Tape::new();
    let tensor =
        |t: usize| Tensor::new(&[2, t, 2], (0..4 * t).map(|i| (i % 5) as Real - 2.).collect());
    tape.constant(tensor(3)).named("x");
    let d = layer.forward(tape.constant(tensor(4))).named("d.1");
    let steps: Vec<_> = (0..3).map(|_| tanh(layer.forward(tape.constant(tensor(1))))).collect();
    concat_time(&steps).named("z.1");
    let all = steps.iter().fold(sum(tanh(d)), |loss, &z| loss + sum(z * z));
    let loss = all.named("loss");
    tape.constant(Tensor::new(&[2, 3], vec![1., 2., 3., 4., 5., 6.])).named("kl.1");
    let grads = tape.backward(loss, Keep::All);
    look(&tape, &grads, &layer);
}

/// The passes of two checkpoints, and how the page of the second shows the first.
fn page(look: impl FnOnce(&Tape, &Grads, serde_json::Value, Vec<f32>)) {
    let mut history = History::default();
    pass(1, |tape, grads, _| history.add(tape, grads, json!({"step": 5, "loss": 1.5})));
    let columns = ["step", "loss"].map(String::from);
    let rows: Vec<Vec<Option<f64>>> =
        (0..700).map(|i| vec![Some(f64::from(i)), Some(2.).filter(|_| i > 2)]).collect();
    let history = history.with_curves(&columns, &rows);
    let more = stcn::inspect::More { history: Some(history), ..Default::default() };
    let mut text = String::new();
    pass(2, |tape, grads, layer| {
        let about = json!({"model": "nobody", "lengths": [3, 3], "draws": 1, "step": 9});
        text = stcn::inspect::html(tape, grads, layer, &[], &about, &more);
    });
    let (pass_of, numbers) = super::blocks(&text);
    pass(1, |tape, grads, _| look(tape, grads, pass_of, numbers));
}

#[test]
fn of_another_checkpoint_the_page_has_the_root_mean_squares_of_its_table() {
    page(|tape, grads, page, numbers| {
        let past = &page["history"]["passes"][0];
        assert_eq!((&past["step"], &past["loss"]), (&json!(5), &json!(1.5)));
        let start = past["rms"].as_u64().unwrap() as usize;
        let text = table(tape, grads);
        for (i, line) in text.lines().skip(1).enumerate() {
            let wanted: Vec<&str> = line.split_whitespace().rev().take(2).collect();
            let found = [numbers[start + 2 * i + 1], numbers[start + 2 * i]];
            for (found, wanted) in found.iter().zip(wanted) {
                let found = if found.is_nan() { "-".into() } else { format!("{found:.3e}") };
                assert_eq!(found, wanted, "{line}");
            }
        }
        assert_eq!(text.lines().count(), 1 + tape.len());
    });
}

#[test]
fn of_another_checkpoint_the_page_has_the_papers_quantities_by_sequence_and_step() {
    page(|tape, grads, page, numbers| {
        let profiles = &page["history"]["passes"][0]["profiles"];
        let names: Vec<&String> = profiles.as_object().unwrap().keys().collect();
        assert_eq!(names, ["grad d.1", "grad z.1", "value kl.1"]);
        let profile = |name: &str| {
            let start = profiles[name].as_u64().unwrap() as usize;
            &numbers[start..start + 6]
        };
        assert_eq!(profile("value kl.1"), [1., 2., 3., 4., 5., 6.]);
        let rms = |grad: &Tensor, row: usize| {
            let cells = &grad.data()[2 * row..2 * row + 2];
            (cells.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 2.).sqrt() as f32
        };
        let d = grads.wrt(tape.find("d.1").unwrap()).unwrap();
        // Of each sequence's four rows the first is before the first step.
        let wanted: Vec<f32> = [1, 2, 3, 5, 6, 7].iter().map(|&row| rms(d, row)).collect();
        assert_eq!(profile("grad d.1"), wanted);
        let z = tape.find("z.1").unwrap();
        assert!(grads.wrt(z).is_none(), "its steps have the gradient");
        let wanted: Vec<f32> = (0..2)
            .flat_map(|b| z.inputs().into_iter().map(move |step| (b, step)))
            .map(|(b, step)| rms(grads.wrt(step).unwrap(), b))
            .collect();
        assert_eq!(profile("grad z.1"), wanted);
    });
}

#[test]
fn many_rows_of_metrics_are_means_of_a_few_following_each_other() {
    page(|_, _, page, _| {
        let curves = &page["history"]["curves"];
        assert_eq!(
            (&curves["rows_each"], &curves["columns"]),
            (&json!(3), &json!(["step", "loss"]))
        );
        let rows = curves["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 234);
        assert_eq!(rows[..2], [json!([1., null]), json!([4., 2.])]);
        assert_eq!(rows[233], json!([699., 2.]));
    });
}

#[test]
fn there_is_room_for_fewer_passes_of_more_nodes_but_for_two_of_any() {
    let room = |nodes: usize| {
        let tape = Tape::new();
        for _ in 0..nodes {
            tape.constant(Tensor::scalar(1.));
        }
        History::room(&tape)
    };
    assert_eq!([room(0), room(100), room(10_000), room(200_000)], [32, 32, 10, 2]);
}
