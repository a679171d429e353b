//! Connections that cannot be made: names, ports, black holes.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use regatta_core::types::{Cause, Phase, Refusal};
use regatta_tokio::{AttemptOutcome, ErrorKind};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::ask::{client, get, options};
use crate::dsl::{Peer, run};
use crate::serve::{Serving, text};

const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An address that takes no connection and answers no SYN: its backlog is full.
struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    async fn dig(address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(address)?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        // Loopback answers a SYN before connect returns; one that is not answered is not going
        // to be.
        let patience = Duration::from_millis(250);
        while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await
        {
            waiting.push(connected?);
        }
        Ok(Self { address, _listener: listener, _waiting: waiting })
    }
}

/// RFC 6761 6.4: names under `invalid` do not exist.
#[test]
fn unknown_host() {
    run(async {
        let client = client();
        let error = get(&client, "http://no-such-name.invalid/").await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::NameNotFound));
        assert!(error.is_connect());
        assert_eq!(
            error.to_string(),
            "cannot connect to http://no-such-name.invalid:80: the name does not exist"
        );
        let server = Serving::plain(async |_| text("next")).await;
        assert_eq!(get(&client, server.url("/")).await.unwrap(), "next");
    });
}

#[test]
fn refused_port() {
    run(async {
        let client = client();
        let listener = TcpListener::bind((FIRST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        let url = format!("http://{at}/");
        let error = get(&client, &url).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Refused));
        assert_eq!(
            error.to_string(),
            format!(
                "cannot connect to http://{at}: connection refused, nobody listens on that port \
                 ({at})"
            )
        );
        // The same origin, once somebody listens.
        let server = regatta_tokio::server().bind(at).await.unwrap();
        let _server = Serving::start(server, async |_| text("next"));
        assert_eq!(get(&client, &url).await.unwrap(), "next");
    });
}

/// Every address that was tried is in the one error.
#[test]
fn all_addresses_refused() {
    run(async {
        let listener = TcpListener::bind((FIRST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let client = regatta_tokio::client().resolve("two.test", vec![FIRST, SECOND]);
        let client = client.build().unwrap();
        let error = get(&client, &format!("http://two.test:{port}/")).await.unwrap_err();
        let attempts = &error.attempts().unwrap().attempts;
        let tried: Vec<_> =
            attempts.iter().map(|failed| (failed.address.ip(), failed.cause)).collect();
        assert_eq!(tried, [(FIRST, Cause::Refused), (SECOND, Cause::Refused)]);
        let said = error.to_string();
        assert!(said.contains("(tried 127.0.0.1:") && said.contains(", 127.0.0.2:"), "{said}");
    });
}

/// RFC 8305 5: an address that does not answer costs 300 ms, not the connect timeout.
#[test]
fn black_holed_address() {
    run(async {
        let peer = Peer::bind().await;
        let port = peer.address().port();
        let Ok(_hole) = BlackHole::dig(SocketAddr::new(SECOND, port)).await else {
            panic!("127.0.0.2:{port} cannot be listened on");
        };
        let client = regatta_tokio::client().resolve("hole.test", vec![SECOND, FIRST]);
        let client = client.build().unwrap();
        let url = format!("http://hole.test:{port}/");
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            line
        };
        let request = http::Request::get(&url).body(String::new()).unwrap();
        let (response, _line) = tokio::join!(client.request(request), script);
        let timeline = response.unwrap().body().timeline().unwrap().snapshot();
        let [hole, good] = timeline.attempts.as_slice() else {
            panic!("expected two attempts: {timeline:?}");
        };
        assert_eq!((hole.address.ip(), good.address.ip()), (SECOND, FIRST));
        assert_eq!((hole.outcome, good.outcome), (AttemptOutcome::Aborted, AttemptOutcome::Won));
        let waited = good.started.saturating_since(hole.started);
        assert!(waited >= Duration::from_millis(300), "the second began after {waited:?}");
        assert!(waited < Duration::from_secs(3), "the second began after {waited:?}");
    });
}

#[test]
fn connect_timeout() {
    run(async {
        let hole = BlackHole::dig((FIRST, 0).into()).await.unwrap();
        let client = regatta_tokio::client().connect_timeout(Duration::from_millis(50));
        let client = client.build().unwrap();
        let at = hole.address;
        let error = get(&client, &format!("http://{at}/")).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::ConnectTimeout));
        assert!(error.is_timeout() && error.is_connect());
        assert_eq!(
            error.to_string(),
            format!(
                "cannot connect to http://{at}: no connection within the connect timeout ({at})"
            )
        );
        let server = Serving::plain(async |_| text("next")).await;
        assert_eq!(get(&client, server.url("/")).await.unwrap(), "next");
    });
}

/// A request's own time limit names the phase in which it passed.
#[test]
fn deadline_while_connecting() {
    run(async {
        let hole = BlackHole::dig((FIRST, 0).into()).await.unwrap();
        let client = client();
        let at = hole.address;
        let mut request = http::Request::get(format!("http://{at}/")).body(String::new()).unwrap();
        let short = options(|options| options.timeout = Some(Duration::from_millis(50)));
        request.extensions_mut().insert(short);
        let error = client.request(request).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused(Refusal::Deadline(Phase::Connecting)));
        assert_eq!(
            error.to_string(),
            format!("http://{at}: the request's time limit passed while connecting")
        );
    });
}

/// A request that cannot be sent at all says what was expected.
#[test]
fn wrong_requests() {
    const WRONG: [(&str, &str); 2] = [
        ("/path", "the request cannot be sent: the URI /path is not absolute"),
        (
            "ftp://host/",
            "the request cannot be sent: the scheme of ftp://host/ is ftp, not http or https",
        ),
    ];
    run(async {
        let client = client();
        for (uri, sentence) in WRONG {
            assert_eq!(get(&client, uri).await.unwrap_err().to_string(), sentence);
        }
    });
}
