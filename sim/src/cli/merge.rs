//! `regatta-sim merge`: sweeps over parts of the seeds become one.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use super::summary::Summary;

/// Arguments of a merge.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files that `--json` wrote.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Writes the whole as JSON as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Prints the whole and judges it as if it had been one sweep.
pub(crate) fn run(args: &Args) -> ExitCode {
    match merged(&args.files) {
        Ok(summary) => finish(&summary, args.json.as_ref()),
        Err(error) => super::fail(&error),
    }
}

fn merged(files: &[PathBuf]) -> Result<Summary, String> {
    let mut whole = Summary::default();
    for file in files {
        let say = |error: String| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| say(error.to_string()))?;
        for part in Summary::from_text(&text).map_err(say)?.parts {
            whole.add(part).map_err(say)?;
        }
    }
    Ok(whole)
}

/// Prints a summary, writes it down if asked to, and gives its exit code.
pub(crate) fn finish(summary: &Summary, json: Option<&PathBuf>) -> ExitCode {
    for part in &summary.parts {
        part.print();
    }
    if let Some(file) = json
        && let Err(error) = fs::write(file, summary.to_text())
    {
        return super::fail(&format!("{} cannot be written: {error}", file.display()));
    }
    ExitCode::from(summary.code())
}
