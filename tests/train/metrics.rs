use stcn::internals::metrics::{Metrics, now, table};
use std::fs;
use tempfile::TempDir;

const COLUMNS: [&str; 2] = ["loss", "valid"];

#[test]
fn metrics_are_a_header_and_numbers_that_read_back_to_the_bit() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    let mut metrics = Metrics::create(&path, &COLUMNS).unwrap();
    metrics.row(1, &[Some(0.1 + 0.2), None]).unwrap();
    // Written through: a kill after a report loses nothing.
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "step,loss,valid\n1,0.30000000000000004,\n");
    metrics.row(2, &[Some(1.), Some(-1e-8)]).unwrap();
    assert!(fs::read_to_string(&path).unwrap().ends_with("\n2,1,-0.00000001\n"));
}

#[test]
fn resuming_drops_later_rows_and_a_row_cut_short() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    let mut metrics = Metrics::create(&path, &COLUMNS).unwrap();
    for step in 1..=4 {
        metrics.row(step, &[Some(1.), None]).unwrap();
    }
    drop(metrics);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}5,1")).unwrap();

    let mut metrics = Metrics::resume(&path, &COLUMNS, 2).unwrap();
    metrics.row(3, &[Some(1.), None]).unwrap();
    metrics.row(4, &[Some(1.), None]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);

    fs::write(&path, format!("{whole}5,1")).unwrap();
    Metrics::resume(&path, &COLUMNS, 5).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn rows_that_are_no_text_stay_and_keep_no_run_from_going_on() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    let damaged = b"step,loss,valid\n1,0.5,\n2,\xff\xfe,\n\xc3\x28,,\n3,0.25,\n";
    fs::write(&path, damaged).unwrap();
    let mut metrics = Metrics::resume(&path, &COLUMNS, 2).unwrap();
    metrics.row(3, &[Some(0.25), None]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), damaged);
    fs::write(&path, b"step,l\xffss\n1,2\n").unwrap();
    let said = Metrics::resume(&path, &COLUMNS, 2).unwrap_err().to_string();
    let wanted = "has the column l\u{fffd}ss, which this run does not write: move it away";
    assert!(said.ends_with(wanted), "{said}");
}

#[test]
fn the_last_values_of_the_last_row_can_be_emptied() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    let mut metrics = Metrics::create(&path, &COLUMNS).unwrap();
    metrics.row(1, &[Some(3.), Some(4.)]).unwrap();
    metrics.row(2, &[Some(5.), Some(6.)]).unwrap();
    Metrics::empty(&path, 1, 1).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "step,loss,valid\n1,3,4\n2,5,6\n");
    for _ in 0..2 {
        Metrics::empty(&path, 2, 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "step,loss,valid\n1,3,4\n2,5,\n");
    }
}

#[test]
fn resuming_without_a_file_starts_one() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    Metrics::resume(&path, &COLUMNS, 7).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "step,loss,valid\n");
}

#[test]
fn other_columns_are_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    fs::write(&path, "time,loss\n").unwrap();
    assert_eq!(
        Metrics::resume(&path, &COLUMNS, 7).unwrap_err().to_string(),
        format!(
            "{}: has the column time, which this run does not write: move it away",
            path.display()
        )
    );
}

#[test]
fn a_file_of_an_earlier_version_gets_the_columns_that_it_lacks() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    let early = b"step,valid,loss\n1,4,3\n2,,5\n\xff,\n9,9,9,9\n3,6,7\n4,8";
    fs::write(&path, early).unwrap();
    let mut metrics = Metrics::resume(&path, &["loss", "norm", "valid"], 2).unwrap();
    metrics.row(3, &[Some(7.), Some(1.), Some(6.)]).unwrap();
    let wanted = b"step,loss,norm,valid\n1,3,,4\n2,5,,\n\xff,\n";
    // A row with too many values is taken as it is, by its step: that one comes later.
    assert_eq!(fs::read(&path).unwrap(), [&wanted[..], b"3,7,1,6\n"].concat());
}

#[test]
fn the_numbers_of_a_file_can_be_read_whatever_else_is_in_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metrics.csv");
    fs::write(&path, b"step,loss\n1,0.5\n2,\n\xff,NaN\n3,0.2").unwrap();
    let (columns, rows) = table(&path).unwrap();
    assert_eq!(columns, ["step", "loss"]);
    let wanted = [[Some(1.), Some(0.5)], [Some(2.), None], [None, None], [Some(3.), Some(0.2)]];
    assert_eq!(rows, wanted);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let error = Metrics::create("/nowhere/metrics.csv".as_ref(), &COLUMNS).unwrap_err().to_string();
    assert!(error.starts_with("cannot write /nowhere/metrics.csv: "), "{error}");
}

#[test]
#[should_panic(expected = "metrics: got 1 values for 2 columns")]
fn a_row_has_a_value_per_column() {
    let dir = TempDir::new().unwrap();
    Metrics::create(&dir.path().join("metrics.csv"), &COLUMNS).unwrap().row(1, &[None]).unwrap();
}

#[test]
fn the_clock_is_after_this_was_written() {
    assert!(now() > 1.7e9);
}
