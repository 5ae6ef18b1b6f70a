//! The `stcn` command line, with the models of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    stcn::cli::main(&stcn::models::Registry::default())
}
