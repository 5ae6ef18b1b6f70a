//! Ops that are asked: their vjp says by what and for which element of y they use an element of x, and holds every
//! description against its answer to random numbers.

use super::{At, Factor, Jacobian, Loops, tolerance};
use crate::noise::Noise;
use crate::tape::Var;
use crate::tensor::{Real, Tensor};

/// The most loops that describe an input: of one that is used in no order there would be thousands.
const MOST_LOOPS: usize = 64;

/// How many elements of an input are looked at where a description by name is held against the vjp.
const SAMPLES: usize = 3;

impl Jacobian {
    /// Drops what does not give the answers of the vjp, and describes the inputs that have no description and of which
    /// each element is used for no more than one element of y.
    pub(super) fn ask(&mut self, y: Var) {
        let mut random = Tensor::zeros(self.value.shape());
        Noise::new(0, "jacobian").normals("gy", 0, 0, random.data_mut());
        let answers = y.tape().vjp(y, random.clone());
        for (slot, answer) in answers.iter().enumerate() {
            let gives = answer.as_ref().is_some_and(|answer| self.gives(slot, &random, answer));
            if !gives {
                self.slots[slot] = None;
            }
        }
        let open = |slot: &usize| answers[*slot].is_some() && self.slots[*slot].is_none();
        let open: Vec<usize> = (0..answers.len()).filter(open).collect();
        if open.is_empty() {
            return;
        }
        // Asked with ȳ = 1, 1, 1, … the vjp answers with the slopes, with 1, 2, 3, … with slopes times numbers of elements.
        let mut n: Real = 0.;
        let counted = Tensor::from_fn(self.value.shape(), || {
            n += 1.;
            n
        });
        let slopes = y.tape().vjp(y, Tensor::from_fn(self.value.shape(), || 1.));
        let places = y.tape().vjp(y, counted);
        for slot in open {
            let (Some(slopes), Some(places), Some(answer)) =
                (&slopes[slot], &places[slot], &answers[slot])
            else {
                continue;
            };
            let text = text(y.rule().name, slot);
            if let Some(loops) = self.one_each(slopes, places, &random, answer) {
                let turns = |of: &Loops| of.sizes.iter().product::<usize>();
                let covered = loops.iter().map(turns).sum::<usize>() == slopes.len();
                let mut used =
                    slopes.data().iter().copied().filter(|&slope| covered || slope != 0.);
                let first = used.next().unwrap_or_default();
                let factors = match used.all(|slope| slope == first) {
                    true if first == 1. => vec![],
                    true => vec![Factor::Constant(text, f64::from(first))],
                    false => {
                        self.slopes[slot] = Some(slopes.clone());
                        vec![Factor::Asked(text)]
                    }
                };
                let with = |of: Loops| Loops { factors: factors.clone(), ..of };
                self.slots[slot] = Some(loops.into_iter().map(with).collect());
            }
        }
    }

    /// Whether a description gives what the vjp answered to `gy`, at some elements.
    fn gives(&self, slot: usize, gy: &Tensor, answer: &Tensor) -> bool {
        let last = answer.len() - 1;
        let mut samples = (0..SAMPLES).map(|i| last * i / (SAMPLES - 1).max(1));
        samples.all(|e| {
            let Some(column) = self.column(slot, e) else { return false };
            let (sum, size) = column.iter().fold((0., 0.), |(sum, size), entry| {
                let gy = f64::from(gy.data()[entry.at]);
                let product = gy * entry.slope.value;
                (sum + product, size + product.abs() + gy.abs() * entry.slope.error)
            });
            let off = (sum - f64::from(answer.data()[e])).abs();
            off <= tolerance(column.len(), size) + f64::from(Real::MIN_POSITIVE)
        })
    }

