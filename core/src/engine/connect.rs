//! The tunnel that a proxy is asked for: CONNECT and its answer, as bytes (RFC 9110 9.3.6).
//!
//! ```text
//! new --transmit--> asked --2xx--> Opened: all that follows is the tunnel's
//!                     |
//!                     +--any other status--> Refused
//!                     +--no HTTP, too long, the end--> Failed
//! ```
//!
//! What the answer may be is the HTTP/1 engine's to say: its limits on heads and interim
//! responses hold here too. It has no deadline of its own: the pool's connect timeout ends it.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, Uri};

use super::h1::H1;
use super::{Config, Event, Head, Output};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, Origin};

/// A proxy on its way to open a tunnel.
#[derive(Debug)]
pub struct Connect {
    engine: H1,
    stream: Option<StreamId>,
    /// What came behind the answer's head.
    early: BytesMut,
    answer: Option<Answer>,
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// The tunnel stands.
    Opened(Box<Response<()>>),
    /// The proxy said no. What it says beside its head is not read.
    Refused(Box<Response<()>>),
    /// There was no answer.
    Failed(Cause),
}

impl Connect {
    /// Asks for a tunnel to `target`; `fields` are said beside Host.
    pub fn new(now: Instant, config: &Config, target: &Origin, fields: &HeaderMap) -> Self {
        let mut head = Request::new(());
        *head.method_mut() = Method::CONNECT;
        head.headers_mut().clone_from(fields);
        *head.uri_mut() = authority(target).unwrap_or_default();
        let mut engine = H1::client(config, now);
        let stream = engine.open(now, &head, false).ok();
        // A host that cannot be written is none that a proxy could reach.
        let answer = stream.is_none().then_some(Answer::Failed(Cause::NameNotFound));
        Self { engine, stream, early: BytesMut::new(), answer }
    }

    /// Moves what is to be written to `out`.
    pub fn transmit(&mut self, now: Instant, out: &mut Output, room: usize) {
        self.engine.transmit(now, out, room);
        self.listen();
    }

    /// Takes in all of `input`.
    pub fn receive(&mut self, now: Instant, input: &[u8]) {
        match &self.answer {
            Some(Answer::Opened(_)) => self.early.extend_from_slice(input),
            Some(_) => {}
            None => {
                self.engine.receive(now, input);
                self.listen();
            }
        }
    }

    /// The proxy will say nothing more: `clean` when it said so, else the transport broke.
    pub fn receive_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        if self.answer.is_none() {
            self.engine.receive_end(now, clean, cause);
            self.listen();
        }
    }

    /// What came of it, once.
    pub fn poll_answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }

    /// The tunnel's first bytes, which came with the answer.
    pub fn into_early(self) -> Bytes {
        self.early.freeze()
    }

    fn listen(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Head { head: Head::Response(head), .. } => {
                    let opened = head.status().is_success();
                    let answer = if opened { Answer::Opened(head) } else { Answer::Refused(head) };
                    self.answer.get_or_insert(answer);
                }
                Event::Data { stream, bytes, .. } if Some(stream) == self.stream => {
                    self.early.extend_from_slice(&bytes);
                }
                Event::Reset { cause, .. } | Event::Closed { cause } => {
                    self.answer.get_or_insert(Answer::Failed(cause));
                }
                _ => {}
            }
        }
    }
}

