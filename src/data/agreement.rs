//! Whether the arrays of a data set agree in size; each error says what was found, wanted and the cure.
//!
//! Not here: reading them (`npz`), what is made of them (`set`).

/// Refuses `samples` without channels.
pub(super) fn check_channels(channels: usize) -> Result<(), String> {
    match channels {
        0 => {
            Err("`samples` has 0 channels, wanted at least 1; keep its second axis when writing"
                .into())
        }
        _ => Ok(()),
    }
}

/// Where each sequence begins in the flat numbers, and the end; refused unless `lengths` fill them exactly.
pub(super) fn offsets(
    lengths: &[i64],
    channels: usize,
    numbers: usize,
) -> Result<Vec<usize>, String> {
    if lengths.is_empty() {
        return Err("`lengths` is empty, wanted at least one sequence; put data into it".into());
    }
    if let Some(i) = lengths.iter().position(|&length| length < 1) {
        return Err(format!(
            "`lengths` gives sequence {} {} steps, wanted at least 1; drop the sequence before \
             np.savez",
            i + 1,
            lengths[i]
        ));
    }
    // No number of lengths below 2⁶³ that fits into memory overflows 128 bits.
    let sum = lengths.iter().map(|&length| length.unsigned_abs() as u128).sum::<u128>();
    let total = numbers / channels;
    if sum != total as u128 {
        return Err(format!(
            "`lengths` add up to {sum}, wanted the {total} steps of `samples`; write \
             lengths=np.array([len(s) for s in seqs], '<i8')"
        ));
    }
    let ends = lengths.iter().scan(0, |end, &length| {
        *end += length as usize * channels; // at most `numbers`, as the sum has shown
        Some(*end)
    });
    Ok(std::iter::once(0).chain(ends).collect())
}

/// Refuses a `split` that has not one entry for each sequence.
pub(super) fn check_count(found: usize, sequences: usize) -> Result<(), String> {
    match found == sequences {
        true => Ok(()),
        false => Err(format!(
            "`split` has {found} entries, wanted one for each of the {sequences} sequences; write \
             split=np.array(split, 'i1')"
        )),
    }
}
