use stcn::internals::jacobian::formulas::{Formula, GATED, GRU, LSTM_C, LSTM_H, OPEN, POINTWISE};

#[test]
fn every_formula_tells_each_of_its_numbers_and_is_a_function_of_them_alone() {
    let pointwise = POINTWISE.iter().map(|(.., formula)| formula);
    let others = [&GATED[..], &LSTM_C, &LSTM_H, &GRU, std::slice::from_ref(&OPEN)];
    let all: Vec<&Formula> = pointwise.chain(others.into_iter().flatten()).collect();
    for Formula { text, names, script, .. } in all {
        for name in *names {
            assert!(text.contains(&format!("{{{name}}}")), "{name} in {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
        // Words of the script: numbers, steps on the way, and what the page defines.
        let words = script.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
        let mut steps = vec![];
        let mut before = "";
        for word in words.filter(|word| !word.is_empty()) {
            if before == "const" {
                steps.push(word);
            }
            let known = names.contains(&word) || steps.contains(&word);
            let of_the_page = ["const", "return", "tanh", "sigmoid", "positive"].contains(&word);
            let number = word.trim_end_matches('.').parse::<f64>().is_ok();
            assert!(known || of_the_page || number, "{word} in {script}");
            before = word;
        }
    }
}
