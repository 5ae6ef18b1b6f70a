//! The factors of `∂y/∂x` that are formulas of a few numbers, written once: the expression is computed here, and a page
//! carries the text of the same expression, as `1. - y * y` is Rust and JavaScript.

use super::rounded::{Rounded, positive, sigmoid, tanh};

/// A formula of a few numbers.
#[derive(Debug)]
pub struct Formula {
    /// As it is told, with places for the numbers: `1 − y² = 1 − ({y})²`.
    pub text: &'static str,
    /// What the numbers are called.
    pub names: &'static [&'static str],
    /// The body of a function of them, in JavaScript. It may call `tanh`, `sigmoid` and `positive`.
    pub script: &'static str,
    /// The same expression.
    pub value: fn(&[Rounded]) -> Rounded,
}

/// `formula!(text, |numbers; name = a step on the way;| the value)`
macro_rules! formula {
    ($text:literal, |$($name:ident),+ $(; $($step:ident = $of:expr;)+)?| $value:expr) => {
        Formula {
            text: $text,
            names: &[$(stringify!($name)),+],
            script: concat!(
                $($("const ", stringify!($step), " = ", stringify!($of), "; ",)+)?
                "return ", stringify!($value), ";"
            ),
            value: |numbers| match *numbers {
                [$($name),+] => {
                    $($(let $step = $of;)+)?
                    $value
                }
                _ => unreachable!("one number for every name"),
            },
        }
    };
}

/// Of ops that use an element of an input for the one element of y at its place, or of its row: op, number of the input,
/// and `∂y/∂x`. In it x is the input's own element, a to d are those of inputs 0 to 3, and y is the op's value.
#[rustfmt::skip]
pub static POINTWISE: [(&str, usize, Formula); 24] = [
    ("tanh", 0, formula!("1 − y² = 1 − ({y})²", |y| 1. - y * y)),
    ("sigmoid", 0, formula!("y (1 − y) = {y} (1 − {y})", |y| y * (1. - y))),
    ("exp", 0, formula!("y = {y}", |y| y)),
    ("ln", 0, formula!("1/x = 1/({x})", |x| 1. / x)),
    ("recip", 0, formula!("−y² = −({y})²", |y| -y * y)),
    ("square", 0, formula!("2 x = 2 · ({x})", |x| 2. * x)),
    ("sqrt", 0, formula!("1/2y = 1/(2 · {y})", |y| 0.5 / y)),
    ("relu", 0, formula!("x = {x} > 0", |x| positive(x))),
    ("softplus", 0, formula!("σ(x) = σ({x})", |x| sigmoid(x))),
    ("gated_tanh", 0, formula!("s(1 − a²), a = tanh({a}), s = σ({b})",
        |a, b; t = tanh(a);| sigmoid(b) * (1. - t * t))),
    ("gated_tanh", 1, formula!("a s(1 − s), a = tanh({a}), s = σ({b})",
        |a, b; s = sigmoid(b);| tanh(a) * (s * (1. - s)))),
    ("normal_log_prob", 0, formula!("−(x − μ)/σ² = −({a} − ({b}))/({c})²", |a, b, c| (b - a) / (c * c))),
    ("normal_log_prob", 1, formula!("(x − μ)/σ² = ({a} − ({b}))/({c})²", |a, b, c| (a - b) / (c * c))),
    ("normal_log_prob", 2, formula!("(u² − 1)/σ, u = ({a} − ({b}))/{c}, σ = {c}",
        |a, b, c; u = (a - b) / c;| (u * u - 1.) / c)),
    // The posterior from an estimate (a: μ̂, b: σ̂) and a prior (c: μ_p, d: σ_p), with Δ = μ̂ − μ_p.
    ("combined_mean", 0, formula!("w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}", |b, d| d * d / (b * b + d * d))),
    ("combined_mean", 1, formula!(
        "−2w(1 − w)Δ/σ̂, w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}, Δ = {a} − ({c})",
        |a, b, c, d; r = b * b / (b * b + d * d); w = d * d / (b * b + d * d);| -2. * w * r * (a - c) / b)),
    ("combined_mean", 2, formula!("1 − w = σ̂²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}", |b, d| b * b / (b * b + d * d))),
    ("combined_mean", 3, formula!(
        "2w(1 − w)Δ/σ_p, w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}, Δ = {a} − ({c})",
        |a, b, c, d; r = b * b / (b * b + d * d); w = d * d / (b * b + d * d);| 2. * w * r * (a - c) / d)),
    ("combined_kl", 0, formula!(
        "w²Δ/σ_p², w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}, Δ = {a} − ({c})",
        |a, b, c, d; w = d * d / (b * b + d * d);| w * w * (a - c) / (d * d))),
    ("combined_kl", 1, formula!(
        "−w²/σ̂ − 2w²(1 − w)Δ²/σ_p²σ̂, w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}, Δ = {a} − ({c})",
        |a, b, c, d; w = d * d / (b * b + d * d); r = b * b / (b * b + d * d); m = w * (a - c) / d;|
        (-w * w - 2. * r * m * m) / b)),
    ("combined_kl", 2, formula!(
        "−w²Δ/σ_p², w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}, Δ = {a} − ({c})",
        |a, b, c, d; w = d * d / (b * b + d * d);| -w * w * (a - c) / (d * d))),
    ("combined_kl", 3, formula!(
        "w²/σ_p + w²Δ²(1 − 2w)/σ_p³, w = σ_p²/(σ̂² + σ_p²), σ̂ = {b}, σ_p = {d}, Δ = {a} − ({c})",
        |a, b, c, d; w = d * d / (b * b + d * d); r = b * b / (b * b + d * d); m = w * (a - c) / d;|
        (w * w + m * m * (2. * r - 1.)) / d)),
    ("combined_std", 0, formula!("σ_q w/σ̂, σ_q = {y}, w = σ_p²/(σ̂² + σ_p²), σ̂ = {a}, σ_p = {b}",
        |a, b, y| y * (b * b / (a * a + b * b)) / a)),
    ("combined_std", 1, formula!("r√r = r σ_q/σ_p, r = σ̂²/(σ̂² + σ_p²), σ_q = {y}, σ̂ = {a}, σ_p = {b}",
        |a, b, y; r = a * a / (a * a + b * b);| r * (y / b))),
];

