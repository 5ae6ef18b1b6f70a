//! Files that are not what they have to be.

use super::{TINY, trained};
use crate::common::{Lab, ink, says};
use ndarray::{Array1, Array2};
use ndarray_npy::NpzWriter;
use stcn::internals::npz::{self, Flat};
use std::fs::File;

/// Refused by `train` and by `data show`, before a run directory is made.
#[track_caller]
fn refused(lab: &Lab, parts: &[&str]) {
    says(&lab.refused(&format!("train --data x.npz --out run {TINY}")), &["x.npz: "]);
    says(&lab.refused(&format!("train --data x.npz --out run {TINY}")), parts);
    says(&lab.refused("data show x.npz --out x.svg"), parts);
}

#[track_caller]
fn refused_flat(flat: Flat, parts: &[&str]) {
    let lab = Lab::new();
    npz::write(lab.path("x.npz"), &flat).unwrap();
    refused(&lab, parts);
}

/// Three sequences of 2, 3 and 4 steps.
fn flat() -> Flat {
    let row = |t: usize| [t as f32, -0.5 * t as f32, f32::from(u8::from(t == 8))];
    Flat {
        channels: 3,
        samples: (0..9).flat_map(row).collect(),
        lengths: vec![2, 3, 4],
        split: Some(vec![0, 1, 2]),
        rate: None,
    }
}

#[test]
fn a_missing_data_file_is_named_with_the_command_that_makes_one() {
    refused(&Lab::new(), &["there is no such file", "stcn data prepare"]);
}

#[test]
fn an_empty_data_file_is_refused() {
    let lab = Lab::new();
    lab.write("x.npz", "");
    refused(&lab, &["is empty, wanted an .npz", "np.savez"]);
}

#[test]
fn a_data_file_that_is_a_directory_is_refused() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("x.npz")).unwrap();
    says(
        &lab.refused("data show x.npz"),
        &["x.npz: is not a file, want an .npz: give the path of one"],
    );
}

#[test]
fn a_data_file_of_another_kind_is_refused() {
    let lab = Lab::new();
    lab.write("x.npz", "0.1,0.2,0.3\n");
    refused(&lab, &["begins with \"0.1,0.\", wanted \"PK\"", "np.savez"]);
}

#[test]
fn a_data_file_cut_short_is_refused() {
    let lab = Lab::new();
    let bytes = lab.read("ink.npz");
    for length in [bytes.len() / 2, bytes.len() - 1] {
        lab.write("x.npz", &bytes[..length]);
        refused(&lab, &["it is truncated or damaged; copy or write it again"]);
    }
}

#[test]
fn a_data_file_with_a_flipped_bit_is_refused() {
    let lab = Lab::new();
    let mut bytes = lab.read("ink.npz");
    bytes[200] ^= 4; // within the deflated samples
    lab.write("x.npz", bytes);
    refused(&lab, &["`samples`", "the file is damaged"]);
}

#[test]
fn doubles_are_refused_with_the_words_that_convert_them() {
    let lab = Lab::new();
    let mut file = NpzWriter::new(File::create(lab.path("x.npz")).unwrap());
    file.add_array("samples", &Array2::<f64>::zeros((5, 3))).unwrap();
    file.add_array("lengths", &Array1::from(vec![2_i64, 3])).unwrap();
    file.finish().unwrap();
    refused(&lab, &["`samples` has dtype '<f8', wanted '<f4'", "samples.astype('<f4')"]);
}

#[test]
fn numbers_that_are_not_finite_are_refused_with_sequence_and_step() {
    for (x, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let mut flat = flat();
        flat.samples[3 * 4 + 1] = x; // the fifth step in all
        refused_flat(flat, &["sequence 2, step 3, channel 2", name, "wanted finite numbers;"]);
    }
}

#[test]
fn lengths_that_do_not_add_up_are_refused() {
    let lengths = vec![2, 3, 5];
    let parts = ["`lengths` add up to 10, wanted the 9 steps of `samples`", "len(s) for s in seqs"];
    refused_flat(Flat { lengths, ..flat() }, &parts);
}

#[test]
fn a_sequence_without_a_step_is_refused() {
    let lengths = vec![5, 0, 4];
    let parts = ["gives sequence 2 0 steps, wanted at least 1", "drop it before np.savez"];
    refused_flat(Flat { lengths, ..flat() }, &parts);
}

#[test]
fn a_split_of_another_size_is_refused() {
    let split = Some(vec![0, 1]);
    refused_flat(Flat { split, ..flat() }, &["`split` has 2 entries", "each of the 3 sequences"]);
}

#[test]
fn a_pen_that_is_neither_up_nor_down_is_refused() {
    let mut flat = flat();
    flat.samples[3 * 5 + 2] = 0.5;
    refused_flat(flat, &["sequence 3, step 1 has pen 0.5", "wants 0 or 1", "--preset series-tiny"]);
}

#[test]
fn data_with_another_number_of_channels_than_the_head_is_refused() {
    let lab = Lab::new();
    let two = Flat { channels: 2, samples: vec![0.5; 18], ..flat() };
    npz::write(lab.path("x.npz"), &two).unwrap();
    let said = lab.refused(&format!("train --data x.npz --out run {TINY}"));
    says(
        &said,
        &[
            "x.npz",
            "has D = 2 channels, head gmm of preset ink-tiny takes 3",
            "choose a preset for this data (series-tiny and series-small take real numbers of any width",
        ],
    );
    let said = lab.refused("train --preset speech-small --data x.npz --out run");
    says(&said, &["has D = 2 channels", "takes 200", "model.input"]);
    // A width that was set is held to; so is that of weights.
    let said = lab.refused("train --preset series-tiny --set model.input=4 --data x.npz --out run");
    says(&said, &["has D = 2 channels, head gmm of preset series-tiny takes 4"]);
    for preset in ["series-tiny", "speech-small"] {
        let said = lab.refused(&format!("train --preset {preset} --out run"));
        says(&said, &["the embedded handwriting: has D = 3 channels", "--data FILE.npz"]);
    }
}

