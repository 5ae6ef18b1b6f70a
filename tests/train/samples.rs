use super::{config, untrained};
use stcn::internals::samples::{name, picture, room, usual_length};
use stcn::models::{Registry, Task};
use stcn::train::{Trained, Trainer};
use std::path::Path;

#[test]
fn a_picture_depends_on_the_state_alone_and_changes_nothing_in_it() {
    let mut trainer = Trainer::new(config(&[])).unwrap();
    let first = picture(&trainer).unwrap();
    assert_eq!(picture(&trainer).unwrap(), first);
    let looked_at = trainer.step().unwrap();
    let plain = Trainer::new(config(&[])).unwrap().step().unwrap();
    assert_eq!((looked_at.loss, looked_at.grad_norm), (plain.loss, plain.grad_norm));
    assert_ne!(picture(&trainer).unwrap(), first, "it has learned");
    // Its noise is not that of training, which has another seed here.
    let other = Trainer::new(config(&["seed=2"])).unwrap();
    assert_ne!(picture(&other).unwrap(), first);
}

#[test]
fn numbers_that_are_not_finite_make_no_picture() {
    let mut checkpoint = untrained();
    for param in &mut checkpoint.params {
        param.value.data_mut().fill(1e38);
    }
    let wild =
        Trained::from_checkpoint(checkpoint, Path::new("wild"), &Registry::default()).unwrap();
    let trainer = Trainer::from_weights(wild.config.clone(), &wild).unwrap();
    assert_eq!(picture(&trainer), None);
}

#[test]
fn a_picture_has_room_for_some_sequences_and_names_sort_by_step() {
    assert_eq!(room(Task::Ink, 3, 600), 64);
    assert_eq!(room(Task::Series, 5, 600), 12);
    assert_eq!(room(Task::Speech, 200, 1 << 20), 4);
    assert_eq!((name(250), name(1_000_000)), ("step-000250.svg".into(), "step-1000000.svg".into()));
    assert_eq!(usual_length(&crate::common::ink(12)), Some(21));
}
