//! What the transfers of one part of the line share: options, client, files.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use regatta_core::altsvc::{Alternative, Offer, Said, Source};
use regatta_core::engine::tls::{Identity, Versions};
use regatta_core::race::Delay;
use regatta_core::types::{Origin, Scheme};
use regatta_core::upstream::Protocols;
use regatta_runtime::Client;
use regatta_tokio::{Profile, Proxies, Recording, Roots, Runtime as _, system_roots};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::Stdout;
use tokio::sync::Mutex;

use super::alt_svc;
use super::cookies::Jar;
use super::decisions::Decisions;
use super::exit_code::{Exit, Failure};
use super::key_log;
use super::progress::Board;
use super::wire::Wire;
use crate::cli::value::Resolve;
use crate::cli::{GetArgs, TlsArgs, WayArgs};
use crate::qlog;
use crate::waterfall::file::Album;

/// curl's connect timeout where `--connect-timeout 0` asks for none.
const LONGEST_CONNECT: Duration = Duration::from_secs(300);

/// One part of the line, at work.
pub(crate) struct Batch {
    pub(crate) args: GetArgs,
    pub(crate) client: Client<Wire>,
    pub(crate) wire: Wire,
    pub(crate) proxies: Proxies,
    /// `-v`: what the client's records told.
    pub(crate) decisions: Arc<StdMutex<Decisions>>,
    pub(crate) shared: Arc<Shared>,
    /// `-D`, made with the first head.
    pub(crate) heads: Mutex<Option<tokio::fs::File>>,
    /// `-w`, read from its file.
    pub(crate) write_out: Option<String>,
}

/// What all parts share.
pub(crate) struct Shared {
    pub(crate) stdout: Arc<Mutex<Stdout>>,
    pub(crate) cookies: StdMutex<Jar>,
    pub(crate) speaks: bool,
    /// `--timeline=FILE`.
    pub(crate) album: Arc<Album>,
    /// How far the transfers have come.
    pub(crate) board: Arc<Board>,
}

impl Batch {
    /// The seconds since 1970 that it is now.
    pub(crate) fn unix_now(&self) -> i64 {
        let since = self.wire.now().saturating_since(regatta_core::Instant::EPOCH);
        let unix = self.wire.unix_at_epoch() + since;
        i64::try_from(unix.as_secs()).unwrap_or(i64::MAX)
    }

