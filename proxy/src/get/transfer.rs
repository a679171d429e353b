//! One URL: tried as often as asked, along its redirects, to its place.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED, RETRY_AFTER,
    SET_COOKIE,
};
use http::{HeaderMap, Response};
use regatta_tokio::{Body, Runtime as _};
use tokio::io::AsyncWriteExt as _;

use super::batch::Batch;
use super::body;
use super::cookies::Site;
use super::decode::Decoder;
use super::exit_code::{Exit, Failure};
use super::hop::{Deadline, Hop};
use super::output::{self, Destination, Manner, Sink};
use super::progress::Gauge;
use super::redirect::{self, Kind};
use super::report::{Report, Times, transport};
use super::request::{Aim, Template};
use super::retry::{Tries, Try};
use super::url::{Url, UrlError};
use super::{date, disposition, verbose, write_out};
use crate::cli::value::Offset;
use crate::{say, waterfall};

/// One URL of the line.
#[derive(Clone)]
pub(crate) struct Transfer {
    pub(crate) batch: Arc<Batch>,
    pub(crate) url: String,
    /// Which one of its part of the line.
    pub(crate) place: usize,
    /// Which one of the whole line.
    pub(crate) number: usize,
    /// What the sets and ranges of its word of the line are.
    pub(crate) globbed: Vec<String>,
    /// Why it cannot even begin.
    pub(crate) wrong: Option<Failure>,
}

/// Where `-C` goes on: every try begins there.
#[derive(Clone, Copy, Debug, Default)]
struct Start {
    /// The first byte that is asked for.
    offset: u64,
    /// How long the file is that is there.
    length: u64,
}

impl Start {
    fn of(at: Option<Offset>, destination: &Destination) -> Self {
        let length = match destination {
            Destination::File(path) => fs::metadata(path).map_or(0, |meta| meta.len()),
            Destination::Stdout => 0,
        };
        let offset = match at {
            Some(Offset::At(at)) => at,
            Some(Offset::EndOfFile) => length,
            None => 0,
        };
        Self { offset, length }
    }
}

/// A transfer that has begun.
struct Course {
    destination: Destination,
    manner: Manner,
    offset: u64,
    deadline: Deadline,
    begun: regatta_core::Instant,
    sent: Arc<AtomicU64>,
    gauge: Arc<Gauge>,
}

