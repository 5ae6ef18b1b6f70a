use stcn::inspect::ink::svg;
use stcn::inspect::{Drawing, png};

#[test]
#[cfg(feature = "png")]
fn a_page_becomes_a_png_as_wide_as_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.png");
    png(&svg(&[Drawing { rows: &[3., 4., 0., 3., -4., 1.], primed: 0 }]), &path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(bytes[16..20], 1600u32.to_be_bytes());
}

#[test]
#[cfg(feature = "png")]
fn what_cannot_be_drawn_or_written_is_told() {
    let error = png("<svg", "x.png").unwrap_err().to_string();
    assert!(error.starts_with("cannot draw x.png: the SVG is invalid: "), "{error}");
    let page = svg(&[Drawing { rows: &[3., 4., 1.], primed: 0 }]);
    let error = png(&page, "/no/such/folder/x.png").unwrap_err().to_string();
    assert!(error.starts_with("cannot write /no/such/folder/x.png: "), "{error}");
}

#[test]
#[cfg(not(feature = "png"))]
fn without_the_feature_the_cure_is_told() {
    let page = svg(&[Drawing { rows: &[3., 4., 1.], primed: 0 }]);
    let error = png(&page, "x.png").unwrap_err().to_string();
    assert!(error.contains("built without the feature png; write .svg, or build with"), "{error}");
}
