//! Where bodies go: files by `-o` and `-O`, else standard output.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _, Stdout};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::exit_code::{Exit, Failure};
use super::glob;
use super::url::Url;
use crate::cli::{GetArgs, Output};

/// Where one URL's body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// This file.
    File(PathBuf),
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Its folders are made.
    pub(crate) makes_folders: bool,
    /// One that is there is left alone, and a number goes behind the new one's name.
    pub(crate) keeps_old: bool,
    /// One that is there is an error.
    pub(crate) must_be_new: bool,
    /// So many bytes that are there stay in front.
    pub(crate) keeps: Option<u64>,
}

/// The destination of the URL with this number: the `-o` and `-O` in order, then standard output.
pub(crate) fn destination(
    args: &GetArgs,
    number: usize,
    url: &str,
    globbed: &[String],
) -> Result<Destination, Failure> {
    let path = match args.outputs.get(number) {
        Some(Output::File(name)) if name == "-" => return Ok(Destination::Stdout),
        Some(Output::File(name)) => PathBuf::from(glob::fill(name, globbed)),
        Some(Output::RemoteName) => PathBuf::from(remote_name(args, url)?),
        None if args.output.remote_name_all => PathBuf::from(remote_name(args, url)?),
        None => return Ok(Destination::Stdout),
    };
    Ok(Destination::File(match &args.output.output_dir {
        Some(folder) => folder.join(path),
        None => path,
    }))
}

/// Whether the body's name comes from its URL, so that a response may give a better one.
pub(crate) fn is_remote(args: &GetArgs, number: usize) -> bool {
    match args.outputs.get(number) {
        Some(Output::RemoteName) => true,
        Some(Output::File(_)) => false,
        None => args.output.remote_name_all,
    }
}

fn remote_name(args: &GetArgs, url: &str) -> Result<String, Failure> {
    let scheme = args.request.proto_default.as_deref().unwrap_or("http");
    let parsed = Url::typed(url, scheme, true).ok();
    match parsed.as_ref().and_then(Url::file_name) {
        Some(name) => Ok(name.to_owned()),
        None => Err(Failure::new(
            Exit::Write,
            format!("-O cannot name a file after {url}, its path ends with /; use -o"),
        )),
    }
}

/// An open destination.
///
/// Standard output is held until the response is complete, so that responses that come at the
/// same time are written one after another. A file is made when its first byte comes.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Standard output.
    Stdout(OwnedMutexGuard<Stdout>),
    /// A file.
    File { path: PathBuf, manner: Manner, open: Option<File> },
}

impl Sink {
    /// Opens `destination`.
    pub(crate) async fn new(
        destination: &Destination,
        manner: Manner,
        stdout: &Arc<Mutex<Stdout>>,
    ) -> Self {
        match destination {
            Destination::Stdout => Self::Stdout(Arc::clone(stdout).lock_owned().await),
            Destination::File(path) => Self::File { path: path.clone(), manner, open: None },
        }
    }

    /// Takes another name for a file that has not been made yet.
    pub(crate) fn rename(&mut self, name: &str) {
        if let Self::File { path, manner, open: None } = self {
            path.set_file_name(name);
            manner.must_be_new = true;
        }
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.open().await?;
        let written = match self {
            Self::Stdout(stdout) => stdout.write_all(bytes).await,
            Self::File { open: Some(file), .. } => file.write_all(bytes).await,
            Self::File { .. } => Ok(()),
        };
        written.map_err(|error| cannot_write(&self.name(), &error))
    }

    /// Makes the file, if it is not there yet.
    pub(crate) async fn open(&mut self) -> Result<(), Failure> {
        let Self::File { path, manner, open: open @ None } = self else { return Ok(()) };
        let name = path.display().to_string();
        let made = make(path, *manner).await.map_err(|error| cannot_write(&name, &error))?;
        *open = Some(made);
        Ok(())
    }

