//! `regatta get`: curl's words on the pool.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use regatta_core::Instant;
use regatta_core::upstream::Protocols;
use regatta_tokio::{
    Body, Client, Error, Recording, RequestOptions, Roots, Runtime as _, Timeline, TimelineHandle,
    Tokio,
};
use tokio::io::Stdout;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use self::exit_code::{Exit, Failure};
use self::output::{Destination, Sink};
use self::request::Template;
use self::url::{Url, UrlError};
use crate::cli::GetArgs;
use crate::{say, waterfall};

pub(crate) mod exit_code;
mod journal;
mod key_log;
mod output;
mod redirect;
mod request;
#[cfg(test)]
mod tests;
mod url;
mod verbose;

/// Most bytes of a redirect's body that are read so that its connection can be used again.
const REDIRECT_BODY: usize = 64 << 10;

/// curl's connect timeout where `--connect-timeout 0` asks for none.
const LONGEST_CONNECT: Duration = Duration::from_secs(300);

/// Fetches all URLs; the exit code is that of the last failure.
pub(crate) async fn run(args: GetArgs) -> ExitCode {
    let speaks = !args.silent || args.show_error;
    let outcome = match Fetcher::new(args) {
        Ok(fetcher) => Arc::new(fetcher).fetch_all(speaks).await,
        Err(failure) => {
            if speaks {
                say::err(&format!("{failure}\n"));
            }
            Err(failure.exit)
        }
    };
    outcome.map_or_else(|exit| ExitCode::from(exit as u8), |()| ExitCode::SUCCESS)
}

/// Everything that the transfers share.
struct Fetcher {
    args: GetArgs,
    targets: Vec<(Url, Destination)>,
    template: Template,
    client: Client,
    recording: Option<Recording>,
    clock: Tokio,
    stdout: Arc<Mutex<Stdout>>,
}

impl Fetcher {
    fn new(args: GetArgs) -> Result<Self, Failure> {
        let urls = args.urls.iter().map(|text| {
            Url::parse(text).map_err(|error| {
                let exit = match error {
                    UrlError::Malformed(_) => Exit::MalformedUrl,
                    UrlError::Scheme(_) => Exit::UnsupportedProtocol,
                };
                Failure::new(exit, error.to_string())
            })
        });
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        let destinations = output::destinations(&args, &urls)?;
        let template = Template::new(&args)?;
        let recording = args.record.as_deref().map(journal::create).transpose()?;
        let client = client(&args, &urls, recording.as_ref())?;
        let targets = urls.into_iter().zip(destinations).collect();
        let stdout = Arc::new(Mutex::new(tokio::io::stdout()));
        let clock = Tokio::new();
        Ok(Self { args, targets, template, client, recording, clock, stdout })
    }

    async fn fetch_all(self: Arc<Self>, speaks: bool) -> Result<(), Exit> {
        let parallel = self.args.parallel.get();
        let mut under_way = JoinSet::new();
        let mut outcome = Ok(());
        let mut note = |ended: Result<Result<(), Failure>, tokio::task::JoinError>| match ended {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                if speaks {
                    say::err(&format!("{failure}\n"));
                }
                outcome = Err(failure.exit);
            }
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        for _ in 0..self.args.repeat.get() {
            for target in 0..self.targets.len() {
                if under_way.len() == parallel
                    && let Some(ended) = under_way.join_next().await
                {
                    note(ended);
                }
                let fetcher = Arc::clone(&self);
                under_way.spawn(async move { fetcher.fetch(target).await });
            }
        }
        while let Some(ended) = under_way.join_next().await {
            note(ended);
        }
        if let (Some(recording), Some(path)) = (&self.recording, &self.args.record) {
            note(Ok(journal::finish(recording, path)));
        }
        if self.args.timeline {
            say::err(&format!("\n{}\n", waterfall::LEGEND));
        }
        outcome
    }

