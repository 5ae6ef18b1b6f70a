use super::{lively, normals, values};
use stcn::dist::Density;
use stcn::nn::{Head, Module};
use stcn::ops::*;
use stcn::tape::Tape;
use stcn::{Real, Tensor};

/// ln p of every point of a grid under the distribution of one row of features, in f64.
fn densities(head: &Head, grid: &[Vec<Real>]) -> Vec<f64> {
    let tape = Tape::inference();
    let h = normals(&[1, 1, 4]);
    let rows = h.data().repeat(grid.len());
    let px = head.forward(tape.constant(Tensor::new(&[1, grid.len(), 4], rows)));
    let x = tape.constant(Tensor::new(&[1, grid.len(), grid[0].len()], grid.concat()));
    px.log_prob(x).value().data().iter().map(|&p| f64::from(p).exp()).collect()
}

fn line(n: usize, half: Real) -> (Vec<Real>, f64) {
    let step = 2. * half / (n - 1) as Real;
    ((0..n).map(|i| -half + i as Real * step).collect(), f64::from(step))
}

#[test]
fn every_density_integrates_to_one() {
    // Spreads from ½ to 3: a step of 0.15 leaves e^−(2π²·3²) to the rule, ±22 nothing outside; each density
    // is rounded to 10⁻⁶ of itself.
    let wide = |mut head: Head| {
        head.visit_mut(&mut |p| match p.path() {
            "std.bias" => p.value.data_mut().fill(1.5),
            "rho.bias" => p.value.data_mut().fill(0.3),
            _ => (),
        });
        head
    };
    let (points, step) = line(301, 22.);
    for components in [0, 3] {
        let head = wide(lively(|init| Head::new(init, 4, (1, 0), components, false)));
        let grid: Vec<Vec<Real>> = points.iter().map(|&x| vec![x]).collect();
        let total = densities(&head, &grid).iter().sum::<f64>() * step;
        assert!((total - 1.).abs() < 1e-5, "{components} components: {total}");
    }
    for correlated in [false, true] {
        let head = wide(lively(|init| Head::new(init, 4, (2, 1), 3, correlated)));
        let grid: Vec<Vec<Real>> = points
            .iter()
            .flat_map(|&x| points.iter().flat_map(move |&y| [0., 1.].map(|pen| vec![x, y, pen])))
            .collect();
        let total = densities(&head, &grid).iter().sum::<f64>() * step * step;
        assert!((total - 1.).abs() < 1e-5, "correlated {correlated}: {total}");
    }
    let head = lively(|init| Head::new(init, 4, (0, 3), 0, false));
    let grid: Vec<Vec<Real>> =
        (0..8).map(|i| (0..3).map(|bit| (i >> bit & 1) as Real).collect()).collect();
    let total: f64 = densities(&head, &grid).iter().sum();
    assert!((total - 1.).abs() < 1e-5, "keys: {total}");
}

#[test]
fn equal_components_are_one_normal_and_their_order_is_nothing() {
    let (m, dims) = (4, 2);
    let mut mixture = lively(|init| Head::new(init, 4, (dims, 0), m, false));
    let plain = lively(|init| Head::new(init, 4, (dims, 0), 0, false));
    let grid: Vec<Vec<Real>> =
        normals(&[1, 20, 2]).data().chunks(2).map(<[Real]>::to_vec).collect();
    let order = [2, 0, 3, 1];
    let before = densities(&mixture, &grid);
    mixture.visit_mut(&mut |p| {
        let (old, groups) = (p.value.data().to_vec(), p.value.len() / m);
        for g in 0..groups {
            (0..m).for_each(|k| p.value.data_mut()[g * m + k] = old[g * m + order[k]]);
        }
    });
    for (a, b) in before.iter().zip(densities(&mixture, &grid)) {
        assert!((a - b).abs() < 1e-5 * a, "{a} {b}"); // sums of four in another order
    }
    mixture.visit_mut(&mut |p| {
        let path = p.path().to_string();
        if path.starts_with("head") || p.path().starts_with("mean") || p.path().starts_with("std") {
            let one = values(&plain, &path);
            let repeated = one.iter().flat_map(|&w| std::iter::repeat_n(w, m)).collect();
            p.value = Tensor::new(p.value.shape(), repeated);
        }
    });
    for (a, b) in densities(&plain, &grid).iter().zip(densities(&mixture, &grid)) {
        assert!((a - b).abs() < 1e-5 * a, "{a} {b}");
    }
}

#[test]
fn a_correlation_of_zero_is_the_diagonal_mixture() {
    let mut correlated = lively(|init| Head::new(init, 4, (2, 1), 3, true));
    let diagonal = lively(|init| Head::new(init, 4, (2, 1), 3, false));
    let grid: Vec<Vec<Real>> =
        normals(&[1, 20, 2]).data().chunks(2).map(|x| vec![x[0], x[1], 1.]).collect();
    let close = |head: &Head| {
        let pairs: Vec<_> =
            densities(head, &grid).into_iter().zip(densities(&diagonal, &grid)).collect();
        pairs.iter().all(|(a, b)| (a - b).abs() < 1e-5 * a)
    };
    assert!(!close(&correlated));
    correlated.visit_mut(&mut |p| {
        if p.path().starts_with("rho") {
            p.value.data_mut().fill(0.);
        }
    });
    assert!(close(&correlated));
}

#[test]
fn an_outputs_spread_is_clipped_and_its_correlation_short_of_one() {
    let head = lively(|init| Head::new(init, 4, (2, 1), 3, true));
    let tape = Tape::inference();
    let px = head.forward(tape.constant(normals(&[1, 200, 4]).map(|x| 1e3 * x)));
    let Some(Density::Bivariate { std, rho, .. }) = px.density else { panic!("no mixture") };
    let std = std.value();
    assert!(std.data().iter().all(|&s| (1e-3..=50.).contains(&s)));
    assert!(std.data().contains(&1e-3) && std.data().contains(&50.));
    assert!(rho.value().data().iter().all(|&r| r.abs() <= 1. - 1e-4));
    assert!(sum(px.bits.unwrap()).value().is_finite());
}
