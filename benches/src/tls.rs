//! ring beside aws-lc-rs, through regatta's own TLS, both ends in memory on one thread.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use regatta_core::Instant;
use regatta_core::engine::Output;
use regatta_core::engine::tls::{
    ClientConfig, ClientOptions, Clock, Provider, ServerConfig, ServerOptions, Tls,
};
use regatta_core::types::Protocol;

use crate::measure::{Cost, cost, cpu, live_bytes, median, table};

pub(crate) const NAME: &str = "origin.example";
const ADDRESS: &str = "127.0.0.1";
const RUNS: usize = 7;
const HANDSHAKES: u64 = 300;
const BULK: usize = 256 << 20;
const BULK_WRITE: usize = 64 << 10;
const RECORDS: u64 = 200_000;
const RECORD: usize = 64;
const IDLE: usize = 500;

/// Both sides' settings with one provider.
struct Setup {
    label: &'static str,
    client: ClientConfig,
    server: ServerConfig,
}

/// A server's certificate, its key, and the root that it leads to, each in DER.
pub(crate) struct Identity {
    pub(crate) root: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    /// Certificate and key as other programs read them.
    pub(crate) pem: [String; 2],
}

impl Identity {
    /// ECDSA with P-256 throughout, as most servers have it.
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec![NAME.into(), ADDRESS.into()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        Ok(Self {
            pem: [certificate.pem(), key.serialize_pem()],
            root: issuer.der().to_vec(),
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        })
    }

    /// A server's settings.
    pub(crate) fn server(&self) -> ServerOptions {
        ServerOptions::new(vec![self.certificate.clone()], self.key.clone())
    }
}

impl Setup {
    fn new(label: &'static str, provider: &Provider, identity: &Identity) -> Self {
        // 2026-06-01: any day on which the certificate is valid.
        let clock = Clock::new(Duration::from_secs(1_780_272_000));
        let mut options = ClientOptions::default();
        options.roots = vec![identity.root.clone()];
        options.alpn = vec![Protocol::Http2, Protocol::Http1];
        options.provider = Some(provider.clone());
        let client = ClientConfig::new(&clock, options).expect("client settings");
        let mut options = identity.server();
        options.provider = Some(provider.clone());
        let server = ServerConfig::new(&clock, options).expect("server settings");
        Self { label, client, server }
    }
}

/// aws-lc-rs with the hybrid key exchange that browsers prefer; ring has none.
fn post_quantum() -> Provider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups.insert(0, rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768);
    Provider::custom(provider)
}

/// Both ends of a connection, with the CPU time that each has used.
struct Pair {
    client: Tls,
    server: Tls,
    client_time: Duration,
    server_time: Duration,
}

impl Pair {
    /// A whole handshake, the server's tickets included.
    fn handshake(client: &ClientConfig, server: &ServerConfig) -> Self {
        let (mut heard, mut none) = (BytesMut::new(), Output::new());
        let (mut up, mut down) = (Output::new(), Output::new());
        let start = cpu();
        let client = Tls::client(client, NAME, Instant::EPOCH).expect("a client");
        let middle = cpu();
        let server = Tls::server(server, Instant::EPOCH).expect("a server");
        let end = cpu();
        let (client_time, server_time) = (middle - start, end - middle);
        let mut pair = Self { client, server, client_time, server_time };
        loop {
            let start = cpu();
            receive(&mut pair.client, &mut down, &mut heard);
            pair.client.send(Instant::EPOCH, &mut none, &mut up);
            let middle = cpu();
            receive(&mut pair.server, &mut up, &mut heard);
            pair.server.send(Instant::EPOCH, &mut none, &mut down);
            let end = cpu();
            pair.client_time += middle - start;
            pair.server_time += end - middle;
            if down.is_empty() {
                assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
                return pair;
            }
        }
    }
}

fn receive(tls: &mut Tls, input: &mut Output, heard: &mut BytesMut) {
    while let Some(bytes) = input.pop() {
        tls.receive(Instant::EPOCH, &bytes, heard).expect("good bytes");
    }
}

fn nanos(time: Duration) -> Cost {
    Cost { nanos: time.as_nanos() as f64, ..Cost::default() }
}

/// Client, server and both, in nanoseconds for one handshake.
fn handshakes(setup: &Setup, resumed: bool) -> [f64; 2] {
    let config = setup.client.for_origin();
    Pair::handshake(&config, &setup.server);
    let (mut client, mut server) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..HANDSHAKES {
        let fresh;
        let config = if resumed {
            &config
        } else {
            fresh = setup.client.for_origin();
            &fresh
        };
        let pair = Pair::handshake(config, &setup.server);
        assert_eq!(pair.client.is_resumed(), resumed);
        client += pair.client_time;
        server += pair.server_time;
    }
    [client, server].map(|time| nanos(time).nanos / HANDSHAKES as f64)
}

/// Nanoseconds to seal and to open `total` bytes in writes of `write` bytes.
fn transfer(setup: &Setup, total: usize, write: usize) -> [Cost; 2] {
    let mut pair = Pair::handshake(&setup.client, &setup.server);
    let chunk = Bytes::from(vec![7; write]);
    let (mut plain, mut sealed, mut heard) = (Output::new(), Output::new(), BytesMut::new());
    let (mut sealing, mut opening) = (Cost::default(), Cost::default());
    // As much as a driver would have in hand, so that the clock is read seldom enough.
    let batch = BULK_WRITE / write.max(1 << 10);
    for _ in 0..total / write / batch {
        let seal = cost(1, || {
            for _ in 0..batch {
                plain.push(chunk.clone());
                pair.client.send(Instant::EPOCH, &mut plain, &mut sealed);
            }
        });
        let open = cost(1, || {
            while let Some(bytes) = sealed.pop() {
                // As much at a time as one read from a socket would bring.
                for part in bytes.chunks(16 << 10) {
                    pair.server.receive(Instant::EPOCH, part, &mut heard).expect("good bytes");
                    heard.clear();
                }
            }
        });
        for (sum, part) in [(&mut sealing, seal), (&mut opening, open)] {
            sum.nanos += part.nanos;
            sum.allocations += part.allocations;
        }
    }
    [sealing, opening]
}