    /// Fetches one URL and follows where it leads.
    async fn fetch(&self, target: usize) -> Result<(), Failure> {
        let Some((url, destination)) = self.targets.get(target) else { return Ok(()) };
        let deadline = self.args.max_time.filter(|time| !time.is_zero());
        let deadline = deadline.map(|time| (self.clock.now() + time, time));
        let mut url = url.clone();
        let mut template = self.template.clone();
        let mut redirects = 0;
        loop {
            let response = self.ask(&template, &url, deadline).await?;
            let status = response.status();
            let next = if self.args.location {
                let fixed = template.method_is_fixed;
                redirect::follow(&url, &template.method, fixed, status, response.headers())?
            } else {
                None
            };
            let Some(step) = next else {
                let fails = self.args.fail && status.as_u16() >= 400;
                let destination = (!fails).then_some(destination);
                self.receive(response, &template, &url, destination).await?;
                let text = || format!("{url} answered {status}");
                return if fails { Err(Failure::new(Exit::Status, text())) } else { Ok(()) };
            };
            if redirects == self.args.max_redirs {
                let text = format!("more than {redirects} redirects, the last one to {}", step.url);
                return Err(Failure::new(Exit::TooManyRedirects, text));
            }
            redirects += 1;
            self.pass_by(response, &template, &url, destination).await?;
            template.redirect(&step);
            url = step.url;
        }
    }

    /// Sends one request and waits for the response's head.
    async fn ask(
        &self,
        template: &Template,
        url: &Url,
        deadline: Option<(Instant, Duration)>,
    ) -> Result<Response<Body>, Failure> {
        let mut request = template.request(url);
        let mut options = RequestOptions::default();
        options.timeout = deadline.map(|(at, _)| at.saturating_since(self.clock.now()));
        if let (Some(Duration::ZERO), Some((_, time))) = (options.timeout, deadline) {
            let text = format!("{url}: the {time:?} of --max-time are over");
            return Err(Failure::new(Exit::Timeout, text));
        }
        let interim = Arc::new(StdMutex::new(String::new()));
        if self.args.verbose {
            let heard = Arc::clone(&interim);
            options.on_informational = Some(Arc::new(move |response| {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&verbose::response(response));
            }));
        }
        request.extensions_mut().insert(options);
        let sent = self.args.verbose.then(|| request.headers().clone());
        let result = self.client.request(request).await;
        let timeline = match &result {
            Ok(response) => timeline_of(response),
            Err(error) => error.timeline().cloned(),
        };
        if let Some(headers) = sent {
            let interim = interim.lock().unwrap_or_else(PoisonError::into_inner);
            self.explain(template, url, &headers, timeline.as_ref(), &interim);
        }
        match result {
            Ok(response) => {
                if self.args.verbose {
                    say::err(&verbose::response(&response));
                }
                Ok(response)
            }
            Err(error) => Err(self.failed(template, url, &error)),
        }
    }

    /// `-v`: everything up to the response's own head.
    fn explain(
        &self,
        template: &Template,
        url: &Url,
        headers: &HeaderMap,
        timeline: Option<&Timeline>,
        interim: &str,
    ) {
        let uri = url.uri();
        let mut text = String::new();
        let mut was_sent = false;
        if let Some(timeline) = timeline {
            text.push_str(&verbose::connection(timeline, uri.host().unwrap_or_default()));
            was_sent = timeline.assigned.is_some();
        }
        if was_sent {
            let protocol = timeline.and_then(|timeline| timeline.connection.as_ref());
            let protocol =
                protocol.map_or_else(|| "HTTP/1.1".to_owned(), |used| used.protocol.to_string());
            text.push_str(&verbose::request(&template.method, uri, &protocol, headers));
        }
        text.push_str(interim);
        say::err(&text);
    }

    /// Draws what there is of a failed request.
    fn failed(&self, template: &Template, url: &Url, error: &Error) -> Failure {
        if let Some(timeline) = error.timeline().filter(|_| self.args.timeline) {
            self.draw(template, url, "failed", timeline);
        }
        Failure::of(error)
    }

    /// Writes a final response out; without a destination its body is left out.
    async fn receive(
        &self,
        response: Response<Body>,
        template: &Template,
        url: &Url,
        destination: Option<&Destination>,
    ) -> Result<(), Failure> {
        let handle = response.extensions().get::<TimelineHandle>().cloned();
        let mut outcome = response.status().to_string();
        let ended = match destination {
            Some(destination) => self.write(response, destination).await,
            None => discard(response).await,
        };
        if let Some(handle) = handle.filter(|_| self.args.timeline) {
            if ended.is_err() {
                outcome.push_str(", but not the whole body");
            }
            self.draw(template, url, &outcome, &waterfall::settled(&handle).await);
        }
        ended
    }

    async fn write(
        &self,
        response: Response<Body>,
        destination: &Destination,
    ) -> Result<(), Failure> {
        let mut sink = Sink::open(destination, &self.stdout).await?;
        if self.args.include || self.args.head {
            sink.write(&verbose::head(&response)).await?;
        }
        let mut body = response.into_body();
        let mut ended = Ok(());
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) => sink.write(&data).await?,
                Ok(Err(frame)) => self.show_trailers(frame.trailers_ref()),
                Err(error) => {
                    ended = Err(Failure::of(&error));
                    break;
                }
            }
        }
        // What came is written also when the rest did not come.
        sink.finish().await?;
        ended
    }

    fn show_trailers(&self, trailers: Option<&HeaderMap>) {
        if let Some(trailers) = trailers.filter(|_| self.args.verbose) {
            say::err(&verbose::trailers(trailers));
        }
    }

    /// A response that leads on: with `-i` its head is shown, its body never.
    async fn pass_by(
        &self,
        response: Response<Body>,
        template: &Template,
        url: &Url,
        destination: &Destination,
    ) -> Result<(), Failure> {
        if self.args.include || self.args.head {
            let mut sink = Sink::open(destination, &self.stdout).await?;
            sink.write(&verbose::head(&response)).await?;
            sink.finish().await?;
        }
        self.receive(response, template, url, None).await
    }

    fn draw(&self, template: &Template, url: &Url, outcome: &str, timeline: &Timeline) {
        let mut text = format!("\n{} {url}: {outcome}\n", template.method);
        let summary = waterfall::summary(timeline);
        if !summary.is_empty() {
            let _ = writeln!(text, "{summary}");
        }
        text.push_str(&waterfall::draw(timeline));
        say::err(&text);
    }
}

