//! What is sent: data, forms, files.

use std::time::Duration;

use clap::Args;

use super::get::CONTENT;
use super::value;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ContentArgs {
    /// Body to POST as a form: text, @file or @- for standard input; several are joined by &
    #[arg(short = 'd', long, value_name = "DATA", help_heading = CONTENT)]
    data: Vec<String>,

    /// The same as --data
    #[arg(long, value_name = "DATA", help_heading = CONTENT)]
    data_ascii: Vec<String>,

    /// As --data, but @ means nothing
    #[arg(long, value_name = "DATA", help_heading = CONTENT)]
    data_raw: Vec<String>,

    /// As --data, but the file is sent as it is, line ends included
    #[arg(long, value_name = "DATA", help_heading = CONTENT)]
    data_binary: Vec<String>,

    /// As --data, percent-encoded: content, =content, name=content, @file, name@file
    #[arg(long, value_name = "DATA", help_heading = CONTENT)]
    data_urlencode: Vec<String>,

    /// JSON to POST: text or @file, with the fields that say so; several are joined
    #[arg(long, value_name = "DATA", help_heading = CONTENT)]
    json: Vec<String>,

    /// Form field to POST: name=text, name=@file or name=<file, with ;type= and ;filename=
    #[arg(short = 'F', long, value_name = "NAME=CONTENT", help_heading = CONTENT)]
    form: Vec<String>,

    /// Form field to POST whose text is taken as it is
    #[arg(long, value_name = "NAME=TEXT", help_heading = CONTENT)]
    form_string: Vec<String>,

    /// Escape names in forms by backslashes instead of percent signs
    #[arg(long, help_heading = CONTENT)]
    pub(crate) form_escape: bool,

    /// File to PUT, - for standard input; a URL that ends with / gets its name; one for each URL
    #[arg(short = 'T', long, value_name = "FILE", help_heading = CONTENT)]
    pub(crate) upload_file: Vec<String>,

    /// Most seconds to wait for 100 Continue before a large body goes [default: 1]
    #[arg(long, value_name = "SECONDS", value_parser = value::seconds, help_heading = CONTENT)]
    pub(crate) expect100_timeout: Option<Duration>,
}
