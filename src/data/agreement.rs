//! The arrays of a data set, and checks that they agree in size.
//!
//! Each error says what was found, what was wanted, and the cure. Not here: reading the arrays (`npz`), building a
//! [`super::DataSet`] from them (`set`).

use std::ops::RangeInclusive;

/// A data set as the arrays of its file; nothing is checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Flat<S = Vec<f32>> {
    /// D, the second axis of `samples`.
    pub channels: usize,
    /// All sequences, concatenated: `[total, D]`.
    pub samples: S,
    /// Length of each sequence.
    pub lengths: Vec<i64>,
    /// 0 train, 1 valid, 2 test; `None` if the file has no `split`.
    pub split: Option<Vec<i8>>,
    /// Samples of sound per second; `None` if the file has no `rate`.
    pub rate: Option<i64>,
}

impl Flat<()> {
    /// The same with its samples.
    pub(super) fn with<S>(self, samples: S) -> Flat<S> {
        let Self { channels, lengths, split, rate, .. } = self;
        Flat { channels, samples, lengths, split, rate }
    }
}

/// Samples per second that sound may have.
pub const RATES: RangeInclusive<u32> = 1000..=768_000;

/// Refuses a `rate` that no sound has.
pub(super) fn check_rate(rate: i64) -> Result<u32, String> {
    let known = u32::try_from(rate).ok().filter(|rate| RATES.contains(rate));
    known.ok_or_else(|| {
        let (least, most) = (RATES.start(), RATES.end());
        format!(
            "`rate` is {rate}, wanted samples of sound per second, {least} to {most}; correct it, or leave it out if the \
             data are not sound"
        )
    })
}

/// Refuses `samples` without channels.
pub(super) fn check_channels(channels: usize) -> Result<(), String> {
    match channels {
        0 => Err("`samples` has 0 channels, wanted at least 1; write it with two axes".into()),
        _ => Ok(()),
    }
}

/// The offset of each sequence in `samples`, and their end; an error unless the lengths add up to all of `samples`.
pub(super) fn offsets(
    lengths: &[i64],
    channels: usize,
    numbers: usize,
) -> Result<Vec<usize>, String> {
    if lengths.is_empty() {
        return Err(
            "`lengths` is empty, wanted at least one sequence; write at least one sequence".into(),
        );
    }
    if let Some(i) = lengths.iter().position(|&length| length < 1) {
        return Err(format!(
            "`lengths` gives sequence {} {} steps, wanted at least 1; drop it before \
             np.savez",
            i + 1,
            lengths[i]
        ));
    }
    // Cannot overflow: each length is below 2⁶³, and fewer than 2⁶⁴ fit in memory.
    let sum = lengths.iter().map(|&length| length.unsigned_abs() as u128).sum::<u128>();
    let total = numbers / channels;
    if sum != total as u128 {
        return Err(format!(
            "`lengths` add up to {sum}, wanted the {total} steps of `samples`; write \
             lengths=np.array([len(s) for s in seqs], '<i8')"
        ));
    }
    let ends = lengths.iter().scan(0, |end, &length| {
        *end += length as usize * channels; // at most `numbers`, by the check above
        Some(*end)
    });
    Ok(std::iter::once(0).chain(ends).collect())
}

/// Refuses a `split` without exactly one entry per sequence.
pub(super) fn check_count(found: usize, sequences: usize) -> Result<(), String> {
    match found == sequences {
        true => Ok(()),
        false => Err(format!(
            "`split` has {found} entries, wanted one for each of the {sequences} sequences; write \
             split=np.array(split, 'i1')"
        )),
    }
}