/// Host and port, as CONNECT names them.
fn authority(target: &Origin) -> Option<Uri> {
    let Origin { host, port, .. } = target;
    let text = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::types::{ProtocolFault, Scheme};

    const NOW: Instant = Instant::EPOCH;

    fn asked(host: &str, fields: &HeaderMap) -> (Connect, String) {
        let target = Origin { scheme: Scheme::Https, host: host.into(), port: 443 };
        let mut connect = Connect::new(NOW, &Config::default(), &target, fields);
        let mut out = Output::new();
        connect.transmit(NOW, &mut out, usize::MAX);
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let filled = out.slices(&mut slices);
        let said = slices[..filled].iter().map(|slice| String::from_utf8_lossy(slice)).collect();
        (connect, said)
    }

    /// The answer and what came behind it.
    fn told(mut connect: Connect) -> String {
        match connect.poll_answer() {
            None => "nothing".to_owned(),
            Some(Answer::Opened(head)) => {
                let early = connect.into_early();
                format!("{} {:?}", head.status().as_u16(), String::from_utf8_lossy(&early))
            }
            Some(Answer::Refused(head)) => format!("refused {}", head.status().as_u16()),
            Some(Answer::Failed(cause)) => format!("failed {cause:?}"),
        }
    }

    #[test]
    fn it_names_host_and_port_and_says_what_is_for_the_proxy() {
        let mut fields = HeaderMap::new();
        assert_eq!(
            asked("a.test", &fields).1,
            "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n"
        );
        fields.insert("proxy-authorization", "Basic YTo=".parse().unwrap());
        assert_eq!(
            asked("2001:db8::1", &fields).1,
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost: [2001:db8::1]:443\r\n\
             proxy-authorization: Basic YTo=\r\n\r\n"
        );
        let (unsayable, said) = asked("a b", &fields);
        assert_eq!((told(unsayable).as_str(), said.as_str()), ("failed NameNotFound", ""));
    }

    const ANSWERS: &[(&str, &str)] = &[
        ("HTTP/1.1 200 Connection established\r\n\r\n", "200 \"\""),
        ("HTTP/1.0 200 OK\r\n\r\n", "200 \"\""),
        ("HTTP/1.1 204 No Content\r\n\r\nab", "204 \"ab\""),
        // RFC 9110 9.3.6: neither means anything here.
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd", "200 \"abcd\""),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "200 \"0\\r\\n\\r\\n\""),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "200 \"\""),
        ("HTTP/1.1 407 P\r\ncontent-length: 4\r\n\r\nsorry", "refused 407"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nno such host", "refused 502"),
        ("HTTP/1.1 301 M\r\nlocation: http://b.test\r\n\r\n", "refused 301"),
        ("SSH-2.0-x\r\n", "failed Protocol(StartLine)"),
        ("HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "failed Protocol(Upgrade)"),
        ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "failed Protocol(Field)"),
    ];

    /// Whole, byte by byte, and cut in two at every place.
    #[test]
    fn an_answer_is_the_same_however_it_is_cut() {
        for (answer, expected) in ANSWERS {
            let whole = answer.as_bytes();
            let cuts = (0..=whole.len()).map(|at| vec![&whole[..at], &whole[at..]]);
            for pieces in cuts.chain([whole.chunks(1).collect()]) {
                let (mut connect, _) = asked("a.test", &HeaderMap::new());
                for piece in &pieces {
                    connect.receive(NOW, piece);
                }
                assert_eq!(told(connect), *expected, "{answer:?} in {} pieces", pieces.len());
            }
        }
    }

    #[test]
    fn half_an_answer_is_none_until_it_is_one() {
        let whole = b"HTTP/1.1 200 OK\r\nvia: p\r\n\r\n";
        for at in 0..whole.len() {
            let (mut connect, _) = asked("a.test", &HeaderMap::new());
            connect.receive(NOW, &whole[..at]);
            assert!(connect.poll_answer().is_none(), "{at} bytes");
            connect.receive_end(NOW + Duration::from_secs(1), true, Cause::Closed);
            let expected = if at == 0 { Cause::Closed } else { Cause::Incomplete };
            assert_eq!(told(connect), format!("failed {expected:?}"), "{at} bytes");
        }
        let (mut connect, _) = asked("a.test", &HeaderMap::new());
        connect.receive_end(NOW, false, Cause::ConnectionReset);
        assert_eq!(told(connect), "failed ConnectionReset");
    }

    /// The end of a proxy that has said no changes nothing.
    #[test]
    fn the_first_answer_counts() {
        let (mut connect, _) = asked("a.test", &HeaderMap::new());
        connect.receive(NOW, b"HTTP/1.1 403 F\r\n\r\n");
        connect.receive(NOW, b"HTTP/1.1 200 OK\r\n\r\n");
        connect.receive_end(NOW, true, Cause::Closed);
        assert_eq!(told(connect), "refused 403");
    }

    #[test]
    fn an_answer_has_limits() {
        let (mut connect, _) = asked("a.test", &HeaderMap::new());
        connect.receive(NOW, b"HTTP/1.1 200 OK\r\nx: ");
        for _ in 0..40 {
            connect.receive(NOW, &[b'a'; 1024]);
        }
        let large = Cause::Protocol(ProtocolFault::HeadTooLarge);
        assert!(matches!(connect.poll_answer(), Some(Answer::Failed(cause)) if cause == large));
        let (mut connect, _) = asked("a.test", &HeaderMap::new());
        for _ in 0..20 {
            connect.receive(NOW, b"HTTP/1.1 103 Early Hints\r\n\r\n");
        }
        let many = Cause::Protocol(ProtocolFault::Excessive);
        assert!(matches!(connect.poll_answer(), Some(Answer::Failed(cause)) if cause == many));
    }
}
