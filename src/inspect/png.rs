//! PNG of our SVG, by `resvg`; the feature `png`, on unless switched off.

use crate::{Error, Result};
use std::path::Path;

/// Renders `svg` at its own size and writes it to `path`.
#[cfg(feature = "png")]
pub fn png(svg: &str, path: impl AsRef<Path>) -> Result<()> {
    use resvg::{tiny_skia, usvg};
    let path = path.as_ref();
    let refused = |what: String| Error::usage(format!("cannot draw {}: {what}", path.display()));
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default());
    let tree = tree.map_err(|e| refused(format!("the SVG is invalid: {e}")))?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    let pixels = tiny_skia::Pixmap::new(width, height);
    let mut pixels = pixels.ok_or_else(|| {
        refused(format!("{width} × {height} pixels are too many; draw fewer lines"))
    })?;
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    let bytes = pixels.encode_png().map_err(|e| refused(e.to_string()))?;
    crate::file::write_whole(path, |file| std::io::Write::write_all(file, &bytes))
}

/// Says that this program was built without the feature `png`.
#[cfg(not(feature = "png"))]
pub fn png(_svg: &str, path: impl AsRef<Path>) -> Result<()> {
    Err(Error::usage(format!(
        "cannot draw {}: this program was built without the feature png; write .svg, or build with \
         `--features png`",
        path.as_ref().display()
    )))
}
