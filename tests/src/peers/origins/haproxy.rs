//! HAProxy, in front of `regatta origin` for what it does not answer itself.

use std::path::Path;
use std::process::Command;

use super::site::{BIG, HUGE, Served, Settings, Site, TEXT, Way};
use super::{Peer, Start};

pub(super) const PEER: Peer = Peer {
    name: "HAProxy",
    program: "haproxy",
    behind: None,
    ways: &Way::ALL,
    lacks: &[
        ("few requests on a connection, HTTP/1.1", "it has no such limit"),
        ("few requests on a connection, HTTP/2", "it has no such limit (new in 2.9)"),
    ],
    commands,
    reload,
    stop: "USR1",
    end: "TERM",
};

/// Of a version with HTTP/3.
pub(super) const HTTP3: Peer = Peer {
    name: "HAProxy",
    program: "haproxy_http3",
    behind: None,
    ways: &[Way::Quic],
    lacks: &[("few requests on a connection, HTTP/3", "it has no such limit")],
    commands,
    reload,
    stop: "USR1",
    end: "TERM",
};

/// Without TLS, for a peer that needs something behind it.
pub(super) fn plain(program: &Path, site: &Site, settings: &Settings) -> Start {
    let mut command = Command::new(program);
    command.args(["-db", "-f", &configured(site, settings, ["", ""])]);
    (command, vec![site.http1, site.http2])
}

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let file = configure(site, settings);
    let mut command = Command::new(program);
    // A master, which passes its sockets on when it starts another worker.
    command.args(["-W", "-db", "-f", &file]);
    vec![(command, vec![site.http1, site.http2, site.tls])]
}

fn reload(_: &Path, served: &Served, settings: &Settings) {
    configure(&served.site, settings);
    served.running[0].signal("USR2");
}

fn configure(site: &Site, settings: &Settings) -> String {
    let (root, tls) = (site.root(), site.tls);
    let secure = format!("bind 127.0.0.1:{tls} ssl crt {root}/both.pem alpn h2,http/1.1");
    let quic = format!("bind quic4@127.0.0.1:{tls} ssl crt {root}/both.pem alpn h3");
    configured(site, settings, [&secure, if site.quic { &quic } else { "" }])
}

/// 100 is HAProxy's own (`wait-for-body`): 2.6 loses what follows when an origin's 100 and its
/// final response come together.
fn configured(site: &Site, settings: &Settings, secure: [&str; 2]) -> String {
    let Site { http1, http2, .. } = site;
    let (root, origin) = (site.root(), &site.origin.address);
    let streams = settings.streams.unwrap_or(100);
    let idle = settings.idle.unwrap_or(60);
    let generation = settings.generation;
    let [tls, quic] = secure;
    let limit = match quic {
        "" => String::new(),
        _ => format!("tune.quic.frontend.max-streams-bidi {streams}"),
    };
    let text = format!(
        r#"global
  maxconn 1000
  nbthread 1
  tune.h2.max-concurrent-streams {streams}
  {limit}
  stats socket {root}/socket mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive {idle}s
frontend all
  bind 127.0.0.1:{http1}
  bind 127.0.0.1:{http2}
  {tls}
  {quic}
  compression algo gzip
  compression type application/octet-stream
  http-request wait-for-body time 20s at-least 1 if {{ req.hdr(expect) -m found }}
  http-request del-header expect
  http-request early-hint link "</style.css>; rel=preload" if {{ path /early }}
  http-request return status 200 content-type text/plain string "hello\n" if {{ path /hello /early }}
  http-request return status 200 content-type text/plain string "{generation}" if {{ path /generation }}
  http-request return status 204 if {{ path /empty }}
  http-request redirect location /hello code 302 if {{ path /away }}
  http-request reject if {{ path /cut }}
  http-request set-path /etag/tagged if {{ path /tagged }}
  http-request set-path /range/26 if {{ path /letters }}
  http-request set-path /bytes/{TEXT} if {{ path /text }}
  http-request set-path /bytes/{BIG} if {{ path /big }}
  http-request set-path /bytes/{HUGE} if {{ path /huge }}
  default_backend origin
backend origin
  server origin {origin}
"#
    );
    site.folder.file("haproxy.cfg", text)
}

tests_of!(tests, PEER);
tests_of!(http3, HTTP3);
