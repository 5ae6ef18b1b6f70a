//! Arguments that make no sense: refused before anything is read for long or written at all.

use super::{TINY, trained};
use crate::common::{Lab, says, sentence, stderr, stdout};

#[test]
fn numbers_out_of_range_are_refused_with_an_example() {
    let lab = trained();
    for minutes in ["0", "-1", "nan"] {
        let said = lab.refused(&format!("train --out other --minutes={minutes}"));
        says(&said, &["--minutes takes a number above 0, such as 20"]);
    }
    let said = lab.refused("list --threads 999999");
    says(&said, &["--threads 999999 is more than 1024", "cores"]);
    says(&lab.refused("sample run --out drawn --count 0"), &["--count 0", "1 or more"]);
    says(&lab.refused("sample run --out drawn --steps 0"), &["--steps 0", "1 or more"]);
    for temperature in ["-1", "nan", "inf"] {
        let said = lab.refused(&format!("sample run --out drawn --temperature={temperature}"));
        says(&said, &["--temperature takes a number from 0 on, such as 0.8"]);
    }
    says(&lab.refused("evaluate run --draws 0"), &["--draws 0", "1 or more"]);
    says(&lab.refused("inspect run --batch 0"), &["--batch", "1 or more"]);
    says(&lab.refused("inspect run --steps 0"), &["--steps", "1 or more"]);
    for words in ["--batch 0", "--time 0", "--steps 0"] {
        says(&lab.refused(&format!("bench step {words}")), &["--batch", "1 or more"]);
    }
    let most = u64::MAX;
    for (words, parts) in [
        (format!("step --batch {most}"), ["--batch", "want 1048576 at most"]),
        (format!("step --time {most}"), ["--time", "want 1048576 at most"]),
        (format!("step --steps {most}"), ["--steps", "want 10000000 at most"]),
        (format!("generate --steps {most}"), ["--steps", "want 10000000 at most"]),
        (format!("generate --count {most}"), ["--count", "want 1024 at most"]),
    ] {
        says(&lab.refused(&format!("bench {words}")), &parts);
    }
    if cfg!(target_os = "linux") {
        let said = lab.refused("bench step --batch 1000000 --time 1000000");
        says(&said, &["a batch of 1000000 × 1000000 steps", "are free: lower --batch, --time or"]);
    }
    for words in ["--count 0", "--steps 0"] {
        says(&lab.refused(&format!("bench generate {words}")), &["--count", "1 or more"]);
    }
}

#[test]
fn minutes_without_end_are_no_limit() {
    let lab = Lab::new();
    for minutes in ["inf", "1e300"] {
        lab.ok(&format!(
            "train --data ink.npz --out {minutes} --steps 1 --minutes {minutes} {TINY}"
        ));
    }
}

#[test]
fn a_split_that_is_unknown_is_refused_with_the_nearest() {
    let parts = ["unknown split `vaild`: did you mean `valid` (of train, valid, test)?"];
    says(&trained().refused("evaluate run --split vaild"), &parts);
}

#[test]
fn a_prime_that_is_none_is_refused() {
    let lab = trained();
    let said = |prime: &str| lab.refused(&format!("sample run --out drawn --prime {prime}"));
    for prime in ["ink.npz", "ink.npz:", "ink.npz:two", "ink.npz:-1"] {
        says(&said(prime), &[&format!("--prime {prime}: want FILE:INDEX, such as lines.npz:12")]);
    }
    for index in ["0", "11"] {
        let parts = [&format!("ink.npz: has sequences 1 to 10, not {index}"), "choose another"];
        says(&said(&format!("ink.npz:{index}")), &parts);
    }
    says(&said("nowhere.npz:1"), &["nowhere.npz: there is no such file"]);
    let two = stcn::data::DataSet::from_parts("two", 2, vec![vec![0.5; 8]], None).unwrap();
    two.save(lab.path("two.npz")).unwrap();
    says(&said("two.npz:1"), &["two.npz: has D = 2 channels, the model takes 3"]);
    let pens = stcn::data::DataSet::from_parts("pens", 3, vec![vec![0.5; 9]], None).unwrap();
    pens.save(lab.path("pens.npz")).unwrap();
    says(&said("pens.npz:1"), &["pens.npz: sequence 1, step 1 has pen 0.5"]);
}