    /// Hands on what was written so far.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        let flushed = match self {
            Self::Stdout(stdout) => stdout.flush().await,
            Self::File { open: Some(file), .. } => file.flush().await,
            Self::File { .. } => Ok(()),
        };
        flushed.map_err(|error| cannot_write(&self.name(), &error))
    }

    /// Where the bytes are, if they are in a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout(_) => None,
            Self::File { path, .. } => Some(path),
        }
    }

    /// Makes sure that all was written, and gives the file this time.
    pub(crate) async fn finish(mut self, time: Option<i64>) -> Result<(), Failure> {
        self.flush().await?;
        if let (Self::File { open: Some(file), .. }, Some(time)) = (self, time) {
            let at = u64::try_from(time).map(Duration::from_secs).unwrap_or_default();
            // A time that cannot be set is no reason to fail.
            let _ = file.into_std().await.set_modified(SystemTime::UNIX_EPOCH + at);
        }
        Ok(())
    }

    fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "standard output".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }
}

/// Makes the file; its name changes where old ones are kept.
async fn make(path: &mut PathBuf, manner: Manner) -> io::Result<File> {
    if manner.makes_folders
        && let Some(folder) = path.parent()
    {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true);
    if let Some(keeps) = manner.keeps {
        let mut file = options.create(true).truncate(false).open(&path).await?;
        file.set_len(keeps).await?;
        file.seek(io::SeekFrom::End(0)).await?;
        return Ok(file);
    }
    if manner.keeps_old {
        return numbered(path, &mut options).await;
    }
    if manner.must_be_new {
        return options.create_new(true).open(&path).await;
    }
    options.create(true).truncate(true).open(&path).await
}

/// Highest number behind a name (curl's own).
const MOST_NUMBERS: u32 = 100;

/// The first free one of `name`, `name.1` and so on.
async fn numbered(path: &mut PathBuf, options: &mut OpenOptions) -> io::Result<File> {
    let name = path.clone();
    for number in 0..MOST_NUMBERS {
        if number > 0 {
            let mut text = name.clone().into_os_string();
            text.push(format!(".{number}"));
            *path = text.into();
        }
        match options.create_new(true).open(&path).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

fn cannot_write(name: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Write, format!("cannot write to {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn where_to(line: &str) -> Result<Vec<Destination>, Failure> {
        let args = crate::cli::tests::get(line).unwrap();
        args.urls.iter().enumerate().map(|(n, url)| destination(&args, n, url, &[])).collect()
    }

    fn file(name: &str) -> Destination {
        Destination::File(name.into())
    }

    #[test]
    fn outputs_and_urls_pair_up_in_order() {
        use Destination::Stdout;
        assert_eq!(where_to("a b").unwrap(), [Stdout, Stdout]);
        assert_eq!(where_to("-o x a b").unwrap(), [file("x"), Stdout]);
        assert_eq!(where_to("-o - -o y a b").unwrap(), [Stdout, file("y")]);
        assert_eq!(where_to("-O a/one b/two").unwrap(), [file("one"), Stdout]);
        assert_eq!(where_to("-O -o x a/one b/two").unwrap(), [file("one"), file("x")]);
        assert_eq!(where_to("--remote-name-all a/one b/two").unwrap(), [file("one"), file("two")]);
        assert_eq!(where_to("--output-dir d -o x a").unwrap(), [file("d/x")]);
    }

    #[test]
    fn what_has_no_name_is_an_error() {
        assert_eq!(where_to("-O a/").unwrap_err().exit, Exit::Write);
    }

    #[tokio::test]
    async fn old_files_stay_where_they_are_to_stay() {
        let folder = std::env::temp_dir().join(format!("regatta-output-{}", std::process::id()));
        let path = folder.join("deep/file");
        let stdout = Arc::new(Mutex::new(tokio::io::stdout()));
        let write = async |manner: Manner, text: &str| {
            let destination = Destination::File(path.clone());
            let mut sink = Sink::new(&destination, manner, &stdout).await;
            sink.write(text.as_bytes()).await?;
            sink.finish(None).await
        };
        let plain = Manner::default();
        assert_eq!(write(plain, "a").await.unwrap_err().exit, Exit::Write);
        write(Manner { makes_folders: true, ..plain }, "abc").await.unwrap();
        write(Manner { keeps: Some(2), ..plain }, "d").await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abd");
        write(Manner { keeps_old: true, ..plain }, "new").await.unwrap();
        assert_eq!(fs::read(folder.join("deep/file.1")).unwrap(), b"new");
        assert!(write(Manner { must_be_new: true, ..plain }, "x").await.is_err());
        write(plain, "e").await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"e");
        fs::remove_dir_all(&folder).unwrap();
    }
}
