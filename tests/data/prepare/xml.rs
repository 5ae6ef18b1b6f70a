//! Small XML files: what a hostile one can cost, and that a look before parsing refuses nothing that is well made.

use crate::common::says;
use stcn::internals::prepare::xml::parse;

fn refused(text: &str) -> String {
    parse(text).map(drop).unwrap_err()
}

/// `n` attributes, each with its own name.
fn attributes(n: usize, name: &str) -> String {
    (0..n).map(|i| format!(" {name}{i}='u:{i}'")).collect()
}

#[test]
fn what_would_take_the_parser_minutes_is_refused_before_it_begins() {
    // Each of these took a minute and more for 100 kB.
    let many = "an element with more than 64 attributes";
    says(&refused(&format!("<a{}/>", attributes(8000, "b"))), &[many]);
    says(&refused(&format!("<a><a{}/>", attributes(65, "b"))), &[many]);
    let names = "more than 64 namespaces";
    says(
        &refused(&format!("<a{}>{}</a>", attributes(65, "xmlns:b"), "<c/>".repeat(20_000))),
        &[names],
    );
    let nested: String = (0..8000).map(|i| format!("<a xmlns:b{i}='u:{i}'>")).collect();
    says(&refused(&nested), &["elements nested more than 64 deep"]);
    let nested: String = (0..8000).map(|i| format!("<a xmlns:b{i}='' xmlns:c{i}=''>")).collect();
    says(&refused(&nested), &[names]);
    let beside: String = (0..8000).map(|i| format!("<a xmlns:b{i}='u:{i}'/>")).collect();
    says(&refused(&format!("<c>{beside}</c>")), &[names]);
    says(&refused(&"<a>".repeat(100_000)), &["elements nested more than 64 deep"]);
    says(&refused(&"<a/>".repeat(300_000)), &["more than 1048576 bytes"]);
}

#[test]
fn what_stands_in_comments_quotes_and_sections_is_no_element() {
    let equals = "=".repeat(100);
    let text = format!(
        "<?xml version='1.0'?><!-- <a {equals} --><a b='{equals}' c=\"'>'\" xmlns:d='e'>\
         <![CDATA[{}]]><f/>{equals}<?g <h>?></a>",
        "<a>".repeat(100)
    );
    let tree = parse(&text).unwrap();
    let element = tree.root_element();
    assert_eq!(element.attribute("c"), Some("'>'"));
    assert_eq!(element.children().filter(|node| node.is_element()).count(), 1);
    // As deep and with as many of each as is allowed, one after another.
    let deep = format!("{}{}", "<a>".repeat(63), "</a>".repeat(63));
    let most = format!("<a{}/>", attributes(64, "b"));
    let text =
        format!("<r{}>{}</r>", attributes(63, "xmlns:n"), format!("{deep}{most}").repeat(50));
    assert_eq!(parse(&text).unwrap().root_element().children().count(), 100);
}

#[test]
fn what_is_cut_short_or_malformed_is_left_to_the_parser() {
    for text in [
        "",
        "<",
        "<a",
        "<a b='",
        "<!-- ",
        "<![CDATA[",
        "<?x",
        "<a></b>",
        "</a>",
        "<a b=>",
        "<a><b></a>",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    says(&refused("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), &["DTD"]);
}