fn timeline_of(response: &Response<Body>) -> Option<Timeline> {
    response.extensions().get::<TimelineHandle>().map(TimelineHandle::snapshot)
}

/// Reads a short body to its end, so that its connection can be used again; a long one is
/// dropped, and a failure is of no interest.
async fn discard(response: Response<Body>) -> Result<(), Failure> {
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, bytes::Bytes::len);
        if read > REDIRECT_BODY {
            break;
        }
    }
    Ok(())
}

/// The client that `args` describe.
fn client(args: &GetArgs, urls: &[Url], recording: Option<&Recording>) -> Result<Client, Failure> {
    let mut builder = regatta_tokio::client();
    if let Some(recording) = recording {
        builder = builder.record(recording);
    }
    if let Some(time) = args.connect_timeout {
        builder = builder.connect_timeout(if time.is_zero() { LONGEST_CONNECT } else { time });
    }
    for resolve in &args.resolve {
        // Addresses hold for the whole name, so ports that nobody asks for are left out here.
        let is_asked = |url: &Url| url.is_at(&resolve.host, resolve.port);
        if args.location || urls.iter().any(is_asked) {
            builder = builder.resolve(&resolve.host, resolve.addresses.clone());
        }
    }
    if let Some(path) = &args.cacert {
        let pem = fs::read(path).map_err(|error| {
            let text = format!("cannot read the certificates of {}: {error}", path.display());
            Failure::new(Exit::CaFile, text)
        })?;
        builder = builder.roots(Roots::Pem(pem));
    }
    let key_log = key_log::from_environment().map_err(|text| Failure::new(Exit::Write, text))?;
    builder = builder.profile(|profile| {
        profile.danger_accept_any_certificate = args.insecure;
        profile.key_log = key_log;
        profile.protocols = match args {
            GetArgs { http1_1: true, .. } => Protocols::Http1,
            GetArgs { http2: true, .. } => Protocols::Http2,
            GetArgs { http2_prior_knowledge: true, .. } => Protocols::Http2PriorKnowledge,
            _ => Protocols::Auto,
        };
    });
    // --parallel is the limit that was asked for.
    builder = builder.limits(|limits| {
        limits.max_connections = None;
        limits.max_pending_requests = None;
        limits.max_requests = None;
    });
    builder.build().map_err(|error| {
        let exit = if args.cacert.is_some() { Exit::CaFile } else { Exit::Usage };
        Failure::new(exit, error.to_string())
    })
}
