use stcn::nn::{Init, Linear, Module, Tcn, module};

struct Pair {
    first: Linear,
    second: Vec<Linear>,
}
module!(Pair: first, second);

fn pair(seed: u64, more: bool) -> Pair {
    let init = &mut Init::new(seed);
    Pair {
        first: init.scope("first", |init| Linear::new(init, 3, if more { 5 } else { 4 })),
        second: init.list("second", 2, |init, i| Linear::new(init, 4, i + 1)),
    }
}

fn all(module: &dyn Module) -> Vec<(usize, String, Vec<stcn::Real>)> {
    let mut found = vec![];
    module.visit(&mut |p| found.push((p.number(), p.path().to_string(), p.value.data().to_vec())));
    found
}

#[test]
fn parameters_are_numbered_and_named_in_order_of_declaration() {
    let mut pair = pair(1, false);
    let found = all(&pair);
    let paths: Vec<&str> = found.iter().map(|(_, path, _)| path.as_str()).collect();
    let want = [
        "first.weight",
        "first.bias",
        "second.1.weight",
        "second.1.bias",
        "second.2.weight",
        "second.2.bias",
    ];
    assert_eq!(paths, want);
    assert!(found.iter().enumerate().all(|(i, (number, ..))| *number == i));
    let mut again = vec![];
    pair.visit_mut(&mut |p| again.push(p.path().to_string()));
    assert_eq!(again, want);
    assert_eq!(pair.parameter_count(), 16 + 5 + 10);
}

#[test]
fn unfilled_parameters_have_names_and_numbers_and_their_shapes_are_known() {
    let init = &mut Init::unfilled();
    let layers = init.list("far", 2, |init, _| Linear::new(init, 1 << 40, 1 << 40));
    let found = all(&layers);
    assert!(
        found.iter().enumerate().all(|(i, (number, _, value))| *number == i && value.is_empty())
    );
    let mut init = Init::unfilled();
    init.scope("a", |init| Linear::new(init, 3, 2));
    let shape = |path: &str, shape: &[usize]| (path.to_string(), shape.to_vec());
    assert_eq!(init.into_shapes(), [shape("a.weight", &[3, 2]), shape("a.bias", &[2])]);
    let mut init = Init::new(1);
    init.scope("a", |init| Linear::new(init, 3, 2));
    assert_eq!(init.into_shapes().len(), 2);
}

#[test]
fn a_change_in_one_layer_reseeds_no_other() {
    let (small, large) = (all(&pair(1, false)), all(&pair(1, true)));
    assert_ne!(small[0].2.len(), large[0].2.len());
    assert_eq!(small[2..], large[2..]);
    assert_ne!(small[2].2, all(&pair(2, false))[2].2);
    assert_ne!(small[2].2[..4], small[4].2[..4], "a stream for each name");
}

#[test]
fn a_layer_may_fill_a_parameter_in_a_way_of_its_own() {
    let built = |init: &mut Init| {
        init.scope("own", |init| {
            init.param("diagonal", &[2, 2], |noise, path, value| {
                assert_eq!((path, &*value), ("own.diagonal", &[0.; 4][..]));
                noise.normals(path, 0, 0, &mut value[..1]);
            })
        })
    };
    let init = &mut Init::new(3);
    Linear::new(init, 2, 2);
    let param = built(init);
    assert_eq!((param.path(), param.number()), ("own.diagonal", 2));
    assert_eq!(param.value, built(&mut Init::new(3)).value, "its stream is its own");
    assert!(param.value.data()[0] != 0. && param.value.data()[1..] == [0.; 3]);
    let mut unfilled = Init::unfilled();
    unfilled.param("p", &[2, 3], |_, _, _| panic!("filled"));
    assert_eq!(unfilled.into_shapes(), [("p".to_string(), vec![2, 3])]);
}

#[test]
fn weights_fill_the_glorot_interval_evenly_and_biases_are_zero() {
    let tcn = Tcn::new(&mut Init::new(3), "tcn", (40, 40), (1, 1), 2);
    tcn.visit(&mut |p| {
        let (w, shape) = (p.value.data(), p.value.shape());
        let [fan_in, fan_out] = match shape {
            [_] => return assert!(w.iter().all(|&b| b == 0.)),
            [i, o] => [*i, *o],
            [k, i, o] => [k * i, k * o],
            _ => unreachable!(),
        };
        let bound = (6. / (fan_in + fan_out) as f64).sqrt();
        let n = w.len() as f64;
        let largest = w.iter().fold(0., |top: f64, &w| top.max(f64::from(w).abs()));
        // The largest of n even numbers misses the end by 1/n on average, by 10/n once in e¹⁰.
        assert!(
            largest <= bound * (1. + 1e-6) && largest > bound * (1. - 10. / n),
            "{}: {largest} of {bound}",
            p.path()
        );
        let mean = w.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
        let variance = w.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / n;
        // Standard errors: bound/√(3n) of the mean, bound²·√(4/45n) of the mean square; five of each.
        assert!(mean.abs() < 5. * bound / (3. * n).sqrt(), "{}: mean {mean}", p.path());
        let off = (variance - bound * bound / 3.).abs();
        assert!(
            off < 5. * bound * bound * (4. / (45. * n)).sqrt(),
            "{}: variance {variance}",
            p.path()
        );
    });
}
