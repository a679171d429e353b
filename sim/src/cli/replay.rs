//! `regatta-sim replay`: a journal of production, run again.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use regatta_core::journal::{Failure, Replay, Summary};

/// Nothing could be compared.
const UNREADABLE: u8 = 2;
/// Something else is decided now.
const DIFFERENT: u8 = 3;

/// How much is read in one go.
const PIECE: usize = 64 << 10;

/// Arguments of a replay.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// What `regatta get --record FILE` or a client's recording wrote; - is standard input
    #[arg(value_name = "FILE")]
    journal: PathBuf,
}

const EXIT_CODES: &str = "\
Exit codes: 0 every action is the same, 2 the journal cannot be read (its line and field are
named), 3 something else is decided now (the first action that differs is named).";

pub(crate) fn run(args: &Args) -> ExitCode {
    let path = &args.journal;
    match read(path) {
        Err(error) => {
            eprintln!("regatta-sim: cannot read {}: {error}", path.display());
            ExitCode::from(UNREADABLE)
        }
        Ok(Ok(summary)) => {
            println!("{}: {summary}", path.display());
            ExitCode::SUCCESS
        }
        Ok(Err(Failure::Different(difference))) => {
            println!("{}: {difference}", path.display());
            ExitCode::from(DIFFERENT)
        }
        Ok(Err(Failure::Unreadable(error))) => {
            eprintln!("regatta-sim: {}: {error}", path.display());
            ExitCode::from(UNREADABLE)
        }
    }
}

fn read(path: &Path) -> io::Result<Result<Summary, Failure>> {
    let mut from: Box<dyn Read> = match path.as_os_str().to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path)?),
    };
    let mut replay = Replay::new();
    let mut piece = vec![0; PIECE];
    loop {
        let many = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            many => many?,
        };
        if many == 0 {
            return Ok(replay.finish());
        }
        if let Err(failure) = replay.push(piece.get(..many).unwrap_or_default()) {
            return Ok(Err(failure));
        }
    }
}
