use stcn::internals::gradients::{check_model, models};
use stcn::models::HeadKind;
use stcn::models::{ALL, STCN_DENSE, WAVENET};

#[test]
fn every_model_comes_with_every_head_unless_one_is_named() {
    assert_eq!(models(&ALL, None).len(), ALL.len() * HeadKind::ALL.len());
    let one = models(&[WAVENET], Some(HeadKind::Gmm));
    assert_eq!(one.len(), 1);
    assert_eq!((one[0].kind, one[0].obs.head), (WAVENET, HeadKind::Gmm));
    assert!(models(&ALL, None).iter().all(|config| config.validate().is_ok()));
}

/// In f64 alone: finite differences in f32 lose all digits.
#[cfg(feature = "f64")]
#[test]
fn every_parameter_of_every_model_agrees_with_finite_differences() {
    for config in models(&ALL, None) {
        for (path, check) in check_model(&config).unwrap() {
            let error = check.relative_error();
            assert!(error <= 1e-6, "{} {} {path}: {error:e}", config.kind, config.obs.head);
        }
    }
}

#[cfg(not(feature = "f64"))]
#[test]
fn every_parameter_of_a_model_is_checked() {
    let config = &models(&[STCN_DENSE], Some(HeadKind::Gmm))[0];
    let paths: Vec<String> =
        check_model(config).unwrap().into_iter().map(|(path, _)| path).collect();
    for path in
        ["tcn.1.filter.weight", "prior.2.mean.1.bias", "infer.1.std.3.weight", "head.pen.bias"]
    {
        assert!(paths.iter().any(|p| p == path), "{path} is not among {paths:?}");
    }
}
