//! Importers: small sets made here in the owners' layouts, hostile variants of them, the laws of their orders.

mod audio;
mod blizzard;
mod deepwriting;
mod folder;
mod header;
pub mod iam;
mod mat;
pub mod music;
mod numpy;
mod omniglot;
mod pattern;
mod pickle;
mod riff;
mod sphere;
mod streams;
mod strokes;
mod timit;
mod tree;
mod unipen;
mod unipen_format;
mod wav;
mod xml;

/// Every importer in a folder where a pipe stands for one of its files, which it would wait at for ever.
#[cfg(unix)]
#[test]
fn pipes_are_refused_where_files_are_expected() {
    use crate::common::recordings::{Folder, imported, ramp, sphere};
    use crate::common::{pipe, says};
    use crate::data::refusal;
    use stcn::data::MissingSplit;
    use stcn::internals::prepare::{audio, blizzard, deepwriting as prepared_ink, music as notes};
    use stcn::internals::prepare::{omniglot, pattern, timit as speech, unipen, wav};
    use std::path::Path;

    // Lists, lines and archives of IAM-OnDB.
    for name in
        ["task1/trainset.txt", "lineStrokes/a01/a01-000/a01-000u-09.xml", "ascii-all.tar.gz"]
    {
        let mut files = iam::database();
        files.retain(|file| {
            file.0 != name && !file.0.starts_with(name.trim_end_matches("-all.tar.gz"))
        });
        let dir = iam::unpacked(&files);
        pipe(&dir.path().join(name));
        let said =
            refusal(iam::imported(dir.path(), stcn::internals::prepare::iam::Protocol::Vrnn));
        says(&said, &[&format!("{name}: is not a file, want ")]);
    }
    // Recordings, and the list of those that validate.
    let utterance = || sphere(&ramp(0, 16_000));
    let folder =
        Folder::new(&[("TRAIN/DR1/A/1.WAV", utterance()), ("TEST/DR1/A/1.WAV", utterance())]);
    let list = pipe(&folder.path("valid.txt"));
    let lists = |split| speech::Options { segment: 40, streams: None, split };
    let prepared = |options: &speech::Options| {
        refusal(imported(200, &speech::COLUMNS, |writer, progress| {
            speech::import(&folder.path(""), options, writer, progress)
        }))
    };
    let named = speech::Lists { valid: list, train: None, test: None };
    says(&prepared(&lists(speech::Rule::Lists(named))), &["valid.txt: is not a file, want a list"]);
    pipe(&folder.path("TRAIN/DR1/A/2.WAV"));
    says(&prepared(&lists(speech::Rule::Speakers)), &["2.WAV: is not a file, want a recording"]);
    let options = wav::Options {
        rate: Some(16_000),
        frame: 200,
        split: pattern::Rule::Fractions(MissingSplit::AllTrain),
    };
    let said = refusal(imported(200, &wav::COLUMNS, |writer, progress| {
        wav::import(&folder.path(""), &options, writer, progress)
    }));
    says(&said, &["2.WAV: is not a file, want a recording"]);
    let options = blizzard::Options { block: 1, streams: 1 };
    let said = refusal(imported(200, &[], |writer, progress| {
        blizzard::import(&folder.path(""), &options, writer, progress)
    }));
    says(&said, &["2.WAV: is not a file, want a recording"]);
    let raw = pipe(&folder.path("a.raw"));
    says(&refusal(audio::Audio::open_raw(&raw)), &["a.raw: is not a file, want a recording"]);
    // Music, and either file of DeepWriting.
    let refused = |path: &Path| {
        refusal(imported(88, &[], |writer, progress| notes::import(path, writer, progress)))
    };
    says(&refused(&pipe(&folder.path("notes.json"))), &["notes.json: is not a file, want music"]);
    for part in ["training", "validation"] {
        let pair = [("training", deepwriting::V1), ("validation", deepwriting::V1_VALID)];
        let name = |part| format!("deepwriting_{part}.npz");
        let other = pair.iter().find(|(other, _)| *other != part).unwrap();
        let folder = Folder::new(&[(&name(other.0), other.1.to_vec())]);
        pipe(&folder.path(&name(part)));
        let said = refusal(imported(3, &prepared_ink::COLUMNS, |writer, progress| {
            prepared_ink::import(&folder.path(""), None, writer, progress)
        }));
        says(&said, &[&format!("{}: is not a file, want an .npz", name(part))]);
    }
    // A file of UNIPEN and one that it includes; a drawing and a zip file of Omniglot.
    for name in ["data/8/aaa/a.dat", "include/ink"] {
        let folder = Folder::new(&[("data/8/aaa/b.dat", b".INCLUDE ink\n".to_vec())]);
        folder.write("include/other", "");
        pipe(&folder.path(name));
        let said = refusal(imported(3, &unipen::COLUMNS, |writer, progress| {
            unipen::import(&folder.path(""), &unipen::Options::default(), writer, progress)
        }));
        says(&said, &[&format!("{name}: is not a file, want a file of UNIPEN's release")]);
    }
    for name in ["Latin/character01/0001_01.txt", "strokes_background_small1.zip"] {
        let folder = Folder::new(&[("Latin/character01/0001_02.txt", b"START\nBREAK\n".to_vec())]);
        pipe(&folder.path(name));
        let said = refusal(imported(3, &omniglot::COLUMNS, |writer, progress| {
            omniglot::import(&folder.path(""), None, writer, progress)
        }));
        says(&said, &[&format!("{name}: is not a file, want ")]);
    }
}
