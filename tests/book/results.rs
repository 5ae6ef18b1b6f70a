//! Every number in a table of README and of the chapters with results is in `data/results`, in a line that has the commands.

use super::{read, root};
use std::path::{Path, PathBuf};

/// The rows of the tables in `text`: what a row is called, and its numbers as they are written.
///
/// A row is called as its first cell, or as the one above it; a second cell that is no number is part of the name.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let (mut rows, mut code, mut above, mut carried) = (vec![], false, "", "");
    for line in text.lines() {
        code ^= line.starts_with("```");
        let table = line.starts_with('|') && !code;
        if table && above.starts_with('|') && !line.starts_with("|---") {
            let cells: Vec<&str> =
                line.trim_matches('|').split('|').map(|cell| cell.trim()).collect();
            carried = if cells[0].is_empty() { carried } else { cells[0] };
            let two = !cells[1].is_empty() && !cells[1].contains(|c: char| c.is_ascii_digit());
            let name = if two { format!("{carried} / {}", cells[1]) } else { carried.to_string() };
            let found = cells[1..].iter().flat_map(|cell| numbers(cell)).collect::<Vec<_>>();
            rows.push((name, found));
        }
        above = line;
    }
    rows
}

/// The numbers in a text, without separators of thousands, signs as in a program.
fn numbers(text: &str) -> Vec<String> {
    let text = text.replace('−', "-").replace(['+', ','], "");
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    words.filter(|word| word.parse::<f64>().is_ok()).map(String::from).collect()
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// A line of a CSV of results.
struct Line {
    file: PathBuf,
    row: String,
    fields: Vec<(String, String)>,
}

impl Line {
    /// The commands that made it.
    fn commands(&self) -> Vec<&str> {
        let is_command = |field: &&(String, String)| field.1.starts_with("stcn ");
        self.fields.iter().filter(is_command).map(|field| field.1.as_str()).collect()
    }

    /// Whether a number as written is one of its numbers, rounded.
    fn has(&self, written: &str) -> bool {
        let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let is_result = |field: &&(String, String)| {
            !field.1.starts_with("stcn ")
                && !["row", "date", "cpu", "version"].contains(&field.0.as_str())
        };
        let of = self.fields.iter().filter(is_result);
        let mut of = of.flat_map(|field| field.1.split_whitespace());
        of.any(|word| word.parse().is_ok_and(|x: f64| format!("{x:.decimals$}") == written))
    }
}

fn lines(folder: &Path) -> Vec<Line> {
    let mut found = vec![];
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        if file.is_dir() {
            found.extend(lines(&file));
        } else if file.extension().is_some_and(|e| e == "csv") {
            let text = read(&file);
            let mut all = text.lines().map(fields);
            let head = all.next().unwrap();
            let at = head.iter().position(|name| name == "row").expect("a column `row`");
            for fields in all {
                assert_eq!(fields.len(), head.len(), "{}: {fields:?}", file.display());
                let (row, fields) =
                    (fields[at].clone(), head.iter().cloned().zip(fields).collect());
                found.push(Line { file: file.clone(), row, fields });
            }
        }
    }
    found
}

#[test]
fn every_number_of_a_table_is_in_a_line_of_csv_that_has_its_commands() {
    let lines = lines(&root().join("data/results"));
    // A row of a suite that has not been run yet has no value.
    let value = |line: &Line| line.fields.iter().find(|(name, _)| name == "value_seq").cloned();
    let run = |line: &&Line| value(line).is_none_or(|(_, value)| !value.is_empty());
    for line in lines.iter().filter(run) {
        // The report of a suite has the commands beside it.
        let folder = line.file.parent();
        let same = |of: &&Line| of.file.parent() == folder && of.row == line.row;
        let commands = lines.iter().filter(same).flat_map(Line::commands).count();
        assert!(commands > 0, "{}: {}: by which command?", line.file.display(), line.row);
    }
    let readme = read(&root().join("README.md"));
    let readme = &readme[readme.find("\n## Results").unwrap()..readme.find("\n## Limits").unwrap()];
    let mut checked = 0;
    let chapter = |name: &str| read(&root().join("src/book").join(name));
    for (file, text) in [
        ("README.md", readme),
        ("results.md", &chapter("results.md")),
        ("two-draws.md", &chapter("two-draws.md")),
    ] {
        for (name, numbers) in rows(text) {
            let of: Vec<_> = lines.iter().filter(|line| line.row == name).collect();
            assert!(!of.is_empty() || numbers.is_empty(), "{file}: {name}: in no CSV");
            // In one file: all numbers of a row are of the same run.
            let missing = of.iter().map(|line| {
                let own = |of: &&&Line| of.file.parent() == line.file.parent();
                let all: Vec<_> = of.iter().filter(own).collect();
                numbers.iter().filter(|x| !all.iter().any(|line| line.has(x))).collect::<Vec<_>>()
            });
            let least = missing.min_by_key(Vec::len).unwrap_or_default();
            assert!(least.is_empty(), "{file}: {name}: {least:?} are in no line of data/results");
            checked += numbers.len();
        }
    }
    assert!(checked > 200, "{checked} numbers: the tables are read");
}

#[test]
fn a_number_that_is_not_in_the_csv_is_found() {
    let text = "|a|b|c|\n|---|---|---|\n| x, y | 1,024 | −2.5 ± 0.13 ³ |\n| | yes | 7 |\n";
    let found = [
        ("x, y".to_string(), vec!["1024".to_string(), "-2.5".into(), "0.13".into()]),
        ("x, y / yes".to_string(), vec!["7".to_string()]),
    ];
    assert_eq!(rows(text), found);
    let line = Line {
        file: PathBuf::new(),
        row: "x, y".into(),
        fields: ["1024", "-2.5049 0.0", "stcn train --steps 99"]
            .map(|x| (String::new(), x.to_string()))
            .to_vec(),
    };
    assert_eq!(
        ["1024", "-2.50", "-2.5", "0", "-2.6", "1025", "99"].map(|x| line.has(x)),
        [true, true, true, true, false, false, false]
    );
    assert_eq!(line.commands(), ["stcn train --steps 99"]);
    assert_eq!(fields("a,\"b, c\",,d"), ["a", "b, c", "", "d"]);
}
