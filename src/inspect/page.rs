//! What all pictures share: the page, its colours, and the sequences that are drawn on it.
//!
//! Nothing but shapes, so that any viewer shows the same. Not here: what a sequence looks like (`ink`,
//! `roll`, `series`, `wave`), pixels (`png`), words around a picture.

/// One sequence to draw.
#[derive(Clone, Copy, Debug)]
pub struct Drawing<'a> {
    /// (T, D) row-major, in raw units.
    pub rows: &'a [f32],
    /// How many rows at the beginning were given to the model; they have another colour than those it generated.
    pub primed: usize,
}

/// Width of a page, in pixels.
pub const WIDTH: f64 = 1600.;
pub(super) const MARGIN: f64 = 48.;
/// Between two drawings.
pub(super) const GAP: f64 = 36.;
pub(super) const INK: &str = "#1c2a4a";
pub(super) const PRIMED: &str = "#c2582b";
/// Grid lines.
pub(super) const FAINT: &str = "#dde2ea";

/// The SVG file of a page: `body` on white. `next` is where another drawing would begin.
pub(super) fn page(body: &str, next: f64) -> String {
    let height = if next > MARGIN { (next - GAP + MARGIN).ceil() } else { 2. * MARGIN };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         {body}</svg>\n"
    )
}

/// NaN and infinities count as 0.
pub(super) fn finite(x: f32) -> f64 {
    if x.is_finite() { f64::from(x) } else { 0. }
}
