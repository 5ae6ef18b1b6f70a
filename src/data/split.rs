//! [`Split`]: train, validation or test; [`MissingSplit`]: the rule for files without a `split` array.

use crate::choice::unknown;
use crate::error::{Error, Result};
use crate::noise::Noise;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One of the three splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// For learning parameters and normalisation.
    Train = 0,
    /// For choosing between models and checkpoints.
    Valid = 1,
    /// For reporting.
    Test = 2,
}

impl Split {
    /// All three, in the order of their numbers in a file: 0, 1, 2.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Split {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|split| split.name() == word)
            .ok_or_else(|| unknown("split", word, &Self::ALL.map(Self::name)))
    }
}

/// How to split a data set whose file has no `split`; there is no default.
///
/// Written `all-train`, `all-test` or `fractions:VALID,TEST,SEED`, in configs and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MissingSplit {
    /// Train on everything.
    AllTrain,
    /// Test on everything.
    AllTest,
    /// Random sequences for valid and test, the rest for train.
    Fractions {
        /// Fraction of the sequences for valid.
        valid: f64,
        /// Fraction for test.
        test: f64,
        /// Seed of the choice.
        seed: u64,
    },
}

impl fmt::Display for MissingSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllTrain => f.write_str("all-train"),
            Self::AllTest => f.write_str("all-test"),
            Self::Fractions { valid, test, seed } => write!(f, "fractions:{valid},{test},{seed}"),
        }
    }
}

impl FromStr for MissingSplit {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let fractions = || {
            let mut parts = word.strip_prefix("fractions:")?.split(',').map(str::trim);
            let valid: f64 = parts.next()?.parse().ok()?;
            let test: f64 = parts.next()?.parse().ok()?;
            let seed = parts.next()?.parse().ok()?;
            let possible = valid >= 0. && test >= 0. && valid + test < 1.;
            (possible && parts.next().is_none()).then_some(Self::Fractions { valid, test, seed })
        };
        match word {
            "all-train" => Some(Self::AllTrain),
            "all-test" => Some(Self::AllTest),
            _ => fractions(),
        }
        .ok_or_else(|| {
            Error::usage(format!(
                "data.split cannot be `{word}`, wanted all-train, all-test or \
                 fractions:VALID,TEST,SEED with fractions that leave something to train on, such as \
                 fractions:0.1,0.1,1"
            ))
        })
    }
}

impl TryFrom<String> for MissingSplit {
    type Error = Error;

    fn try_from(word: String) -> Result<Self> {
        word.parse()
    }
}

impl From<MissingSplit> for String {
    fn from(rule: MissingSplit) -> Self {
        rule.to_string()
    }
}

impl MissingSplit {
    /// The split of each of `sequences` sequences.
    pub(super) fn assign(self, sequences: usize) -> Vec<Split> {
        match self {
            Self::AllTrain => vec![Split::Train; sequences],
            Self::AllTest => vec![Split::Test; sequences],
            Self::Fractions { valid, test, seed } => {
                // Rounds half up; casting truncates.
                let share = |fraction: f64| (fraction * sequences as f64 + 0.5) as usize;
                let mut split = vec![Split::Train; sequences];
                let order = Noise::new(seed, "data").shuffle("split", sequences);
                for (rank, i) in order.into_iter().enumerate() {
                    if rank < share(test) {
                        split[i] = Split::Test;
                    } else if rank < share(test).saturating_add(share(valid)) {
                        split[i] = Split::Valid;
                    }
                }
                split
            }
        }
    }
}