#[test]
fn music_that_is_not_on_or_off_is_refused() {
    let lab = Lab::new();
    let loud = Flat { channels: 88, samples: vec![64.; 9 * 88], ..flat() };
    npz::write(lab.path("x.npz"), &loud).unwrap();
    let said = lab.refused("train --preset music-small --data x.npz --out run");
    says(&said, &["x.npz: sequence 1, step 1, channel 1 is 64", "wants 0 or 1", "samples > 0"]);
}

#[test]
fn data_without_a_split_is_refused_and_the_cure_that_is_named_cures() {
    let lab = Lab::new();
    npz::write(lab.path("x.npz"), &Flat { split: None, ..flat() }).unwrap();
    let train = format!("train --data x.npz --out run --steps 2 {TINY}");
    says(&lab.refused(&train), &["has no `split`", "--set data.split=all-train"]);
    says(&lab.refused(&format!("{train} --set data.split=most")), &["data.split cannot be `most`"]);
    lab.ok(&format!("{train} --set data.split=all-train"));
    says(&lab.refused("evaluate run"), &["has no sequence in split valid", "another --split"]);
    assert_eq!(lab.json("evaluate run --split train")[0]["sequences"], 3);
}

/// Every command that opens a run.
const OPENING: [&str; 5] = [
    "evaluate run",
    "sample run --out drawn",
    "inspect run",
    "export run --out x.safetensors",
    "train --resume run --steps 5",
];

#[track_caller]
fn refused_checkpoint(damage: impl Fn(&mut Vec<u8>), part: &str) {
    let lab = trained();
    for name in ["run/checkpoint/best.stcn", "run/checkpoint/latest.stcn"] {
        let mut bytes = lab.read(name);
        damage(&mut bytes);
        lab.write(name, bytes);
    }
    for words in OPENING {
        let said = lab.refused(words);
        says(&said, &["run/checkpoint/", ".stcn: ", part]);
    }
    says(&lab.refused("evaluate run/checkpoint/latest.stcn --data ink.npz"), &[part]);
}

#[test]
fn a_checkpoint_cut_short_is_refused() {
    refused_checkpoint(
        |bytes| bytes.truncate(bytes.len() - 10),
        "is cut short or damaged: take another copy",
    );
    refused_checkpoint(Vec::clear, "is empty, want an stcn checkpoint: take another copy");
}

#[test]
fn a_checkpoint_with_a_flipped_bit_is_refused_with_the_section_it_is_in() {
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    refused_checkpoint(flip, "is damaged in its section ");
}

#[test]
fn a_checkpoint_of_a_newer_format_asks_for_an_upgrade() {
    refused_checkpoint(
        |bytes| bytes[8] = 4,
        "written by a newer stcn (format 4; this one reads 3): upgrade",
    );
}

#[test]
fn a_place_without_a_run_is_refused() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("empty")).unwrap();
    for command in ["evaluate", "inspect", "train --resume"] {
        says(
            &lab.refused(&format!("{command} nowhere")),
            &["nowhere: is not there", "stcn train --out DIR"],
        );
        says(
            &lab.refused(&format!("{command} empty")),
            &["empty: holds no run", "stcn train --out"],
        );
    }
    says(
        &lab.refused("evaluate ink.npz"),
        &["ink.npz: is not an stcn checkpoint: name a run directory"],
    );
}

#[test]
fn a_config_file_that_is_wrong_is_refused_with_line_and_column() {
    let lab = Lab::new();
    let train = "train --data ink.npz --out run --config my.toml";
    says(&lab.refused(train), &["cannot read my.toml: there is no such file"]);
    lab.write("my.toml", "seed = 2\n[model]\nchanels = 3\n");
    says(
        &lab.refused(train),
        &["my.toml: line 3, column 1", "`model.chanels`", "`model.channels`"],
    );
    lab.write("my.toml", "seed = \n");
    says(&lab.refused(train), &["my.toml: line 1, column "]);
    lab.write("my.toml", "[model]\nchannels = \"many\"\n");
    says(&lab.refused(train), &["my.toml: line 2, column 1", "\"many\"", "a whole number"]);
}

#[test]
fn a_safetensors_file_that_is_none_of_ours_is_refused() {
    let lab = trained();
    let import = "import x.safetensors --out other";
    says(&lab.refused(import), &["cannot read x.safetensors: there is no such file"]);
    lab.write("x.safetensors", "no");
    says(&lab.refused(import), &["x.safetensors: is not a safetensors file"]);
    lab.ok("export run --out x.safetensors");
    let bytes = lab.read("x.safetensors");
    lab.write("x.safetensors", &bytes[..bytes.len() - 1]);
    says(&lab.refused(import), &["x.safetensors: is not a safetensors file"]);
    lab.ok("inspect run --dump x.safetensors");
    says(&lab.refused(import), &["no metadata key `stcn`", "want a file from `stcn export`"]);
}

#[test]
fn a_data_set_that_is_not_the_runs_own_is_refused_when_it_is_resumed() {
    let lab = trained();
    ink(13).save(lab.path("ink.npz")).unwrap();
    let parts =
        ["ink.npz: is not the data this run began with", "fingerprint", "give it back its file"];
    says(&lab.refused("train --resume run --steps 5"), &parts);
}
