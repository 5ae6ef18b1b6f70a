//! Ops that are known by name and shapes: layers, cells, and functions of one element.

use super::formulas::{GATED, GRU, LSTM_C, LSTM_H, OPEN, POINTWISE};
use super::{At, Factor, Figure, Formula, Jacobian, Loops};
use crate::kernel::causal_conv::CausalConv;
use crate::tape::Var;

/// Describes the inputs of the op at y that are known.
pub(super) fn describe(y: Var, of: &mut Jacobian) {
    let name = y.rule().name;
    match (name, of.inputs.len()) {
        ("linear" | "linear_relu", 3) | ("linear_residual", 4) => linear(name, of),
        ("causal_conv1d", 3) => {
            if let Some(conv) = conv(y, of) {
                let loops = layer(&conv, [0, 1, 2], &|_| None);
                of.slots = loops.map(Some).into();
            }
        }
        ("gated_conv", 5) => {
            if let Some(conv) = conv(y, of) {
                gated(&conv, of);
            }
        }
        ("lstm_cell", 2) => lstm(of),
        ("gru_cell", 3) => gru(of),
        ("mul", 2) => (0..2).for_each(|slot| by_the_other(of, slot, 1 - slot)),
        ("rsample", 3) => [(1, 2), (2, 1)].iter().for_each(|&(slot, x)| by_the_other(of, slot, x)),
        _ => {
            let known = POINTWISE.iter().filter(|(op, ..)| *op == name);
            known.for_each(|(_, slot, formula)| of.pointwise(*slot, formula));
        }
    }
}

/// The sizes of a convolution, where the shapes are those of one.
fn conv(y: Var, of: &Jacobian) -> Option<CausalConv> {
    let (&[batch, time, inputs], &[taps, from, outputs]) =
        (of.inputs[0].shape(), of.inputs[1].shape())
    else {
        return None;
    };
    let (_, dilation) = y.setting().filter(|(name, _)| *name == "dilation")?;
    let fits = from == inputs && of.value.shape() == [batch, time, outputs];
    let sequences = batch;
    fits.then_some(CausalConv { batch, time, inputs, outputs, taps, dilation, sequences })
}

/// Of every tap the sizes of its loops over sequence, step, input and output, and the places in x, w and y.
fn taps(conv: &CausalConv) -> impl Iterator<Item = (Vec<usize>, [At; 3])> {
    let CausalConv { batch, time, inputs, outputs, taps, .. } = *conv;
    let reaches = (0..taps).map(|j| (j, conv.reach(j))).collect::<Vec<_>>().into_iter();
    reaches.filter(move |(_, reach)| *reach < time).map(move |(j, reach)| {
        let x = At::new(0, &[time * inputs, inputs, 1, 0]);
        let w = At::new(j * inputs * outputs, &[0, 0, outputs, 1]);
        let y = At::new(reach * outputs, &[time * outputs, outputs, 0, 1]);
        (vec![batch, time - reach, inputs, outputs], [x, w, y])
    })
}

/// The same of the bias: loops over row and output, places in the bias and y.
fn bias(conv: &CausalConv) -> (Vec<usize>, [At; 2]) {
    let CausalConv { batch, time, outputs, .. } = *conv;
    (vec![batch * time, outputs], [At::new(0, &[0, 1]), At::new(0, &[outputs, 1])])
}

/// `Σⱼ x_{t−rⱼ} wⱼ + b` by x, w and b, which are inputs number `slots`; a function of it may follow, whose slope at an
/// element of y is one more factor.
fn layer(
    conv: &CausalConv,
    slots: [usize; 3],
    slope: &dyn Fn(&At) -> Option<Factor>,
) -> [Vec<Loops>; 3] {
    let with = |y: &At, other: Option<Figure>| -> Vec<Factor> {
        slope(y).into_iter().chain(other.map(Factor::Element)).collect()
    };
    let of_tap = |by_x: bool| {
        let one = |(sizes, [x, w, y]): (Vec<usize>, [At; 3])| {
            let (own, other) = match by_x {
                true => (x, Figure::Input(slots[1], w)),
                false => (w, Figure::Input(slots[0], x)),
            };
            let factors = with(&y, Some(other));
            Loops { sizes, x: own, y, factors }
        };
        taps(conv).map(one).collect()
    };
    let (sizes, [b, y]) = bias(conv);
    let factors = with(&y, None);
    [of_tap(true), of_tap(false), vec![Loops { sizes, x: b, y, factors }]]
}

