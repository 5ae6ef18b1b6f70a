use super::config;
use super::ranks::on_ranks;
use crate::common::{ink, preset};
use stcn::data::{Normalisation, Split};
use stcn::internals::evaluate::evaluate_on;
use stcn::models;
use stcn::nn::Init;
use stcn::train::{Plan, Trainer};

#[test]
fn a_run_has_the_same_bytes_on_any_number_of_ranks() {
    for set in ["seed=1", "train.objective=\"iwae\"", "model.draws=\"fresh\""] {
        let set = ["train.batch=7", "train.grad_clip=0.1", set];
        let run = |count| {
            on_ranks(count, |ranks| {
                let mut trainer = Trainer::new(config(&set)).unwrap().on_ranks(ranks);
                let reports: Vec<_> =
                    (0..3).map(|i| trainer.step_watched(i == 2).unwrap()).collect();
                let checked = trainer.check().unwrap().unwrap().value;
                trainer.try_step().unwrap();
                (reports, checked, trainer.checkpoint().to_bytes())
            })
        };
        let alone = run(1);
        for count in [2, 3, 4, 8] {
            assert!(run(count) == alone, "{set:?} on {count} ranks");
        }
    }
}

#[test]
fn an_update_that_is_refused_leaves_the_others_ready_for_the_next() {
    on_ranks(2, |ranks| {
        let mut trainer = Trainer::new(config(&["train.lr=1e30"])).unwrap().on_ranks(ranks);
        let refused = (0..20).find_map(|_| trainer.step().err()).expect("blows up");
        let again = trainer.try_step().expect_err("the same update");
        assert_eq!(again.to_string(), refused.to_string());
        let mut other = Trainer::new(config(&["seed=2"])).unwrap().on_ranks(ranks);
        other.step().unwrap();
    });
}

#[test]
fn bounds_have_the_same_digits_on_any_number_of_ranks() {
    let (set, config) = (ink(9), preset("ink-tiny", Some("vrnn"), None).unwrap());
    let model = models::build(&config.model, Init::new(1)).unwrap();
    let plan = Plan { draws: 2, iwae: 3, fivo: 4, ..Plan::new(Split::Train) };
    let value = |count| {
        on_ranks(count, |ranks| {
            let identity = Normalisation::identity(3);
            evaluate_on(ranks.of(&config.portable_toml()), &*model, &set, &identity, plan, |_| ())
                .unwrap()
        })
    };
    let alone = value(1);
    for count in [2, 3, 8] {
        assert!(value(count) == alone, "{count} ranks");
    }
}
