//! nginx as an origin. It is looked for where `REGATTA_NGINX` says, then in PATH; without it the
//! tests that want it say so in one line and pass, unless `REGATTA_REQUIRE_PEERS` is 1.

use core::time::Duration;
use std::env;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use super::origin::Trust;
use super::program::dead_port;

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// A long body's length.
pub(crate) const BIG: usize = 3 << 20;

/// nginx with a plain port and a TLS one, where ALPN chooses. Both end a connection after four
/// requests, so that a drain is part of what is tested. `/hello` has 6 bytes, `/big` [`BIG`],
/// `/cut` never an answer.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    pub(crate) plain: u16,
    pub(crate) tls: u16,
}

impl Nginx {
    /// `None` when there is no nginx.
    pub(crate) fn start(trust: &Trust) -> Option<Self> {
        let program = find()?;
        let (certificate, key) = trust.server();
        let certificate = trust.file("cert.pem", certificate.pem());
        let key = trust.file("key.pem", key.serialize_pem());
        trust.file("hello", "hello\n");
        trust.file("big", vec![b'x'; BIG]);
        let [plain, tls] = [dead_port(), dead_port()];
        let root = trust.folder().to_str().unwrap();
        let config = format!(
            r#"daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
            events {{ worker_connections 512; }}
            http {{
              access_log off; keepalive_requests 4;
              client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
              fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi;
              scgi_temp_path {root}/scgi;
              server {{
                listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl http2;
                ssl_certificate {certificate}; ssl_certificate_key {key};
                root {root}; location = /cut {{ return 444; }}
              }}
            }}"#
        );
        let config = trust.file("nginx.conf", config);
        let mut command = Command::new(program);
        command.args(["-p", root, "-e", &format!("{root}/error.log"), "-c", &config]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut nginx = Self { child: command.spawn().unwrap(), plain, tls };
        let begun = Instant::now();
        for port in [plain, tls] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                let log = || std::fs::read_to_string(format!("{root}/error.log"));
                let ended = nginx.child.try_wait().unwrap();
                assert!(ended.is_none(), "nginx ended: {ended:?}\n{}", log().unwrap_or_default());
                assert!(begun.elapsed() < PATIENCE, "nginx does not listen on {port}");
                thread::sleep(Duration::from_millis(10));
            }
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    /// TERM, so that the master ends its workers too.
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

fn find() -> Option<PathBuf> {
    let named = env::var_os("REGATTA_NGINX").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian's servers are in sbin, which is not in everybody's PATH.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let mut files = folders.map(|folder| folder.join("nginx"));
    let found = named.or_else(|| files.find(|file| file.is_file()));
    if found.is_none() {
        let required = env::var("REGATTA_REQUIRE_PEERS").is_ok_and(|value| value == "1");
        assert!(!required, "REGATTA_REQUIRE_PEERS is 1 and there is no nginx");
        println!("left out: there is no nginx, neither in REGATTA_NGINX nor in PATH");
    }
    found
}
