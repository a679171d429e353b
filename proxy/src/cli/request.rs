//! What is asked: method, fields, cookies, redirects.

use std::path::PathBuf;

use clap::Args;
use http::{HeaderValue, Method};

use super::get::REQUEST;
use super::value;

#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of curl")]
pub(crate) struct RequestArgs {
    /// Method to use instead of GET (or POST with -d)
    #[arg(short = 'X', long = "request", value_name = "METHOD", help_heading = REQUEST)]
    pub(crate) method: Option<Method>,

    /// Header field to add or replace; "Name:" leaves it out, "Name;" sends it empty, and a file
    /// behind @ has one a line
    #[arg(short = 'H', long = "header", value_name = "LINE")]
    #[arg(value_parser = value::header, help_heading = REQUEST)]
    pub(crate) headers: Vec<value::HeaderLine>,

    /// User-Agent to send
    #[arg(short = 'A', long, value_name = "NAME", value_parser = value::field)]
    #[arg(help_heading = REQUEST)]
    pub(crate) user_agent: Option<HeaderValue>,

    /// Referer to send; with ";auto" redirects send the URL before
    #[arg(short = 'e', long, value_name = "URL", help_heading = REQUEST)]
    pub(crate) referer: Option<String>,

    /// Ask for the head alone (HEAD) and show it
    #[arg(short = 'I', long, help_heading = REQUEST)]
    pub(crate) head: bool,

    /// Put the data of -d into the URL's query
    #[arg(short = 'G', long, help_heading = REQUEST)]
    pub(crate) get: bool,

    /// Add this to the URL's query, encoded as by --data-urlencode; + at its start: as it is
    #[arg(long, value_name = "DATA", help_heading = REQUEST)]
    pub(crate) url_query: Vec<String>,

    /// Name and password, as Basic credentials
    #[arg(short = 'u', long, value_name = "USER:PASSWORD", help_heading = REQUEST)]
    pub(crate) user: Option<String>,

    /// Basic credentials, which is the default
    #[arg(long, help_heading = REQUEST)]
    pub(crate) basic: bool,

    /// Token to send as Bearer credentials
    #[arg(long, value_name = "TOKEN", help_heading = REQUEST)]
    pub(crate) oauth2_bearer: Option<String>,

    /// Take names and passwords from .netrc in the home folder
    #[arg(short = 'n', long, help_heading = REQUEST)]
    pub(crate) netrc: bool,

    /// Take names and passwords from this file
    #[arg(long, value_name = "FILE", help_heading = REQUEST)]
    pub(crate) netrc_file: Option<PathBuf>,

    /// As -n, but what a URL says counts more
    #[arg(long, help_heading = REQUEST)]
    pub(crate) netrc_optional: bool,

    /// Cookies to send, "a=b; c=d", or a file to read them from
    #[arg(short = 'b', long, value_name = "DATA|FILE", help_heading = REQUEST)]
    pub(crate) cookie: Vec<String>,

    /// Write the cookies to this file at the end
    #[arg(short = 'c', long, value_name = "FILE", help_heading = REQUEST)]
    pub(crate) cookie_jar: Option<PathBuf>,

    /// Pass over those cookies in the files of -b that have no expiry
    #[arg(short = 'j', long, help_heading = REQUEST)]
    pub(crate) junk_session_cookies: bool,

    /// Follow redirects; secrets stay with their origin
    #[arg(short = 'L', long, help_heading = REQUEST)]
    pub(crate) location: bool,

    /// As -L, but secrets go to other origins too (dangerous)
    #[arg(long, help_heading = REQUEST)]
    pub(crate) location_trusted: bool,

    /// Most redirects to follow with -L; -1 is no limit
    #[arg(long, value_name = "N", default_value_t = 50, help_heading = REQUEST)]
    #[arg(allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(crate) max_redirs: i64,

    /// POST stays POST after a 301
    #[arg(long, help_heading = REQUEST)]
    pub(crate) post301: bool,

    /// POST stays POST after a 302
    #[arg(long, help_heading = REQUEST)]
    pub(crate) post302: bool,

    /// POST stays POST after a 303
    #[arg(long, help_heading = REQUEST)]
    pub(crate) post303: bool,

    /// Ask for these bytes only: 0-499, 500-, -500 or several with commas
    #[arg(short = 'r', long, value_name = "RANGE", help_heading = REQUEST)]
    pub(crate) range: Option<String>,

    /// Ask for a compressed body (gzip, deflate, br, zstd) and unpack it
    #[arg(long, help_heading = REQUEST)]
    pub(crate) compressed: bool,

    /// Ask for this target instead of the URL's path
    #[arg(long, value_name = "TARGET", help_heading = REQUEST)]
    pub(crate) request_target: Option<String>,

    /// Leave /./ and /../ in the path
    #[arg(long, help_heading = REQUEST)]
    pub(crate) path_as_is: bool,

    /// Scheme of URLs that have none, instead of http
    #[arg(long, value_name = "SCHEME", help_heading = REQUEST)]
    pub(crate) proto_default: Option<String>,

    /// Refuse URLs with a name and password in them
    #[arg(long, help_heading = REQUEST)]
    pub(crate) disallow_username_in_url: bool,

    /// Take braces and brackets in URLs as they are
    #[arg(short = 'g', long, help_heading = REQUEST)]
    pub(crate) globoff: bool,
}
