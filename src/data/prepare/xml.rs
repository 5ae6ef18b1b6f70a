//! Parses small XML files, after checking limits that keep parsing fast.
//!
//! The parser compares every pair of attributes of an element, and copies all namespaces into each child element that
//! declares one: both take quadratic time on a hostile file. A single pass over the text first refuses what exceeds
//! the limits. Not here: what elements mean ([`super::iam`]).

use roxmltree::{Document, ParsingOptions};

/// The most bytes of a file; its tree takes up to 150 times as many.
pub const LONGEST: usize = 1 << 20;
/// The deepest nesting of elements.
const DEEPEST: usize = 64;
/// The most attributes of an element.
const MOST_ATTRIBUTES: usize = 64;
/// The most namespaces of a file.
const MOST_NAMESPACES: usize = 64;

/// Parses `text`; an error is a short phrase that says what is wrong.
pub fn parse(text: &str) -> Result<Document<'_>, String> {
    check_limits(text)?;
    // Without document types there are no entities that expand. The parser does not recurse.
    let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|e| e.to_string())
}

/// Checks the limits; malformed text is left to the parser to refuse.
fn check_limits(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("more than {LONGEST} bytes"));
    }
    let (mut rest, mut depth, mut namespaces) = (text, 0_usize, 0);
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let Some(end) = markup_end(rest) else { break };
        let tag = &rest[..end];
        rest = &rest[end..];
        if tag.starts_with("<!") || tag.starts_with("<?") {
            continue;
        }
        namespaces += tag.matches("xmlns").count();
        if tag.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with("/>") {
            depth += 1;
        }
        if depth > DEEPEST {
            return Err(format!("elements nested more than {DEEPEST} deep"));
        }
        if namespaces > MOST_NAMESPACES {
            return Err(format!("more than {MOST_NAMESPACES} namespaces"));
        }
        if unquoted(tag).filter(|&(_, byte)| byte == b'=').count() > MOST_ATTRIBUTES {
            return Err(format!("an element with more than {MOST_ATTRIBUTES} attributes"));
        }
    }
    Ok(())
}

/// The end of the tag, comment or other markup that begins with this `<`.
fn markup_end(text: &str) -> Option<usize> {
    for (begin, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(inside) = text.strip_prefix(begin) {
            return Some(begin.len() + inside.find(end)? + end.len());
        }
    }
    unquoted(text).find(|&(_, byte)| byte == b'>').map(|(at, _)| at + 1)
}

/// The bytes outside quotes, with their positions.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut quote = None;
    text.bytes().enumerate().filter(move |&(_, byte)| match quote {
        Some(open) => {
            quote = quote.filter(|_| byte != open);
            false
        }
        None => {
            quote = Some(byte).filter(|byte| matches!(byte, b'"' | b'\''));
            quote.is_none()
        }
    })
}
