use crate::common::says;
use stcn::internals::file::{
    AtomicFile, open_regular, read_whole, remove, remove_dead, write_whole,
};
use std::fs::{self, File};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::path::Path;

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

#[test]
fn what_is_no_file_is_never_opened() {
    let dir = tempfile::tempdir().unwrap();
    let said = |path: &Path| {
        let opened = open_regular(path, "a list: name one").unwrap_err().to_string();
        assert_eq!(read_whole(path, 10, "a list: name one").unwrap_err().to_string(), opened);
        opened
    };
    let place = dir.path().display();
    assert_eq!(said(dir.path()), format!("{place}: is not a file, want a list: name one"));
    let missing = dir.path().join("missing");
    says(&said(&missing), &["cannot read ", "/missing: there is no such file"]);
    #[cfg(unix)]
    {
        // To open it would be to wait for somebody who writes, to read the other for ever.
        let pipe = crate::common::pipe(&dir.path().join("pipe"));
        says(&said(&pipe), &["/pipe: is not a file, want a list: name one"]);
        says(&said(Path::new("/dev/zero")), &["/dev/zero: is not a file"]);
    }
}

#[test]
fn a_file_is_read_whole_up_to_the_length_that_it_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list");
    fs::write(&path, "0123456789").unwrap();
    assert_eq!(read_whole(&path, 10, "a list").unwrap(), b"0123456789");
    let said = read_whole(&path, 9, "a list").unwrap_err().to_string();
    says(&said, &["list: has 10 bytes, more than any such file (9): want a list"]);
    File::create(&path).unwrap().set_len(1 << 40).unwrap(); // of holes
    let said = read_whole(&path, 9, "a list").unwrap_err().to_string();
    says(&said, &["has 1099511627776 bytes, more than any such file (9)"]);
    // The system says that this one is empty, before it is read.
    #[cfg(target_os = "linux")]
    says(
        &read_whole("/proc/self/status", 9, "a list").unwrap_err().to_string(),
        &["has 10 bytes, more than any such file (9)"],
    );
}

#[test]
fn what_a_killed_program_left_is_removed_and_what_a_living_one_writes_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npz");
    assert_eq!(remove_dead(&path).unwrap(), None);
    let (file, out) = AtomicFile::create(&path).unwrap();
    let refused = "x.npz: is being written by another run: wait for it, or name another file";
    let both = || {
        says(&remove_dead(&path).unwrap_err().to_string(), &[refused]);
        says(&AtomicFile::create(&path).map(drop).unwrap_err().to_string(), &[refused]);
    };
    both();
    file.sync(out).unwrap();
    both(); // it is whole and being checked, perhaps for minutes
    let temporary = file.temporary().to_path_buf();
    drop(file);
    // Of one that was killed the file stays, and no lock.
    fs::write(&temporary, "half").unwrap();
    assert_eq!(remove_dead(&path).unwrap(), Some(temporary));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let (file, out) = AtomicFile::create(&path).unwrap();
    file.sync(out).unwrap();
    file.commit().unwrap();
    remove(&path).unwrap();
    remove(&path).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    says(&remove(dir.path()).unwrap_err().to_string(), &["cannot write "]);
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_the_file_it_leads_to_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (link, file) = (dir.path().join("link"), dir.path().join("elsewhere/file"));
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    fs::write(&file, "old").unwrap();
    symlink("elsewhere/file", &link).unwrap();
    write_whole(&link, |out| out.write_all(b"new")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert_eq!(fs::read_dir(dir.path().join("elsewhere")).unwrap().count(), 1);
    let nowhere = dir.path().join("nowhere");
    symlink("missing", &nowhere).unwrap();
    let said = write_whole(&nowhere, |_| Ok(())).unwrap_err().to_string();
    says(&said, &["nowhere: is a symbolic link that leads to no file; name the file itself"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = crate::common::pipe(&dir.path().join("pipe"));
    let link = dir.path().join("link");
    symlink("/dev/null", &link).unwrap();
    for path in [pipe.as_path(), &link, Path::new("/dev/null")] {
        let said = write_whole(path, |_| panic!("begun")).unwrap_err().to_string();
        assert_eq!(
            said,
            format!("{}: is a device or a pipe, not a file; name a file", path.display())
        );
    }
    let said = write_whole(dir.path(), |_| panic!("begun")).unwrap_err().to_string();
    says(&said, &["is a folder; name a file in it"]);
    assert!(!Path::new("/dev/null").is_file());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_link_under_the_temporary_name_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mine) = (dir.path().join("x.npz"), dir.path().join("mine"));
    fs::write(&mine, "mine").unwrap();
    symlink("mine", dir.path().join(".x.npz.tmp")).unwrap();
    let said = write_whole(&path, |out| out.write_all(b"new")).unwrap_err().to_string();
    says(
        &said,
        &[".x.npz.tmp: is not a regular file, but its name is needed for one: move it away"],
    );
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
}

#[test]
fn what_a_killed_program_left_does_not_keep_the_next_one_from_writing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".x.npz.tmp"), "half of a longer file").unwrap();
    let path = dir.path().join("x.npz");
    write_whole(&path, |out| out.write_all(b"whole")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Each either writes the whole file or is told that another is writing it.
#[test]
fn many_who_write_one_file_at_once_leave_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npz");
    let write = |writer: u8| {
        let mut written = 0;
        for _ in 0..200 {
            match write_whole(&path, |out| out.write_all(&[writer; 3000])) {
                Ok(()) => written += 1,
                Err(e) => says(&e.to_string(), &["x.npz: is being written by another run"]),
            }
            let read = fs::read(&path).unwrap_or_default();
            assert!(read.is_empty() || read == vec![read[0]; 3000], "mixed, or cut short");
        }
        written
    };
    let written: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=3).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert!(written > 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_path_in_a_command_is_one_word_to_a_shell() {
    let word = |path: &str| stcn::internals::file::in_shell(Path::new(path));
    assert_eq!(word("runs/ink-tiny_2.b"), "runs/ink-tiny_2.b");
    for path in ["my runs/a", "it's", "$HOME", "a\"b", "-n", "x;y", "läufe/ü b", "a\nb"] {
        let echo = format!("printf '%s' {}", word(path));
        let output = std::process::Command::new("sh").args(["-c", &echo]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
    }
}
