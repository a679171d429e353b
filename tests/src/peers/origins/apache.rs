//! Apache with mod_http2; the event MPM.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::site::{Served, Settings, Site, Way};
use super::{Peer, Start};

pub(super) const PEER: Peer = Peer {
    name: "Apache",
    program: "apache2",
    behind: None,
    ways: &Way::ALL,
    lacks: &[
        ("103", "it sends none by itself but for what it pushes"),
        ("trailers, HTTP/1.1", "mod_proxy passes them on over HTTP/2 alone"),
        ("closed without an answer", "it has no such answer"),
        ("few requests on a connection, HTTP/2", "MaxKeepAliveRequests counts HTTP/1.1 alone"),
    ],
    commands,
    reload,
    stop: "WINCH",
    end: "TERM",
};

/// Debian's folder of modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// What is loaded from it.
const LOADED: [&str; 12] = [
    "mpm_event",
    "authz_core",
    "alias",
    "rewrite",
    "headers",
    "filter",
    "deflate",
    "ssl",
    "http2",
    "proxy",
    "proxy_http",
    "mime",
];

fn commands(program: &Path, site: &Site, settings: &Settings) -> Vec<Start> {
    let mut command = Command::new(program);
    command.args(["-f", &configure(site, settings), "-DFOREGROUND"]);
    vec![(command, vec![site.http1, site.http2, site.tls])]
}

fn reload(_: &Path, served: &Served, settings: &Settings) {
    configure(&served.site, settings);
    served.running[0].signal("USR1");
}

fn configure(site: &Site, settings: &Settings) -> String {
    let Site { certificate, key, http1, http2, tls, .. } = site;
    let (root, origin) = (site.root(), &site.origin.address);
    let streams = settings.streams.unwrap_or(100);
    let requests = settings.requests.unwrap_or(10_000);
    let idle = settings.idle.unwrap_or(60);
    let generation = settings.generation;
    site.folder.file(&format!("generation{generation}"), generation.to_string());
    let mut text = String::new();
    for module in LOADED {
        writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so").unwrap();
    }
    write!(
        text,
        r#"ServerRoot {root}
DefaultRuntimeDir {root}
PidFile {root}/pid
ErrorLog {root}/error.log
ServerName localhost
TypesConfig /dev/null
Listen 127.0.0.1:{http1}
Listen 127.0.0.1:{http2}
Listen 127.0.0.1:{tls}
StartServers 1
ThreadsPerChild 32
MaxRequestWorkers 64
Protocols h2 h2c http/1.1
H2MaxSessionStreams {streams}
MaxKeepAliveRequests {requests}
KeepAliveTimeout {idle}
DocumentRoot {root}
Alias /generation {root}/generation{generation}
ProxyPass /echo http://{origin}/echo
ProxyPass /trailers http://{origin}/trailers
Redirect 302 /away /hello
RewriteEngine on
RewriteRule ^/empty$ - [R=204,L]
<Location /text>
  ForceType text/plain
  SetOutputFilter DEFLATE
</Location>
<VirtualHost 127.0.0.1:{tls}>
  SSLEngine on
  SSLCertificateFile {certificate}
  SSLCertificateKeyFile {key}
  RewriteEngine on
  RewriteOptions Inherit
</VirtualHost>
"#
    )
    .unwrap();
    site.folder.file("apache.conf", text)
}

tests_of!(tests, PEER);
