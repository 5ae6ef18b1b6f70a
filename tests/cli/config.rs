use super::trained;
use crate::common::{Lab, says};

#[test]
fn a_name_that_is_unknown_is_refused_with_the_nearest() {
    let lab = Lab::new();
    for command in ["train --out run", "bench step", "bench generate"] {
        let said = |words: &str| lab.refused(&format!("{command} {words}"));
        let parts = ["unknown preset `ink-smal`: did you mean `ink-small`", "music-small"];
        says(&said("--preset ink-smal"), &parts);
        says(&said("--model stcn-dens"), &["unknown model `stcn-dens`: did you mean `stcn-dense`"]);
        says(&said("--head gm"), &["unknown head `gm`: did you mean `gmm`"]);
        let parts = ["stcn-dense has no key `model.chanels`: did you mean `model.channels`?"];
        says(&said("--set model.chanels=3"), &parts);
        // A key of another model, with the nearest that this one has.
        let parts = ["rnn has no key `model.blocks_per_latent`: `stcn list --model rnn` shows all"];
        says(&said("--model rnn --set model.blocks_per_latent=24"), &parts);
        says(&said("--model rnn --set model.channels=24"), &["`stcn list --model rnn` shows all"]);
        says(&said("--set batch=3"), &["unknown key `batch`: did you mean `train.batch`?"]);
        says(&said("--set model.decoder=gate"), &["model.decoder", "did you mean `gated`"]);
    }
}

#[test]
fn a_value_that_is_impossible_is_refused_with_its_key_and_a_cure() {
    let lab = Lab::new();
    let said = |words: &str| lab.refused(&format!("train --out run {words}"));
    says(&said("--set model.channels"), &["`model.channels`: want key=value"]);
    says(&said("--set model.channels=many"), &["model.channels is \"many\"", "a whole number"]);
    says(&said("--set model.channels=0"), &["model.channels is 0"]);
    says(&said("--set model.latents=[]"), &["model.latents is empty", "such as [32"]);
    says(&said("--set train.lr=nan"), &["train.lr is NaN", "above 0"]);
    says(&said("--set train.batch=0"), &["train.batch is 0"]);
    says(&said("--head bernoulli"), &["head bernoulli", "choose head"]);
    let large = "9223372036854775808";
    let parts = [&format!("is {large}: choose one up to 9223372036854775807")[..]];
    says(&said(&format!("--seed {large}")), &parts);
    says(&said(&format!("--steps {large}")), &parts);
    says(&trained().refused(&format!("train --resume run --steps {large}")), &parts);
}
