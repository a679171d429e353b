//! nginx.

use std::path::Path;
use std::process::Command;

use super::site::{AGAIN, Served, Settings, Site, Way};
use super::{Peer, Start};

pub(super) const PEER: Peer = Peer {
    name: "nginx",
    program: "nginx",
    behind: None,
    ways: &Way::ALL,
    lacks: &[
        ("103", "it sends none by itself (new in 1.29)"),
        ("100 before a body, HTTP/2", "it sends 100 over HTTP/1.1 alone"),
    ],
    commands,
    reload,
    stop: "QUIT",
    end: "TERM",
};

/// Of a version with HTTP/3.
pub(super) const HTTP3: Peer = Peer {
    name: "nginx",
    program: "nginx_http3",
    behind: None,
    ways: &[Way::Quic],
    lacks: &[
        ("103", "it sends none by itself"),
        ("100 before a body, HTTP/3", "it sends 100 over HTTP/1.1 alone"),
    ],
    commands,
    reload,
    stop: "QUIT",
    end: "TERM",
};

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let (file, errors) = (configure(site, settings), site.folder.at("error.log"));
    let mut command = Command::new(program);
    command.args(["-e", &errors, "-c", &file, "-p", site.root()]);
    vec![(command, vec![site.http1, site.http2, site.tls])]
}

fn reload(_: &Path, served: &Served, settings: &Settings) {
    configure(&served.site, settings);
    served.running[0].signal("HUP");
}

fn configure(site: &Site, settings: &Settings) -> String {
    let Site { certificate, key, http1, http2, tls, .. } = site;
    let (root, origin) = (site.root(), &site.origin.address);
    let streams = settings.streams.unwrap_or(128);
    let requests = settings.requests.unwrap_or(10_000);
    let idle = settings.idle.unwrap_or(75);
    let generation = settings.generation;
    let quic = if site.quic {
        format!("listen 127.0.0.1:{tls} quic; http3 on; http3_max_concurrent_streams {streams};")
    } else {
        String::new()
    };
    let text = format!(
        r#"daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
        events {{ worker_connections 512; }}
        http {{
          log_format lines '$connection'; access_log {root}/access.log lines;
          client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
          fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi;
          scgi_temp_path {root}/scgi; client_max_body_size 100m;
          keepalive_requests {requests}; keepalive_timeout {idle}s;
          http2_max_concurrent_streams {streams};
          server {{
            listen 127.0.0.1:{http1}; listen 127.0.0.1:{http2} http2;
            listen 127.0.0.1:{tls} ssl http2; {quic} server_name localhost;
            ssl_certificate {certificate}; ssl_certificate_key {key};
            root {root}; default_type text/plain;
            location /generation {{ return 200 "{generation}"; }}
            location /trailers {{ add_trailer x-trailer "behind the body"; try_files /hello =404; }}
            location /away {{ return 302 /hello; }}
            location /empty {{ return 204; }}
            location /cut {{ return 444; }}
            location /text {{ gzip on; gzip_types text/plain; }}
            location /echo {{ proxy_pass http://{origin}; }}
            location /headers {{ proxy_pass http://{origin}; }}
            location /response-headers {{ proxy_pass http://{origin}; }}
          }}
        }}"#
    );
    site.folder.file("nginx.conf", text)
}

tests_of!(tests, PEER);
tests_of!(http3, HTTP3);

/// Every request was sent once, though nginx ends each connection after 20: its log says so.
#[test]
fn sends_every_request_once() {
    let settings = Settings { requests: Some(20), ..Settings::default() };
    let Some(served) = Served::start(&PEER, &settings) else { return };
    for way in PEER.ways {
        let log = || std::fs::read_to_string(served.site.folder.at("access.log")).unwrap();
        let before = log().lines().count();
        let words = [&["-Z", "--parallel-max", "16", "--repeat", "200"], &AGAIN[..]].concat();
        assert_eq!(served.ask(*way).path(&words, "/hello").well(), "hello\n".repeat(200));
        // The log is written when a request has ended on nginx's side.
        for _ in 0..2_000 {
            if log().lines().count() >= before + 200 {
                break;
            }
            std::thread::sleep(core::time::Duration::from_millis(5));
        }
        let log = log();
        let mut connections: Vec<_> = log.lines().skip(before).collect();
        assert_eq!(connections.len(), 200, "{way}");
        connections.sort_unstable();
        let most = connections.chunk_by(|a, b| a == b).map(<[_]>::len).max();
        assert!(most.is_some_and(|most| most > 1), "{way}: no connection was used twice");
    }
}
