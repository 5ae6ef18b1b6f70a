use crate::common::{Lab, says};
use crate::data::prepare::music::GOOD;

#[test]
fn the_command_prints_statistics_and_warns_of_half_steps() {
    let lab = Lab::new();
    lab.write("music.json", GOOD);
    let words = "data prepare music --input music.json --output music.npz";
    let said = lab.ok(words);
    let line =
        "train 1.50 notes per step, 33.3 % of steps repeat the previous one, longest piece 4";
    says(&said, &["music.npz\n", "train 1 sequences", "over all values", line]);
    let line = &lab.json(words)[0];
    assert_eq!(line["file"], "music.npz");
    assert_eq!(line["music"][0]["repeated"], 1. / 3.);
    assert_eq!(line["music"][2]["notes_per_step"], 0.5);
    let run = |words: &str| lab.stcn(words).output().unwrap().stderr;
    assert_eq!(run(words), b"");
    lab.write("half.json", GOOD.replace("[21, 108]", "[], [], []"));
    let half = run("data prepare music --input half.json --output half.npz --json");
    let warned = String::from_utf8(half).unwrap();
    says(
        &warned,
        &["warning: 80.0 % of the steps of train repeat the previous one", "do not compare"],
    );
    assert_eq!(warned.lines().count(), 1);
}

#[test]
fn what_is_refused_leaves_no_file() {
    let lab = Lab::new();
    lab.write("bad.json", GOOD.replace("-1", "12"));
    let said = lab.refused("data prepare music --input bad.json --output music.npz");
    says(&said, &["bad.json: piece 1 of test, step 2 has note 12"]);
    lab.write("good.json", GOOD);
    let said = lab.refused("data prepare music --input good.json --output music.json");
    says(&said, &["--output music.json: want a name that ends in .npz"]);
}

#[test]
fn the_file_that_is_read_is_never_the_one_that_is_written() {
    let lab = Lab::new();
    lab.write("music.json", GOOD);
    lab.ok("data prepare music --input music.json --output music.npz");
    let said = lab.refused("data prepare music --input music.npz --output ./music.npz");
    says(&said, &["--output ./music.npz is a file that is read: name another"]);
}
