//! Caddy.

use std::path::Path;
use std::process::Command;

use super::site::{Served, Settings, Site, Way};
use super::{Peer, Start};
use crate::peers::program::say;

pub(super) const PEER: Peer = Peer {
    name: "Caddy",
    program: "caddy",
    behind: None,
    ways: &Way::ALL,
    lacks: &[
        ("few streams at once", "it has no such setting"),
        ("few requests on a connection, HTTP/1.1", "it has no such limit"),
        ("few requests on a connection, HTTP/2", "it has no such limit"),
        ("a new configuration under load, HTTP/2 without TLS", "they stay with the old one"),
        ("a graceful end, HTTP/2 without TLS", "such connections are cut"),
    ],
    commands,
    reload,
    stop: "TERM",
    end: "KILL",
};

/// Of a version with HTTP/3.
pub(super) const HTTP3: Peer = Peer {
    name: "Caddy",
    program: "caddy_http3",
    behind: None,
    ways: &[Way::Quic],
    lacks: &[
        ("few streams at once", "it has no such setting"),
        ("few requests on a connection, HTTP/3", "it has no such limit"),
    ],
    commands,
    reload,
    stop: "TERM",
    end: "KILL",
};

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config", &configure(site, settings)]);
    // It keeps what it knows at home.
    command.env("HOME", site.root()).env("XDG_DATA_HOME", site.root());
    command.env("XDG_CONFIG_HOME", site.root());
    vec![(command, vec![site.admin, site.http1, site.http2, site.tls])]
}

fn reload(program: &Path, served: &Served, settings: &Settings) {
    let (file, admin) = (configure(&served.site, settings), served.site.admin);
    let address = format!("127.0.0.1:{admin}");
    let words = ["reload", "--adapter", "caddyfile", "--config", &file, "--address", &address];
    say(program, &words).well();
}

fn configure(site: &Site, settings: &Settings) -> String {
    let Site { certificate, key, http1, http2, tls, admin, .. } = site;
    let (root, origin) = (site.root(), &site.origin.address);
    let idle = settings.idle.unwrap_or(60);
    let generation = settings.generation;
    let quic = if site.quic { "h3" } else { "" };
    let text = format!(
        r#"{{
  admin 127.0.0.1:{admin}
  auto_https off
  grace_period 60s
  servers {{
    protocols h1 h2 h2c {quic}
    timeouts {{
      idle {idle}s
    }}
  }}
}}
(site) {{
  bind 127.0.0.1
  root * {root}
  redir /away /hello 302
  respond /empty 204
  respond /generation {generation}
  handle /early {{
    header Link "</style.css>; rel=preload"
    respond 103
    respond "hello
" 200
  }}
  handle /cut {{
    abort
  }}
  handle /text {{
    encode gzip {{
      match {{
        header Content-Type *
      }}
    }}
    header Content-Type text/plain
    file_server
  }}
  reverse_proxy /echo {origin}
  reverse_proxy /trailers {origin}
  reverse_proxy /headers {origin}
  reverse_proxy /response-headers {origin}
  file_server
}}
http://:{http1}, http://:{http2} {{
  import site
}}
https://:{tls} {{
  tls {certificate} {key}
  import site
}}
"#
    );
    site.folder.file("Caddyfile", text)
}

tests_of!(tests, PEER);
tests_of!(http3, HTTP3);
