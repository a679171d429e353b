//! nginx as an origin of `regatta get`.

use std::fs;
use std::process::Command;

use super::program::{Folder, Running, find, free_port, get};

const BIG: usize = 3 << 20;

/// nginx with a plain port, an HTTP/2 one and a TLS one.
struct Nginx {
    running: Running,
    folder: Folder,
    ca: String,
    http1: u16,
    http2: u16,
    tls: u16,
}

impl Nginx {
    /// `None` when there is no nginx.
    fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// With more settings.
    fn start_with(settings: &str) -> Option<Self> {
        let program = find("nginx")?;
        let folder = Folder::new();
        let (ca, certificate, key) = folder.certificates();
        folder.file("big", vec![b'x'; BIG]);
        folder.file("hello", "hello\n");
        let [http1, http2, tls] = [free_port(), free_port(), free_port()];
        let root = folder.path().to_str().unwrap().to_owned();
        let config = format!(
            r#"daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
            events {{ worker_connections 512; }}
            http {{
              log_format lines '$server_protocol $request_method $uri $connection';
              access_log {root}/access.log lines;
              client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
              fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi;
              scgi_temp_path {root}/scgi; client_max_body_size 100m;
              {settings}
              server {{
                listen 127.0.0.1:{http1}; listen 127.0.0.1:{http2} http2;
                listen 127.0.0.1:{tls} ssl http2; server_name localhost;
                ssl_certificate {certificate}; ssl_certificate_key {key};
                root {root};
                location /trailers {{ add_trailer x-sum 7; try_files /hello =404; }}
                location /slow {{ limit_rate 2m; try_files /big =404; }}
                location /method {{ return 200 "$request_method $http_x_asked"; }}
                location /away {{ return 302 /hello; }}
                location /empty {{ return 204; }}
                location /cut {{ return 444; }}
                location /upload {{ proxy_pass http://127.0.0.1:{http1}/sunk; }}
                location /sunk {{ return 200 "$http_content_length$http_transfer_encoding"; }}
              }}
            }}"#
        );
        let config = folder.file("nginx.conf", config);
        let errors = folder.at("error.log");
        let mut command = Command::new(program);
        command.args(["-e", &errors, "-c", &config, "-p", &root]);
        let running = Running::start(&mut command, &[http1, http2, tls]);
        Some(Self { running, folder, ca, http1, http2, tls })
    }

    /// Every way to reach it: options and the beginning of a URL.
    fn ways(&self) -> [(Vec<&str>, String); 4] {
        let tls = format!("https://localhost:{}", self.tls);
        [
            (vec![], format!("http://127.0.0.1:{}", self.http1)),
            (vec!["--http2-prior-knowledge"], format!("http://127.0.0.1:{}", self.http2)),
            (vec!["--cacert", &self.ca], tls.clone()),
            (vec!["--cacert", &self.ca, "--http1.1"], tls),
        ]
    }

    /// The access log's lines so far.
    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

#[test]
fn serves_every_way() {
    let Some(nginx) = Nginx::start() else { return };
    for (options, at) in nginx.ways() {
        let ask = |more: &[&str], path: &str| {
            let url = format!("{at}{path}");
            get(&[&options[..], more, &[&url]].concat())
        };
        assert_eq!(ask(&[], "/hello").well(), "hello\n");
        assert_eq!(ask(&["-X", "DELETE", "-H", "x-asked: why"], "/method").well(), "DELETE why");
        assert_eq!(ask(&[], "/empty").well(), "");
        assert_eq!(ask(&["-L"], "/away").well(), "hello\n");
        assert_eq!(ask(&["-d", "a=b"], "/upload").well(), "3");
        let head = ask(&["-I"], "/big").well().to_ascii_lowercase();
        assert!(head.contains(&format!("content-length: {BIG}")), "{head}");
        let missing = ask(&["--fail"], "/nothing-here");
        assert_eq!((missing.code, missing.out.as_str()), (22, ""), "{}", missing.err);
    }
    let versions: Vec<String> =
        nginx.log().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert!(versions.iter().any(|version| version == "HTTP/1.1"));
    assert!(versions.iter().any(|version| version == "HTTP/2.0"));
}

/// A long body down, to a file, and a long one up, from a file.
#[test]
fn carries_long_bodies() {
    let Some(nginx) = Nginx::start() else { return };
    let data = format!("@{}", nginx.folder.at("big"));
    for (n, (options, at)) in nginx.ways().into_iter().enumerate() {
        let file = nginx.folder.at(&format!("down{n}"));
        let url = format!("{at}/big");
        get(&[&options[..], &["-o", &file, &url]].concat()).well();
        assert!(fs::read(file).unwrap().iter().eq(vec![b'x'; BIG].iter()));
        let url = format!("{at}/upload");
        let said = get(&[&options[..], &["--data-binary", &data, &url]].concat()).well();
        assert_eq!(said, BIG.to_string());
    }
}

/// nginx ends each connection after 20 requests (`Connection: close`, GOAWAY): of 200 requests,
/// 16 at a time, none is lost.
#[test]
fn loses_nothing_to_goaway() {
    let most = loses_nothing("keepalive_requests 20;");
    assert!(most.is_none_or(|most| (2..=20).contains(&most)), "{most:?} on one connection");
}

/// nginx grants 4 streams, and refuses those that were sent before its SETTINGS came.
#[test]
fn loses_nothing_to_refused_streams() {
    loses_nothing("http2_max_concurrent_streams 4;");
}

/// The most requests that one connection carried.
fn loses_nothing(settings: &str) -> Option<usize> {
    let nginx = Nginx::start_with(settings)?;
    let mut most = None;
    for (options, at) in nginx.ways() {
        let before = nginx.log().len();
        let url = format!("{at}/hello");
        let many = ["-Z", "--parallel-max", "16", "--repeat", "200", &url];
        let said = get(&[&options[..], &many].concat()).well();
        assert_eq!(said, "hello\n".repeat(200));
        // The log is written when a request has ended on nginx's side.
        for _ in 0..1_000 {
            if nginx.log().len() >= before + 200 {
                break;
            }
            std::thread::sleep(core::time::Duration::from_millis(5));
        }
        let log = nginx.log();
        let lines = &log[before..];
        assert_eq!(lines.len(), 200, "every request was sent once");
        let mut connections: Vec<_> =
            lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        connections.sort_unstable();
        most = most.max(connections.chunk_by(|a, b| a == b).map(<[_]>::len).max());
    }
    most
}

/// nginx closes without a word: one sentence and curl's code.
#[test]
fn closes_without_an_answer() {
    let Some(nginx) = Nginx::start() else { return };
    for (options, at) in nginx.ways() {
        let url = format!("{at}/cut");
        let said = get(&[&options[..], &[&url]].concat());
        let is_http1 = options.is_empty() || options.contains(&"--http1.1");
        let codes: &[i32] = if is_http1 { &[52] } else { &[16, 52, 56, 92] };
        assert!(codes.contains(&said.code), "{}: {}", said.code, said.err);
        // What to do next may stand below it.
        assert!(said.err.lines().count() <= 2, "{}", said.err);
    }
}

/// An unknown authority, and a name that is not in the certificate.
#[test]
fn is_not_trusted_blindly() {
    let Some(nginx) = Nginx::start() else { return };
    let unknown = get(&[&format!("https://localhost:{}/hello", nginx.tls)]);
    assert_eq!(unknown.code, 60, "{}", unknown.err);
    let resolve = format!("other.test:{}:127.0.0.1", nginx.tls);
    let url = format!("https://other.test:{}/hello", nginx.tls);
    let named = ["--cacert", &nginx.ca, "--resolve", &resolve];
    let other = get(&[&named[..], &[&url]].concat());
    assert_eq!(other.code, 60, "{}", other.err);
    assert_eq!(get(&[&named[..], &["-k", &url]].concat()).well(), "hello\n");
}

/// A slow download goes on while nginx shuts down gracefully.
#[test]
fn ends_what_is_under_way() {
    let Some(nginx) = Nginx::start() else { return };
    let url = format!("http://127.0.0.1:{}/slow", nginx.http1);
    let file = nginx.folder.at("slow");
    let asked = std::thread::spawn({
        let file = file.clone();
        move || get(&["-o", &file, &url])
    });
    // The first bytes are here: the request is under way.
    while fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
        assert!(!asked.is_finished(), "the download ended before it began");
        std::thread::sleep(core::time::Duration::from_millis(2));
    }
    nginx.running.signal("QUIT");
    asked.join().unwrap().well();
    assert_eq!(fs::metadata(&file).unwrap().len(), BIG as u64);
}
