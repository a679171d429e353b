//! The command line: what can be asked for, in words that a person can learn from.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) mod config_file;
mod content;
mod demo;
mod get;
pub(crate) mod line;
mod load;
mod origin;
pub(crate) mod output;
mod pages;
mod proxy;
mod request;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
pub(crate) mod value;
mod way;

pub(crate) use demo::DemoArgs;
pub(crate) use get::{Data, GetArgs, Output};
pub(crate) use load::LoadArgs;
pub(crate) use origin::{OriginArgs, TlsSource};
use pages::CompletionsArgs;
pub(crate) use tls::TlsArgs;
pub(crate) use way::WayArgs;

use crate::say;

/// HTTP through a connection pool: a client, a test origin and a demonstration.
#[derive(Debug, Parser)]
#[command(name = "regatta", version, after_help = ABOUT_EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const ABOUT_EXAMPLES: &str = "\
Start here:
  regatta demo                          watch the pool at work on loopback
  regatta get --timeline https://example.org/
                                        fetch a page and see where the time went
  regatta origin                        a server to try things on
Each command explains itself: regatta get --help";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch URLs; the options mean what they mean to curl.
    Get(Box<GetArgs>),
    /// Serve HTTP/1.1 and HTTP/2 on one port, to try clients on.
    Origin(Box<OriginArgs>),
    /// Print a script that completes regatta's options in a shell.
    Completions(CompletionsArgs),
    /// Print the man page, in roff.
    Man,
    /// Show what the pool does when addresses, servers and connections misbehave.
    Demo(DemoArgs),
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// `regatta get`: the parts between `--next`.
    Get(Vec<GetArgs>),
    /// `regatta origin`.
    Origin(Box<OriginArgs>),
    /// `regatta demo`.
    Demo(DemoArgs),
    /// A text for standard output.
    Text(Vec<u8>),
}

/// Why there is nothing to do.
#[derive(Debug)]
pub(crate) enum Unasked {
    /// What clap has to say: help, the version, or what it does not understand.
    Clap(Box<clap::Error>),
    /// What is wrong with the line of `regatta get`.
    Line(String),
    /// A file of options that cannot be read.
    File(String),
}

impl Unasked {
    /// Tells it, and ends with curl's code for wrong usage where it is wrong.
    pub(crate) fn end(&self) -> ExitCode {
        match self {
            Self::Clap(error) => {
                let _ = error.print();
                ExitCode::from(if error.use_stderr() { 2 } else { 0 })
            }
            Self::File(text) => {
                say::err(&format!("regatta: (26) {text}\n"));
                ExitCode::from(26)
            }
            Self::Line(text) => {
                say::err(&format!("regatta: (2) {text}; regatta get --help has the options\n"));
                ExitCode::from(2)
            }
        }
    }
}

impl From<String> for Unasked {
    fn from(text: String) -> Self {
        Self::Line(text)
    }
}

impl From<clap::Error> for Unasked {
    fn from(error: clap::Error) -> Self {
        Self::Clap(Box::new(error))
    }
}

/// Reads the program's arguments, its own name first.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Asked, Unasked> {
    let words: Vec<OsString> = words.into_iter().collect();
    if words.get(1).is_some_and(|word| word == "get") {
        let text = |word: &OsString| {
            let text = word.to_str().map(str::to_owned);
            text.ok_or_else(|| Unasked::Line(format!("{word:?} is not UTF-8")))
        };
        let rest = words.iter().skip(2).map(text).collect::<Result<Vec<_>, _>>()?;
        return get(&rest).map(Asked::Get);
    }
    match Cli::try_parse_from(words)?.command {
        Command::Get(args) => Ok(Asked::Get(vec![*args])),
        Command::Origin(args) => Ok(Asked::Origin(args)),
        Command::Demo(args) => Ok(Asked::Demo(args)),
        Command::Completions(args) => Ok(Asked::Text(pages::completions(args.shell))),
        Command::Man => Ok(Asked::Text(pages::man())),
    }
}

/// Reads what stands behind `regatta get`.
pub(crate) fn get(words: &[String]) -> Result<Vec<GetArgs>, Unasked> {
    let command = get_command();
    if words.is_empty() || words.iter().any(|word| matches!(word.as_str(), "-h" | "--help")) {
        let help = Cli::try_parse_from(["regatta", "get", "--help"]);
        return Err(match help {
            Err(help) if !words.is_empty() => help.into(),
            _ => Unasked::Line("there is no URL".to_owned()),
        });
    }
    let parts = line::read(&command, words)?;
    parts.into_iter().map(|part| one(command.clone(), &part)).collect()
}

/// What `regatta get` understands.
pub(crate) fn get_command() -> clap::Command {
    let mut cli = Cli::command();
    cli.build();
    let get = cli.find_subcommand("get").cloned().unwrap_or_default();
    get.args_override_self(true).no_binary_name(true)
}

fn one(command: clap::Command, tokens: &[line::Token]) -> Result<GetArgs, Unasked> {
    let words = tokens.iter().map(|token| match &token.value {
        Some(value) => format!("--{}={value}", token.name),
        None => format!("--{}", token.name),
    });
    let matches = command.try_get_matches_from(words)?;
    let mut args = GetArgs::from_arg_matches(&matches)?;
    args.order(tokens);
    if args.urls.is_empty() {
        return Err(Unasked::Line("there is no URL".to_owned()));
    }
    args.check().map_err(Unasked::Line)?;
    Ok(args)
}