/// The terms of `Σⱼ x_{t−rⱼ} wⱼ + b` at an element of y.
fn sum(conv: &CausalConv, [x, w, b]: [usize; 3]) -> Vec<Loops> {
    let term = |sizes, y: At, figures: Vec<Figure>| {
        let factors = figures.into_iter().map(Factor::Element).collect();
        Loops { sizes, x: y.clone(), y, factors }
    };
    let taps = taps(conv).map(|(sizes, [at_x, at_w, y])| {
        term(sizes, y, vec![Figure::Input(x, at_x), Figure::Input(w, at_w)])
    });
    let (sizes, [at_b, y]) = bias(conv);
    taps.chain([term(sizes, y, vec![Figure::Input(b, at_b)])]).collect()
}

/// `y = x W + b`, then perhaps a rectifier, or plus a residual.
fn linear(name: &str, of: &mut Jacobian) {
    let (rows, inputs, outputs) = (of.inputs[0].rows(), of.inputs[0].cols(), of.value.cols());
    if of.inputs[1].shape() != [inputs, outputs] || of.value.rows() != rows {
        return;
    }
    let open = |y: &At| {
        let factor = Factor::Formula(&OPEN, vec![Figure::Value(y.clone())]);
        (name == "linear_relu").then_some(factor)
    };
    let loops = layer(&CausalConv::linear(rows, inputs, outputs), [0, 1, 2], &open);
    of.slots = loops.into_iter().map(Some).collect();
    if name == "linear_residual" {
        let same = At::new(0, &[1]);
        let (x, y) = (same.clone(), same);
        of.slots.push(Some(vec![Loops { sizes: vec![of.value.len()], x, y, factors: vec![] }]));
    }
}

/// `y = tanh(f) σ(g)` with sums f and g.
fn gated(conv: &CausalConv, of: &mut Jacobian) {
    let by = [0, 1].map(|i| {
        let slope = |_: &At| Some(Factor::Formula(&GATED[i], vec![Figure::Sum(0), Figure::Sum(1)]));
        layer(conv, [0, 1 + 2 * i, 2 + 2 * i], &slope)
    });
    let [[x, wf, bf], [also_x, wg, bg]] = by;
    of.slots = [[x, also_x].concat(), wf, bf, wg, bg].map(Some).into();
    of.sums = vec![sum(conv, [0, 1, 2]), sum(conv, [0, 3, 4])];
}

/// `[c', h']` of gates i, f, g, o and c.
fn lstm(of: &mut Jacobian) {
    let (rows, n) = (of.inputs[1].rows(), of.inputs[1].cols());
    if of.inputs[0].cols() != 4 * n || of.value.cols() != 2 * n {
        return;
    }
    let gate = |k: usize| At::new(k * n, &[4 * n, 1]);
    let [i, f, g, o] = [0, 1, 2, 3].map(|k| Figure::Input(0, gate(k)));
    let c = At::new(0, &[n, 1]);
    let [new, h] = [0, n].map(|first| At::new(first, &[2 * n, 1]));
    let sizes = vec![rows, n];
    let on = Factor::Formula(&LSTM_H[0], vec![o.clone(), Figure::Value(new.clone())]);
    let both = |x: At, of_c: Factor| {
        let to =
            |y: &At, factors| Loops { sizes: sizes.clone(), x: x.clone(), y: y.clone(), factors };
        [to(&new, vec![of_c.clone()]), to(&h, vec![on.clone(), of_c])]
    };
    let c_of = |which: usize, figures: [&Figure; 2]| {
        let figures = figures.into_iter().take(LSTM_C[which].names.len()).cloned().collect();
        Factor::Formula(&LSTM_C[which], figures)
    };
    let before = Figure::Input(1, c.clone());
    let mut gates: Vec<Loops> = vec![];
    for (k, figures) in [(0, [&i, &g]), (1, [&f, &before]), (2, [&i, &g])] {
        gates.extend(both(gate(k), c_of(k, figures)));
    }
    let out = Factor::Formula(&LSTM_H[1], vec![o.clone(), Figure::Value(new.clone())]);
    gates.push(Loops { sizes: sizes.clone(), x: gate(3), y: h.clone(), factors: vec![out] });
    of.slots = vec![Some(gates), Some(both(c, c_of(3, [&f, &f])).into())];
}

