//! Envoy, whose listeners come from a file that it watches; in front of `regatta origin`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::site::{BIG, HUGE, Served, Settings, Site, TEXT, Way};
use super::{Peer, Start};

pub(super) const PEER: Peer = Peer {
    name: "Envoy",
    program: "envoy",
    behind: None,
    ways: &Way::ALL,
    lacks: &[
        ("103", "it sends none by itself"),
        ("closed without an answer", "it has no such answer"),
        ("a graceful end", "at TERM it ends at once: draining goes before"),
        ("a graceful end, HTTP/2 without TLS", "as the one before"),
    ],
    commands,
    reload,
    stop: "TERM",
    end: "KILL",
};

/// The same program, over UDP.
pub(super) const HTTP3: Peer = Peer {
    ways: &[Way::Quic],
    lacks: &[
        ("103", "it sends none by itself"),
        ("closed without an answer", "it has no such answer"),
        ("a graceful end", "at TERM it ends at once: draining goes before"),
    ],
    ..PEER
};

const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.\
                    v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const PACK: &str = "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor";
const GZIP: &str = "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip";
const UPSTREAM: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const TLS: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const QUIC: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport";
/// Else it drops what comes from this machine in one piece, and says that the kernel did.
const GRO: &str = "downstream_socket_config: { prefer_gro: true }";

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let file = site.folder.at("listeners.yaml");
    fs::write(&file, listeners(site, settings)).unwrap();
    let (host, port) = site.origin.address.split_once(':').unwrap();
    let text = format!(
        r#"node: {{ id: one, cluster: one }}
dynamic_resources:
  lds_config: {{ resource_api_version: V3, path_config_source: {{ path: {file} }} }}
static_resources:
  clusters:
  - name: origin
    type: STATIC
    # HTTP/2, which carries trailers without being asked.
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": {UPSTREAM}
        explicit_http_config: {{ http2_protocol_options: {{}} }}
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
"#
    );
    let mut command = Command::new(program);
    command.args(["-c", &site.folder.file("envoy.yaml", text), "--concurrency", "1"]);
    command.args(["--disable-hot-restart", "-l", "warning", "--drain-time-s", "1"]);
    vec![(command, vec![site.http1, site.http2, site.tls])]
}

/// Envoy watches for a file that is moved to where the old one is.
fn reload(_: &Path, served: &Served, settings: &Settings) {
    let folder = &served.site.folder;
    let new = folder.file("listeners.new", listeners(&served.site, settings));
    fs::rename(new, folder.at("listeners.yaml")).unwrap();
}

fn listeners(site: &Site, settings: &Settings) -> String {
    let Site { certificate, key, .. } = site;
    let secure = format!(
        r#"
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": {TLS}
          common_tls_context:
            alpn_protocols: [ h2, http/1.1 ]
            tls_certificates:
            - certificate_chain: {{ filename: {certificate} }}
              private_key: {{ filename: {key} }}"#
    );
    let ports = [("http1", site.http1, ""), ("http2", site.http2, ""), ("tls", site.tls, &*secure)];
    let all = ports.map(|(name, port, socket)| listener(name, port, socket, settings));
    let quic = if site.quic { over_udp(site, settings) } else { String::new() };
    format!("resources:{}{quic}\n", all.concat())
}

/// The listener for HTTP/3, at the port of TLS.
fn over_udp(site: &Site, settings: &Settings) -> String {
    let Site { certificate, key, tls, .. } = site;
    let streams = settings.streams.unwrap_or(100);
    let secure = format!(
        r#"
      transport_socket:
        name: envoy.transport_sockets.quic
        typed_config:
          "@type": {QUIC}
          downstream_tls_context:
            common_tls_context:
              tls_certificates:
              - certificate_chain: {{ filename: {certificate} }}
                private_key: {{ filename: {key} }}"#
    );
    let text = listener("quic", *tls, &secure, settings);
    let text = text.replace("codec_type: AUTO", "codec_type: HTTP3");
    let address = "socket_address: { address";
    let text = text.replacen(address, "socket_address: { protocol: UDP, address", 1);
    let options = format!(
        "quic_options: {{ quic_protocol_options: {{ max_concurrent_streams: {streams} }} }}"
    );
    text.replacen(
        "\n  filter_chains:",
        &format!("\n  udp_listener_config: {{ {options}, {GRO} }}\n  filter_chains:"),
        1,
    )
}

/// One listener, in YAML's flow style.
fn listener(name: &str, port: u16, socket: &str, settings: &Settings) -> String {
    let streams = settings.streams.unwrap_or(100);
    let requests = settings.requests.unwrap_or(10_000);
    let idle = settings.idle.unwrap_or(60);
    let generation = settings.generation;
    format!(
        r#"
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: {name}
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
  filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {HTTP}
          stat_prefix: {name}
          codec_type: AUTO
          drain_timeout: 0.1s
          http_protocol_options: {{ enable_trailers: true }}
          common_http_protocol_options:
            max_requests_per_connection: {requests}
            idle_timeout: {idle}s
          http2_protocol_options: {{ max_concurrent_streams: {streams} }}
          route_config:
            virtual_hosts:
            - name: all
              domains: [ "*" ]
              routes:
              - match: {{ path: /hello }}
                direct_response: {{ status: 200, body: {{ inline_string: "hello\n" }} }}
              - match: {{ path: /generation }}
                direct_response: {{ status: 200, body: {{ inline_string: "{generation}" }} }}
              - match: {{ path: /empty }}
                direct_response: {{ status: 204 }}
              - match: {{ path: /away }}
                redirect: {{ path_redirect: /hello, response_code: FOUND }}
              - match: {{ path: /tagged }}
                route: {{ cluster: origin, prefix_rewrite: /etag/tagged }}
              - match: {{ path: /letters }}
                route: {{ cluster: origin, prefix_rewrite: /range/26 }}
              - match: {{ path: /text }}
                route: {{ cluster: origin, prefix_rewrite: /bytes/{TEXT} }}
              - match: {{ path: /big }}
                route: {{ cluster: origin, prefix_rewrite: /bytes/{BIG} }}
              - match: {{ path: /huge }}
                route: {{ cluster: origin, prefix_rewrite: /bytes/{HUGE} }}
              - match: {{ prefix: / }}
                route: {{ cluster: origin }}
          http_filters:
          - name: envoy.filters.http.compressor
            typed_config:
              "@type": {PACK}
              response_direction_config:
                common_config: {{ content_type: [ application/octet-stream ] }}
              compressor_library: {{ name: gzip, typed_config: {{ "@type": {GZIP} }} }}
          - {{ name: envoy.filters.http.router, typed_config: {{ "@type": {ROUTER} }} }}{socket}"#
    )
}

tests_of!(tests, PEER);
tests_of!(http3, HTTP3);
