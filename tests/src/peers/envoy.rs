//! Envoy drained by hand, and as a proxy to CONNECT through.

use std::process::Command;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use regatta_core::types::{Origin as Target, Scheme};
use regatta_tokio::Tunnel;

use super::program::{Folder, Running, find, free_port, get};
use crate::ask;
use crate::dsl::{Peer, run};

/// Envoy with a plain port (it recognises HTTP/2 by its preface) and a TLS one.
struct Envoy {
    running: Running,
    _folder: Folder,
    ca: String,
    plain: u16,
    tls: u16,
    admin: u16,
}

impl Envoy {
    /// `tunnel` is where CONNECT leads.
    fn start(tunnel: u16) -> Option<Self> {
        let program = find("envoy")?;
        let folder = Folder::new();
        let (ca, certificate, key) = folder.certificates();
        let [plain, tls, admin] = [free_port(), free_port(), free_port()];
        let config = config(plain, tls, admin, tunnel, &certificate, &key);
        let config = folder.file("envoy.yaml", config);
        let mut command = Command::new(program);
        command.args(["-c", &config, "--concurrency", "1", "--disable-hot-restart"]);
        command.args(["-l", "warning", "--drain-time-s", "5"]);
        let running = Running::start(&mut command, &[admin, plain, tls]);
        Some(Self { running, _folder: folder, ca, plain, tls, admin })
    }

    fn ways(&self) -> [(Vec<&str>, String); 4] {
        let (plain, tls) =
            (format!("http://127.0.0.1:{}", self.plain), format!("https://localhost:{}", self.tls));
        [
            (vec![], plain.clone()),
            (vec!["--http2-prior-knowledge"], plain),
            (vec!["--cacert", &self.ca], tls.clone()),
            (vec!["--cacert", &self.ca, "--http1.1"], tls),
        ]
    }
}

/// One listener's filter chain, in YAML's flow style.
fn listener(name: &str, port: u16, socket: &str) -> String {
    let manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                   HttpConnectionManager";
    let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    format!(
        r#"
  - name: {name}
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {manager}
          stat_prefix: {name}
          codec_type: AUTO
          common_http_protocol_options: {{ max_requests_per_connection: 7 }}
          http2_protocol_options: {{ max_concurrent_streams: 4, allow_connect: true }}
          upgrade_configs: [ {{ upgrade_type: CONNECT }} ]
          route_config:
            virtual_hosts:
            - name: all
              domains: [ "*" ]
              routes:
              - match: {{ connect_matcher: {{}} }}
                route:
                  cluster: far
                  upgrade_configs: [ {{ upgrade_type: CONNECT, connect_config: {{}} }} ]
              - match: {{ path: /hello }}
                direct_response: {{ status: 200, body: {{ inline_string: "hello\n" }} }}
              - match: {{ prefix: / }}
                direct_response: {{ status: 404 }}
          http_filters:
          - {{ name: envoy.filters.http.router, typed_config: {{ "@type": {router} }} }}{socket}"#
    )
}

fn config(plain: u16, tls: u16, admin: u16, far: u16, certificate: &str, key: &str) -> String {
    let context =
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let socket = format!(
        r#"
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": {context}
          common_tls_context:
            alpn_protocols: [ h2, http/1.1 ]
            tls_certificates:
            - certificate_chain: {{ filename: {certificate} }}
              private_key: {{ filename: {key} }}"#
    );
    format!(
        r#"admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}
static_resources:
  listeners:{}{}
  clusters:
  - name: far
    type: STATIC
    load_assignment:
      cluster_name: far
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{ socket_address: {{ address: 127.0.0.1, port_value: {far} }} }}
"#,
        listener("plain", plain, ""),
        listener("tls", tls, &socket),
    )
}

/// Its listeners drain while requests run: nothing is lost until they are closed.
#[test]
fn drains_under_load() {
    let Some(envoy) = Envoy::start(free_port()) else { return };
    let admin = format!("http://127.0.0.1:{}/drain_listeners?graceful&skip_exit", envoy.admin);
    for (options, at) in envoy.ways() {
        let url = format!("{at}/hello");
        let many = ["-Z", "--parallel-max", "8", "--repeat", "300", &url];
        let again = ["--retry", "5", "--retry-delay", "1", "--retry-all-errors"];
        let words: Vec<String> =
            options.iter().chain(&many).chain(&again).map(|word| (*word).to_owned()).collect();
        let asked =
            std::thread::spawn(move || get(&words.iter().map(String::as_str).collect::<Vec<_>>()));
        get(&["-X", "POST", "-s", "-o", "/dev/null", &admin]);
        let said = asked.join().unwrap().well();
        assert_eq!(said.len(), 300 * "hello\n".len(), "{options:?}");
    }
    envoy.running.signal("TERM");
    assert!(envoy.running.wait());
}

/// RFC 9110 9.3.6, RFC 9113 8.5: a tunnel through Envoy to a peer that is no HTTP at all; over
/// HTTP/2 with half-close (over HTTP/1 Envoy ends both sides together).
#[test]
fn carries_tunnels() {
    run(async {
        let peer = Peer::bind().await;
        let Some(envoy) = Envoy::start(peer.address().port()) else { return };
        for (client, is_http2) in [(ask::client(), false), (ask::http2().build().unwrap(), true)] {
            let mut request = Request::connect("far.test:443").body(Empty::<Bytes>::new()).unwrap();
            let to = Target { scheme: Scheme::Http, host: "127.0.0.1".into(), port: envoy.plain };
            request.extensions_mut().insert(ask::options(|options| options.to = Some(to)));
            let asks = async {
                let response = client.request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                let mut tunnel = Tunnel::from_body(response.into_body()).unwrap();
                tunnel.send(Bytes::from_static(b"ping")).await.unwrap();
                let mut said = Vec::new();
                while let Some(bytes) = tunnel.read().await {
                    said.extend_from_slice(&bytes.unwrap());
                    if is_http2 && said == b"pong" {
                        tunnel.finish();
                    }
                }
                // A tunnel carries bytes, not messages: they may come together.
                assert_eq!(said, b"pongbye");
            };
            let script = async {
                let mut line = peer.line().await;
                line.recv("ping").await;
                line.send("pong").await;
                if is_http2 {
                    assert_eq!(line.rest().await, "");
                }
                line.send("bye").await;
                line.finish().await;
            };
            tokio::join!(asks, script);
        }
    });
}
