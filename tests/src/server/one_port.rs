//! TLS and plain text, HTTP/1.1 and HTTP/2, all on one port.

use http::Request;
use regatta_core::upstream::Protocols;
use regatta_tokio::Body;

use crate::ask::{client, get, http2};
use crate::dsl::{Line, run};
use crate::serve::{ANY, Serving, text};
use crate::trust::Authority;

/// What a service hears of how it was asked.
async fn how(request: Request<Body>) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    let connection = request.body().connection().unwrap();
    text(format!("{}, secure: {}", connection.protocol(), connection.is_secure()))
}

#[test]
fn the_first_byte_decides() {
    run(async {
        let authority = Authority::new();
        let server = regatta_tokio::server().tls(authority.server(&["127.0.0.1"])).plain_too();
        let server = Serving::start(server.bind(ANY).await.unwrap(), how);
        let secure = |protocols| {
            let client = regatta_tokio::client().roots(authority.roots());
            client.profile(|profile| profile.protocols = protocols).build().unwrap()
        };
        let rows = [
            (secure(Protocols::Auto), "https", "HTTP/2, secure: true"),
            (secure(Protocols::Http1), "https", "HTTP/1.1, secure: true"),
            (client(), "http", "HTTP/1.1, secure: false"),
            (http2().build().unwrap(), "http", "HTTP/2, secure: false"),
        ];
        for (client, scheme, expected) in rows {
            let said = get(&client, format!("{scheme}://{}/", server.address)).await.unwrap();
            assert_eq!(said, expected);
        }
    });
}

/// Without the option a port of TLS speaks TLS alone.
#[test]
fn tls_alone_is_the_default() {
    run(async {
        let authority = Authority::new();
        let server = regatta_tokio::server().tls(authority.server(&["127.0.0.1"]));
        let server = Serving::start(server.bind(ANY).await.unwrap(), how);
        assert!(get(&client(), server.url("/")).await.is_err());
    });
}

/// RFC 9113 3.1: the upgrade from HTTP/1.1 is obsolete; a request for it is answered without it.
#[test]
fn an_upgrade_to_h2c_is_passed_over() {
    run(async {
        let server = Serving::plain(how).await;
        let mut line = Line::connect(server.address).await;
        line.send(
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
             http2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        )
        .await;
        assert!(line.head().await.starts_with("HTTP/1.1 200 "));
        line.recv("HTTP/1.1, secure: false").await;
        line.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(line.head().await.starts_with("HTTP/1.1 200 "), "the connection goes on");
    });
}
