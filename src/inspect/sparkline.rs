//! A curve in a word: one character for the mean of some numbers in a row.

use crate::kernel::reduce::ends;
use std::fmt::{self, Write};

/// The most characters.
const MOST: usize = 16;

/// Heights, the lowest first, and the same where there is only ASCII.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ',', '-', '~', '=', '+', '#'];

/// Numbers as they come, all of them over the whole width. When it is full, every two characters become one, so that a
/// long run takes no more memory than a short one. Displayed between its lowest and its highest mean.
#[derive(Clone, Debug)]
pub struct Sparkline {
    heights: [char; 8],
    /// Means of `each` numbers in a row.
    means: Vec<f64>,
    each: u64,
    /// Sum and count of those that are not yet as many.
    last: (f64, u64),
}

impl Sparkline {
    /// Of no numbers yet.
    pub fn new(utf8: bool) -> Self {
        Self { heights: if utf8 { BLOCKS } else { ASCII }, means: vec![], each: 1, last: (0., 0) }
    }

    /// The next number.
    pub fn push(&mut self, x: f64) {
        self.last = (self.last.0 + x, self.last.1 + 1);
        if self.last.1 < self.each {
            return;
        }
        self.means.push(self.last.0 / self.each as f64);
        self.last = (0., 0);
        if self.means.len() == MOST {
            self.means = self.means.chunks(2).map(|pair| (pair[0] + pair[1]) / 2.).collect();
            self.each *= 2;
        }
    }
}

impl fmt::Display for Sparkline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, most] = ends(self.means.iter().copied());
        self.means.iter().try_for_each(|mean| {
            let share = (mean - least) / (most - least); // NaN where all are the same: the lowest
            f.write_char(self.heights[((8. * share) as usize).min(7)])
        })
    }
}