    /// Works on the cookies.
    pub(crate) fn cookies<T>(&self, work: impl FnOnce(&mut Jar) -> T) -> T {
        work(&mut self.shared.cookies.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether cookies of responses are kept.
    pub(crate) fn keeps_cookies(&self) -> bool {
        let request = &self.args.request;
        request.cookie_jar.is_some() || request.cookie.iter().any(|cookie| !cookie.contains('='))
    }

    /// Reads the cookies that the files of `-b` have; one that is not there has none.
    pub(crate) fn read_cookies(&self) -> Result<(), Failure> {
        let files = self.args.request.cookie.iter().filter(|cookie| !cookie.contains('='));
        for file in files.filter(|file| !file.is_empty()) {
            let text = match file.as_str() {
                "-" => super::data::read(file)?,
                file => fs::read(file).unwrap_or_default(),
            };
            let skips = self.args.request.junk_session_cookies;
            let now = self.unix_now();
            self.cookies(|jar| jar.read(&String::from_utf8_lossy(&text), skips, now));
        }
        Ok(())
    }

    /// Writes the cookies where `-c` wants them; a failure is only said, as curl does.
    pub(crate) fn write_cookies(&self) {
        let Some(path) = &self.args.request.cookie_jar else { return };
        let now = self.unix_now();
        let text = self.cookies(|jar| jar.write(now));
        if path.as_os_str() == "-" {
            let _ = crate::say::out(&text);
        } else if let Err(error) = fs::write(path, text)
            && self.shared.speaks
        {
            let text = format!("regatta: cannot write the cookies to {}: {error}", path.display());
            crate::say::err(&format!("{text}\n"));
        }
    }
}

impl Batch {
    /// Writes the alternatives where `--alt-svc` wants them; a failure is only said.
    pub(crate) fn write_alternatives(&self) {
        if let Some(path) = &self.args.way.alt_svc
            && let Err(why) = alt_svc::store(&self.client, path)
            && self.shared.speaks
        {
            crate::say::err(&format!("regatta: {why}\n"));
        }
    }

    /// `--http3`: whoever is asked is taken to speak it on the port of its own URL.
    pub(crate) fn hint(&self, origin: &Origin) {
        if self.args.way.http3 && origin.scheme == Scheme::Https {
            let offer = Offer::new(Alternative::http3(origin.port));
            self.client.learn(origin, Said::Offers(vec![offer]), Source::Hint);
        }
    }
}

/// The client that `args` describe.
pub(crate) fn client(
    wire: &Wire,
    args: &GetArgs,
    proxies: &Proxies,
    recording: Option<&Recording>,
) -> Result<Client<Wire>, Failure> {
    let WayArgs { connect_timeout, happy_eyeballs_timeout_ms, .. } = &args.way;
    let mut builder = Client::builder(wire.clone()).roots(Roots::Load(system_roots));
    if let Some(recording) = recording {
        builder = builder.record(recording);
    }
    if let Some(time) = *connect_timeout {
        builder = builder.connect_timeout(if time.is_zero() { LONGEST_CONNECT } else { time });
    }
    if let Some(ms) = *happy_eyeballs_timeout_ms {
        let delay = Duration::from_millis(ms.into());
        builder = builder.eyeballs(|eyeballs| eyeballs.attempt_delay = delay);
        builder = builder.race(|race| race.delay = Delay::Fixed(delay));
    }
    if let Some(time) = args.content.expect100_timeout {
        builder = builder.engine(|engine| engine.expect_timeout = time);
    }
    for resolve in resolved(args, proxies) {
        builder = builder.resolve(&resolve.host, resolve.addresses.clone());
    }
    let roots = roots(&args.tls)?;
    let identity = identity(&args.tls)?;
    let versions = versions(&args.tls)?;
    let key_log = key_log::from_environment().map_err(|text| Failure::new(Exit::Write, text))?;
    let qlog = qlog::asked_for(args.output.qlog.as_deref());
    let qlog = qlog.map_err(|text| Failure::new(Exit::Write, text))?;
    if !proxies.is_empty() {
        let mut profile = Profile::default();
        profile.key_log.clone_from(&key_log);
        profile.roots = match &args.proxy.proxy_cacert {
            Some(path) => Roots::Pem(pem(path)?),
            None => Roots::Load(system_roots),
        };
        profile.danger_accept_any_certificate = args.proxy.proxy_insecure;
        builder = builder.proxies(proxies.clone()).proxy_profile(profile);
    }
    let protocols = allowed(&args.way)?;
    builder = builder.profile(|profile| {
        profile.danger_accept_any_certificate = args.tls.insecure;
        profile.key_log = key_log;
        profile.qlog = qlog;
        profile.versions = versions;
        profile.identity = identity;
        if let Some(pem) = roots {
            profile.roots = Roots::Pem(pem);
        }
        profile.protocols = protocols;
        (profile.early_data, profile.https_records) = (args.way.early_data, args.way.https_records);
    });
    // --parallel-max is the limit that was asked for.
    builder = builder.limits(|limits| {
        limits.max_connections = None;
        limits.max_pending_requests = None;
        limits.max_requests = None;
    });
    builder.build().map_err(|error| {
        let text = error.to_string();
        let exit = match () {
            () if text.contains("identity") => Exit::ClientCertificate,
            () if args.tls.cacert.is_some() || args.proxy.proxy_cacert.is_some() => Exit::CaFile,
            () => Exit::Usage,
        };
        Failure::new(exit, text)
    })
}

/// The protocols, where the other options can be had with them.
fn allowed(way: &WayArgs) -> Result<Protocols, Failure> {
    let protocols = protocols(way);
    if way.early_data && !matches!(protocols, Protocols::AutoHttp3 | Protocols::Http3) {
        let text = "--early-data is for HTTP/3 alone: add --http3, --http3-only, \
            --https-records or --alt-svc FILE";
        return Err(Failure::new(Exit::Usage, text.to_owned()));
    }
    Ok(protocols)
}

const fn protocols(way: &WayArgs) -> Protocols {
    match way {
        WayArgs { http1_0: true, .. } | WayArgs { http1_1: true, .. } => Protocols::Http1,
        WayArgs { http2: true, .. } => Protocols::Http2,
        WayArgs { http2_prior_knowledge: true, .. } => Protocols::Http2PriorKnowledge,
        WayArgs { http3_only: true, .. } => Protocols::Http3,
        WayArgs { http3: true, .. }
        | WayArgs { alt_svc: Some(_), .. }
        | WayArgs { https_records: true, .. } => Protocols::AutoHttp3,
        _ => Protocols::Auto,
    }
}

/// The `--resolve` that count. Addresses hold for the whole name, so ports that nobody asks for
/// are left out.
fn resolved<'a>(args: &'a GetArgs, proxies: &Proxies) -> impl Iterator<Item = &'a Resolve> {
    let places = proxies.each();
    args.way.resolve.iter().filter(move |resolve| {
        let is_asked = |url: &String| {
            super::url::Url::parse(url).is_ok_and(|url| url.is_at(&resolve.host, resolve.port))
        };
        let is_proxy = places
            .iter()
            .map(|proxy| proxy.origin())
            .any(|origin| origin.port == resolve.port && *origin.host == *resolve.host);
        args.request.location || is_proxy || args.urls.iter().any(is_asked)
    })
}

