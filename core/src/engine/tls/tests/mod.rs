//! Both sides in memory: handshakes, failures, sessions, transfers.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ED25519,
};
use rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom};
use rustls::pki_types::UnixTime;
use rustls::{NamedGroup, ProtocolVersion};

use super::*;
use crate::rng::Rng;
use crate::time::Duration;
use crate::types::{Cause, TlsFault};

mod certificates;
mod providers;

/// 2026-06-01T00:00:00Z.
pub(in crate::engine) const JUNE: Duration = Duration::from_secs(1_780_272_000);
const DAY: Duration = Duration::from_secs(86_400);
const T0: Instant = Instant::EPOCH;

/// An authority, and a certificate of its own with its key.
pub(in crate::engine) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(in crate::engine) fn new() -> Self {
        Self::named("one")
    }

    pub(in crate::engine) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    pub(in crate::engine) fn root(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// Valid in 2026, for these names.
    pub(in crate::engine) fn server(&self, names: &[&str]) -> ServerOptions {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 31);
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ServerOptions::new(vec![certificate.der().to_vec()], key.serialize_der())
    }
}

/// Both ends of a connection.
struct Pair {
    client: Tls,
    server: Tls,
    /// What each end has to send and what it has heard.
    client_plain: Output,
    server_plain: Output,
    client_heard: BytesMut,
    server_heard: BytesMut,
    /// Bytes handed over at a time.
    chunk: usize,
    now: Instant,
    /// The lengths of the flights, up and down.
    carried: Vec<(usize, usize)>,
}

impl Pair {
    fn new(client: &ClientConfig, server: &ServerConfig, name: &str) -> Self {
        Self {
            client: Tls::client(client, name, T0).unwrap(),
            server: Tls::server(server, T0).unwrap(),
            client_plain: Output::new(),
            server_plain: Output::new(),
            client_heard: BytesMut::new(),
            server_heard: BytesMut::new(),
            chunk: usize::MAX,
            now: T0,
            carried: Vec::new(),
        }
    }

    /// Carries bytes until neither side has any, or one fails; alerts are carried then too.
    fn run(&mut self) -> (Result<(), TlsError>, Result<(), TlsError>) {
        let (mut client, mut server) = (Ok(()), Ok(()));
        loop {
            let (mut up, mut down) = (Output::new(), Output::new());
            self.client.send(self.now, &mut self.client_plain, &mut up);
            self.server.send(self.now, &mut self.server_plain, &mut down);
            if up.is_empty() && down.is_empty() {
                return (client, server);
            }
            self.carried.push((up.len(), down.len()));
            if server.is_ok() {
                server = carry(self.now, self.chunk, up, &mut self.server, &mut self.server_heard);
            }
            if client.is_ok() {
                client =
                    carry(self.now, self.chunk, down, &mut self.client, &mut self.client_heard);
            }
        }
    }

    fn run_ok(&mut self) {
        assert_eq!(self.run(), (Ok(()), Ok(())));
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
    }
}

fn carry(
    now: Instant,
    chunk: usize,
    mut bytes: Output,
    to: &mut Tls,
    heard: &mut BytesMut,
) -> Result<(), TlsError> {
    while let Some(piece) = bytes.pop() {
        for part in piece.chunks(chunk.min(piece.len())) {
            to.receive(now, part, heard)?;
        }
    }
    Ok(())
}

fn clock() -> Clock {
    Clock::new(JUNE)
}

fn trusting(authority: &Authority) -> ClientOptions {
    ClientOptions {
        roots: vec![authority.root()],
        alpn: vec![Protocol::Http2, Protocol::Http1],
        ..ClientOptions::default()
    }
}

/// Configurations of both sides for `example.com`.
fn configs() -> (ClientConfig, ServerConfig) {
    let authority = Authority::new();
    let server = ServerConfig::new(&clock(), authority.server(&["example.com"])).unwrap();
    (ClientConfig::new(&clock(), trusting(&authority)).unwrap(), server)
}

fn cause_of(result: Result<(), TlsError>) -> (Cause, String) {
    let error = result.unwrap_err();
    (error.cause, error.to_string())
}

// rule: H2-8b
#[test]
fn both_sides_agree_and_talk() {
    let (client, server) = configs();
    let mut pair = Pair::new(&client, &server, "example.com.");
    pair.client_plain.put(b"hello");
    pair.server_plain.put(b"well met");
    pair.run_ok();
    assert_eq!(&pair.server_heard[..], b"hello");
    assert_eq!(&pair.client_heard[..], b"well met");
    for side in [&pair.client, &pair.server] {
        assert_eq!(side.alpn(), Some(Protocol::Http2));
        assert_eq!(side.version(), Some(Version::Tls13));
        assert_eq!(side.cipher_suite(), Some("TLS_AES_256_GCM_SHA384"));
        assert!(!side.is_resumed());
    }
    assert_eq!(pair.client.peer_certificates().count(), 1);
    assert_eq!(pair.server.peer_certificates().count(), 0);
}

