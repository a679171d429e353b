//! What every peer serves: the same paths with the same contents, below one folder and with one
//! certificate; behind it `regatta origin` for what it cannot answer itself.

use core::fmt;
use std::fs;

use regatta_core::upstream::Protocols;
use regatta_tokio::{Client, Roots};

use super::Peer;
use crate::peers::program::{
    self, Folder, Origin, Running, Said, find, free_port, get, get_reading,
};

/// Bytes at `/big`.
pub(super) const BIG: usize = 3 << 20;
/// Bytes at `/huge`: more than the sockets of a slow reader hold.
pub(super) const HUGE: usize = 16 << 20;
/// Bytes at `/text`, which peers pack.
pub(super) const TEXT: usize = 9_000;

/// Options for many requests to a peer that refuses some: what is refused on one connection, and on
/// the next one as well, is not sent a third time without being asked for.
pub(super) const AGAIN: [&str; 5] = ["--retry", "5", "--retry-delay", "1", "--retry-all-errors"];

/// How a peer can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// HTTP/1.1 in plain text.
    Http1,
    /// HTTP/2 in plain text, by prior knowledge.
    Http2,
    /// HTTP/1.1 over TLS.
    Tls1,
    /// What ALPN picks, which is HTTP/2.
    Tls2,
    /// HTTP/3 and nothing else.
    Quic,
}

impl Way {
    /// All over TCP.
    pub(super) const ALL: [Self; 4] = [Self::Http1, Self::Http2, Self::Tls1, Self::Tls2];

    pub(super) const fn is_http1(self) -> bool {
        matches!(self, Self::Http1 | Self::Tls1)
    }

    pub(super) const fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Tls2)
    }

    pub(super) const fn is_tls(self) -> bool {
        matches!(self, Self::Tls1 | Self::Tls2 | Self::Quic)
    }

    pub(super) const fn is_http3(self) -> bool {
        matches!(self, Self::Quic)
    }

    /// As `%{http_version}` has it.
    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::Http1 | Self::Tls1 => "1.1",
            Self::Http2 | Self::Tls2 => "2",
            Self::Quic => "3",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Tls1 => "HTTP/1.1 over TLS",
            Self::Tls2 => "HTTP/2 over TLS",
            Self::Quic => "HTTP/3",
        })
    }
}

/// What a peer is told beside its site.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    /// What `/generation` says.
    pub(super) generation: u32,
    /// Most streams at once on a connection.
    pub(super) streams: Option<u32>,
    /// Most requests on a connection.
    pub(super) requests: Option<u32>,
    /// Seconds after which an idle connection is closed.
    pub(super) idle: Option<u32>,
}

/// Contents, certificate and ports of one running peer.
pub(super) struct Site {
    pub(super) folder: Folder,
    pub(super) ca: String,
    pub(super) certificate: String,
    pub(super) key: String,
    /// HTTP/1.1, HTTP/2 by prior knowledge, TLS with ALPN.
    pub(super) http1: u16,
    pub(super) http2: u16,
    pub(super) tls: u16,
    /// For those that are ruled through a port.
    pub(super) admin: u16,
    /// Whether HTTP/3 is served as well, at the port of TLS.
    pub(super) quic: bool,
    /// Behind the peer.
    pub(super) origin: Origin,
}

impl Site {
    pub(super) fn new(quic: bool) -> Self {
        let folder = Folder::new();
        let (ca, certificate, key) = folder.certificates();
        let [chain, secret] = [&certificate, &key].map(|file| fs::read_to_string(file).unwrap());
        folder.file("both.pem", chain + &secret);
        for (name, content) in [
            ("hello", b"hello\n".to_vec()),
            ("tagged", b"tagged\n".to_vec()),
            ("letters", letters(26)),
            ("text", letters(TEXT)),
            ("big", letters(BIG)),
            ("huge", letters(HUGE)),
            // Where the peer has no other way to make them.
            ("trailers", b"hello\n".to_vec()),
        ] {
            folder.file(name, content);
        }
        Self {
            ca,
            certificate,
            key,
            http1: free_port(),
            http2: free_port(),
            tls: free_port(),
            admin: free_port(),
            quic,
            origin: Origin::start(&[]),
            folder,
        }
    }

