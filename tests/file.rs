use stcn::file::write_whole;
use std::fs;
use std::io::{self, Write};

#[test]
fn a_file_is_replaced_by_the_whole_new_one_and_nothing_is_left_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.svg");
    for text in ["first", "second"] {
        write_whole(&path, |file| file.write_all(text.as_bytes())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_fails_half_way_leaves_the_old_file_and_nothing_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.svg");
    let fails = |file: &mut io::BufWriter<fs::File>| {
        // More than a buffer, so that some of it has reached the disk.
        file.write_all(&[7; 100_000])?;
        Err(io::Error::other("no space left"))
    };
    let message = write_whole(&path, fails).unwrap_err().to_string();
    assert_eq!(message, format!("cannot write {}: no space left", path.display()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    fs::write(&path, "old").unwrap();
    write_whole(&path, fails).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn until_it_is_whole_the_old_file_stands_under_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.svg");
    fs::write(&path, "old").unwrap();
    write_whole(&path, |file| {
        file.write_all(b"new")?;
        file.flush()?;
        assert_eq!(fs::read_to_string(&path)?, "old");
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn a_folder_that_is_not_there_is_told_by_the_name_that_was_asked_for() {
    let message = write_whole("/no/such/folder/x.csv", |_| Ok(())).unwrap_err().to_string();
    assert!(message.starts_with("cannot write /no/such/folder/x.csv: "), "{message}");
}
