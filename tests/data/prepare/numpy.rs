//! Arrays that are not ours: words of every dtype, through an import, and numbers that do not fit their shape.

use super::deepwriting::{V1, V1_VALID, imported, words_of};
use super::pickle::fixture;
use stcn::internals::prepare::numpy::pickled_numbers;
use stcn::internals::prepare::pickle::Pickle;

#[test]
fn words_come_from_texts_bytes_numbers_and_objects() {
    let (_, _out, path) =
        imported(&[("deepwriting_training.npz", V1), ("deepwriting_validation.npz", V1_VALID)])
            .unwrap();
    let expected = [
        ("\"7\"", "\"a b\""),       // the first of an array, a text of Python
        ("\"ann\"", "\"naïve ½\""), // bytes
        ("\"12\"", "\"ὕλη\""),      // a number of Python
        ("\"3\"", "\"x\""),         // arrays of numbers and of texts
        ("\"4\"", "\"yé\""),
    ];
    assert_eq!(words_of(&path), expected.map(|(s, t)| format!("{s},{t}")));
}

#[test]
fn numbers_that_do_not_fill_their_shape_are_refused() {
    let good = fixture(V1, "strokes.npy");
    // The lengths (5, 3) of the first sequence, as two numbers in a tuple.
    let at = good.windows(5).position(|w| w == b"K\x05K\x03\x86").expect("a shape");
    for (five, three) in [(4, 3), (255, 3), (0, 3)] {
        let mut bytes = good.clone();
        (bytes[at + 1], bytes[at + 3]) = (five, three);
        let pickle = Pickle::read(bytes, usize::MAX).unwrap();
        let list = pickle.root().items().next().unwrap();
        let said = pickled_numbers(list.items().next().unwrap()).unwrap_err();
        assert_eq!(said, format!("an array of shape [{five}, {three}] with 60 bytes"));
    }
    let pickle = Pickle::read(b"\x80\x02K\x01.".to_vec(), usize::MAX).unwrap();
    assert_eq!(pickled_numbers(pickle.root()).unwrap_err(), "not an array");
}
