//! `stcn plot`: curves of the metrics of one run or several, as a picture.

use super::check_extension;
use crate::error::{Error, Result, near};
use crate::file::write_whole;
use crate::inspect::png;
use crate::train::RunDir;
use crate::train::curves::{Curve, Letters, svg};
use crate::train::metrics::{Row, points, table};
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;

/// Draw curves of metrics.csv as SVG or PNG, several runs over each other
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn plot runs/a runs/b --out curves.svg\n  \
    stcn plot runs/a --column loss --column kl.1 --column grad_norm --out curves.png")]
pub(super) struct Args {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// A column of metrics.csv; can be repeated, for one chart each [default: valid_elbo_seq, or loss if nothing was checked]
    #[arg(long, value_name = "NAME")]
    column: Vec<String>,
    /// The picture
    #[arg(long, value_name = "FILE.svg|.png")]
    out: PathBuf,
}

pub(super) fn run(args: Args) -> Result<()> {
    check_extension("out", &args.out, &["svg", "png"])?;
    let tables: Vec<(Vec<String>, Vec<Row>)> =
        args.runs.iter().map(|run| table(&RunDir::open(run)?.metrics())).collect::<Result<_>>()?;
    let points =
        |(names, rows): &(Vec<String>, Vec<Row>), column: &str| points(names, rows, column);
    let mut columns = args.column.clone();
    if columns.is_empty() {
        let checked =
            |table| points(table, "valid_elbo_seq").is_some_and(|points| points.len() > 1);
        columns.push(if tables.iter().all(checked) { "valid_elbo_seq" } else { "loss" }.into());
    }
    let mut charts = vec![];
    for column in columns {
        let mut curves = vec![];
        for (group, (run, table)) in args.runs.iter().zip(&tables).enumerate() {
            let Some(points) = points(table, &column) else {
                let cure = match near(&column, table.0.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("want one of {}", table.0.join(", ")),
                };
                return Err(Error::usage(format!(
                    "{} has no column `{column}`: {cure}",
                    run.join("metrics.csv").display()
                )));
            };
            curves.push(Curve { name: run.display().to_string(), group, points });
        }
        charts.push((column, curves));
    }
    if args.out.extension().is_some_and(|extension| extension == "png") {
        png::png(&svg(&charts, "update", Letters::Lines), &args.out)?;
    } else {
        let text = svg(&charts, "update", Letters::Font);
        write_whole(&args.out, |file| file.write_all(text.as_bytes()))?;
    }
    println!("{}", args.out.display());
    Ok(())
}