/// Where a rectifier behind a linear layer is open.
pub static OPEN: Formula = formula!("y = {y} > 0", |y| positive(y));

/// How a gated unit depends on the sum f in its tanh and the sum g in its σ.
pub static GATED: [Formula; 2] = [
    formula!("s(1 − a²), a = tanh({f}), s = σ({g})", |f, g; a = tanh(f);| sigmoid(g) * (1. - a * a)),
    formula!("a s(1 − s), a = tanh({f}), s = σ({g})", |f, g; s = sigmoid(g);| tanh(f) * (s * (1. - s))),
];

/// How c' of an LSTM's cell depends on the sums in its gates i, f and g, and on c.
pub static LSTM_C: [Formula; 4] = [
    formula!("g i(1 − i), g = tanh({g}), i = σ({i})", |i, g; s = sigmoid(i);| tanh(g) * (s * (1. - s))),
    formula!("c f(1 − f), c = {c}, f = σ({f})", |f, c; s = sigmoid(f);| c * (s * (1. - s))),
    formula!("i (1 − g²), i = σ({i}), g = tanh({g})", |i, g; t = tanh(g);| sigmoid(i) * (1. - t * t)),
    formula!("f = σ({f})", |f| sigmoid(f)),
];

/// How h' of an LSTM's cell depends on c' (`n`), and on the sum in its gate o.
pub static LSTM_H: [Formula; 2] = [
    formula!("o (1 − tanh² c'), o = σ({o}), c' = {n}", |o, n; t = tanh(n);| sigmoid(o) * (1. - t * t)),
    formula!("tanh(c') o(1 − o), c' = {n}, o = σ({o})", |o, n; s = sigmoid(o);| tanh(n) * (s * (1. - s))),
];

/// How h' of a GRU's cell depends on its candidate's sum, on that in the gate r by way of the candidate, and on that in
/// the gate u, on v_c by way of the candidate, and on h.   p, q: x and v of gate r; j, k: of u; m, n: of the candidate
pub static GRU: [Formula; 5] = [
    formula!(
        "u(1 − c²), u = σ({j} + {k}), c = tanh({m} + r · {n}), r = σ({p} + {q})",
        |p, q, j, k, m, n; c = tanh(m + sigmoid(p + q) * n);| sigmoid(j + k) * (1. - c * c)
    ),
    formula!("v_c r(1 − r), v_c = {n}, r = σ({p} + {q})", |p, q, n; r = sigmoid(p + q);| n * (r * (1. - r))),
    formula!(
        "(c − h) u(1 − u), c = tanh({m} + r · {n}), h = {h}, u = σ({j} + {k}), r = σ({p} + {q})",
        |p, q, j, k, m, n, h; c = tanh(m + sigmoid(p + q) * n); u = sigmoid(j + k);| (c - h) * (u * (1. - u))
    ),
    formula!("r = σ({p} + {q})", |p, q| sigmoid(p + q)),
    formula!("1 − u, u = σ({j} + {k})", |j, k| 1. - sigmoid(j + k)),
];