#[test]
fn one_byte_at_a_time_is_enough() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let authority = Authority::new();
        let server = ServerConfig::new(&clock(), authority.server(&["example.com"])).unwrap();
        let options = ClientOptions { versions, ..trusting(&authority) };
        let client = ClientConfig::new(&clock(), options).unwrap();
        let mut pair = Pair::new(&client, &server, "example.com");
        pair.chunk = 1;
        pair.client_plain.put(&[7; 40_000]);
        pair.run_ok();
        assert_eq!(&pair.server_heard[..], &[7; 40_000][..]);
    }
}

/// However the bytes come, and however often it is asked.
#[test]
fn nonsense_behind_a_hello_is_not_called_no_tls() {
    let (client, server) = configs();
    for together in [true, false] {
        let mut pair = Pair::new(&client, &server, "example.com");
        let mut hello = Output::new();
        pair.client.send(T0, &mut pair.client_plain, &mut hello);
        let mut bytes = hello.pop().unwrap().to_vec();
        if !together {
            pair.server.receive(T0, &bytes, &mut pair.server_heard).unwrap();
            bytes.clear();
        }
        bytes.extend_from_slice(b"nonsense");
        for _ in 0..2 {
            let result = pair.server.receive(T0, &bytes, &mut pair.server_heard);
            assert_eq!(cause_of(result).0, Cause::Tls(TlsFault::Other), "together: {together}");
        }
    }
}

#[test]
fn plain_text_stays_where_it_is_until_the_handshake_is_done() {
    let (client, server) = configs();
    let mut pair = Pair::new(&client, &server, "example.com");
    pair.client_plain.put(b"early");
    let mut out = Output::new();
    pair.client.send(T0, &mut pair.client_plain, &mut out);
    assert_eq!(pair.client_plain.len(), 5);
    assert!(out.len() > 100, "a ClientHello");
}

#[test]
fn big_transfers_arrive_whole_both_ways() {
    let (client, server) = configs();
    let mut pair = Pair::new(&client, &server, "example.com");
    let body: Bytes = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    for part in body.chunks(100_000) {
        pair.client_plain.put(b"head");
        pair.client_plain.push(Bytes::copy_from_slice(part));
    }
    pair.server_plain.push(body.clone());
    pair.chunk = 16 << 10;
    pair.run_ok();
    assert_eq!(pair.client_heard, body);
    assert_eq!(pair.server_heard.len(), body.len() + 30 * 4);
    assert_eq!(&pair.server_heard[..4], b"head");
    assert_eq!(&pair.server_heard[4..100_004], &body[..100_000]);
}

/// The first 64 KiB, and as much after a pause of a second, go in records that fit a segment.
#[test]
fn records_are_short_until_the_path_is_warm() {
    let (client, server) = configs();
    let mut pair = Pair::new(&client, &server, "example.com");
    pair.run_ok();
    // What is sent at once, 8 x 8,201 bytes, fills 48 records of 1,370 bytes, or 5 of 16 KiB.
    let short = 48;
    let table = [
        ("the first", T0, short),
        ("the next", T0, 5),
        ("soon after", T0 + Duration::from_millis(999), 5),
        ("a second later", T0 + Duration::from_millis(1_999), short),
        ("behind it", T0 + Duration::from_millis(2_500), 5),
    ];
    for (what, now, records) in table {
        for _ in 0..8 {
            pair.client_plain.put(b"123456789");
            pair.client_plain.push(Bytes::from(vec![1; 8 << 10]));
        }
        let len = pair.client_plain.len();
        let mut out = Output::new();
        pair.client.send(now, &mut pair.client_plain, &mut out);
        // A header of 5 bytes, a type and a tag of 16 for each record.
        assert_eq!(out.len(), len + records * 22, "{what}");
        let mut heard = BytesMut::new();
        while let Some(bytes) = out.pop() {
            pair.server.receive(now, &bytes, &mut heard).unwrap();
        }
        assert_eq!(heard.len(), len, "{what}");
    }
}

