//! The LSTM's cell against its formulas, unit by unit, to the bit.

use crate::ops::numbers;
use stcn::Real;
use stcn::internals::kernel::lstm::{backward, forward};
use stcn::internals::kernel::math::{sigmoid, tanh};

#[test]
fn a_cell_is_its_formulas() {
    for n in [1, 2, 7, 16, 33, 70] {
        let [sees, before, gh, gc] =
            [4 * n, n, n, n].map(|len| numbers(&[len], len as u64).data().to_vec());
        let (mut gates, mut c, mut h) = (sees.clone(), before.clone(), vec![Real::NAN; n]);
        forward(&mut gates, &mut c, &mut h);
        let (mut grads, mut carry) = (gates.clone(), gc.clone());
        backward(&mut grads, &before, &c, &gh, &mut carry);
        for j in 0..n {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| sees[gate * n + j]);
            let [i, f, g, o] = [sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)];
            assert_eq!([0, 1, 2, 3].map(|gate| gates[gate * n + j]), [i, f, g, o]);
            assert_eq!(c[j], f * before[j] + i * g);
            let squashed = tanh(c[j]);
            assert_eq!(h[j], o * squashed);
            let total = gc[j] + gh[j] * o * (1. - squashed * squashed);
            assert_eq!(carry[j], total * f);
            let want = [
                total * g * i * (1. - i),
                total * before[j] * f * (1. - f),
                total * i * (1. - g * g),
                gh[j] * squashed * o * (1. - o),
            ];
            assert_eq!([0, 1, 2, 3].map(|gate| grads[gate * n + j]), want, "{n} units, {j}");
        }
    }
}
