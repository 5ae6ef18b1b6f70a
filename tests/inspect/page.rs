use stcn::inspect::Drawing;
use stcn::inspect::{ink, roll, wave};
use stcn::internals::page::WIDTH;

#[test]
fn every_kind_of_picture_is_a_page_of_the_same_width_with_or_without_drawings() {
    let rows = [0., 1., 1., 1., 0., 1.];
    let drawing = [Drawing { rows: &rows, primed: 0 }];
    for drawings in [&drawing[..], &[]] {
        let pages = [ink::svg(drawings), roll::svg(drawings, 3), wave::svg(drawings, 3, 16_000)];
        for page in pages {
            assert!(page.starts_with(&format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\""
            )));
            assert!(page.ends_with("</svg>\n"));
            assert_eq!(page.contains("height=\"96\""), drawings.is_empty());
        }
    }
}
