use super::report::line;
use super::saved;
use serde_json::json;
use stcn::internals::suite::page::page;
use stcn::internals::suite::report::Report;

#[test]
fn the_page_has_every_row_and_reaches_for_nothing() {
    let objective = saved(&[("bound", json!("objective")), ("kl", json!([1., 2.]))]);
    let lines = vec![
        line("<plain>", vec![saved(&[])]),
        line("other", vec![objective]),
        line("not run", vec![]),
    ];
    let page = page(&Report::of("A & B".into(), "valid".into(), lines));
    for wanted in [
        "<title>A &amp; B</title>",
        "&lt;plain&gt;",
        "<s title=\"no bound\">3.0</s>",
        "<title>z.2: 2.0</title>",
    ] {
        assert!(page.contains(wanted), "{wanted} in: {page}");
    }
    assert!(!page.contains("<plain>"));
    let page = page.replace("http://www.w3.org/2000/svg", ""); // a name, which nothing is fetched from
    for outside in ["http:", "https:", "<script", "<link", "url("] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
}
