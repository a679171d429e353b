//! What is shown and where it goes.

use std::path::{Path, PathBuf};

use clap::Args;

use super::get::OUTPUT;
use super::value;

#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of curl")]
pub(crate) struct OutputArgs {
    /// Write the body to this file; one for each URL, in order; - is standard output
    #[arg(short = 'o', long, value_name = "FILE", help_heading = OUTPUT)]
    output: Vec<String>,

    /// Write the body to a file named like the end of its URL; once for each URL
    #[arg(short = 'O', long, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    remote_name: u8,

    /// As -O for every URL without an -o
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) remote_name_all: bool,

    /// With -O, take the name that the response gives (Content-Disposition)
    #[arg(short = 'J', long, help_heading = OUTPUT)]
    pub(crate) remote_header_name: bool,

    /// Folder for the files of -o and -O
    #[arg(long, value_name = "FOLDER", help_heading = OUTPUT)]
    pub(crate) output_dir: Option<PathBuf>,

    /// Make the folders that files go to
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) create_dirs: bool,

    /// Leave files that are there as they are: the new one gets a number behind its name
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) no_clobber: bool,

    /// Remove the file when its transfer fails
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) remove_on_error: bool,

    /// Give the file the time of the response's Last-Modified
    #[arg(short = 'R', long, help_heading = OUTPUT)]
    pub(crate) remote_time: bool,

    /// Refuse bodies that announce more bytes than this; K, M, G count in 1024s
    #[arg(long, value_name = "BYTES", value_parser = value::bytes, help_heading = OUTPUT)]
    pub(crate) max_filesize: Option<u64>,

    /// Show the response's head before its body
    #[arg(short = 'i', long, help_heading = OUTPUT)]
    pub(crate) include: bool,

    /// Write every response's head to this file; - is standard output
    #[arg(short = 'D', long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) dump_header: Option<String>,

    /// Treat a status of 400 or more as a failure and leave its body out
    #[arg(short = 'f', long, help_heading = OUTPUT)]
    pub(crate) fail: bool,

    /// Treat a status of 400 or more as a failure and show its body
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) fail_with_body: bool,

    /// Stop at the first failure
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) fail_early: bool,

    /// Say nothing about failures; the exit code still does
    #[arg(short = 's', long, help_heading = OUTPUT)]
    pub(crate) silent: bool,

    /// With -s, speak about failures all the same
    #[arg(short = 'S', long, help_heading = OUTPUT)]
    pub(crate) show_error: bool,

    /// Write this after each transfer: text with %{variables}, or @file
    #[arg(short = 'w', long, value_name = "FORMAT", help_heading = OUTPUT)]
    pub(crate) write_out: Option<String>,

    /// Write the response's ETag to this file
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) etag_save: Option<PathBuf>,

    /// Ask only for what has another ETag than the one in this file
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) etag_compare: Option<PathBuf>,

    /// Show connection, request head and response head on standard error
    #[arg(short = 'v', long, help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    /// Write at once what comes, also where little comes
    #[arg(short = 'N', long, help_heading = OUTPUT)]
    pub(crate) no_buffer: bool,

    /// Show a bar instead of numbers, on a terminal, while a transfer lasts
    #[arg(short = '#', long, help_heading = OUTPUT)]
    pub(crate) progress_bar: bool,

    /// Show neither numbers nor a bar while a transfer lasts
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) no_progress_meter: bool,

    /// Draw where each request's time went, on standard error or into a file for a browser
    /// (.svg) or a program (.json)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
          default_missing_value = "-", help_heading = OUTPUT)]
    pub(crate) timeline: Option<PathBuf>,

    /// Write down what the pool was told and what it decided, for regatta-sim replay: hosts,
    /// addresses and times, but no paths, header fields or bodies
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) record: Option<PathBuf>,

    /// Write what each connection of QUIC and HTTP/3 did into this directory, a file of qlog each;
    /// QLOGDIR is the same
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) qlog: Option<PathBuf>,
}

impl OutputArgs {
    /// The file that `--timeline` names; it draws on standard error where it names none.
    pub(crate) fn timeline_file(&self) -> Option<&Path> {
        self.timeline.as_deref().filter(|path| *path != "-")
    }
}