fn roots(args: &TlsArgs) -> Result<Option<Vec<u8>>, Failure> {
    args.cacert.as_deref().map(pem).transpose()
}

fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        let text = format!("cannot read the certificates of {}: {error}", path.display());
        Failure::new(Exit::CaFile, text)
    })
}

fn identity(args: &TlsArgs) -> Result<Option<Identity>, Failure> {
    let Some(cert) = &args.cert else { return Ok(None) };
    let read = |path: &Path| {
        fs::read(path).map_err(|error| {
            let text = format!("cannot read our own certificate from {}: {error}", path.display());
            Failure::new(Exit::ClientCertificate, text)
        })
    };
    let chain = read(cert)?;
    let key = args.key.as_deref().map_or_else(|| Ok(chain.clone()), read)?;
    let wrong = |why: String| {
        let text = format!("our own certificate in {}: {why}", cert.display());
        Failure::new(Exit::ClientCertificate, text)
    };
    let certificates = CertificateDer::pem_slice_iter(&chain)
        .map(|one| one.map(|der| der.as_ref().to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(format!("the PEM text is malformed: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong("there is no CERTIFICATE section".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| wrong(format!("no private key can be read: {error}")))?;
    Ok(Some(Identity { certificates, key: key.secret_der().to_vec() }))
}

fn versions(args: &TlsArgs) -> Result<Versions, Failure> {
    match (args.tlsv1_3, args.tls_max.as_deref()) {
        (false, None | Some("1.3" | "default")) => Ok(Versions::Both),
        (true, None | Some("1.3" | "default")) => Ok(Versions::Tls13),
        (false, Some("1.2")) => Ok(Versions::Tls12),
        (least, most) => {
            let least = if least { "1.3" } else { "1.2" };
            let most = most.unwrap_or_default();
            let text = format!("no TLS is left between {least} and {most}");
            Err(Failure::new(Exit::TlsHandshake, text))
        }
    }
}
