//! Lists of notes as JSON, parsed as a stream: memory holds the rows of one piece.
//!
//! Not here: what becomes of the rows ([`super`]).

use super::{KEYS, MOST_STEPS, REST};
use crate::data::Split;
use crate::error::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Read;
use std::path::Path;

const WANTED: &str = "want {\"train\": [...], \"valid\": [...], \"test\": [...]}, each a list of pieces, \
                      a piece a list of steps, a step a list of MIDI notes, such as [[60, 64], [60]]";

/// The MIDI note of the lowest key.
const LOWEST: f32 = 21.;

/// Calls `found` with the rows and split of each piece; `input` is for error messages.
pub(super) fn each(
    input: &Path,
    text: impl Read,
    found: &mut dyn FnMut(&[f32], Split) -> Result<()>,
) -> Result<()> {
    let (split, rows) = (Split::Train, vec![]);
    let mut reader = Reader { input, found, split, piece: 0, rows, error: None };
    let mut json = serde_json::Deserializer::from_reader(text);
    let read = At { reader: &mut reader, level: Level::Splits }.deserialize(&mut json);
    match (reader.error, read.and_then(|()| json.end())) {
        (Some(error), _) => Err(error),
        (None, Err(e)) if e.is_io() => Err(Error::read(input)(e.into())),
        (None, Err(e)) => {
            let what = format!("is not the expected JSON ({e}): {WANTED}");
            Err(Error::invalid(input, what))
        }
        (None, Ok(())) => Ok(()),
    }
}

/// The state of the parser.
struct Reader<'a> {
    input: &'a Path,
    found: &'a mut dyn FnMut(&[f32], Split) -> Result<()>,
    split: Split,
    /// The current piece, counted from 1.
    piece: usize,
    /// Rows of the piece so far: 1 for every sounding note, even if several voices share it.
    rows: Vec<f32>,
    /// The error that stopped it, if not a JSON error.
    error: Option<Error>,
}

impl Reader<'_> {
    fn step(&self) -> usize {
        self.rows.len() / KEYS
    }

    /// Records an error about the current piece; returns one that stops the parser.
    fn wrong<E: serde::de::Error>(&mut self, what: String) -> E {
        let what = format!("piece {} of {}{what}", self.piece, self.split);
        self.error = Some(Error::invalid(self.input, what));
        E::custom("stopped")
    }

    fn begin_step<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.step() == MOST_STEPS {
            return Err(self.wrong(format!(
                " has more than {MOST_STEPS} steps, which is the limit: split the piece"
            )));
        }
        self.rows.resize(self.rows.len() + KEYS, 0.);
        Ok(())
    }

    fn sound<E: serde::de::Error>(&mut self, note: f32) -> Result<(), E> {
        let key = note - LOWEST;
        if note == REST {
            return Ok(());
        }
        if !(0. ..KEYS as f32).contains(&key) || key.fract() != 0. {
            let (step, highest) = (self.step(), LOWEST + (KEYS - 1) as f32);
            return Err(self.wrong(format!(
                ", step {step} has note {note}, want integers from {LOWEST} to {highest} (-1: a \
                 rest): transpose it by octaves, or drop it"
            )));
        }
        let begin = self.rows.len() - KEYS;
        self.rows[begin + key as usize] = 1.;
        Ok(())
    }

    fn end_piece<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.rows.is_empty() {
            let what = " has no steps, want at least one: drop the piece".to_string();
            return Err(self.wrong(what));
        }
        (self.found)(&self.rows, self.split).map_err(|error| {
            self.error = Some(error);
            E::custom("stopped")
        })
    }
}

/// The nesting level.
#[derive(Clone, Copy)]
enum Level {
    Splits,
    Split,
    Piece,
    Step,
}

struct At<'r, 'a> {
    reader: &'r mut Reader<'a>,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.level {
            Level::Splits => json.deserialize_map(self),
            _ => json.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self.level {
            Level::Splits => "an object of splits",
            Level::Split => "a list of pieces",
            Level::Piece => "a list of steps",
            Level::Step => "a list of notes",
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut splits: A) -> Result<(), A::Error> {
        const NAMES: [&str; 3] = ["train", "valid", "test"];
        let mut seen = [false; 3];
        while let Some(name) = splits.next_key::<String>()? {
            let unknown = || A::Error::unknown_field(&name, &NAMES);
            let split = NAMES.iter().position(|known| *known == name).ok_or_else(unknown)?;
            if std::mem::replace(&mut seen[split], true) {
                return Err(A::Error::duplicate_field(NAMES[split]));
            }
            (self.reader.split, self.reader.piece) = (Split::ALL[split], 0);
            splits.next_value_seed(At { reader: self.reader, level: Level::Split })?;
        }
        match seen.iter().position(|seen| !seen) {
            None => Ok(()),
            Some(split) => Err(A::Error::missing_field(NAMES[split])),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { reader, level } = self;
        match level {
            Level::Splits => {}
            Level::Split => {
                while list.next_element_seed(At { reader, level: Level::Piece })?.is_some() {}
            }
            Level::Piece => {
                reader.piece += 1;
                reader.rows.clear();
                while list.next_element_seed(At { reader, level: Level::Step })?.is_some() {}
                reader.end_piece()?;
            }
            Level::Step => {
                reader.begin_step()?;
                while let Some(note) = list.next_element()? {
                    reader.sound(note)?;
                }
            }
        }
        Ok(())
    }
}
