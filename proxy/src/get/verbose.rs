//! `-v`: connection and heads as curl shows them, `*`, `>` and `<` lines.

use std::fmt::Write as _;

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use regatta_core::Instant;
use regatta_core::engine::tls::Certificate;
use regatta_core::types::Transport;
use regatta_tokio::{
    AttemptOutcome, AttemptTrace, ConnectionTrace, EarlyOutcome, Timeline, TlsTrace,
};

/// How the connection came about: `*` lines.
pub(crate) fn connection(timeline: &Timeline, host: &str) -> String {
    let mut text = String::new();
    let host = match &timeline.proxy {
        Some(proxy) => {
            let _ = writeln!(text, "* Going through the proxy {proxy}");
            &proxy.host
        }
        None => host,
    };
    if let Some(took) = timeline.resolve.and_then(|span| Some((span.started, span.ended?))) {
        let millis = took.1.saturating_since(took.0).as_secs_f64() * 1e3;
        if timeline.attempts.is_empty() && timeline.connection.is_none() {
            let _ = writeln!(text, "* Could not resolve host {host}, known after {millis:.1} ms");
        } else {
            let _ = writeln!(text, "* Host {host} was resolved in {millis:.1} ms");
        }
    }
    for attempt in &timeline.attempts {
        attempted(attempt, timeline.requested, &mut text);
    }
    if let Some(used) = &timeline.connection {
        established(used, host, &mut text);
    }
    if let Some(early) = &timeline.early {
        let began = early.sent.saturating_since(timeline.requested).as_secs_f64() * 1e3;
        let what = match early.outcome {
            EarlyOutcome::Accepted => "accepted",
            EarlyOutcome::SentAgain => "not taken",
            EarlyOutcome::UnderWay => "not answered yet",
        };
        let _ = writeln!(text, "* Sent as early data after {began:.1} ms, {what}");
    }
    if timeline.resends > 0 {
        let _ = writeln!(text, "* The request was sent again {} time(s)", timeline.resends);
    }
    text
}

/// One attempt: when after the request it began, and how it ended after how long.
fn attempted(attempt: &AttemptTrace, requested: Instant, text: &mut String) {
    let AttemptTrace { address, transport, started, ended, outcome, .. } = attempt;
    let millis = |from: Instant, to: Instant| to.saturating_since(from).as_secs_f64() * 1e3;
    let began = millis(requested, *started);
    let over = match transport {
        Transport::Tcp => "",
        Transport::Quic => " over QUIC",
    };
    let _ = writeln!(text, "*   Trying {address}{over} after {began:.1} ms...");
    if let Some(status) = attempt.tunnel.and_then(|tunnel| tunnel.status) {
        let _ = writeln!(text, "* CONNECT was answered with {status}");
    }
    let took =
        ended.map_or_else(String::new, |ended| format!(" after {:.1} ms", millis(*started, ended)));
    let _ = match outcome {
        AttemptOutcome::Failed(cause) => writeln!(text, "* {address}{over} failed{took}: {cause}"),
        AttemptOutcome::Aborted => writeln!(text, "* {address}{over} given up{took}, another won"),
        AttemptOutcome::Won => writeln!(text, "* {address}{over} is ready{took}"),
        AttemptOutcome::UnderWay => Ok(()),
    };
}

/// The server's certificate.
fn certificate(certificate: &Certificate, text: &mut String) {
    let Certificate { subject, issuer, names, not_before, not_after, .. } = certificate;
    let subject = if subject.is_empty() { "(none)" } else { subject };
    let _ = writeln!(text, "* Server certificate:");
    let _ = writeln!(text, "*  subject: {subject}");
    let _ = writeln!(text, "*  names: {}", names.join(", "));
    let _ = writeln!(text, "*  issuer: {issuer}");
    let _ = writeln!(text, "*  valid from {not_before} until {not_after}");
}

fn established(connection: &ConnectionTrace, host: &str, text: &mut String) {
    let how = if connection.reused { "Re-using connection to" } else { "Connected to" };
    let id = connection.connection;
    let _ = writeln!(text, "* {how} {host} ({}) as {id:?}", connection.address);
    if let Some(tls) = connection.tls.as_ref().filter(|_| !connection.reused) {
        let resumed = if tls.resumed { ", resumed" } else { "" };
        let TlsTrace { version, cipher, .. } = tls;
        // A suite without a name is not told.
        let slash = if cipher.is_empty() { "" } else { " / " };
        let _ = writeln!(text, "* SSL connection using {version}{slash}{cipher}{resumed}");
        if let Some(alpn) = &tls.alpn {
            let _ = writeln!(text, "* ALPN: server accepted {alpn}");
        } else {
            let _ = writeln!(text, "* ALPN: server chose nothing");
        }
        if let Some(shown) = &tls.certificate {
            certificate(shown, text);
        }
    }
    let _ = writeln!(text, "* using {}", connection.protocol);
}

