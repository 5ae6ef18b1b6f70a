//! Log-densities of mixtures of normals, one component index for the whole row.
//!
//! Both ops are `y = logsumexp_k(ln π_k + ln N_k(x))` and differ in N alone: two row functions each, the
//! component's log-density and its slopes.

use super::normal::HALF_LN_TWO_PI;
use crate::kernel::math::{exp, ln, ln_1p};
use crate::parallel::{self, PIECE};
use crate::tape::{Rule, Var};
use crate::tensor::{Real, Tensor};
use crate::vectorised;

/// `y = logsumexp_k( ln π_k + Σ_d [−½ ln 2π − ln σ_dk − ½((x_d − μ_dk)/σ_dk)²] )`, `π = softmax(logits)`.
///
/// `floor` bounds π_k from below inside the logarithm, with a zero gradient there; 0 is exact.
///
/// x: (B, T, D)   logits: (B, T, M)   mean, std: (B, T, D·M), component fastest   y: (B, T)
/// vjp with responsibilities `r_k = e^{ln π_k + ln N_k − y}`: logits `r − π`, the rest `Σ_k r_k ∂ ln N_k`.
#[track_caller]
pub fn mixture_log_prob<'t>(
    x: Var<'t>,
    logits: Var<'t>,
    mean: Var<'t>,
    std: Var<'t>,
    floor: Real,
) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "mixture_log_prob",
        forward: "y = logsumexp_k(ln π_k + Σ_d ln N(x_d; μ_dk, σ_dk))",
        vjp: "ℓ̄ = ȳ (r − π)   μ̄ = ȳ r u/σ   σ̄ = ȳ r (u² − 1)/σ   x̄ = −Σ_k μ̄",
    };
    let (dims, components) = (x.value().cols(), logits.value().cols());
    let (rows, wide) = (logits.value().rows(), dims * components);
    fits(RULE.name, rows, [("x", x, dims), ("mean", mean, wide), ("std", std, wide)]);
    record(&RULE, x, logits, [mean, std], floor, diagonal, diagonal_slopes)
}

/// The same with bivariate normals that have a correlation ρ:
/// `ln N_k = −ln 2π − ln σ₁σ₂ − ½ ln(1−ρ²) − Q/2(1−ρ²)`, `Q = u² + v² − 2ρuv`.
///
/// x: (B, T, 2)   logits, rho: (B, T, M)   mean, std: (B, T, 2M), component fastest   y: (B, T)
/// Source: Graves 2013, eqs. 24–25.
#[track_caller]
pub fn bivariate_mixture_log_prob<'t>(
    x: Var<'t>,
    logits: Var<'t>,
    mean: Var<'t>,
    std: Var<'t>,
    rho: Var<'t>,
    floor: Real,
) -> Var<'t> {
    static RULE: Rule = Rule {
        name: "bivariate_mixture_log_prob",
        forward: "y = logsumexp_k(ln π_k + ln N₂(x; μ_k, σ_k, ρ_k))",
        vjp: "c = 1/(1−ρ²)   μ̄₁ = ȳ r c(u−ρv)/σ₁   σ̄₁ = ȳ r (c(u−ρv)u − 1)/σ₁   ρ̄ = ȳ r c(ρ + uv − ρQc)",
    };
    assert_eq!(
        x.value().cols(),
        2,
        "bivariate_mixture_log_prob: x has {} channels",
        x.value().cols()
    );
    let (rows, m) = (logits.value().rows(), logits.value().cols());
    fits(
        RULE.name,
        rows,
        [("mean", mean, 2 * m), ("std", std, 2 * m), ("rho", rho, m), ("x", x, 2)],
    );
    record(&RULE, x, logits, [mean, std, rho], floor, bivariate, bivariate_slopes)
}