// rule: H2-8b
#[test]
fn no_common_protocol_ends_the_handshake_with_an_alert() {
    let authority = Authority::new();
    let mut server = authority.server(&["example.com"]);
    server.alpn = vec![Protocol::Http1];
    let server = ServerConfig::new(&clock(), server).unwrap();
    let client = ClientConfig::new(&clock(), trusting(&authority)).unwrap();
    let only_h2 = client.with_alpn(&[Protocol::Http2]);
    let (ours, theirs) = Pair::new(&only_h2, &server, "example.com").run();
    let nothing = Cause::Tls(TlsFault::NothingInCommon);
    let words = "example.com speaks none of the protocols offered to it by ALPN";
    assert_eq!(cause_of(ours), (nothing, words.into()));
    assert_eq!(cause_of(theirs).0, nothing);

    let mut pair = Pair::new(&client, &server, "example.com");
    pair.run_ok();
    assert_eq!(pair.client.alpn(), Some(Protocol::Http1));

    let mut pair = Pair::new(&client.with_alpn(&[]), &server, "example.com");
    pair.run_ok();
    assert_eq!(pair.client.alpn(), None);
}

#[test]
fn no_common_version_is_nothing_in_common() {
    let authority = Authority::new();
    let mut server = authority.server(&["example.com"]);
    server.versions = Versions::Tls12;
    let server = ServerConfig::new(&clock(), server).unwrap();
    let options = ClientOptions { versions: Versions::Tls13, ..trusting(&authority) };
    let client = ClientConfig::new(&clock(), options).unwrap();
    let (ours, theirs) = Pair::new(&client, &server, "example.com").run();
    let nothing = Cause::Tls(TlsFault::NothingInCommon);
    assert_eq!((cause_of(ours).0, cause_of(theirs).0), (nothing, nothing));
}

#[test]
fn plain_text_instead_of_tls_is_told_apart() {
    let (client, server) = configs();
    let mut heard = BytesMut::new();
    for chunk in [1, 1_000] {
        let mut tls = Tls::client(&client, "example.com", T0).unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        let failed = answer.chunks(chunk).find_map(|part| tls.receive(T0, part, &mut heard).err());
        let error = failed.unwrap();
        assert_eq!(error.cause, Cause::Tls(TlsFault::NotTls));
        let words = "example.com answered with bytes that are not TLS: is this port plain text?";
        assert_eq!(error.to_string(), words);
        assert_eq!(tls.receive(T0, b"more", &mut heard).unwrap_err().source, error.source);
    }
    let mut tls = Tls::server(&server, T0).unwrap();
    let error = tls.receive(T0, b"GET / HTTP/1.1\r\n\r\n", &mut heard).unwrap_err();
    assert_eq!(error.cause, Cause::Tls(TlsFault::NotTls));
    let mut out = Output::new();
    tls.send(T0, &mut Output::new(), &mut out);
    // A fatal alert record: decode_error.
    assert_eq!(out.pop().as_deref(), Some(&[21, 3, 3, 0, 2, 2, 50][..]));
    assert!(heard.is_empty());
}

#[test]
fn sessions_resume_where_name_and_offer_are_the_same() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let authority = Authority::new();
        let server = ServerConfig::new(&clock(), authority.server(&["example.com"])).unwrap();
        let options = ClientOptions { versions, ..trusting(&authority) };
        let base = ClientConfig::new(&clock(), options).unwrap();
        let config = base.for_origin();
        let resumed = |config: &ClientConfig, now: Instant| {
            let mut pair = Pair::new(config, &server, "example.com");
            pair.now = now;
            pair.run_ok();
            assert_eq!(pair.client.is_resumed(), pair.server.is_resumed());
            pair.client.is_resumed()
        };
        assert!(!resumed(&config, T0), "{versions:?}");
        assert!(resumed(&config, T0), "{versions:?}");
        assert!(resumed(&config.clone(), T0), "{versions:?}");
        assert!(!resumed(&base.for_origin(), T0), "{versions:?}: another origin");
        assert!(!resumed(&config.with_alpn(&[Protocol::Http1]), T0), "{versions:?}: offer");
        let hour = Duration::from_secs(3_600);
        assert!(!resumed(&base, T0), "{versions:?}");
        assert!(resumed(&base, T0 + 11 * hour), "{versions:?}");
        assert!(resumed(&base, T0 + 22 * hour), "{versions:?}: the key before still opens");
        assert!(!resumed(&base, T0 + 60 * hour), "{versions:?}: both keys are gone");
    }
}

#[test]
fn a_server_without_tickets_resumes_nothing() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let authority = Authority::new();
        let mut server = authority.server(&["example.com"]);
        server.tickets = 0;
        let server = ServerConfig::new(&clock(), server).unwrap();
        let options = ClientOptions { versions, ..trusting(&authority) };
        let client = ClientConfig::new(&clock(), options).unwrap();
        for _ in 0..2 {
            let mut pair = Pair::new(&client, &server, "example.com");
            pair.run_ok();
            assert!(!pair.client.is_resumed());
        }
    }
}

