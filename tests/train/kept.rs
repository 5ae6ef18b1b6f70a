use super::untrained;
use stcn::train::{Checkpoint, Kept};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The checkpoint of this step.
fn at(step: u64) -> Checkpoint {
    let mut checkpoint = untrained();
    checkpoint.header.step = step;
    checkpoint
}

/// What a run does after the update to `step`.
fn go_on(kept: &Kept, step: u64) {
    if kept.is_due(step) {
        kept.save(at(step)).unwrap();
    }
    kept.thin_out(step).unwrap();
}

fn steps(directory: &Path) -> Vec<u64> {
    let found = Kept::all(directory).unwrap();
    for (step, path) in &found {
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("step-{step:06}.stcn"));
        assert_eq!(Checkpoint::load(path).unwrap().header.step, *step);
    }
    found.into_iter().map(|(step, _)| step).collect()
}

#[test]
fn more_than_half_of_the_number_asked_for_stay_and_no_more_than_it_evenly_from_the_start_on() {
    for most in [2, 3, 4, 7] {
        let dir = TempDir::new().unwrap();
        let kept = Kept::begin(dir.path().join("kept"), most, 0).unwrap();
        for step in 0..=40 {
            go_on(&kept, step);
            let found = steps(&dir.path().join("kept"));
            let stride = found.get(1).copied().unwrap_or(1);
            assert!(stride.is_power_of_two());
            assert_eq!(found, (0..=step).step_by(stride as usize).collect::<Vec<_>>(), "{most}");
            let count = found.len() as u64;
            assert!(count <= most && (2 * count > most || step + 1 < most), "{most}: {found:?}");
        }
    }
}

#[test]
fn which_stay_depends_on_the_step_alone_and_those_of_later_steps_go() {
    for cut in 0..=20 {
        let dir = TempDir::new().unwrap();
        let kept = Kept::begin(dir.path().into(), 4, 0).unwrap();
        (0..=cut).for_each(|step| go_on(&kept, step));
        let wanted = steps(dir.path());
        // Killed after it had kept a later one, before its latest checkpoint was of that step.
        kept.save(at(cut + 1)).unwrap();
        drop(Kept::begin(dir.path().into(), 4, cut).unwrap());
        assert_eq!(steps(dir.path()), wanted);
    }
}

#[test]
fn a_smaller_number_removes_some_and_none_at_all_only_those_of_later_steps() {
    let dir = TempDir::new().unwrap();
    let kept = Kept::begin(dir.path().into(), 8, 0).unwrap();
    (0..=7).for_each(|step| go_on(&kept, step));
    fs::write(dir.path().join("step-9.stcn"), "not named by a run").unwrap();
    let resumed = |most, step| {
        drop(Kept::begin(dir.path().into(), most, step).unwrap());
        steps(dir.path())
    };
    assert_eq!(resumed(0, 6), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(resumed(3, 6), [0, 4]);
    assert!(dir.path().join("step-9.stcn").exists());
    assert!(!Kept::begin(dir.path().into(), 0, 6).unwrap().is_due(8));
}

#[test]
fn a_run_that_keeps_none_makes_no_directory() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("kept");
    drop(Kept::begin(path.clone(), 0, 0).unwrap());
    assert!(!path.exists());
    assert_eq!(Kept::all(&path).unwrap(), []);
}

#[test]
fn what_cannot_be_written_or_read_is_named() {
    let dir = TempDir::new().unwrap();
    let kept = Kept::begin(dir.path().into(), 4, 0).unwrap();
    fs::create_dir(dir.path().join("step-000003.stcn")).unwrap();
    let said = kept.save(at(3)).unwrap_err().to_string();
    assert!(said.ends_with("step-000003.stcn: is a folder; name a file in it"), "{said}");
    fs::write(dir.path().join("file"), "").unwrap();
    let said = Kept::all(&dir.path().join("file")).unwrap_err().to_string();
    assert!(said.starts_with("cannot read ") && said.contains("file: Not a directory"), "{said}");
}