    /// The folder's path.
    pub(super) fn root(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The beginning of a URL.
    pub(super) fn at(&self, way: Way) -> String {
        match way {
            Way::Http1 => format!("http://127.0.0.1:{}", self.http1),
            Way::Http2 => format!("http://127.0.0.1:{}", self.http2),
            Way::Tls1 | Way::Tls2 | Way::Quic => format!("https://localhost:{}", self.tls),
        }
    }

    /// The options of `regatta get`.
    pub(super) fn options(&self, way: Way) -> Vec<&str> {
        match way {
            Way::Http1 => vec!["--http1.1"],
            Way::Http2 => vec!["--http2-prior-knowledge"],
            Way::Tls1 => vec!["--cacert", &self.ca, "--http1.1"],
            Way::Tls2 => vec!["--cacert", &self.ca],
            Way::Quic => vec!["--cacert", &self.ca, "--http3-only"],
        }
    }

    /// The library's client.
    pub(super) fn client(&self, way: Way) -> Client {
        let protocols = match way {
            Way::Http1 | Way::Tls1 => Protocols::Http1,
            Way::Http2 => Protocols::Http2PriorKnowledge,
            Way::Tls2 => Protocols::Auto,
            Way::Quic => Protocols::Http3,
        };
        let roots = Roots::Pem(fs::read(&self.ca).unwrap());
        // Many connections that end at once are more than the defaults let be tried again.
        let client = regatta_tokio::client().roots(roots).limits(|most| most.max_retries = None);
        let client = client.pool(|pool| pool.max_resends = 5);
        client.profile(|profile| profile.protocols = protocols).build().unwrap()
    }
}

/// The alphabet, over and over, as `regatta origin` has it at `/bytes/N`.
fn letters(n: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(n).collect()
}

/// A peer that serves until this is dropped.
pub(super) struct Served {
    pub(super) running: Vec<Running>,
    pub(super) site: Site,
}

impl Served {
    /// `None` where there is no such program.
    pub(super) fn start(peer: &Peer, settings: &Settings) -> Option<Self> {
        let program = find(peer.program)?;
        if let Some(behind) = peer.behind {
            find(behind)?;
        }
        // Another program may take a port before the peer does.
        for _ in 0..3 {
            let quic = peer.ways.contains(&Way::Quic);
            let site = Site::new(quic);
            let start =
                |(mut command, ports): (_, Vec<u16>)| Running::try_start(&mut command, &ports);
            let commands = (peer.commands)(&program, &site, settings);
            match commands.into_iter().map(start).collect::<Result<Vec<_>, _>>() {
                Ok(running) => {
                    if quic {
                        program::until_quic(site.tls);
                    }
                    return Some(Self { running, site });
                }
                Err(why_not) if why_not.to_ascii_lowercase().contains("in use") => {}
                Err(why_not) => panic!("{why_not}"),
            }
        }
        panic!("{} finds every port in use", peer.name)
    }

    /// Asks for one path.
    pub(super) fn ask(&self, way: Way) -> Ask<'_> {
        Ask { served: self, way, options: self.site.options(way), at: self.site.at(way) }
    }
}

/// One way to one peer.
pub(super) struct Ask<'a> {
    pub(super) served: &'a Served,
    pub(super) way: Way,
    pub(super) options: Vec<&'a str>,
    pub(super) at: String,
}

impl Ask<'_> {
    /// Runs `regatta get` with these words and paths.
    pub(super) fn paths(&self, words: &[&str], paths: &[&str]) -> Said {
        let urls: Vec<String> = paths.iter().map(|path| format!("{}{path}", self.at)).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let mut said = get(&[&["-sS"], &self.options[..], words, &urls].concat());
        // Heads have their line ends with them.
        said.out = said.out.replace("\r\n", "\n");
        said
    }

    /// One path.
    pub(super) fn path(&self, words: &[&str], path: &str) -> Said {
        self.paths(words, &[path])
    }

    /// One path, with this on standard input.
    pub(super) fn reading(&self, text: &str, words: &[&str], path: &str) -> Said {
        let url = format!("{}{path}", self.at);
        get_reading(text, &[&["-sS"], &self.options[..], words, &[&url]].concat())
    }

    /// A file of the site, read whole.
    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.served.site.folder.at(name)).unwrap()
    }

    /// Where a file of the site is or will be.
    pub(super) fn file(&self, name: &str) -> String {
        self.served.site.folder.at(name)
    }
}
