//! Where bodies go: files by `-o` and `-O`, else standard output.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, Stdout};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::exit_code::{Exit, Failure};
use super::url::Url;
use crate::cli::GetArgs;

/// Where one URL's body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// This file, made anew.
    File(PathBuf),
}

/// The destination of each of `urls`: the `-o` in order, then `-O` or standard output.
pub(crate) fn destinations(args: &GetArgs, urls: &[Url]) -> Result<Vec<Destination>, Failure> {
    if args.output.len() > urls.len() {
        return Err(Failure::new(Exit::Usage, "there are more -o options than URLs"));
    }
    let mut named = args.output.iter();
    urls.iter()
        .map(|url| match named.next() {
            Some(path) if path.as_os_str() == "-" => Ok(Destination::Stdout),
            Some(path) => Ok(Destination::File(path.clone())),
            None if args.remote_name => match url.file_name() {
                Some(name) => Ok(Destination::File(name.into())),
                None => Err(Failure::new(
                    Exit::Write,
                    format!("-O cannot name a file after {url}, its path ends with /; use -o"),
                )),
            },
            None => Ok(Destination::Stdout),
        })
        .collect()
}

/// An open destination.
///
/// Standard output is held until the response is complete, so that responses that come at the
/// same time are written one after another.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Standard output.
    Stdout(OwnedMutexGuard<Stdout>),
    /// A file.
    File(File, PathBuf),
}

impl Sink {
    /// Opens `destination`.
    pub(crate) async fn open(
        destination: &Destination,
        stdout: &Arc<Mutex<Stdout>>,
    ) -> Result<Self, Failure> {
        match destination {
            Destination::Stdout => Ok(Self::Stdout(Arc::clone(stdout).lock_owned().await)),
            Destination::File(path) => match File::create(path).await {
                Ok(file) => Ok(Self::File(file, path.clone())),
                Err(error) => Err(cannot_write(&path.display().to_string(), &error)),
            },
        }
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = match self {
            Self::Stdout(stdout) => stdout.write_all(bytes).await,
            Self::File(file, _) => file.write_all(bytes).await,
        };
        written.map_err(|error| cannot_write(&self.name(), &error))
    }

    /// Makes sure that all was written.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        let flushed = match &mut self {
            Self::Stdout(stdout) => stdout.flush().await,
            Self::File(file, _) => file.flush().await,
        };
        flushed.map_err(|error| cannot_write(&self.name(), &error))
    }

    fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "standard output".to_owned(),
            Self::File(_, path) => path.display().to_string(),
        }
    }
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Write, format!("cannot write the body to {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn where_to(line: &str) -> Result<Vec<Destination>, Failure> {
        let args = crate::cli::tests::get(line).unwrap();
        let urls: Vec<_> = args.urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        destinations(&args, &urls)
    }

    fn file(name: &str) -> Destination {
        Destination::File(name.into())
    }

    #[test]
    fn outputs_and_urls_pair_up_in_order() {
        assert_eq!(where_to("a b").unwrap(), [Destination::Stdout, Destination::Stdout]);
        assert_eq!(where_to("-o x a b").unwrap(), [file("x"), Destination::Stdout]);
        assert_eq!(where_to("-o - -o y a b").unwrap(), [Destination::Stdout, file("y")]);
        assert_eq!(where_to("-O a/one b/two").unwrap(), [file("one"), file("two")]);
        assert_eq!(where_to("-O -o x a/one b/two").unwrap(), [file("x"), file("two")]);
    }

    #[test]
    fn what_cannot_be_paired_is_an_error() {
        assert_eq!(where_to("-o x -o y a").unwrap_err().exit, Exit::Usage);
        assert_eq!(where_to("-O a/").unwrap_err().exit, Exit::Write);
    }
}