/// Panics unless every input has as many rows as the logits, and its own number of channels.
#[track_caller]
fn fits<const N: usize>(op: &str, rows: usize, inputs: [(&str, Var<'_>, usize); N]) {
    for (name, x, want) in inputs {
        let (found, x_rows) = (x.value().cols(), x.value().rows());
        assert_eq!(found, want, "{op}: {name} has {found} channels, want {want}");
        assert_eq!(x_rows, rows, "{op}: {name} has {x_rows} rows, logits {rows}");
    }
}

/// `out_k += ln N_k(x)` from the parameters of one row.
type Density<const P: usize> = fn(x: &[Real], params: [&[Real]; P], out: &mut [Real]);
/// `ḡ = weight_k ∂ ln N_k`, written to every parameter's row and added to x's.
type Slopes<const P: usize> = fn(
    x: &[Real],
    params: [&[Real]; P],
    weight: &[Real],
    gx: &mut [Real],
    slopes: [&mut [Real]; P],
);

/// What both ops share: softmax, logsumexp, responsibilities, tiles.
#[track_caller]
fn record<'t, const P: usize>(
    rule: &'static Rule,
    x: Var<'t>,
    logits: Var<'t>,
    params: [Var<'t>; P],
    floor: Real,
    density: Density<P>,
    slopes: Slopes<P>,
) -> Var<'t> {
    let (xs, ls, ps) = (x.value(), logits.value(), params.map(Var::value));
    let (b, t, m) = ls.btc(rule.name);
    let rows_per_tile = (PIECE / ps[0].cols()).max(1);
    let row = move |i: usize, xs: Rows, ls: Rows, ps: [Rows; P], joint: &mut [Real]| {
        log_softmax(ls.at(i), floor, joint);
        density(xs.at(i), ps.map(|p| p.at(i)), joint);
    };
    let mut y = Tensor::scratch(&[b, t]);
    let (of_x, of_logits, of_params) = (Rows::of(&xs), Rows::of(&ls), ps.each_ref().map(Rows::of));
    parallel::rows([y.data_mut()], [1], rows_per_tile, |range, [y]| {
        let mut joint = vec![0.; m];
        for (i, y) in range.zip(y) {
            row(i, of_x, of_logits, of_params, &mut joint);
            *y = log_sum_exp(&joint);
        }
    });
    let inputs: Vec<Var> = [x, logits].into_iter().chain(params).collect();
    let total = y.clone();
    x.tape().record_all(rule, &inputs, y, move |gy, slots| {
        let [mut gx, mut gl] = [&xs, &ls].map(|like| Tensor::scratch(like.shape()));
        let mut gp = ps.each_ref().map(|p| Tensor::scratch(p.shape()));
        let (dx, dl, widths) = (xs.cols(), ls.cols(), ps.each_ref().map(Tensor::cols));
        let gx_tiles = gx.data_mut().chunks_mut(dx * rows_per_tile);
        let gl_tiles = gl.data_mut().chunks_mut(dl * rows_per_tile);
        let gp_tiles =
            pieces(gp.each_mut().map(Tensor::data_mut), widths.map(|w| w * rows_per_tile));
        let tiles = gx_tiles.zip(gl_tiles).zip(gp_tiles).enumerate().collect();
        let (xs, ls, ps) = (Rows::of(&xs), Rows::of(&ls), ps.each_ref().map(Rows::of));
        let (gy, total) = (gy.data(), total.data());
        parallel::each(tiles, |(tile, ((gx, gl), gp))| {
            let [mut joint, mut weight] = [vec![0.; m], vec![0.; m]];
            let rows = gx.chunks_mut(dx).zip(gl.chunks_mut(dl)).zip(pieces(gp, widths));
            for (i, ((gx, gl), gp)) in (tile * rows_per_tile..).zip(rows) {
                row(i, xs, ls, ps, &mut joint);
                responsibilities(&joint, total[i], gy[i], &mut weight);
                softmax_slopes(ls.at(i), &weight, floor, gl);
                gx.fill(0.);
                slopes(xs.at(i), ps.map(|p| p.at(i)), &weight, gx, gp);
            }
        });
        let grads = [gx, gl].into_iter().chain(gp);
        slots.iter_mut().zip(grads).for_each(|(slot, g)| slot.add(|| g));
    })
}

/// The rows of a tensor.
#[derive(Clone, Copy)]
struct Rows<'a> {
    data: &'a [Real],
    cols: usize,
}

impl<'a> Rows<'a> {
    fn of(x: &'a Tensor) -> Self {
        Self { data: x.data(), cols: x.cols() }
    }

    fn at(self, i: usize) -> &'a [Real] {
        &self.data[i * self.cols..][..self.cols]
    }
}

/// Pieces of several slices side by side, each of its own length.
fn pieces<const P: usize>(
    whole: [&mut [Real]; P],
    lengths: [usize; P],
) -> impl Iterator<Item = [&mut [Real]; P]> {
    let mut p = 0;
    let mut chunks = whole.map(|g| {
        p += 1;
        g.chunks_mut(lengths[p - 1])
    });
    std::iter::from_fn(move || {
        let next = chunks.each_mut().map(Iterator::next);
        next.iter().all(Option::is_some).then(|| next.map(|piece| piece.expect("just seen")))
    })
}

vectorised! {
    /// ln Σ_k e^{x_k}, shifted by the largest; the exponentials in vectors, their sum in order.
    fn log_sum_exp(x: &[Real]) -> Real {
        let top = x.iter().fold(Real::NEG_INFINITY, |top, &x| if x > top { x } else { top });
        let (mut sum, mut buffer) = (0., [0.; 32]);
        for x in x.chunks(buffer.len()) {
            let terms = &mut buffer[..x.len()];
            terms.iter_mut().zip(x).for_each(|(term, &x)| *term = exp(x - top));
            sum = terms.iter().fold(sum, |sum, term| sum + term);
        }
        top + ln(sum)
    }
}

