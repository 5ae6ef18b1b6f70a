use crate::common::preset;
use stcn::models::Registry;
use stcn::train::{Config, RunDir};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn create(root: &Path) -> stcn::Result<RunDir> {
    RunDir::create(root, &Config::default()).map(|(run, _)| run)
}

#[test]
fn a_new_run_has_its_directories_and_its_config() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("runs/first");
    let config = preset("ink-small", Some("wavenet"), None).unwrap();
    let (run, _lock) = RunDir::create(&root, &config).unwrap();
    assert!(run.latest().parent().unwrap().is_dir() && run.samples().is_dir());
    assert_eq!(run.read_config(&Registry::default()).unwrap(), config);
    assert_eq!(RunDir::open(&root).unwrap(), run);
    let text = fs::read_to_string(run.config_path()).unwrap();
    let head = "#:schema ./config.schema.json\n# Resolved by stcn ";
    assert!(text.starts_with(&format!("{head}{};", env!("CARGO_PKG_VERSION"))), "{text}");
    let schema = fs::read_to_string(root.join("config.schema.json")).unwrap();
    assert_eq!(schema, format!("{}\n", stcn::internals::schema::schema(&[config.model.kind])));
}

#[test]
fn a_directory_with_other_files_can_become_a_run() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    create(dir.path()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_run_is_not_written_over() {
    let dir = TempDir::new().unwrap();
    let run = create(dir.path()).unwrap();
    let before = fs::read(run.config_path()).unwrap();
    let root = dir.path().display();
    assert_eq!(
        create(dir.path()).unwrap_err().to_string(),
        format!(
            "{root}: holds a run already: resume it with `stcn train --resume {root}` or choose \
             another --out"
        )
    );
    assert_eq!(fs::read(run.config_path()).unwrap(), before);
}

#[test]
fn two_cannot_write_one_run_at_once() {
    let dir = TempDir::new().unwrap();
    let (run, lock) = RunDir::create(dir.path(), &Config::default()).unwrap();
    let wanted = format!(
        "{}: is being written by another stcn: wait for it or choose another --out",
        dir.path().display()
    );
    assert_eq!(run.lock().unwrap_err().to_string(), wanted);
    assert_eq!(create(dir.path()).unwrap_err().to_string(), wanted);
    // Looking at it is allowed.
    RunDir::open(dir.path()).unwrap().read_config(&Registry::default()).unwrap();
    drop(lock);
    run.lock().unwrap();
}

#[test]
fn a_lock_file_that_a_kill_left_behind_locks_nobody_out() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("lock"), "").unwrap();
    create(dir.path()).unwrap();
}

#[test]
fn a_file_is_no_directory_for_a_run() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    assert_eq!(
        create(&path).unwrap_err().to_string(),
        format!("{}: is a file, want a directory: choose another --out", path.display())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_that_cannot_be_written_is_named() {
    let error = create(Path::new("/proc/run")).unwrap_err();
    assert!(error.to_string().starts_with("cannot write /proc/run: "), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn opening_what_is_no_run_says_how_to_get_one() {
    assert_eq!(
        RunDir::open(Path::new("/nowhere")).unwrap_err().to_string(),
        "/nowhere: is not there, want the directory of a run: train one with `stcn train --out DIR`"
    );
    let dir = TempDir::new().unwrap();
    assert_eq!(
        RunDir::open(dir.path()).unwrap_err().to_string(),
        format!(
            "{}: holds no run (no config.toml): name the directory given to `stcn train --out`",
            dir.path().display()
        )
    );
}

#[test]
fn a_damaged_config_of_a_run_is_named_with_line_and_column() {
    let dir = TempDir::new().unwrap();
    let run = create(dir.path()).unwrap();
    fs::write(run.config_path(), "seed = 1\nseeed = 2\n").unwrap();
    assert_eq!(
        run.read_config(&Registry::default()).unwrap_err().to_string(),
        format!(
            "{}: line 2, column 1: unknown key `seeed`: did you mean `seed`?",
            run.config_path().display()
        )
    );
}

#[test]
fn what_a_killed_run_left_of_its_checkpoints_is_removed_when_it_goes_on() {
    let dir = TempDir::new().unwrap();
    let run = create(dir.path()).unwrap();
    fs::create_dir(run.kept()).unwrap();
    let dead = [
        run.latest().with_file_name(".latest.stcn.tmp"),
        run.kept().join(".step-000004.stcn.tmp"),
        run.kept().join(".step-1000000.stcn.tmp"),
        run.samples().join(".step-000004.svg.tmp"),
    ];
    dead.iter().for_each(|path| fs::write(path, "half").unwrap());
    let not_ours = run.kept().join(".step-4.stcn.tmp");
    fs::write(&not_ours, "mine").unwrap();
    drop(run.lock().unwrap());
    assert!(dead.iter().all(|path| !path.exists()) && not_ours.exists());
}

#[test]
fn a_checkpoint_knows_the_run_that_it_lies_in() {
    let dir = TempDir::new().unwrap();
    let run = create(dir.path()).unwrap();
    for path in [run.latest(), run.best(), run.kept().join("step-000004.stcn")] {
        assert_eq!(RunDir::of(&path).as_ref(), Some(&run), "{}", path.display());
    }
    assert_eq!(RunDir::of(&run.samples().join("best.stcn")), None);
}
