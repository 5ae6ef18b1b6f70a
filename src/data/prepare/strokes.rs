//! From the points of pen strokes to the rows of a data set.
//!
//! Not here: how files hold points ([`super::unipen_format`], [`super::omniglot`]), and lines of IAM-OnDB, whose
//! integers are kept small ([`super::iam`]).

/// The largest coordinate, up to which differences of integers are exact in f32; tablets have some ten thousand units.
pub const FURTHEST: f32 = 16_777_216.;

/// The rows (dx, dy, pen) of strokes, the pen 1 on the last point of each; the first point has no row.   (steps, 3)
///
/// A stroke without points ends where the one before it did.
pub fn rows<'a>(strokes: impl IntoIterator<Item = &'a [[f32; 2]]>) -> Vec<f32> {
    let (mut rows, mut last) = (vec![], None);
    for stroke in strokes {
        for (i, point) in stroke.iter().enumerate() {
            if let Some([x, y]) = last.replace(*point) {
                let pen = if i + 1 == stroke.len() { 1. } else { 0. };
                rows.extend([point[0] - x, point[1] - y, pen]);
            }
        }
    }
    rows
}