/// Heap bytes of an idle connection, client and server.
fn idle(setup: &Setup) -> [f64; 2] {
    let before = live_bytes();
    let mut pairs: Vec<Pair> = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        pairs.push(Pair::handshake(&setup.client, &setup.server));
    }
    let both = live_bytes() - before;
    let servers: Vec<Tls> = pairs.into_iter().map(|pair| pair.server).collect();
    let server = live_bytes() - before;
    drop(servers);
    [both - server, server].map(|bytes| bytes as f64 / IDLE as f64)
}

/// Runs every provider in turn, several times over, and keeps each one's middle value.
fn middles<const N: usize>(
    setups: &[Setup],
    measure: impl Fn(&Setup) -> [f64; N],
) -> Vec<[f64; N]> {
    let mut runs = vec![Vec::new(); setups.len()];
    for _ in 0..RUNS {
        for (runs, setup) in runs.iter_mut().zip(setups) {
            runs.push(measure(setup));
        }
    }
    let middle = |runs: &Vec<[f64; N]>, column: usize| {
        let costs = runs.iter().map(|run| Cost { nanos: run[column], ..Cost::default() });
        median(costs.collect()).nanos
    };
    runs.iter().map(|runs| std::array::from_fn(|column| middle(runs, column))).collect()
}

/// Prints the tables.
pub(crate) fn run() {
    let identity = Identity::new().expect("certificates");
    let setups = [
        Setup::new("ring", &Provider::ring(), &identity),
        Setup::new("aws-lc-rs", &Provider::aws_lc_rs(), &identity),
        Setup::new("aws-lc-rs, post-quantum", &post_quantum(), &identity),
    ];
    print_handshakes(&setups);
    print_bulk(&setups);
    print_records(&setups);
    print_idle(&setups);
}

fn rows<const N: usize>(
    setups: &[Setup],
    values: &[[f64; N]],
    cell: impl Fn(f64) -> String,
) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (setup, values) in setups.iter().zip(values) {
        let cells = values.iter().map(|value| cell(*value));
        rows.push(std::iter::once(setup.label.to_owned()).chain(cells).collect());
    }
    for (setup, others) in setups.iter().zip(values).skip(1) {
        let ratio = |column: usize| format!("{:.2}", others[column] / values[0][column]);
        let label = format!("{} / {}", setup.label, setups[0].label);
        rows.push(std::iter::once(label).chain((0..N).map(ratio)).collect());
    }
    rows
}

fn print_handshakes(setups: &[Setup]) {
    let full = middles(setups, |setup| handshakes(setup, false));
    let resumed = middles(setups, |setup| handshakes(setup, true));
    let all: Vec<[f64; 4]> = full
        .iter()
        .zip(&resumed)
        .map(|(full, resumed)| [full[0], full[1], resumed[0], resumed[1]])
        .collect();
    table(
        "TLS 1.3 handshake",
        &format!(
            "Microseconds of thread CPU time for each side of one handshake in memory, two tickets \
             and the making of the connection included: X25519 (post-quantum: X25519MLKEM768), \
             AES-256-GCM, ECDSA P-256 leaf and root; resumed is PSK with a new key exchange. \
             Median of {RUNS} runs of {HANDSHAKES}."
        ),
        &["provider", "client, full", "server, full", "client, resumed", "server, resumed"],
        &rows(setups, &all, |nanos| format!("{:.1}", nanos / 1e3)),
    );
}

fn print_bulk(setups: &[Setup]) {
    let values = middles(setups, |setup| {
        transfer(setup, BULK, BULK_WRITE).map(|cost| BULK as f64 / cost.nanos * 1e3)
    });
    table(
        "Bulk",
        &format!(
            "MB per second of CPU time to seal and to open {} MiB, given in pieces of {} KiB and \
             received in reads of 16 KiB. Median of {RUNS} runs.",
            BULK >> 20,
            BULK_WRITE >> 10
        ),
        &["provider", "seal", "open"],
        &rows(setups, &values, |rate| format!("{rate:.0}")),
    );
}

fn print_records(setups: &[Setup]) {
    let values = middles(setups, |setup| {
        let n = RECORDS as f64;
        let [seal, open] = transfer(setup, RECORDS as usize * RECORD, RECORD);
        [seal.nanos / n, open.nanos / n, seal.allocations / n, open.allocations / n]
    });
    table(
        "Small records",
        &format!(
            "Nanoseconds of CPU time, and allocations, to seal and to open one record of {RECORD} \
             bytes; 64 are sealed one by one and then received together. Median of {RUNS} runs of \
             {RECORDS}."
        ),
        &["provider", "seal", "open", "allocations, seal", "allocations, open"],
        &rows(setups, &values, |value| format!("{value:.1}")),
    );
}

fn print_idle(setups: &[Setup]) {
    let values: Vec<[f64; 2]> = setups.iter().map(idle).collect();
    table(
        "Idle",
        &format!(
            "Heap bytes that one connection keeps after its handshake; {IDLE} of them. What a \
             provider written in C allocates by itself is not seen."
        ),
        &["provider", "client", "server"],
        &rows(setups, &values, |bytes| format!("{bytes:.0}")),
    );
}
