//! Rows of strokes, by hand.

use stcn::internals::prepare::strokes::rows;

#[test]
fn rows_are_offsets_with_the_pen_lifted_at_the_end_of_each_stroke() {
    // Two points, none, one point, and a pen that stands still.
    let strokes: [&[[f32; 2]]; 4] =
        [&[[10., 20.], [12., 21.]], &[], &[[30., 5.]], &[[31., 4.], [31., 4.]]];
    let expected = [2., 1., 1., 18., -16., 1., 1., -1., 0., 0., 0., 1.];
    assert_eq!(rows(strokes), expected);
    assert_eq!(rows([&[[1., 2.]][..]]), [0.; 0], "one point is no step");
    assert_eq!(rows([]), [0.; 0]);
}