/// The request's head: `>` lines; `is_whole` as a proxy is asked for it.
pub(crate) fn request(
    method: &Method,
    uri: &Uri,
    is_whole: bool,
    version: &str,
    headers: &HeaderMap,
) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut text = match uri.authority().filter(|_| is_whole) {
        Some(authority) => format!("> {method} http://{authority}{path} {version}\n"),
        None => format!("> {method} {path} {version}\n"),
    };
    if let Some(authority) = uri.authority().filter(|_| !headers.contains_key("host")) {
        let _ = writeln!(text, "> host: {authority}");
    }
    fields(headers, '>', &mut text);
    text.push_str(">\n");
    text
}

/// A response's head: `<` lines.
pub(crate) fn response<B>(response: &Response<B>) -> String {
    let mut text = format!("< {}\n", status_line(response.version(), response.status()));
    fields(response.headers(), '<', &mut text);
    text.push_str("<\n");
    text
}

/// A trailer section: `<` lines.
pub(crate) fn trailers(trailers: &HeaderMap) -> String {
    let mut text = String::new();
    fields(trailers, '<', &mut text);
    text
}

fn fields(headers: &HeaderMap, mark: char, text: &mut String) {
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let _ = writeln!(text, "{mark} {name}: {value}");
    }
}

/// How many bytes a request's head has on the wire of HTTP/1.1.
pub(crate) fn request_size(head: &Request<()>) -> u64 {
    let path = head.uri().path_and_query().map_or("/", |path| path.as_str());
    let line = head.method().as_str().len() + path.len() + "  HTTP/1.1\r\n".len();
    let host = match head.headers().contains_key("host") {
        true => 0,
        false => head.uri().authority().map_or(0, |host| host.as_str().len() + "host: \r\n".len()),
    };
    let fields = head.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    (line + host + fields.sum::<usize>() + 2) as u64
}

