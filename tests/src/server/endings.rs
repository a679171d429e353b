//! How a connection of HTTP/1.1 ends (RFC 9112 9.6), and which protocol a first line is taken for.

use http::Request;
use regatta_tokio::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::dsl::run;
use crate::serve::{Serving, text};

/// What a client still writes when it has been refused is read for a while: a reset could
/// overtake the answer.
// rule: M-7a
#[test]
fn reads_on_behind_its_last_answer() {
    run(async {
        let server = Serving::plain(async |_: Request<Body>| text("ok")).await;
        let whole = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        for (request, status) in [("what is this\r\n\r\n", "400"), (whole, "200")] {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            // Up to its FIN; its other half is still open.
            socket.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            // Had it closed, the first would have made it reset, and the second would fail.
            for _ in 0..8 {
                socket.write_all(&[b'x'; 8 << 10]).await.unwrap();
            }
        }
    });
}

/// Whoever has begun with HTTP/2's own first line speaks HTTP/2, however badly: a GOAWAY says so.
/// Everything else is HTTP/1.
// rule: H2-1a
#[test]
fn takes_a_damaged_preface_for_http2() {
    run(async {
        let server = Serving::plain(async |_: Request<Body>| text("ok")).await;
        for (first, http2) in [
            ("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", true),
            ("PRI * HTTP/2.0\r\nhost: a\r\n\r\n", true),
            ("PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", false),
            ("PRI /x HTTP/1.1\r\n\r\n", false),
            ("INVALID CONNECTION PREFACE\r\n\r\n", false),
        ] {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(first.as_bytes()).await.unwrap();
            let mut said = Vec::new();
            socket.read_to_end(&mut said).await.unwrap();
            // GOAWAY is a frame of 8 bytes and of type 7; its code is PROTOCOL_ERROR.
            let go_away = said.windows(5).any(|part| part == [0, 0, 8, 7, 0]);
            let code = said.ends_with(&[0, 0, 0, 1]);
            assert_eq!(go_away && code, http2, "{first:?}: {}", said.escape_ascii());
            assert_eq!(said.starts_with(b"HTTP/1.1 "), !http2, "{first:?}");
        }
    });
}
