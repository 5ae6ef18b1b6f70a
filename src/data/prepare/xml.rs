//! Small XML files as trees, looked through before they are parsed.
//!
//! The parser compares each attribute of an element with all others, and hands down every namespace to each
//! element within that has one of its own: both take time in the square of a hostile file's size. A look at
//! the bytes, once over, refuses what no file of strokes has. Not here: what elements mean ([`super::iam`]).

use roxmltree::{Document, ParsingOptions};

/// Bytes of a file; the tree takes up to 150 times as many.
pub const LONGEST: usize = 1 << 20;
/// Elements in each other.
const DEEPEST: usize = 64;
/// Attributes of one element.
const MOST_ATTRIBUTES: usize = 64;
/// Namespaces of the whole file.
const MOST_NAMESPACES: usize = 64;

/// The tree; the error says in a few words what is wrong, or too much.
pub fn parse(text: &str) -> Result<Document<'_>, String> {
    look(text)?;
    // No document types, so no entities that grow; elements are read without recursion.
    let options = ParsingOptions { allow_dtd: false, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|e| e.to_string())
}

/// What is cut short or malformed is left to the parser, which stops there.
fn look(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("more than {LONGEST} bytes"));
    }
    let (mut rest, mut depth, mut namespaces) = (text, 0_usize, 0);
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let Some(end) = end(rest) else { break };
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
            return Err(format!("elements more than {DEEPEST} deep in each other"));
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

/// Where the tag, the comment or whatever else begins with this `<` ends.
fn end(text: &str) -> Option<usize> {
    for (begin, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(inside) = text.strip_prefix(begin) {
            return Some(begin.len() + inside.find(end)? + end.len());
        }
    }
    unquoted(text).find(|&(_, byte)| byte == b'>').map(|(at, _)| at + 1)
}

/// The bytes that stand outside quotes, each with its place.
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
