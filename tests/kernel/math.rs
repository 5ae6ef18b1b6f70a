use stcn::internals::kernel::math;

#[cfg(not(feature = "f64"))]
mod single {
    use super::math;
    use stcn::internals::{kernel::simd::vectorise, parallel};

    /// `x ← f(x)`, in vectors.
    fn map(f: impl Fn(f32) -> f32, x: &mut [f32]) {
        vectorise(|| x.iter_mut().for_each(|x| *x = f(*x)));
    }

    /// (name, ours, in place, f64 reference, permitted ulp)
    type Case = (&'static str, fn(f32) -> f32, fn(&mut [f32]), fn(f64) -> f64, f64);

    const CASES: [Case; 6] = [
        ("exp", math::exp, |x| map(math::exp, x), f64::exp, 2.),
        ("ln", math::ln, |x| map(math::ln, x), f64::ln, 2.),
        ("ln_1p", math::ln_1p, |x| map(math::ln_1p, x), f64::ln_1p, 4.),
        ("tanh", math::tanh, |x| map(math::tanh, x), f64::tanh, 4.),
        ("sigmoid", math::sigmoid, |x| map(math::sigmoid, x), |x| 1. / (1. + (-x).exp()), 4.),
        (
            "softplus",
            math::softplus,
            |x| map(math::softplus, x),
            |x| x.max(0.) + (-x.abs()).exp().ln_1p(),
            4.,
        ),
    ];

    /// How far `got` is from `want`, in the f32 ulp of `want`.
    fn ulp_error(got: f32, want: f64) -> f64 {
        if got.is_nan() && want.is_nan() || f64::from(got) == want {
            return 0.;
        }
        let rounded = want as f32;
        if !got.is_finite() || !rounded.is_finite() {
            return if got == rounded { 0. } else { f64::INFINITY };
        }
        let exponent = ((want.abs().to_bits() >> 52) as i32 - 1023).max(-126);
        (f64::from(got) - want).abs() / 2f64.powi(exponent - 23)
    }

    /// The worst input among the finite bit patterns `first, first + stride, …`.
    fn worst((_, f, _, reference, _): Case, first: u32, stride: usize) -> (f64, f32) {
        let chunk = 1 << 24;
        let worsts = parallel::map((1 << 32) / chunk, |i| {
            let range = (i * chunk) as u64 + u64::from(first)..((i + 1) * chunk) as u64;
            let xs = range.step_by(stride).map(|bits| f32::from_bits(bits as u32));
            xs.filter(|x| x.is_finite()).fold((0., 0.), |worst: (f64, f32), x| {
                let error = ulp_error(f(x), reference(f64::from(x)));
                if error > worst.0 { (error, x) } else { worst }
            })
        });
        worsts.into_iter().fold((0., 0.), |a, b| if b.0 > a.0 { b } else { a })
    }

    fn assert_within(name: &str, first: u32, stride: usize) {
        let case = CASES.into_iter().find(|case| case.0 == name).expect("a case");
        let (error, x) = worst(case, first, stride);
        println!("{name}: {error:.3} ulp at {x:e}");
        assert!(error <= case.4, "{name}: {error} ulp at {x:e}");
    }

    /// A prime stride: some thousand inputs in every binade.
    const SAMPLED: usize = 4099;

    macro_rules! ulp_tests {
        ($($name:ident $sampled:ident $exhaustive:ident;)*) => {$(
            #[test]
            fn $sampled() {
                assert_within(stringify!($name), 1, SAMPLED);
            }

            #[test]
            #[ignore = "exhaustive: run by make slow"]
            fn $exhaustive() {
                assert_within(stringify!($name), 0, 1);
            }
        )*};
    }

    ulp_tests! {
        exp exp_is_within_two_ulp_on_every_exponent exp_is_within_two_ulp_on_every_float;
        ln ln_is_within_two_ulp_on_every_exponent ln_is_within_two_ulp_on_every_float;
        ln_1p ln_1p_is_within_four_ulp_on_every_exponent ln_1p_is_within_four_ulp_on_every_float;
        tanh tanh_is_within_four_ulp_on_every_exponent tanh_is_within_four_ulp_on_every_float;
        sigmoid sigmoid_is_within_four_ulp_on_every_exponent sigmoid_is_within_four_ulp_on_every_float;
        softplus softplus_is_within_four_ulp_on_every_exponent softplus_is_within_four_ulp_on_every_float;
    }

    /// Every kind of input: all binades of both signs, zeros, subnormals, infinities, NaN.
    fn assorted() -> impl Iterator<Item = f32> {
        let edges = [0., -0., 1., -1., f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN];
        let patterns = (0..=u32::MAX).step_by(70_001).map(f32::from_bits);
        edges.into_iter().flat_map(|x| [x, -x]).chain(patterns)
    }

    fn same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    #[test]
    fn kernels_give_the_bits_of_the_scalar_functions() {
        let xs: Vec<f32> = assorted().collect();
        for (name, f, map, ..) in CASES {
            let mut ys = xs.clone();
            map(&mut ys);
            for (&x, &y) in xs.iter().zip(&ys) {
                assert!(same(y, f(x)), "{name}({x:e}): {y:e} in a vector, {:e} alone", f(x));
            }
            for length in 0..70 {
                let mut y = xs[100..100 + length].to_vec();
                map(&mut y);
                assert!(y.iter().zip(&ys[100..]).all(|(&a, &b)| same(a, b)), "{name}, {length}");
            }
        }
    }

    #[test]
    fn special_inputs_give_what_ieee_754_says() {
        let infinity = f32::INFINITY;
        for (name, f, ..) in CASES {
            assert!(f(f32::NAN).is_nan() && f(-f32::NAN).is_nan(), "{name}(NaN)");
        }
        assert_eq!(
            [math::exp(infinity), math::exp(-infinity), math::exp(89.)],
            [infinity, 0., infinity]
        );
        assert_eq!([math::exp(0.), math::exp(-0.), math::exp(-104.)], [1., 1., 0.]);
        assert_eq!(math::exp(-103.2), f32::from_bits(1));
        assert_eq!(
            [math::ln(0.), math::ln(-0.), math::ln(infinity)],
            [-infinity, -infinity, infinity]
        );
        assert!(math::ln(-1e-45).is_nan() && math::ln(-infinity).is_nan());
        assert_eq!(
            [math::ln_1p(-1.), math::ln_1p(infinity), math::ln_1p(0.)],
            [-infinity, infinity, 0.]
        );
        assert!(math::ln_1p(-1.000_000_1).is_nan() && math::ln_1p(-infinity).is_nan());
        assert_eq!([math::tanh(infinity), math::tanh(-infinity), math::tanh(9.5)], [1., -1., 1.]);
        assert_eq!(
            [math::sigmoid(infinity), math::sigmoid(-infinity), math::sigmoid(0.)],
            [1., 0., 0.5]
        );
        assert_eq!([math::softplus(infinity), math::softplus(-infinity)], [infinity, 0.]);
    }

    #[test]
    fn tanh_is_odd_and_stays_within_one() {
        for x in assorted().filter(|x| !x.is_nan()) {
            assert_eq!(math::tanh(x), -math::tanh(-x));
            assert!(math::tanh(x).abs() <= 1. && (0. ..=1.).contains(&math::sigmoid(x)), "{x}");
        }
        let near_one = (8f32.to_bits()..9.5f32.to_bits()).map(f32::from_bits);
        assert!(near_one.map(math::tanh).all(|y| y <= 1.));
    }

    #[test]
    fn soft_fma_is_the_hardware_one() {
        let mut words = vec![0; 300_000];
        stcn::Noise::new(1, "test").words("fma", 0, 0, &mut words);
        for abc in words.chunks_exact(3) {
            let [a, b, c] = [abc[0], abc[1], abc[2]].map(f32::from_bits);
            // Any bits; a sum that nearly cancels; one of like size; a c that only breaks ties.
            let like = (abc[2] as f32 / 4e9 - 0.5) * a * b;
            let tie = f32::from_bits(a.to_bits() & !0xfff) * f32::from_bits(b.to_bits() & !0xfff);
            for (a, b, c) in [(a, b, c), (a, b, -(a * b)), (a, b, like), (a, b, tie * 1e-9)] {
                let (want, got) = (a.mul_add(b, c), math::soft_fma(a, b, c));
                assert!(same(want, got), "{a:e}·{b:e} + {c:e}: {got:e}, want {want:e}");
            }
        }
    }

    /// `y + h(1 ± i/2²³)(1 ∓ i/2²³)`, with h half the distance from y to the next number: within 2⁻⁴⁶·i²·h of half-way, so that
    /// f64 says that it is half-way. Of any size, and next to the smallest.
    #[test]
    fn soft_fma_is_the_hardware_one_next_to_ties() {
        let mut words = vec![0; 2 * 50_000];
        stcn::Noise::new(1, "test").words("ties", 0, 0, &mut words);
        for word in words.chunks_exact(2) {
            let i = (word[1] % 4096) as f32 * f32::EPSILON;
            let factors = [(1. + i, 1. - i), (1. + i, 1. + i), (1. - i, 1. - i), (1., 1.)];
            for y in [word[0], word[0] & 0x81ff_ffff].map(f32::from_bits) {
                let half = (f64::from(y.next_up()) - f64::from(y)) / 2.;
                if !half.is_finite() {
                    continue;
                }
                // The half of a small distance is no f32: it is shared out between the factors.
                let share = if half < 1e-30 { 2f64.powi(-60) } else { 1. };
                for (a, b) in factors {
                    let (a, b) =
                        ((f64::from(a) * half / share) as f32, (f64::from(b) * share) as f32);
                    for a in [a, -a] {
                        let (want, got) = (a.mul_add(b, y), math::soft_fma(a, b, y));
                        assert!(same(want, got), "{a:e}·{b:e} + {y:e}: {got:e}, want {want:e}");
                    }
                }
            }
        }
    }

    /// Made by this code on x86-64 with AVX-512: whoever runs this compares their CPU with that one.
    #[test]
    fn golden_bits_of_every_function() {
        let xs = [-100., -20., -3.7, -0.9, -1e-3, -1e-30, 1e-40, 0.1, 0.7, 1.5, 6.3, 80.];
        let golden: [[u32; 12]; 6] = [
            [
                0x0000_001b,
                0x310d_a433,
                0x3cca_88fe,
                0x3ed0_29e6,
                0x3f7f_be7f,
                0x3f80_0000,
                0x3f80_0000,
                0x3f8d_763e,
                0x4000_e153,
                0x408f_69ff,
                0x4408_249c,
                0x792a_bbce,
            ],
            [
                0x7fc0_0000,
                0x7fc0_0000,
                0x7fc0_0000,
                0x7fc0_0000,
                0x7fc0_0000,
                0x7fc0_0000,
                0xc2b8_34f2,
                0xc013_5d8e,
                0xbeb6_9e1a,
                0x3ecf_991f,
                0x3feb_9722,
                0x408c_3990,
            ],
            [
                0x7fc0_0000,
                0x7fc0_0000,
                0x7fc0_0000,
                0xc013_5d8d,
                0xba83_2339,
                0x8da2_4260,
                0x0001_16c2,
                0x3dc3_31fc,
                0x3f07_d740,
                0x3f6a_9208,
                0x3ffe_72ab,
                0x408c_9f54,
            ],
            [
                0xbf80_0000,
                0xbf80_0000,
                0xbf7f_afef,
                0xbf37_5f4c,
                0xba83_126c,
                0x8da2_4260,
                0x0001_16c2,
                0x3dcc_1ebb,
                0x3f1a_b7d9,
                0x3f67_b7cb,
                0x3f7f_ff90,
                0x3f80_0000,
            ],
            [
                0x0000_001b,
                0x310d_a433,
                0x3cc5_a607,
                0x3e93_fe6d,
                0x3eff_df3c,
                0x3f00_0000,
                0x3f00_0000,
                0x3f06_6509,
                0x3f2b_0e5a,
                0x3f51_4c8f,
                0x3f7f_87e0,
                0x3f80_0000,
            ],
            [
                0x0000_001b,
                0x310d_a433,
                0x3cc8_126c,
                0x3eae_abb9,
                0x3f31_5155,
                0x3f31_7218,
                0x3f31_7218,
                0x3f3e_90c8,
                0x3f8d_3533,
                0x3fd9_c7e9,
                0x40c9_a8a1,
                0x42a0_0000,
            ],
        ];
        for ((name, f, ..), golden) in CASES.into_iter().zip(golden) {
            let got = xs.map(|x| if f(x).is_nan() { f32::NAN } else { f(x) }.to_bits());
            assert_eq!(got, golden, "{name}: {got:#010x?}");
        }
    }
}

/// Distance in f64 ulp of `want`.
fn ulp_error_f64(got: f64, want: f64) -> f64 {
    if got == want {
        return 0.;
    }
    let exponent = ((want.abs().to_bits() >> 52) as i32 - 1023).max(-1022);
    // In two factors: 2⁻¹⁰⁷⁴ has no reciprocal.
    (got - want).abs() * 2f64.powi(52 - exponent.max(0)) * 2f64.powi(-exponent.min(0))
}

#[test]
fn f64_exp_and_ln_are_within_two_ulp_of_std() {
    let (mut worst_exp, mut worst_ln) = (0f64, 0f64);
    for i in 0..400_000 {
        let x = f64::from(i) * 3.6e-3 - 745.2;
        worst_exp = worst_exp.max(ulp_error_f64(math::exp_f64(x), x.exp()));
        let small = f64::from(i) * 1e-5 - 2.;
        worst_exp = worst_exp.max(ulp_error_f64(math::exp_f64(small), small.exp()));
        let x = f64::from_bits((i as u64 * (0x7fef_ffff_ffff_ffff / 400_000)).max(1));
        worst_ln = worst_ln.max(ulp_error_f64(math::ln_f64(x), x.ln()));
        let near_one = 0.5 + f64::from(i) * 4.1e-6;
        worst_ln = worst_ln.max(ulp_error_f64(math::ln_f64(near_one), near_one.ln()));
    }
    println!("exp_f64: {worst_exp:.3} ulp, ln_f64: {worst_ln:.3} ulp from std");
    assert!(worst_exp <= 2. && worst_ln <= 2., "exp {worst_exp}, ln {worst_ln}");
}

#[test]
fn f64_special_inputs_give_what_ieee_754_says() {
    let infinity = f64::INFINITY;
    assert_eq!([math::exp_f64(infinity), math::exp_f64(-infinity)], [infinity, 0.]);
    assert_eq!([math::exp_f64(0.), math::exp_f64(710.), math::exp_f64(-746.)], [1., infinity, 0.]);
    assert_eq!(
        [math::ln_f64(0.), math::ln_f64(1.), math::ln_f64(infinity)],
        [-infinity, 0., infinity]
    );
    assert!(math::ln_f64(-1.).is_nan() && math::ln_f64(f64::NAN).is_nan());
    assert!(math::exp_f64(f64::NAN).is_nan());
}

#[test]
fn golden_bits_of_the_f64_functions() {
    let exps = [-700.5, -1.25, 0.001, 3., 88.8].map(|x| math::exp_f64(x).to_bits());
    assert_eq!(
        exps,
        [
            0x00c4_ff47_5c68_ca02,
            0x3fd2_5618_372a_584f,
            0x3ff0_0419_19b7_ee34,
            0x4034_15e5_bf6f_b106,
            0x47f1_4890_6c06_fc8a
        ],
        "{exps:#x?}"
    );
    let lns = [1e-310, 0.3, 0.999, 2., 1e300].map(|x| math::ln_f64(x).to_bits());
    assert_eq!(
        lns,
        [
            0xc086_4e69_394d_9508,
            0xbff3_4378_fcbd_a721,
            0xbf50_6467_0d97_9b73,
            0x3fe6_2e42_fefa_39ef,
            0x4085_9634_47f8_7fb5
        ],
        "{lns:#x?}"
    );
}

#[test]
fn subnormal_numbers_are_kept() {
    // A library built with -ffast-math may have switched them off for this thread.
    assert!(std::hint::black_box(f32::MIN_POSITIVE) / 2. != 0., "subnormals are flushed to zero");
}

#[test]
fn what_is_below_tiny_is_flushed_and_nothing_else_is() {
    use stcn::Real;
    use stcn::internals::kernel::math::{TINY, exp, flush, flushed_exp};
    assert_eq!(TINY.to_bits(), (2 as Real).powi(-56).to_bits());
    for x in [TINY, 1., Real::INFINITY] {
        assert_eq!((flush(x), flush(-x)), (x, -x));
    }
    let below = TINY * (1. - Real::EPSILON);
    assert_eq!([below, -below, Real::MIN_POSITIVE / 4., -0.].map(flush), [0.; 4]);
    assert!(flush(Real::NAN).is_nan() && flushed_exp(Real::NAN).is_nan());
    for x in [-38.81, -1., 0., 3.5] {
        assert_eq!(flushed_exp(x), exp(x));
    }
    assert_eq!([-38.82, -90., -200., Real::NEG_INFINITY].map(flushed_exp), [0.; 4]);
    assert_eq!(flushed_exp(1000.), Real::INFINITY);
}

#[test]
fn cosines_of_turns_are_within_an_ulp_of_one_and_whole_turns_change_nothing() {
    let mut worst = 0f64;
    for i in 0..=100_000 {
        let x = f64::from(i) * 2e-5 - 1.;
        // Folded exactly, or std's angle would be rounded by more than is to be seen here.
        let turn = (x - x.round()).abs();
        let angle = |turns: f64| turns * std::f64::consts::TAU;
        let want = match turn {
            0.0..0.125 => angle(turn).cos(),
            0.125..0.375 => angle(0.25 - turn).sin(),
            _ => -angle(0.5 - turn).cos(),
        };
        worst = worst.max((math::cos_turns_f64(x) - want).abs());
    }
    println!("cos_turns_f64: {worst:e} from std");
    assert!(worst <= f64::EPSILON, "{worst:e}");
    let exact = [(0., 1.), (0.25, 0.), (0.5, -1.), (0.75, 0.), (1., 1.), (-0.5, -1.), (1e15, 1.)];
    for (x, cos) in exact {
        assert_eq!(math::cos_turns_f64(x), cos, "{x}");
    }
    for i in 0..256 {
        let x = f64::from(i) / 256.;
        assert_eq!(math::cos_turns_f64(x + 1024.), math::cos_turns_f64(x));
        assert_eq!(math::cos_turns_f64(-x), math::cos_turns_f64(x));
    }
    assert!(math::cos_turns_f64(f64::INFINITY).is_nan() && math::cos_turns_f64(f64::NAN).is_nan());
}