#[derive(Debug, Default)]
struct Lines(Mutex<Vec<String>>);

impl KeyLog for Lines {
    fn line(&self, line: &str) {
        self.0.lock().unwrap().push(line.into());
    }
}

#[test]
fn both_sides_log_the_same_secrets() {
    for (versions, labels) in [
        (
            Versions::Tls13,
            &[
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "CLIENT_TRAFFIC_SECRET_0",
                "EXPORTER_SECRET",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "SERVER_TRAFFIC_SECRET_0",
            ][..],
        ),
        (Versions::Tls12, &["CLIENT_RANDOM"]),
    ] {
        let (ours, theirs) = (Arc::new(Lines::default()), Arc::new(Lines::default()));
        let authority = Authority::new();
        let mut server = authority.server(&["example.com"]);
        server.key_log = Some(theirs.clone());
        let server = ServerConfig::new(&clock(), server).unwrap();
        let options =
            ClientOptions { key_log: Some(ours.clone()), versions, ..trusting(&authority) };
        let client = ClientConfig::new(&clock(), options).unwrap();
        Pair::new(&client, &server, "example.com").run_ok();
        let sorted = |lines: &Lines| {
            let mut lines = lines.0.lock().unwrap().clone();
            lines.sort();
            lines
        };
        let lines = sorted(&ours);
        assert_eq!(lines, sorted(&theirs));
        let words: Vec<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(words, labels);
        for line in &lines {
            let [_, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("three words expected: {line}");
            };
            assert_eq!((random.len(), secret.len()), (64, 96));
        }
    }
}

// rule: M-7b
#[test]
fn close_notify_goes_behind_the_last_bytes_and_is_heard() {
    let (client, server) = configs();
    let mut pair = Pair::new(&client, &server, "example.com");
    pair.run_ok();
    pair.client_plain.put(b"last words");
    pair.client.close();
    assert!(pair.client.wants_send());
    pair.run_ok();
    assert_eq!(&pair.server_heard[..], b"last words");
    assert!(pair.server.is_peer_closed());
    assert!(!pair.client.is_peer_closed());
    // The other half stays open, and what this side says now is dropped.
    pair.client_plain.put(b"too late");
    pair.server_plain.put(b"reply");
    pair.server.close();
    pair.run_ok();
    assert_eq!(&pair.client_heard[..], b"reply");
    assert!(pair.client.is_peer_closed());
    assert!(pair.client_plain.is_empty());
    // What follows the peer's close_notify is nothing.
    assert_eq!(pair.client.receive(T0, b"garbage", &mut pair.client_heard), Ok(()));
}

#[test]
fn bytes_before_a_broken_record_are_heard() {
    let (client, server) = configs();
    let mut pair = Pair::new(&client, &server, "example.com");
    pair.run_ok();
    let mut out = Output::new();
    pair.client_plain.put(b"good");
    pair.client.send(T0, &mut pair.client_plain, &mut out);
    pair.client_plain.put(b"evil");
    pair.client.send(T0, &mut pair.client_plain, &mut out);
    let mut bytes = out.pop().unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let error = pair.server.receive(T0, &bytes, &mut pair.server_heard).unwrap_err();
    assert_eq!(error.cause, Cause::Tls(TlsFault::Other));
    assert_eq!(error.to_string(), "TLS failed: cannot decrypt peer's message");
    assert_eq!(&pair.server_heard[..], b"good");
    pair.server_plain.put(b"never sent");
    let (ours, _) = pair.run();
    // The alert went out: bad_record_mac.
    assert_eq!(cause_of(ours).0, Cause::Tls(TlsFault::Alert(20)));
    assert!(pair.client_heard.is_empty());
}

/// A generator that anybody can predict.
#[derive(Debug)]
pub(in crate::engine) struct Seeded(Mutex<Rng>);

impl Seeded {
    /// Cryptography that draws from `seed`, and whose flights are always as long.
    #[cfg(feature = "http3")]
    pub(in crate::engine) fn provider(seed: u64) -> Provider {
        let random = Box::leak(Box::new(Self(Mutex::new(Rng::new(seed)))));
        let mut crypto = CryptoProvider::clone(&Provider::default().get());
        crypto.secure_random = random;
        crypto.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
        Provider::custom(crypto)
    }
}

impl SecureRandom for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        let mut rng = self.0.lock().unwrap();
        bytes.fill_with(|| rng.next_u64() as u8);
        Ok(())
    }
}
