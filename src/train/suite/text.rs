//! A report as Markdown and as CSV.

use super::Suite;
use super::report::{Controls, Line, Mean, Report};
use crate::file::in_shell;
use std::fmt::Write;
use std::path::Path;

/// What stands under every table.
pub const LEGEND: &str = "Nats per sequence of normalised data, higher is better; ± is the standard error over seeds. A value that is struck \
    out is no bound: a latent is drawn more than once and its KL counted once, or probabilities are floored. \"Bound that holds\" is \
    the highest of ELBO, IWAE and FIVO. The difference is against the first row, on the same sequences, with an interval of 95 % \
    (bootstrap over sequences). An empty cell was not run.";

/// `1234.5 ± 1.2`
pub fn number(mean: Mean) -> String {
    match mean.se {
        Some(se) => format!("{:.1} ± {se:.1}", mean.mean),
        None => format!("{:.1}", mean.mean),
    }
}

/// The cells of a row, each with the title of its column.
pub type Cells = [(&'static str, String); 10];

/// Those of a row.
pub fn cells(line: &Line) -> Cells {
    let kl: Vec<String> = line.kl.iter().map(|kl| format!("{kl:.1}")).collect();
    let mut updates: Vec<u64> = line.found.iter().map(|found| found.updates).collect();
    updates.sort();
    updates.dedup();
    let updates: Vec<String> = updates.iter().map(u64::to_string).collect();
    let held = line.held.as_ref();
    let difference =
        line.difference.map(|[mean, low, high]| format!("{mean:+.1} ({low:+.1} to {high:+.1})"));
    let paper = line.paper.map(|paper| match line.note.as_str() {
        "" => format!("{paper}"),
        note => format!("{paper} ({note})"),
    });
    [
        ("model", line.name.clone()),
        ("parameters", line.params.to_string()),
        ("of them to generate", line.generating.to_string()),
        ("seeds", format!("{} of {}", line.found.len(), line.wanted)),
        ("updates", updates.join(", ")),
        ("as training reports it", line.value.map_or(String::new(), number)),
        (
            "bound that holds",
            held.map_or(String::new(), |(name, seq, _)| format!("{} ({name})", number(*seq))),
        ),
        ("difference", difference.unwrap_or_default()),
        ("KL of z.1, z.2, …", kl.join(", ")),
        ("paper", paper.unwrap_or_default()),
    ]
}

/// A table of the report, for any kind of text.
pub struct Table {
    /// Of its columns; the first has the names of the rows.
    pub titles: Vec<&'static str>,
    /// Each with its place among the rows of the report.
    pub rows: Vec<(usize, Vec<Cell>)>,
}

/// A cell of a table.
pub struct Cell {
    /// What it says.
    pub text: String,
    /// Whether it is struck out, being no bound.
    pub is_struck: bool,
}

/// The rows of the report. Columns that are empty in all rows are left out.
pub fn table(report: &Report) -> Table {
    let all: Vec<Cells> = report.lines.iter().map(cells).collect();
    let columns = all.first().map_or(0, |cells| cells.len());
    let shown = (0..columns).filter(|&i| all.iter().any(|cells| !cells[i].1.is_empty()));
    let shown: Vec<usize> = shown.collect();
    let titles = shown.iter().map(|&i| all[0][i].0).collect();
    let row = |(n, cells): (usize, &Cells)| {
        let cell = |&i: &usize| {
            let (title, text) = cells[i].clone();
            let is_struck = title == STRUCK && !report.lines[n].holds && !text.is_empty();
            Cell { text, is_struck }
        };
        (n, shown.iter().map(cell).collect())
    };
    Table { titles, rows: all.iter().enumerate().map(row).collect() }
}

/// Which of the cells is struck out where the value is no bound.
const STRUCK: &str = "as training reports it";

/// What stands under the table of controls.
pub const CONTROLS: &str = "What the output reads from the latents, nats per sequence, mean over seeds: ln p(x|z) with z drawn from the posterior \
    and from the prior; the bound by K draws from the prior needs no posterior; a latent taken from another step of its \
    sequence costs nothing if the output does not read it (one with a KL of 0 may be read too: its prior tells of the past). One shared draw: the bounds with the same parameters if every latent \
    is drawn once, where training drew it several times.";

/// The rows that have controls; `None` if there are none.
pub fn controls(report: &Report) -> Option<Table> {
    let all = report.lines.iter().enumerate();
    let all: Vec<(usize, [(&'static str, String); 6])> =
        all.filter_map(|(n, line)| Some((n, control_cells(line)?))).collect();
    let titles = all.first()?.1.iter().map(|(title, _)| *title).collect();
    let cell = |(_, text)| Cell { text, is_struck: false };
    let rows = all.into_iter().map(|(n, cells)| (n, cells.into_iter().map(cell).collect()));
    Some(Table { titles, rows: rows.collect() })
}

fn control_cells(line: &Line) -> Option<[(&'static str, String); 6]> {
    let Controls { posterior, prior, by_prior: (by_prior, k), shuffled, one_draw } =
        line.controls.as_ref()?;
    let lost: Vec<String> =
        shuffled.iter().map(|x| format!("{:+.1}", x - posterior.mean)).collect();
    let one_draw = one_draw.iter().zip(["ELBO", "IWAE"]);
    let one_draw =
        one_draw.filter_map(|(value, what)| Some(format!("{what} {}", number((*value)?))));
    Some([
        ("model", line.name.clone()),
        ("ln p(x|z), z from the posterior", number(*posterior)),
        ("z from the prior", number(*prior)),
        ("bound by the prior", format!("{} (K = {k})", number(*by_prior))),
        ("with z.1, z.2, … of another step", lost.join(", ")),
        ("one shared draw", one_draw.collect::<Vec<_>>().join(", ")),
    ])
}

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("# {}\n\n{}", report.about, table(report).markdown());
    write!(text, "\nThe {} part. {LEGEND}\n", report.split).expect("to a String");
    if let Some(controls) = controls(report) {
        text += &format!("\n{}\n{CONTROLS}\n", controls.markdown());
    }
    text
}

impl Table {
    fn markdown(&self) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escaped = |text: &str| text.replace('|', "\\|");
        let cell = |Cell { text, is_struck }: &Cell| match is_struck {
            true => format!("~~{}~~", escaped(text)),
            false => escaped(text),
        };
        let mut text = row(self.titles.iter().map(|title| escaped(title)).collect());
        text += &row(self.titles.iter().map(|_| "---".to_string()).collect());
        for (_, cells) in &self.rows {
            text += &row(cells.iter().map(cell).collect());
        }
        text
    }
}

/// A row of the report a line, every number in full.
pub fn csv(report: &Report) -> String {
    let mut text = "row,model,head,params,generating,seeds,wanted,value_seq,value_se,value_step,bits_per_dim,value_is_bound,bound,\
                    bound_seq,bound_se,bound_step,difference,low,high,kl,paper,note\n"
        .to_string();
    for line in &report.lines {
        let full = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let held = line.held.as_ref();
        let [difference, low, high] = [0, 1, 2].map(|i| full(line.difference.map(|d| d[i])));
        let kl: Vec<String> = line.kl.iter().map(f64::to_string).collect();
        let cells = [
            line.name.clone(),
            line.model.clone(),
            line.head.clone(),
            line.params.to_string(),
            line.generating.to_string(),
            line.found.len().to_string(),
            line.wanted.to_string(),
            full(line.value.map(|value| value.mean)),
            full(line.value.and_then(|value| value.se)),
            full(line.step.map(|step| step.mean)),
            full(line.bits.map(|bits| bits.mean)),
            if line.value.is_some() { line.holds.to_string() } else { String::new() },
            held.map_or(String::new(), |(name, ..)| name.clone()),
            full(held.map(|(_, seq, _)| seq.mean)),
            full(held.and_then(|(_, seq, _)| seq.se)),
            full(held.map(|(.., step)| step.mean)),
            difference,
            low,
            high,
            kl.join(" "),
            full(line.paper),
            line.note.clone(),
        ];
        text += &(cells.map(|cell| quoted(&cell)).join(",") + "\n");
    }
    text
}

/// A run a line: its numbers, the hash of its checkpoint, and the commands that make it again.
pub fn runs_csv(report: &Report, suite: &Suite) -> String {
    let mut text = "run,row,seed,updates,step,checkpoint_sha256,fingerprint,elbo_seq,iwae_seq,fivo_seq,kl,posterior_log_px_seq,prior_log_px_seq,prior_seq,\
                    shuffled_log_px_seq,one_draw_elbo_seq,one_draw_iwae_seq,train,evaluate\n".to_string();
    for (line, row) in report.lines.iter().zip(&suite.rows) {
        for found in &line.found {
            let Some(run) = row.runs.iter().find(|run| run.name == found.name) else { continue };
            let root = Path::new(&run.name);
            let full = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
            let saved = &found.saved;
            let control = saved.controls.as_ref();
            let several = |xs: &[f64]| xs.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
            let cells = [
                found.name.clone(),
                line.name.clone(),
                found.seed.to_string(),
                found.updates.to_string(),
                saved.step.to_string(),
                saved.checkpoint_sha256.clone(),
                saved.fingerprint.clone(),
                full(Some(saved.elbo_seq)),
                full(saved.iwae_seq),
                full(saved.fivo_seq),
                several(&saved.kl),
                full(control.map(|one| one.posterior_log_px_seq)),
                full(control.map(|one| one.prior_log_px_seq)),
                full(control.map(|one| one.prior_seq)),
                several(control.map_or(&[], |one| &one.shuffled_log_px_seq)),
                full(control.and_then(|one| one.one_draw_elbo_seq)),
                full(control.and_then(|one| one.one_draw_iwae_seq)),
                command(&suite.train_args(run, root, None)),
                command(&suite.evaluate_args(run, root)),
            ];
            text += &(cells.map(|cell| quoted(&cell)).join(",") + "\n");
        }
    }
    text
}

/// `stcn` with arguments, as a shell reads it.
pub fn command(args: &[String]) -> String {
    let word = |word: &String| match word.strip_prefix("--") {
        Some(flag) => format!("--{}", in_shell(Path::new(flag))),
        None => in_shell(Path::new(word)),
    };
    let words: Vec<String> = args.iter().map(word).collect();
    format!("stcn {}", words.join(" "))
}

/// A cell of a CSV file, in quotes if it needs them (RFC 4180).
fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.into(),
    }
}