    /// Which element of y each element of x is used for, as loops; `None` if some are used for several.
    fn one_each(
        &self,
        slopes: &Tensor,
        places: &Tensor,
        gy: &Tensor,
        answer: &Tensor,
    ) -> Option<Vec<Loops>> {
        let (count, columns) = (self.value.len(), slopes.cols());
        let mut pairs = vec![];
        for e in 0..slopes.len() {
            let [slope, place, answer] = [slopes, places, answer].map(|x| f64::from(x.data()[e]));
            if slope == 0. {
                if place != 0. || answer != 0. {
                    return None;
                }
                continue;
            }
            let at = (place / slope).round();
            if !(1. ..=count as f64).contains(&at) {
                return None;
            }
            let at = at as usize - 1;
            let wanted = f64::from(gy.data()[at]) * slope;
            if (answer - wanted).abs() > tolerance(1, wanted.abs()) + f64::from(Real::MIN_POSITIVE)
            {
                return None;
            }
            pairs.push((e, at));
        }
        let loops = |sizes: Vec<usize>, x: &[usize], y: &[usize]| {
            vec![Loops { sizes, x: At::new(0, x), y: At::new(0, y), factors: vec![] }]
        };
        let rows = slopes.rows();
        let all = |at: fn(usize, usize) -> usize| pairs.iter().all(|&(e, y)| at(e, columns) == y);
        Some(match () {
            // One that is not used for anything has a slope of 0.
            () if count == slopes.len() && all(|e, _| e) => loops(vec![count], &[1], &[1]),
            () if count == rows && all(|e, columns| e / columns) => {
                loops(vec![rows, columns], &[columns, 1], &[1, 0])
            }
            () => joined(&pairs)?,
        })
    }
}

/// Pairs of elements of x, in order, and y as loops, each level joining those of the level below that lie one after another at
/// equal distances.
fn joined(pairs: &[(usize, usize)]) -> Option<Vec<Loops>> {
    let single = |&(e, at): &(usize, usize)| {
        let [x, y] = [e, at].map(|first| At { first: first as i64, steps: vec![] });
        Loops { sizes: vec![], x, y, factors: vec![] }
    };
    let mut level: Vec<Loops> = pairs.iter().map(single).collect();
    for _ in 0..3 {
        let mut above: Vec<Loops> = vec![];
        let mut first = 0;
        while first < level.len() {
            let alike = |other: &Loops| {
                let own = &level[first];
                own.sizes == other.sizes
                    && own.x.steps == other.x.steps
                    && own.y.steps == other.y.steps
            };
            let distance = |a: &Loops, b: &Loops| [b.x.first - a.x.first, b.y.first - a.y.first];
            let mut count = 1;
            if let Some(second) = level.get(first + 1).filter(|second| alike(second)) {
                let step = distance(&level[first], second);
                let next = |i: usize| level.get(i + 1).filter(|next| alike(next));
                while next(first + count - 1)
                    .is_some_and(|next| distance(&level[first + count - 1], next) == step)
                {
                    count += 1;
                }
            }
            let mut own = level[first].clone();
            if count > 1 {
                let step = distance(&level[first], &level[first + 1]);
                own.sizes.insert(0, count);
                own.x.steps.insert(0, step[0]);
                own.y.steps.insert(0, step[1]);
            }
            above.push(own);
            first += count;
        }
        level = above;
    }
    (level.len() <= MOST_LOOPS).then_some(level)
}

/// What a slope is that was asked for.
fn text(op: &str, slot: usize) -> &'static str {
    match (op, slot) {
        ("sub", 1) => "of −y",
        ("affine", _) => "k",
        ("clipped_softplus", _) => "σ(x) = σ({x})",
        ("sum_masked", _) => "w, the weight of its sequence",
        ("bernoulli_log_prob", _) => "e − σ(ℓ), ℓ = {x}",
        ("mixture_log_prob" | "bivariate_mixture_log_prob", 1) => "r − π, ℓ = {x}",
        ("mixture_log_prob", 2) => "r u/σ, μ = {x}",
        ("mixture_log_prob", 3) => "r (u² − 1)/σ, σ = {x}",
        ("bivariate_mixture_log_prob", 2) => "r c(u − ρv)/σ, μ = {x}",
        ("bivariate_mixture_log_prob", 3) => "r (c(u − ρv)u − 1)/σ, σ = {x}",
        ("bivariate_mixture_log_prob", 4) => "r c(ρ + uv − ρQc), ρ = {x}",
        ("log_mean_exp", _) => "softmax of the log-weights",
        _ => "∂y/∂x",
    }
}
