//! Mixtures of normals: `y = ln Σ_k π_k N_k(x)` of every row, with one component k for the whole row, and its
//! gradients.
//!
//! Two [`Family`]s of components differ in N_k alone: normals without correlation in any number of dimensions,
//! and bivariate normals with one. A row's parameters stand with the component fastest.

use super::math::{HALF_LN_TWO_PI, flush, flushed_exp, ln, ln_1p};
use super::simd::vectorised;
use crate::parallel::{self, PIECE};
use crate::tensor::{Real, Tensor};

/// `out_k += ln N_k(x)` from the parameters of one row.
type LogDensity<const P: usize> = fn(x: &[Real], params: [&[Real]; P], out: &mut [Real]);

/// `weight_k ∂ ln N_k` of one row, written to the gradient of every parameter and added to x's.
type Gradients<const P: usize> = fn(
    x: &[Real],
    params: [&[Real]; P],
    weight: &[Real],
    gx: &mut [Real],
    gparams: [&mut [Real]; P],
);

/// Component densities with P parameters each.
pub struct Family<const P: usize> {
    log_density: LogDensity<P>,
    gradients: Gradients<P>,
}

/// `ln N_k = Σ_d −½ ln 2π − ln σ_dk − ½((x_d − μ_dk)/σ_dk)²`.   mean, std: (D, M)
pub static DIAGONAL: Family<2> = Family { log_density: diagonal, gradients: diagonal_gradients };

/// `ln N_k = −ln 2π − ln σ₁σ₂ − ½ ln(1 − ρ²) − Q/2(1 − ρ²)`, `Q = u² + v² − 2ρuv` for the standardised u and v.
///
/// mean, std: (2, M)   rho: (M)
pub static BIVARIATE: Family<3> = Family { log_density: bivariate, gradients: bivariate_gradients };

/// A mixture at every row.
pub struct Mixture<const P: usize> {
    /// What its components are.
    pub family: &'static Family<P>,
    /// Where it is evaluated: (rows, D).
    pub x: Tensor,
    /// Of the softmax that gives π: (rows, M).
    pub logits: Tensor,
    /// The family's: (rows, …).
    pub params: [Tensor; P],
    /// Bounds π_k from below inside the logarithm, with a zero gradient there; 0 is exact.
    pub floor: Real,
}

impl<const P: usize> Mixture<P> {
    /// `y` of every row.
    pub fn log_prob(&self, y: &mut [Real]) {
        parallel::rows([y], [1], self.rows_per_tile(), |rows, [y]| {
            let [mut log_pi, mut joint] = [(); 2].map(|()| vec![0.; self.logits.cols()]);
            for (i, y) in rows.zip(y) {
                self.logarithms(i, &mut log_pi, &mut joint);
                *y = log_sum_exp(&joint);
            }
        });
    }

    /// The gradients of x, of the logits and of the parameters, given y and ȳ of every row.
    ///
    /// With the responsibilities `r_k = π_k N_k / Σ_j π_j N_j`: of the logits `ȳ (r − π)`, of the rest
    /// `ȳ Σ_k r_k ∂ ln N_k`.
    pub fn gradients(&self, y: &[Real], gy: &[Real]) -> Vec<Tensor> {
        let Self { x, logits, params, floor, .. } = self;
        let (dims, m, widths) = (x.cols(), logits.cols(), params.each_ref().map(Tensor::cols));
        let like = |x: &Tensor| Tensor::scratch(x.shape());
        let (mut gx, mut gl, mut gp) = (like(x), like(logits), params.each_ref().map(like));
        let tile = self.rows_per_tile();
        let gx_tiles = gx.data_mut().chunks_mut(dims * tile);
        let gl_tiles = gl.data_mut().chunks_mut(m * tile);
        let gp_tiles = pieces(gp.each_mut().map(Tensor::data_mut), widths.map(|w| w * tile));
        let tiles = gx_tiles.zip(gl_tiles).zip(gp_tiles).enumerate().collect();
        parallel::each(tiles, |(n, ((gx, gl), gp))| {
            let [mut log_pi, mut joint, mut r] = [(); 3].map(|()| vec![0.; m]);
            let rows = gx.chunks_mut(dims).zip(gl.chunks_mut(m)).zip(pieces(gp, widths));
            for (i, ((gx, gl), gp)) in (n * tile..).zip(rows) {
                self.logarithms(i, &mut log_pi, &mut joint);
                responsibilities(&joint, y[i], &mut r);
                logit_gradients(&log_pi, &r, *floor, gy[i], gl);
                r.iter_mut().for_each(|r| *r *= gy[i]);
                gx.fill(0.);
                (self.family.gradients)(row(x, i), self.params_of(i), &r, gx, gp);
            }
        });
        [gx, gl].into_iter().chain(gp).collect()
    }

