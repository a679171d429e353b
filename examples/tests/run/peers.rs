//! Origins for the examples to ask: hyper by way of axum, and scripts over plain sockets.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::StatusCode;

/// An origin that is not of our making, in the background until the test ends; its URL.
pub(crate) fn hyper() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let app = Router::new()
        .route("/hello", get(|| async { "hello from hyper" }))
        .route("/big", get(|| async { vec![b'x'; 3 << 20] }))
        .route("/echo", any(|body: Body| async { body }))
        .route("/busy", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "busy") }));
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    url
}

/// How long what does not come is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection that says what it is told to.
pub(crate) type Socket = BufReader<TcpStream>;

/// Plays `script` with the first connection, whose request's head is given to it; the URL.
pub(crate) fn scripted(script: impl FnOnce(String, Socket) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let socket = listener.accept().unwrap().0;
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut socket = BufReader::new(socket);
        let head = head(&mut socket).unwrap();
        script(head, socket);
    });
    url
}

/// Connects to what a URL names, and says something.
pub(crate) fn say(url: &str, words: &str) -> Socket {
    let mut socket = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(words.as_bytes()).unwrap();
    BufReader::new(socket)
}

/// The next message's head, in small letters, without its empty line.
pub(crate) fn head(socket: &mut Socket) -> io::Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        socket.read_line(&mut head)?;
        if matches!(head.get(before..), Some("\r\n" | "")) {
            head.truncate(before);
            return Ok(head.to_lowercase());
        }
    }
}
