//! Without f64 there is nothing to check, and it says what to do.

use crate::common::{Lab, says};

#[cfg(not(feature = "f64"))]
#[test]
fn in_f32_it_refuses_with_the_command_that_works() {
    let lab = Lab::new();
    for words in ["gradcheck", "gradcheck --model stcn --head gmm --json"] {
        let said = lab.refused(words);
        says(&said, &["computes in f32", "`cargo run --release --features f64 -- gradcheck`"]);
    }
}

#[test]
fn an_unknown_model_or_head_is_refused_first() {
    let lab = Lab::new();
    says(&lab.refused("gradcheck --model wavenets"), &["did you mean `wavenet`"]);
    says(&lab.refused("gradcheck --head bi-gmm"), &["did you mean `bigmm`"]);
}