/// A response's head as `-i` and `-I` write it, with line ends of the wire.
pub(crate) fn head<B>(response: &Response<B>) -> Vec<u8> {
    let mut bytes = status_line(response.version(), response.status()).into_bytes();
    if matches!(response.version(), Version::HTTP_2 | Version::HTTP_3) {
        // What would be in front of a reason phrase is there all the same.
        bytes.push(b' ');
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&fields_on_wire(response.headers()));
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Fields with line ends of the wire.
pub(crate) fn fields_on_wire(headers: &HeaderMap) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn status_line(version: Version, status: StatusCode) -> String {
    let number = status.as_u16();
    match (version, status.canonical_reason()) {
        // They have no reason phrase (RFC 9113 8.3.2, RFC 9114 4.3.2).
        (Version::HTTP_2, _) => format!("HTTP/2 {number}"),
        (Version::HTTP_3, _) => format!("HTTP/3 {number}"),
        (version, Some(reason)) => format!("{version:?} {number} {reason}"),
        (version, None) => format!("{version:?} {number}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use regatta_core::id::{AttemptId, ConnectionId};
    use regatta_core::types::{Cause, Protocol};
    use regatta_tokio::Span;

    use super::*;

    fn attempt(address: &str, outcome: AttemptOutcome) -> AttemptTrace {
        AttemptTrace {
            attempt: AttemptId::new(0, 0),
            transport: Transport::Tcp,
            address: address.parse().unwrap(),
            started: Instant::EPOCH,
            connected: None,
            tunnel: None,
            ended: None,
            outcome,
        }
    }

    fn shown() -> Arc<Certificate> {
        let mut params = CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2027, 1, 2);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "itself");
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Arc::new(Certificate::parse(made.der()).unwrap())
    }

    #[test]
    fn a_new_connection() {
        let mut timeline = Timeline::default();
        let ended = Some(Instant::from_millis(12));
        timeline.resolve = Some(Span { started: Instant::EPOCH, ended });
        timeline.attempts = vec![
            attempt("[2001:db8::1]:443", AttemptOutcome::Failed(Cause::Unreachable)),
            attempt("192.0.2.1:443", AttemptOutcome::Won),
        ];
        timeline.connection = Some(ConnectionTrace {
            connection: ConnectionId::new(0, 0),
            address: "192.0.2.1:443".parse().unwrap(),
            protocol: Protocol::Http2,
            established: Instant::from_millis(20),
            reused: false,
            tls: Some(TlsTrace {
                version: "TLSv1.3".to_owned(),
                cipher: "TLS13_AES_128_GCM_SHA256".to_owned(),
                resumed: false,
                alpn: Some(Protocol::Http2),
                certificate: Some(shown()),
            }),
        });
        let expected = "\
* Host example.org was resolved in 12.0 ms
*   Trying [2001:db8::1]:443 after 0.0 ms...
* [2001:db8::1]:443 failed: no route to the host
*   Trying 192.0.2.1:443 after 0.0 ms...
* 192.0.2.1:443 is ready
* Connected to example.org (192.0.2.1:443) as c0.0
* SSL connection using TLSv1.3 / TLS13_AES_128_GCM_SHA256
* ALPN: server accepted HTTP/2
* Server certificate:
*  subject: CN=itself
*  names: example.org
*  issuer: CN=itself
*  valid from 2026-01-02 00:00:00Z until 2027-01-02 00:00:00Z
* using HTTP/2
";
        assert_eq!(connection(&timeline, "example.org"), expected);
    }

    #[test]
    fn a_race_between_quic_and_tcp() {
        let mut timeline = Timeline::default();
        let mut quic = attempt("192.0.2.1:443", AttemptOutcome::UnderWay);
        quic.transport = Transport::Quic;
        let mut tcp = attempt("192.0.2.1:443", AttemptOutcome::Won);
        tcp.started = Instant::from_millis(300);
        timeline.attempts = vec![quic, tcp];
        let expected = "\
*   Trying 192.0.2.1:443 over QUIC after 0.0 ms...
*   Trying 192.0.2.1:443 after 300.0 ms...
* 192.0.2.1:443 is ready
";
        assert_eq!(connection(&timeline, "example.org"), expected);
        timeline.attempts[0].outcome = AttemptOutcome::Failed(Cause::ConnectTimeout);
        let told = connection(&timeline, "example.org");
        assert!(told.contains("\n* 192.0.2.1:443 over QUIC failed: "), "{told}");
    }

    #[test]
    fn a_name_that_leads_nowhere() {
        let mut timeline = Timeline::default();
        let ended = Some(Instant::from_millis(2));
        timeline.resolve = Some(Span { started: Instant::EPOCH, ended });
        let expected = "* Could not resolve host a.invalid, known after 2.0 ms\n";
        assert_eq!(connection(&timeline, "a.invalid"), expected);
    }

    #[test]
    fn a_used_connection() {
        let mut timeline = Timeline::default();
        timeline.resends = 1;
        timeline.connection = Some(ConnectionTrace {
            connection: ConnectionId::new(3, 1),
            address: "192.0.2.1:80".parse().unwrap(),
            protocol: Protocol::Http1,
            established: Instant::EPOCH,
            reused: true,
            tls: None,
        });
        let expected = "\
* Re-using connection to a (192.0.2.1:80) as c3.1
* using HTTP/1.1
* The request was sent again 1 time(s)
";
        assert_eq!(connection(&timeline, "a"), expected);
    }

    #[test]
    fn heads() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("*/*"));
        let uri = Uri::from_static("http://a:81/b?c");
        let expected = "> GET /b?c HTTP/1.1\n> host: a:81\n> accept: */*\n>\n";
        assert_eq!(request(&Method::GET, &uri, false, "HTTP/1.1", &headers), expected);
        let whole = request(&Method::GET, &uri, true, "HTTP/1.1", &headers);
        assert!(whole.starts_with("> GET http://"), "{whole}");
        headers.insert("host", HeaderValue::from_static("other"));
        assert!(!request(&Method::GET, &uri, false, "HTTP/1.1", &headers).contains("a:81"));

        let mut answer = Response::builder().status(404).header("x-a", "b").body(()).unwrap();
        assert_eq!(response(&answer), "< HTTP/1.1 404 Not Found\n< x-a: b\n<\n");
        assert_eq!(head(&answer), b"HTTP/1.1 404 Not Found\r\nx-a: b\r\n\r\n");
        *answer.version_mut() = Version::HTTP_2;
        *answer.status_mut() = StatusCode::from_u16(299).unwrap();
        assert_eq!(response(&answer), "< HTTP/2 299\n< x-a: b\n<\n");
    }
}
