//! The `stcn` command line with one more model in it.

use std::process::ExitCode;

fn main() -> ExitCode {
    stcn::cli::main(&outsider::registry())
}