vectorised! {
    /// `out_k = ln max(π_k, floor)`
    fn log_softmax(logits: &[Real], floor: Real, out: &mut [Real]) {
        let total = log_sum_exp(logits);
        let low = if floor > 0. { ln(floor) } else { Real::NEG_INFINITY };
        for (out, &l) in out.iter_mut().zip(logits) {
            *out = if l - total > low { l - total } else { low };
        }
    }
}

vectorised! {
    /// `weight_k = ȳ r_k`, `r_k = e^{joint_k − y}`
    fn responsibilities(joint: &[Real], y: Real, gy: Real, weight: &mut [Real]) {
        weight.iter_mut().zip(joint).for_each(|(w, &j)| *w = gy * exp(j - y));
    }
}

vectorised! {
    /// `ℓ̄_j = Σ_k weight_k (δ_jk − π_j)` over the components whose π is above the floor.
    fn softmax_slopes(logits: &[Real], weight: &[Real], floor: Real, out: &mut [Real]) {
        let total = log_sum_exp(logits);
        let free = |l: Real| exp(l - total) > floor;
        let mut sum = 0.;
        for (&l, &w) in logits.iter().zip(weight) {
            sum += if free(l) { w } else { 0. };
        }
        for ((out, &l), &w) in out.iter_mut().zip(logits).zip(weight) {
            *out = (if free(l) { w } else { 0. }) - sum * exp(l - total);
        }
    }
}

vectorised! {
    fn diagonal(x: &[Real], params: [&[Real]; 2], out: &mut [Real]) {
        let m = out.len();
        for ((x, mean), std) in x.iter().zip(params[0].chunks_exact(m)).zip(params[1].chunks_exact(m)) {
            for ((out, mean), std) in out.iter_mut().zip(mean).zip(std) {
                let u = (x - mean) / std;
                *out += -HALF_LN_TWO_PI - ln(*std) - 0.5 * u * u;
            }
        }
    }
}

vectorised! {
    fn diagonal_slopes(
        x: &[Real], params: [&[Real]; 2], weight: &[Real], gx: &mut [Real], slopes: [&mut [Real]; 2],
    ) {
        let m = weight.len();
        let [gm, gs] = slopes;
        for (d, (x, gx)) in x.iter().zip(gx).enumerate() {
            let (mean, std) = (&params[0][d * m..][..m], &params[1][d * m..][..m]);
            let (gm, gs) = (&mut gm[d * m..][..m], &mut gs[d * m..][..m]);
            for k in 0..m {
                let u = (x - mean[k]) / std[k];
                gm[k] = weight[k] * u / std[k];
                gs[k] = weight[k] * (u * u - 1.) / std[k];
            }
            gm.iter().for_each(|g| *gx -= g);
        }
    }
}

/// `c = 1/(1−ρ²)`, u, v and the two cross terms `u − ρv`, `v − ρu` of component k.
#[inline(always)]
fn standardised(x: &[Real], [mean, std, rho]: [&[Real]; 3], k: usize) -> [Real; 5] {
    let m = rho.len();
    let (u, v) = ((x[0] - mean[k]) / std[k], (x[1] - mean[m + k]) / std[m + k]);
    [1. / (1. - rho[k] * rho[k]), u, v, u - rho[k] * v, v - rho[k] * u]
}

vectorised! {
    fn bivariate(x: &[Real], params: [&[Real]; 3], out: &mut [Real]) {
        let (std, rho) = (params[1], params[2]);
        let m = rho.len();
        for k in 0..m {
            let [c, u, v, across_u, across_v] = standardised(x, params, k);
            let quadratic = u * across_u + v * across_v; // u² + v² − 2ρuv
            out[k] += -2. * HALF_LN_TWO_PI - ln(std[k] * std[m + k]) - 0.5 * ln_1p(-rho[k] * rho[k])
                - 0.5 * quadratic * c;
        }
    }
}

vectorised! {
    fn bivariate_slopes(
        x: &[Real], params: [&[Real]; 3], weight: &[Real], gx: &mut [Real], slopes: [&mut [Real]; 3],
    ) {
        let (std, rho) = (params[1], params[2]);
        let m = rho.len();
        let [gm, gs, gr] = slopes;
        for k in 0..m {
            let [c, u, v, across_u, across_v] = standardised(x, params, k);
            let (s, t, w) = (std[k], std[m + k], weight[k]);
            (gm[k], gm[m + k]) = (w * c * across_u / s, w * c * across_v / t);
            gs[k] = w * (c * across_u * u - 1.) / s;
            gs[m + k] = w * (c * across_v * v - 1.) / t;
            gr[k] = w * c * (rho[k] + u * v - rho[k] * (u * across_u + v * across_v) * c);
            gx[0] -= gm[k];
            gx[1] -= gm[m + k];
        }
    }
}
