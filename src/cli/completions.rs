//! `stcn completions` and `stcn man`: what a shell and `man` know of the commands, from the arguments themselves.

use crate::error::{Error, Result};
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print a script that completes commands and flags in a shell
#[derive(Parser)]
#[command(
    after_help = "Example:\n  stcn completions bash > ~/.local/share/bash-completion/completions/stcn\n  \
    stcn completions zsh > \"${fpath[1]}/_stcn\"\n  stcn completions fish > ~/.config/fish/completions/stcn.fish"
)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Write manual pages: stcn.1, stcn-train.1 and so on
#[derive(Parser)]
#[command(after_help = "Example:\n  stcn man --out ~/.local/share/man/man1 && man stcn-train")]
pub(super) struct Man {
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn completions(args: Completions) -> Result<()> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut super::Args::command(), "stcn", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(())
}

pub(super) fn man(args: Man) -> Result<()> {
    std::fs::create_dir_all(&args.out).map_err(Error::write(&args.out))?;
    clap_mangen::generate_to(super::Args::command(), &args.out).map_err(Error::write(&args.out))?;
    println!("{}", args.out.display());
    Ok(())
}