#[test]
fn a_picture_of_another_kind_or_of_nothing_is_refused() {
    let lab = Lab::new();
    for name in ["x.jpg", "x", "x.svg.gz"] {
        let said = lab.refused(&format!("data show ink.npz --out {name}"));
        says(&said, &[&format!("--out {name}: want a name that ends in .svg, .png, .wav or .mid")]);
    }
    for index in ["0", "11"] {
        for out in ["", "--out x.svg"] {
            let said = lab.refused(&format!("data show ink.npz --index {index} {out}"));
            let found = format!("ink.npz: has sequences 1 to 10, not {index}");
            says(&said, &[&found, "choose another --index"]);
        }
    }
}

#[test]
fn a_file_to_write_has_its_own_extension_so_that_no_checkpoint_is_replaced() {
    let lab = trained();
    for (words, wanted) in [
        (
            "export run --out run/metrics.csv",
            "--out run/metrics.csv: want a name that ends in .safetensors or .stcn",
        ),
        (
            "inspect run --dump run/config.toml",
            "--dump run/config.toml: want a name that ends in .safetensors",
        ),
        (
            "inspect run --html run/metrics.csv",
            "--html run/metrics.csv: want a name that ends in .html",
        ),
    ] {
        says(&lab.refused(words), &[wanted]);
    }
}

#[test]
fn places_that_cannot_be_written_are_named_and_left_alone() {
    let lab = trained();
    lab.write("file", "mine");
    let train = format!("train --data ink.npz --steps 2 {TINY} --out");
    let said = lab.refused(&format!("{train} file"));
    says(&said, &["file: is a file, want a directory: choose another --out"]);
    says(&lab.refused(&format!("{train} file/run")), &["cannot write file/run: Not a directory"]);
    lab.ok("export run --out x.safetensors");
    for words in [
        "sample run --steps 5 --out file/drawn",
        "export run --out file/x.safetensors",
        "import x.safetensors --out file/run",
        "inspect run --dump file/x.safetensors",
    ] {
        says(&lab.refused(words), &["cannot write file/", "Not a directory"]);
    }
    says(
        &lab.refused("export run --out nowhere/x.safetensors"),
        &["cannot write nowhere/x.safetensors"],
    );
    for picture in ["svg", "png"] {
        let output =
            lab.stcn(&format!("data show ink.npz --out file/x.{picture}")).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        says(&sentence(&output), &[&format!("cannot write file/x.{picture}: Not a directory")]);
    }
    if cfg!(target_os = "linux") {
        says(&lab.refused(&format!("{train} /proc/run")), &["cannot write /proc/run: "]);
    }
    assert_eq!(lab.read("file"), b"mine");
}

#[test]
fn flags_that_are_unknown_or_contradict_are_refused_with_the_usage() {
    let lab = Lab::new();
    for (words, part) in [
        ("train --sed 3", "--seed"),
        ("train --threads few", "--threads"),
        ("train --steps -3", "-3"),
        ("train --resume run --out other", "--resume"),
        ("train --resume run --model stcn", "--model"),
        ("plot run", "--out"),
        ("evaluate", "RUN"),
        ("trian", "train"),
    ] {
        let output = lab.stcn(words).output().unwrap();
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{words}");
        assert!(said.starts_with("error: "), "{words}: {said}");
        says(&said, &[part, "--help"]);
    }
}

#[test]
fn every_command_has_a_page_of_help_with_an_example() {
    let lab = Lab::new();
    for command in [
        "train",
        "evaluate",
        "sample",
        "inspect",
        "gradcheck",
        "data show",
        "export",
        "import",
        "bench step",
        "bench generate",
        "list",
    ] {
        let help = lab.ok(&format!("{command} --help"));
        says(&help, &["Usage: stcn ", "Example:\n", &format!(" {command}"), "--threads"]);
        assert!(!help.contains('\x1b'), "{command}: colours off a terminal");
    }
    assert_eq!(lab.ok("--version"), format!("stcn {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(lab.stcn("").output().unwrap().status.code(), Some(2));
}