    fn rows_per_tile(&self) -> usize {
        (PIECE / self.params[0].cols()).max(1)
    }

    fn params_of(&self, i: usize) -> [&[Real]; P] {
        self.params.each_ref().map(|p| row(p, i))
    }

    /// `ln π_k` and `joint_k = ln max(π_k, floor) + ln N_k` of row i.
    fn logarithms(&self, i: usize, log_pi: &mut [Real], joint: &mut [Real]) {
        log_softmax(row(&self.logits, i), log_pi);
        let low = ln(self.floor);
        joint.iter_mut().zip(log_pi).for_each(|(j, &mut l)| *j = if l > low { l } else { low });
        (self.family.log_density)(row(&self.x, i), self.params_of(i), joint);
    }
}

fn row(x: &Tensor, i: usize) -> &[Real] {
    &x.data()[i * x.cols()..][..x.cols()]
}

/// Pieces of several slices side by side, each slice with its own length of piece.
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
    /// `ln Σ_k e^{x_k}`, shifted by the largest; the exponentials in vectors, their sum in order.
    fn log_sum_exp(x: &[Real]) -> Real {
        let top = x.iter().fold(Real::NEG_INFINITY, |top, &x| if x > top { x } else { top });
        let (mut sum, mut buffer) = (0., [0.; 32]);
        for x in x.chunks(buffer.len()) {
            let terms = &mut buffer[..x.len()];
            terms.iter_mut().zip(x).for_each(|(term, &x)| *term = flushed_exp(x - top));
            sum = terms.iter().fold(sum, |sum, term| sum + term);
        }
        top + ln(sum)
    }
}

vectorised! {
    /// `out_k = ln π_k`
    fn log_softmax(logits: &[Real], out: &mut [Real]) {
        let total = log_sum_exp(logits);
        out.iter_mut().zip(logits).for_each(|(out, l)| *out = l - total);
    }
}

vectorised! {
    /// `r_k = e^{joint_k − y}`
    fn responsibilities(joint: &[Real], y: Real, r: &mut [Real]) {
        r.iter_mut().zip(joint).for_each(|(r, j)| *r = flushed_exp(j - y));
    }
}

vectorised! {
    /// `ℓ̄_k = ȳ (f_k − π_k Σ f)`, where f is r, but 0 where the floor holds.
    ///
    /// The largest π gets minus the sum of the others, which is the same: where π and f are nearly 1, their difference
    /// would have no digit right.
    fn logit_gradients(log_pi: &[Real], r: &[Real], floor: Real, gy: Real, out: &mut [Real]) {
        let low = ln(floor);
        out.iter_mut().zip(log_pi).zip(r).for_each(|((f, &l), &r)| *f = if l > low { r } else { 0. });
        let sum = out.iter().fold(0., |sum, f| sum + f);
        out.iter_mut().zip(log_pi).for_each(|(f, &l)| *f = flush(gy * (*f - sum * flushed_exp(l))));
        let larger = |k: usize, j: usize| if log_pi[j] > log_pi[k] { j } else { k };
        let largest = (1..out.len()).fold(0, larger);
        out[largest] = 0.;
        out[largest] = 0. - out.iter().fold(0., |sum, g| sum + g);
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
    fn diagonal_gradients(
        x: &[Real], params: [&[Real]; 2], weight: &[Real], gx: &mut [Real], gparams: [&mut [Real]; 2],
    ) {
        let m = weight.len();
        let [gm, gs] = gparams;
        for (d, (x, gx)) in x.iter().zip(gx).enumerate() {
            let (mean, std) = (&params[0][d * m..][..m], &params[1][d * m..][..m]);
            let (gm, gs) = (&mut gm[d * m..][..m], &mut gs[d * m..][..m]);
            for k in 0..m {
                let u = (x - mean[k]) / std[k];
                gm[k] = flush(weight[k] * u / std[k]);
                gs[k] = flush(weight[k] * (u * u - 1.) / std[k]);
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
    fn bivariate_gradients(
        x: &[Real], params: [&[Real]; 3], weight: &[Real], gx: &mut [Real], gparams: [&mut [Real]; 3],
    ) {
        let (std, rho) = (params[1], params[2]);
        let m = rho.len();
        let [gm, gs, gr] = gparams;
        for k in 0..m {
            let [c, u, v, across_u, across_v] = standardised(x, params, k);
            let (s, t, w) = (std[k], std[m + k], weight[k]);
            gm[k] = flush(w * c * across_u / s);
            gm[m + k] = flush(w * c * across_v / t);
            gs[k] = flush(w * (c * across_u * u - 1.) / s);
            gs[m + k] = flush(w * (c * across_v * v - 1.) / t);
            gr[k] = flush(w * c * (rho[k] + u * v - rho[k] * (u * across_u + v * across_v) * c));
            gx[0] -= gm[k];
            gx[1] -= gm[m + k];
        }
    }
}
