//! `shuffledet completions`: scripts that complete the command line in a shell.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Status, terminal};

#[derive(Debug, Args)]
#[command(after_help = "\
Bash, for one user: shuffledet completions bash > ~/.local/share/bash-completion/completions/shuffledet
Zsh: write to the file _shuffledet in a folder of $fpath. Fish: ~/.config/fish/completions/shuffledet.fish.")]
pub struct CompletionsArgs {
    /// The shell to complete in
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> anyhow::Result<Status> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "shuffledet", &mut script);
    terminal::stdout().write_all(&script)?;
    Ok(Status::Success)
}
