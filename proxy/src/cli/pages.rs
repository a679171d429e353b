//! What is made of the command line's own description: shell completions and the man page.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

#[derive(Args, Clone, Debug)]
pub(crate) struct CompletionsArgs {
    /// Which shell; save the script where the shell looks for such, or source it
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// The script for a shell.
pub(super) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "regatta", &mut script);
    script
}

/// One man page with all commands in it.
pub(super) fn man() -> Vec<u8> {
    let mut cli = Cli::command();
    cli.build();
    let mut page = Vec::new();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(cli.clone()).render(&mut page);
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name().to_uppercase();
        page.extend_from_slice(format!(".SH REGATTA {name}\n").as_bytes());
        let man = clap_mangen::Man::new(command.clone());
        let _ = man.render_description_section(&mut page);
        let _ = man.render_options_section(&mut page);
        let _ = man.render_extra_section(&mut page);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_every_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(completions(shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                    let Some(long) = arg.get_long() else { continue };
                    assert!(script.contains(long), "{shell} does not know --{long}");
                }
            }
        }
    }

    #[test]
    fn the_man_page_has_every_command_and_option() {
        let page = String::from_utf8(man()).unwrap();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name().to_uppercase();
            assert!(page.contains(&format!("\n.SH REGATTA {name}\n")), "{name} is not in it");
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let Some(long) = arg.get_long() else { continue };
                let long = long.replace('-', "\\-");
                assert!(page.contains(&format!("\\-\\-{long}")), "--{long} is not in it");
            }
        }
    }
}