impl Transfer {
    /// Fetches it, again and again if need be, and says how it went.
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let batch = &self.batch;
        let mut tries = Tries::new(&batch.args.load, batch.wire.now());
        let mut start = None;
        loop {
            let begun = batch.wire.now();
            let mut report =
                Report { url: self.url.clone(), number: self.number, ..Report::default() };
            report.effective.clone_from(&self.url);
            let result = self.once(&mut report, &mut start).await;
            report.times.total = batch.wire.now().saturating_since(begun).as_secs_f64();
            report.failure = result.as_ref().err().cloned();
            let now = batch.wire.now();
            if let Some(wait) = tries.next(now, self.outcome(&report)) {
                if batch.shared.speaks {
                    let left = tries.left();
                    let why = report.failure.map_or_else(
                        || format!("{} answered {}", self.url, report.status.unwrap_or(0)),
                        |failure| failure.message,
                    );
                    say::err(&format!("regatta: {why}; again in {wait:?}, {left} tries left\n"));
                }
                tokio::time::sleep(wait).await;
                continue;
            }
            if result.is_err() && batch.args.output.remove_on_error {
                report.file.as_ref().map(fs::remove_file);
            }
            batch.shared.board.done();
            self.write_out(&report).await;
            return result;
        }
    }

    fn outcome(&self, report: &Report) -> Try {
        let failure = report.failure.as_ref();
        let retry_after = report.headers.get(RETRY_AFTER).and_then(|value| {
            let text = value.to_str().ok()?.trim();
            match text.parse() {
                Ok(seconds) => Some(Duration::from_secs(seconds)),
                Err(_) => {
                    let left = date::parse(text)? - self.batch.unix_now();
                    u64::try_from(left).ok().map(Duration::from_secs)
                }
            }
        });
        Try {
            exit: failure.map(|failure| failure.exit),
            refused: failure.is_some_and(|failure| failure.refused),
            status: report.status,
            retry_after,
        }
    }

    async fn write_out(&self, report: &Report) {
        let Some(format) = &self.batch.write_out else { return };
        let written = write_out::fill(format, report);
        let mut stdout = self.batch.shared.stdout.lock().await;
        // Whoever has stopped to read does not want it.
        if !written.out.is_empty() {
            say::end_status();
        }
        let _ = stdout.write_all(&written.out).await;
        let _ = stdout.flush().await;
        say::err(&String::from_utf8_lossy(&written.err));
    }

    /// One try.
    async fn once(&self, report: &mut Report, start: &mut Option<Start>) -> Result<(), Failure> {
        let batch = &self.batch;
        let args = &batch.args;
        let begun = batch.wire.now();
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let url = self.parse()?;
        let destination = self.destination()?;
        let Start { offset, length } =
            *start.get_or_insert_with(|| Start::of(args.way.continue_at, &destination));
        let upload = args.content.upload_file.get(self.place).cloned();
        let from_file = upload.is_some() && args.way.continue_at == Some(Offset::EndOfFile);
        let offset = if from_file { 0 } else { offset };
        let aim = Aim { upload, offset, seed: seed(batch) };
        let (template, url) = Template::new(args, url, &aim)?;
        let resumes = offset > 0 && !template.kind.has_body();
        let manner = Manner {
            makes_folders: args.output.create_dirs,
            keeps_old: args.output.no_clobber,
            must_be_new: false,
            keeps: resumes.then_some(length),
        };
        let time = args.way.max_time.filter(|time| !time.is_zero());
        let deadline = time.map(|time| (begun + time, time));
        let sent = Arc::new(AtomicU64::new(0));
        let board = &batch.shared.board;
        let gauge = board.begin(Arc::clone(&sent), template.payload().length());
        let course = Course { destination, manner, offset, deadline, begun, sent, gauge };
        let result = self.follow(template, url, &course, report).await;
        board.end(&course.gauge);
        report.uploaded = course.sent.load(Ordering::Relaxed);
        result
    }

    /// Where its body goes.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        output::destination(&self.batch.args, self.place, &self.url, &self.globbed)
    }

    fn parse(&self) -> Result<Url, Failure> {
        let request = &self.batch.args.request;
        let scheme = request.proto_default.as_deref().unwrap_or("http");
        let url = Url::typed(&self.url, scheme, request.path_as_is).map_err(|error| {
            let exit = match error {
                UrlError::Malformed(_) => Exit::MalformedUrl,
                UrlError::Scheme(_) => Exit::UnsupportedProtocol,
            };
            Failure::new(exit, error.to_string())
        })?;
        if request.disallow_username_in_url && url.credentials().is_some() {
            let text = format!("{url} has a name in it, and --disallow-username-in-url says no");
            return Err(Failure::new(Exit::Login, text));
        }
        Ok(url)
    }

    /// Asks for the URL, and for those that the responses lead to.
    async fn follow(
        &self,
        mut template: Template,
        mut url: Url,
        course: &Course,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let args = &self.batch.args;
        let follows = args.request.location || args.request.location_trusted;
        loop {
            let (response, interim) = self.ask(&template, &url, course, report).await?;
            let status = response.status();
            let next = redirect::target(&url, status, response.headers());
            self.dump([&interim[..], &verbose::head(&response)].concat()).await?;
            let next = match next {
                Some(next) if follows => next,
                next => {
                    let next = next.and_then(Result::ok);
                    report.redirect_url = next.map(|next| next.to_string());
                    return self.receive(response, &template, &url, course, report, &interim).await;
                }
            };
            let hop = Hop { batch: &self.batch, url: &url, method: template.method() };
            self.pass_by(response, &hop, course, &interim).await?;
            let next = next?;
            let most = u64::try_from(args.request.max_redirs).ok();
            if most.is_some_and(|most| report.redirects >= most) {
                report.redirect_url = Some(next.to_string());
                let done = report.redirects;
                let text = format!("more than {done} redirects, the last one to {next}");
                return Err(Failure::new(Exit::TooManyRedirects, text));
            }
            report.redirects += 1;
            report.times.redirects =
                self.batch.wire.now().saturating_since(course.begun).as_secs_f64();
            template.redirect(&url, status, args);
            if template.sends_stdin() {
                let text = format!("{url} leads on, and standard input cannot be sent again");
                return Err(Failure::new(Exit::SendAgain, text));
            }
            url = next;
        }
    }

    /// Sends one request and notes what came of it.
    async fn ask(
        &self,
        template: &Template,
        url: &Url,
        course: &Course,
        report: &mut Report,
    ) -> Result<(Response<Body>, Vec<u8>), Failure> {
        let batch = &self.batch;
        let now = batch.unix_now();
        let jar = match batch.keeps_cookies() {
            true => batch.cookies(|jar| jar.field(Site::of(url), now)),
            false => None,
        };
        let head = template.head(url, jar);
        report.method = head.method().to_string();
        report.effective = url.to_string();
        report.is_https = url.is_https();
        report.referer = template.referer().map(str::to_owned);
        report.request_bytes += verbose::request_size(&head);
        let hop = Hop { batch, url, method: head.method().clone() };
        let answer = hop.ask(head, &template.payload(), &course.sent, course.deadline).await;
        if let Some(timeline) = &answer.timeline {
            report.times = Times { redirects: report.times.redirects, ..report.times };
            report.times.take(course.begun, timeline, report.is_https);
            let mut tunnels = timeline.attempts.iter().filter_map(|attempt| attempt.tunnel?.status);
            report.tunnel_status = tunnels.next_back().or(report.tunnel_status);
            if let Some(used) = &timeline.connection {
                report.connects += u64::from(!used.reused);
                report.ends = batch.wire.ends(transport(used.protocol), used.address);
            }
        }
        let response = answer.result?;
        report.status = Some(response.status().as_u16());
        report.version = Some(response.version());
        report.headers = response.headers().clone();
        report.header_bytes += (verbose::head(&response).len() + answer.interim.len()) as u64;
        if batch.keeps_cookies() {
            for value in response.headers().get_all(SET_COOKIE) {
                let line = String::from_utf8_lossy(value.as_bytes());
                batch.cookies(|jar| jar.set(&line, Site::of(url), now));
            }
        }
        Ok((response, answer.interim))
    }

    /// `-D`.
    async fn dump(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        let name = self.batch.args.output.dump_header.as_ref();
        let Some(name) = name.filter(|_| !bytes.is_empty()) else { return Ok(()) };
        let written = if name == "-" {
            let mut stdout = self.batch.shared.stdout.lock().await;
            match stdout.write_all(&bytes).await {
                // What tokio still holds when the program ends is lost.
                Ok(()) => stdout.flush().await,
                failed => failed,
            }
        } else {
            let mut file = self.batch.heads.lock().await;
            let opened = match &mut *file {
                Some(file) => Ok(file),
                none => match tokio::fs::File::create(name).await {
                    Ok(made) => Ok(none.insert(made)),
                    Err(error) => Err(error),
                },
            };
            match opened {
                Ok(file) => match file.write_all(&bytes).await {
                    Ok(()) => file.flush().await,
                    failed => failed,
                },
                Err(error) => Err(error),
            }
        };
        written.map_err(|error| {
            Failure::new(Exit::Write, format!("cannot write the head to {name}: {error}"))
        })
    }

    fn shows_head(&self) -> bool {
        self.batch.args.output.include || self.batch.args.request.head
    }

    /// A response that leads on: with `-i` its head is shown, its body never.
    async fn pass_by(
        &self,
        response: Response<Body>,
        hop: &Hop<'_>,
        course: &Course,
        interim: &[u8],
    ) -> Result<(), Failure> {
        if self.shows_head() {
            let stdout = &self.batch.shared.stdout;
            let mut sink = Sink::new(&course.destination, course.manner, stdout).await;
            sink.write(interim).await?;
            sink.write(&verbose::head(&response)).await?;
            sink.finish(None).await?;
        }
        let handle = response.body().timeline();
        let outcome = response.status().to_string();
        body::discard(response).await;
        if let Some(handle) = handle.filter(|_| self.batch.args.output.timeline.is_some()) {
            hop.draw(&outcome, &waterfall::settled(&handle).await);
        }
        Ok(())
    }

    /// The final response.
    async fn receive(
        &self,
        response: Response<Body>,
        template: &Template,
        url: &Url,
        course: &Course,
        report: &mut Report,
        interim: &[u8],
    ) -> Result<(), Failure> {
        let handle = response.body().timeline();
        let mut outcome = response.status().to_string();
        let length = length_of(response.headers()).filter(|_| template.kind != Kind::Head);
        if let Some(length) = length {
            course.gauge.expect(length);
        }
        let ended = self.write(response, template, url, course, report, interim).await;
        if let Some(handle) = handle.filter(|_| self.batch.args.output.timeline.is_some()) {
            if ended.is_err() {
                outcome.push_str(", but not the whole body");
            }
            let hop = Hop { batch: &self.batch, url, method: template.method() };
            hop.draw(&outcome, &waterfall::settled(&handle).await);
        }
        ended
    }

    async fn write(
        &self,
        response: Response<Body>,
        template: &Template,
        url: &Url,
        course: &Course,
        report: &mut Report,
        interim: &[u8],
    ) -> Result<(), Failure> {
        let args = &self.batch.args;
        let status = response.status();
        let is_resumed = course.offset > 0 && template.kind == Kind::Get;
        let is_complete = is_resumed && status.as_u16() == 416;
        let bad_status = || Failure::new(Exit::Status, format!("{url} answered {status}"));
        let is_bad = status.as_u16() >= 400;
        let stdout = &self.batch.shared.stdout;
        let mut sink = Sink::new(&course.destination, course.manner, stdout).await;
        if args.output.remote_header_name
            && output::is_remote(args, self.place)
            && let Some(name) = disposition_name(response.headers())
        {
            sink.rename(&name);
        }
        report.file = sink.path().map(PathBuf::from);
        if self.shows_head() {
            sink.write(interim).await?;
            sink.write(&verbose::head(&response)).await?;
        }
        if args.output.fail && is_bad {
            sink.finish(None).await?;
            body::discard(response).await;
            return Err(bad_status());
        }
        let headers = response.headers().clone();
        if is_complete || (is_resumed && is_whole(&headers, course.offset)) {
            body::discard(response).await;
            sink.open().await?;
            return sink.finish(None).await;
        }
        check(args, url, &headers, is_resumed.then_some(course.offset))?;
        let mut decoder = match args.request.compressed && template.kind != Kind::Head {
            false => Decoder::default(),
            true => Decoder::new(&headers).map_err(|what| {
                Failure::new(Exit::BadEncoding, format!("{url}: {what} cannot be unpacked"))
            })?,
        };
        let mut body = response.into_body();
        let came = (&mut report.downloaded, &*course.gauge);
        let ended = body::receive(&self.batch, &mut body, &mut decoder, &mut sink, came).await;
        let mut last = Vec::new();
        if let Ok(trailers) = &ended {
            // An empty body makes a file all the same.
            sink.open().await?;
            let fields = trailers.as_ref().map(verbose::fields_on_wire).unwrap_or_default();
            report.header_bytes += fields.len() as u64;
            if self.shows_head() {
                sink.write(&fields).await?;
            }
            last = fields;
        }
        report.file = sink.path().map(PathBuf::from);
        let modified = headers.get(LAST_MODIFIED).filter(|_| args.output.remote_time);
        let modified = modified.and_then(|value| date::parse(value.to_str().ok()?));
        // What came is written also when the rest did not come.
        sink.finish(modified).await?;
        ended?;
        self.dump(last).await?;
        save_etag(args, &headers)?;
        if args.output.fail_with_body && is_bad { Err(bad_status()) } else { Ok(()) }
    }
}

