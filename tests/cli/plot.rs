use super::{TINY, trained};
use crate::common::says;

#[test]
fn runs_are_drawn_over_each_other() {
    let lab = trained();
    lab.ok(&format!("train --data ink.npz --out other --steps 4 --set train.eval_every=1 {TINY}"));
    lab.ok("plot run other --out curves.svg");
    let text = String::from_utf8(lab.read("curves.svg")).unwrap();
    says(&text, &["<svg", ">run<", ">other<", ">loss<"]); // the first was checked once
    lab.ok("plot other --column valid_elbo_seq --column kl.1 --out two.svg");
    let text = String::from_utf8(lab.read("two.svg")).unwrap();
    says(&text, &[">valid_elbo_seq<", ">kl.1<"]);
    assert_eq!(text.matches("<polyline").count(), 2);
    says(
        &lab.refused("plot run --column los --out a.svg"),
        &["has no column `los`", "did you mean `loss`?"],
    );
    lab.ok("plot run other --out curves.png");
    assert!(lab.read("curves.png").starts_with(b"\x89PNG"));
    says(&lab.refused("plot run --out a.pdf"), &["want a name that ends in .svg or .png"]);
    says(&lab.refused("plot nothing --out a.svg"), &["is not there"]);
    assert!(!lab.path("a.svg").exists());
}
