use super::{lively, normals, step, values};
use stcn::Tape;
use stcn::nn::CausalConv1d;

#[test]
fn a_step_is_a_row_of_the_whole_to_the_bit() {
    // Widths around those of a vector and of a block of columns; reach (K−1)δ from 0 to 6.
    for (inputs, outputs, taps, dilation) in
        [(3, 5, 1, 1), (1, 1, 2, 1), (7, 70, 2, 4), (17, 129, 3, 3)]
    {
        let conv = lively(|init| CausalConv1d::new(init, inputs, outputs, taps, dilation));
        let x = normals(&[3, 15, inputs]);
        let tape = Tape::inference();
        let whole = conv.forward(tape.constant(x.clone())).value();
        let mut past = conv.past(3);
        for t in 0..15 {
            past.push(step(&x, t));
            assert_eq!(
                conv.step(&past),
                step(&whole, t),
                "{inputs}→{outputs}, {taps} taps, step {t}"
            );
        }
    }
}

#[test]
fn tap_k_minus_one_is_the_present_and_zeros_come_before_the_start() {
    let (inputs, outputs, taps, dilation, steps) = (2, 3, 3, 2, 9);
    let conv = lively(|init| CausalConv1d::new(init, inputs, outputs, taps, dilation));
    let (w, bias) = (values(&conv, "weight"), values(&conv, "bias"));
    let x = normals(&[2, steps, inputs]);
    let y = conv.forward(Tape::inference().constant(x.clone())).value();
    for (i, &found) in y.data().iter().enumerate() {
        let (b, t, o) = (i / (steps * outputs), i / outputs % steps, i % outputs);
        let mut want = f64::from(bias[o]);
        for j in 0..taps {
            let Some(from) = t.checked_sub((taps - 1 - j) * dilation) else { continue };
            for i in 0..inputs {
                let x = x.data()[(b * steps + from) * inputs + i];
                want += f64::from(x) * f64::from(w[(j * inputs + i) * outputs + o]);
            }
        }
        // Seven numbers of about 1 added in f32: 7 roundings of 2⁻²⁴ of at most 8.
        assert!((f64::from(found) - want).abs() < 56. * 2f64.powi(-24), "{found} against {want}");
    }
}

#[test]
fn the_future_is_not_seen() {
    let conv = lively(|init| CausalConv1d::new(init, 2, 3, 2, 4));
    let x = normals(&[1, 12, 2]);
    let mut other = x.clone();
    other.data_mut()[6 * 2] += 1.;
    let tape = Tape::inference();
    let [a, b] = [x, other].map(|x| conv.forward(tape.constant(x)).value());
    let changed: Vec<usize> = (0..12).filter(|&t| step(&a, t) != step(&b, t)).collect();
    assert_eq!(changed, [6, 10]);
}
