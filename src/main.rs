//! Parse, run, print the error, exit code.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = stcn::cli::Args::parse();
    match stcn::cli::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(e.exit_code())
        }
    }
}
