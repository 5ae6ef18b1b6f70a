//! What the book promises of itself: chapters in order, quotes that are still in the source, answers that are shown as
//! they were run, pictures as a program draws them.

mod figures;
mod results;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of the book and its text.
fn chapters() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root().join("src/book")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    files.iter().map(|path| (name(path), read(path))).collect()
}

/// The blocks of code of a chapter: what stands behind the fence, and the lines.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks = vec![];
    let mut open: Option<(&str, Vec<&str>)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind, vec![])),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => (),
        }
    }
    blocks
}

/// Quotes that are not in the file they name. A quote is a block whose first line is `// src/…`; its other lines
/// stand in the file in this order, and `// …` leaves something out.
fn misquoted(chapter: &str, source: impl Fn(&str) -> String) -> Vec<String> {
    let mut found = vec![];
    for (_, lines) in blocks(chapter) {
        let Some(file) = lines.first().and_then(|line| line.strip_prefix("// src/")) else {
            continue;
        };
        let source = source(&format!("src/{file}"));
        let mut rest = source.lines().map(str::trim);
        for line in lines[1..].iter().map(|line| line.trim()) {
            let gap = line.is_empty() || line == "// …";
            if !gap && !rest.any(|known| known == line) {
                found.push(format!("src/{file} has no line `{line}`, or not in this place"));
                break;
            }
        }
    }
    found
}

/// Exercises whose folded answer is not what the hidden lines of the test above it say.
fn unlike_its_test(chapter: &str) -> Vec<String> {
    let Some((_, exercises)) = chapter.split_once("## Exercises\n") else { return vec![] };
    let blocks = blocks(exercises);
    let mut found = vec![];
    for (number, pair) in blocks.chunks(2).enumerate() {
        let hidden = |line: &&&str| line.starts_with("# ") || **line == "#";
        let answer = |line: &&str| line.get(2..).unwrap_or("").to_string();
        let mut run: Vec<String> = pair[0].1.iter().filter(hidden).map(answer).collect();
        while run.last().is_some_and(String::is_empty) {
            run.pop();
        }
        if run.is_empty() || pair.get(1).is_none_or(|shown| shown.1 != run) {
            found.push(format!("exercise {}", number + 1));
        }
    }
    found
}

#[test]
fn every_quote_is_still_in_the_source() {
    let mut quotes = 0;
    for (name, text) in chapters() {
        let source = |path: &str| read(&root().join(path));
        assert_eq!(misquoted(&text, source), [""; 0], "src/book/{name}");
        quotes += text.matches("\n// src/").count();
    }
    assert!(quotes > 0, "no chapter quotes the source any more");
}

#[test]
fn a_quote_that_has_changed_is_found() {
    let source = |_: &str| "fn f() {\n    a();\n    b();\n}\n".to_string();
    let quote =
        |code: &str| misquoted(&format!("```rust,ignore\n// src/f.rs\n{code}\n```\n"), source);
    assert_eq!(quote("a();\nb();"), [""; 0]);
    assert_eq!(quote("fn f() {\n// …\n    b();"), [""; 0]);
    assert_eq!(quote("a(1);"), ["src/f.rs has no line `a(1);`, or not in this place"]);
    assert_eq!(quote("b();\na();"), ["src/f.rs has no line `a();`, or not in this place"]);
}

#[test]
fn each_chapter_ends_with_three_exercises_whose_answers_were_run() {
    let front = read(&root().join("src/book/mod.rs"));
    for (name, text) in chapters() {
        if text.contains("## Exercises\n") {
            assert_eq!(text.matches("<summary>Answer</summary>").count(), 3, "src/book/{name}");
            assert_eq!(unlike_its_test(&text), [""; 0], "src/book/{name}");
        }
        assert!(front.contains(&format!("include_str!(\"{name}\")")), "{name} is not in the book");
    }
}

/// What is out of order among the chapters that the front page lists: titles, numbers, exercises, the way on.
fn disordered(front: &str, text: impl Fn(&str) -> String) -> Vec<String> {
    let row = |line: &str| {
        let (number, rest) = line.strip_prefix("//! | ")?.split_once(" | [")?;
        let (title, rest) = rest.split_once("](")?;
        let (module, _) = rest.split_once(')')?;
        Some((number.parse::<usize>().ok()?, title.to_string(), module.to_string()))
    };
    let listed: Vec<_> = front.lines().filter_map(row).collect();
    let mut found = vec![];
    for (i, (number, title, module)) in listed.iter().enumerate() {
        let (before, _) = front.split_once(&format!("pub mod {module} {{}}")).unwrap_or_default();
        let before = before.rsplit("pub mod ").next().unwrap_or_default();
        let files = before.split("include_str!(\"").skip(1).filter_map(|s| s.split('"').next());
        let chapter: String = files.filter(|name| name.ends_with(".md")).map(&text).collect();
        let mut wants = vec![format!("# {number}. {title}\n"), "## Exercises\n".to_string()];
        if let Some((_, title, module)) = listed.get(i + 1) {
            wants.push(format!("Next: [{}. {title}](crate::book::{module})", number + 1));
        }
        let missing = wants.iter().filter(|want| !chapter.contains(*want));
        found.extend(missing.map(|want| format!("{module}: no {}", want.trim_end())));
        if *number != i + 1 {
            found.push(format!("{module}: number {number}, not {}", i + 1));
        }
    }
    found
}

#[test]
fn the_front_page_lists_twelve_chapters_in_the_order_in_which_they_lead_on() {
    let front = read(&root().join("src/book/mod.rs"));
    let text = |name: &str| read(&root().join("src/book").join(name));
    assert_eq!(disordered(&front, text), [""; 0]);
    assert_eq!(front.matches("\n//! | 12 | [").count(), 1);
}

#[test]
fn a_chapter_out_of_order_is_found() {
    let front = "//! | 1 | [A](a) | |\n//! | 2 | [B](b) | |\n\n#[doc = include_str!(\"a.md\")]\npub mod a {}\n\n\
                 #[doc = include_str!(\"b.md\")]\npub mod b {}\n";
    let text = |a: &'static str, b: &'static str| {
        move |name: &str| if name == "a.md" { a.to_string() } else { b.to_string() }
    };
    let (a, b) = ("# 1. A\n## Exercises\nNext: [2. B](crate::book::b)\n", "# 2. B\n## Exercises\n");
    assert_eq!(disordered(front, text(a, b)), [""; 0]);
    assert_eq!(disordered(front, text(a, "# 3. B\n## Exercises\n")), ["b: no # 2. B"]);
    assert_eq!(disordered(front, text("# 1. A\n## Exercises\n", b)).len(), 1);
    assert_eq!(
        disordered(&front.replace("| 2 |", "| 3 |"), text(a, "# 3. B\n## Exercises\n")),
        ["b: number 3, not 2"]
    );
}

#[test]
fn an_answer_that_was_not_run_is_found() {
    let exercise = |answer: &str| {
        let test = "```\n# fn f() {}\n#\nf();\n```\n";
        unlike_its_test(&format!("## Exercises\n{test}\n```\n{answer}\n```\n"))
    };
    assert_eq!(exercise("fn f() {}"), [""; 0]);
    assert_eq!(exercise("fn f() { g() }"), ["exercise 1"]);
    assert_eq!(unlike_its_test("## Exercises\n```\nf();\n```\n"), ["exercise 1"]);
}