/// `h'` of the parts r, u, c of x and v, and of h.
fn gru(of: &mut Jacobian) {
    let (rows, n) = (of.inputs[2].rows(), of.inputs[2].cols());
    if of.inputs[0].cols() != 3 * n || of.inputs[1].cols() != 3 * n || of.value.cols() != n {
        return;
    }
    let part = |k: usize| At::new(k * n, &[3 * n, 1]);
    let state = At::new(0, &[n, 1]);
    let figure = |name: &&str| match *name {
        "p" => Figure::Input(0, part(0)),
        "q" => Figure::Input(1, part(0)),
        "j" => Figure::Input(0, part(1)),
        "k" => Figure::Input(1, part(1)),
        "m" => Figure::Input(0, part(2)),
        "n" => Figure::Input(1, part(2)),
        _ => Figure::Input(2, state.clone()),
    };
    let loops = |x: At, which: &[usize]| {
        let factor =
            |&i: &usize| Factor::Formula(&GRU[i], GRU[i].names.iter().map(figure).collect());
        let factors = which.iter().map(factor).collect();
        Loops { sizes: vec![rows, n], x, y: state.clone(), factors }
    };
    let [r, u] = [loops(part(0), &[0, 1]), loops(part(1), &[2])];
    of.slots = vec![
        Some(vec![r.clone(), u.clone(), loops(part(2), &[0])]),
        Some(vec![r, u, loops(part(2), &[0, 3])]),
        Some(vec![loops(state.clone(), &[4])]),
    ];
}

/// A product: by one input it is the other.
fn by_the_other(of: &mut Jacobian, slot: usize, other: usize) {
    let same = At::new(0, &[1]);
    let fits = [slot, other].iter().all(|&x| of.inputs[x].len() == of.value.len());
    if fits {
        let factors = vec![Factor::Element(Figure::Input(other, same.clone()))];
        let (x, y) = (same.clone(), same);
        of.slots[slot] = Some(vec![Loops { sizes: vec![of.value.len()], x, y, factors }]);
    }
}

impl Jacobian {
    /// A formula of the elements of y and all inputs at one place, or in one row of them.
    fn pointwise(&mut self, slot: usize, formula: &'static Formula) {
        let Some(x) = self.inputs.get(slot) else { return };
        let y = &self.value;
        let (rows, cols) = (x.rows(), x.cols());
        let own = At::new(0, &[cols, 1]);
        let at_y = match () {
            () if y.len() == x.len() => own.clone(),
            () if y.len() == rows => At::new(0, &[1, 0]),
            () => return,
        };
        let input = |number: usize| {
            let fits = self.inputs.get(number).is_some_and(|other| other.len() == x.len());
            fits.then(|| Figure::Input(number, own.clone()))
        };
        let figure = |name: &&str| match *name {
            "x" => input(slot),
            "y" => Some(Figure::Value(at_y.clone())),
            name => input(["a", "b", "c", "d"].iter().position(|known| *known == name)?),
        };
        let Some(figures) = formula.names.iter().map(figure).collect() else { return };
        let factors = vec![Factor::Formula(formula, figures)];
        self.slots[slot] = Some(vec![Loops { sizes: vec![rows, cols], x: own, y: at_y, factors }]);
    }
}