/// What must hold before the body is taken.
fn check(
    args: &crate::cli::GetArgs,
    url: &Url,
    headers: &HeaderMap,
    offset: Option<u64>,
) -> Result<(), Failure> {
    if let (Some(most), Some(length)) = (args.output.max_filesize, length_of(headers))
        && length > most
    {
        let text = format!("{url} has {length} bytes, more than the {most} of --max-filesize");
        return Err(Failure::new(Exit::TooLarge, text));
    }
    if let Some(offset) = offset
        && range_start(headers) != Some(offset)
    {
        let text = format!("{url} does not begin at byte {offset}: the server knows no ranges");
        return Err(Failure::new(Exit::Range, text));
    }
    Ok(())
}

/// How long the body says that it is.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the whole body is there already: a server without ranges says how long it is.
fn is_whole(headers: &HeaderMap, offset: u64) -> bool {
    range_start(headers).is_none() && length_of(headers) == Some(offset)
}

/// Where the part begins that came (RFC 9110 14.4).
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let digits = value.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn disposition_name(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?;
    disposition::file_name(&String::from_utf8_lossy(value.as_bytes()))
}

fn save_etag(args: &crate::cli::GetArgs, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(path) = &args.output.etag_save else { return Ok(()) };
    let etag = headers.get(ETAG).map(|value| [value.as_bytes(), b"\n"].concat());
    fs::write(path, etag.unwrap_or_default()).map_err(|error| {
        Failure::new(Exit::Write, format!("cannot write the ETag to {}: {error}", path.display()))
    })
}

/// For boundaries: differs from request to request.
fn seed(batch: &Batch) -> u64 {
    batch.wire.seed() ^ batch.wire.now().as_nanos().rotate_left(17)
}
