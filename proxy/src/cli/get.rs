//! Options of `regatta get`, group by group.

use clap::Args;

use super::content::ContentArgs;
use super::line::Token;
use super::load::LoadArgs;
use super::output::OutputArgs;
use super::proxy::ProxyArgs;
use super::request::RequestArgs;
use super::tls::TlsArgs;
use super::way::WayArgs;
use crate::waterfall::file::Form;

const GET_EXAMPLES: &str = "\
Examples:
  regatta get https://example.org/
      The body goes to standard output.
  regatta get -v -o page.html https://example.org/
      The body goes to a file; the connection and both heads are shown.
  regatta get -d name=value -d other=1 http://localhost:8080/echo
      POST a form. -d @file sends a file, -d @- standard input.
  regatta get -F picture=@cat.png -F name=Tom http://localhost:8080/echo
      POST a form with a file in it.
  regatta get -T backup.tar https://example.org/store/
      PUT a file; it keeps its name.
  regatta get -C - -O --retry 5 https://example.org/large.iso
      Go on where an earlier download ended.
  regatta get -w '%{http_code} %{time_total}\\n' -o /dev/null https://example.org/
      Say how it went.
  regatta get --timeline --repeat 3 https://example.org/
      Where the time went: once with a new connection, twice with the pooled one.
  regatta get --timeline=times.svg -o /dev/null https://example.org/
      The same as a picture for a browser; times.json is for programs.
  regatta get -s -o /dev/null -Z --parallel-max 50 --repeat 1000 http://localhost:8080/bytes/1000
      1,000 requests, 50 at a time, through one pool.
  regatta get --resolve example.org:443:127.0.0.1 --cacert ca.pem https://example.org/
      Ask another server for the same name.

Exit codes are curl's: 0 all well, 1 scheme not supported, 2 wrong usage, 3 malformed URL, 5 proxy
not found, 6 name not found, 7 cannot connect, 8 not HTTP, 16 HTTP/2 failed, 18 body incomplete, 22
status 400 or more with --fail, 23 cannot write, 26 cannot read the data, 28 time is up, 33 cannot
resume, 35 TLS failed, 43 cannot be sent, 47 too many redirects, 52 empty reply, 55 and 56
connection lost while sending and receiving, or a proxy's no to CONNECT, 58 client certificate
unusable, 60 certificate not trusted, 61 unknown encoding, 63 larger than --max-filesize, 77 cannot
read --cacert, 89 a limit of the pool, 92 HTTP/2 stream failed. Of several URLs the last one counts.

The environment's http_proxy (in lower case alone), https_proxy, all_proxy and no_proxy, the last
three in capitals too, are curl's.

If SSLKEYLOGFILE names a file, the secrets of TLS are appended to it, for a packet analyser.";

/// Options of `regatta get`.
#[derive(Args, Clone, Debug)]
#[command(after_help = GET_EXAMPLES)]
pub(crate) struct GetArgs {
    /// What to fetch; http:// is added where the scheme is missing
    #[arg(value_name = "URL")]
    bare: Vec<String>,

    /// What to fetch, as an option
    #[arg(long = "url", value_name = "URL", help_heading = REQUEST)]
    pub(crate) urls: Vec<String>,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    #[command(flatten)]
    pub(crate) content: ContentArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) way: WayArgs,

    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    #[command(flatten)]
    pub(crate) load: LoadArgs,

    /// Body data in the order of the line.
    #[arg(skip)]
    pub(crate) data: Vec<Data>,

    /// Form fields in the order of the line; true where the text is taken as it is.
    #[arg(skip)]
    pub(crate) form: Vec<(String, bool)>,

    /// `-o` and `-O` in the order of the line.
    #[arg(skip)]
    pub(crate) outputs: Vec<Output>,
}

pub(super) const REQUEST: &str = "What is asked";
pub(super) const CONTENT: &str = "What is sent";
pub(super) const OUTPUT: &str = "What is shown";
pub(super) const CONNECTION: &str = "How it gets there";
pub(super) const PROXY: &str = "Through which proxy";
pub(super) const TLS: &str = "Whom to trust";
pub(super) const LOAD: &str = "How often";

/// One piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// `-d`: files lose their line ends.
    Ascii(String),
    /// `--data-raw`: @ means nothing.
    Raw(String),
    /// `--data-binary`: files stay as they are.
    Binary(String),
    /// `--data-urlencode`.
    Encoded(String),
    /// `--json`.
    Json(String),
}

/// Where one URL's body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// `-o`.
    File(String),
    /// `-O`.
    RemoteName,
}

impl GetArgs {
    /// Takes from the line what depends on its order.
    pub(super) fn order(&mut self, tokens: &[Token]) {
        for Token { name, value } in tokens {
            let value = || value.clone().unwrap_or_default();
            match name.as_str() {
                "data" | "data-ascii" => self.data.push(Data::Ascii(value())),
                "data-raw" => self.data.push(Data::Raw(value())),
                "data-binary" => self.data.push(Data::Binary(value())),
                "data-urlencode" => self.data.push(Data::Encoded(value())),
                "json" => self.data.push(Data::Json(value())),
                "form" => self.form.push((value(), false)),
                "form-string" => self.form.push((value(), true)),
                "output" => self.outputs.push(Output::File(value())),
                "remote-name" => self.outputs.push(Output::RemoteName),
                _ => {}
            }
        }
    }

    /// What contradicts itself, in a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        let has_data = !self.data.is_empty();
        let asks = [
            (self.request.head, "-I"),
            (has_data && !self.request.get, "-d"),
            (!self.form.is_empty(), "-F"),
            (!self.content.upload_file.is_empty(), "-T"),
        ];
        let mut asks = asks.iter().filter(|(asked, _)| *asked);
        if let (Some((_, one)), Some((_, other))) = (asks.next(), asks.next()) {
            return Err(format!("{one} and {other} ask for different methods"));
        }
        if self.output.fail && self.output.fail_with_body {
            return Err("--fail and --fail-with-body exclude each other".to_owned());
        }
        if let Some(path) = self.output.timeline_file()
            && Form::of(path).is_none()
        {
            let path = path.display();
            return Err(format!("--timeline={path} ends in neither .svg nor .json"));
        }
        if self.output.remote_header_name && (self.output.include || self.request.head) {
            return Err("-J cannot name a file that begins with the head of -i or -I".to_owned());
        }
        Ok(())
    }
}
