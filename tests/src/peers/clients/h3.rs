//! The `h3` crate over `h3-quinn` and `quinn` as a client of `regatta origin`, asked like the
//! programs of [`asks`](super::asks), in a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf as _, Bytes};
use h3::client::SendRequest;
use h3::error::{Code, StreamError};
use http::{HeaderMap, Request, StatusCode};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::asks::Ask;

/// Bytes of one piece of a body that is sent without a length.
const PIECE: usize = 10_000;

/// How often a request goes again that was not looked at: each connection takes one of fifty at
/// least before it takes no more.
const TRIES: u32 = 50;

/// The client.
pub(super) struct Asker {
    runtime: Runtime,
    client: Arc<Client>,
    /// A request that waits for the next line.
    paused: Option<(oneshot::Sender<()>, JoinHandle<String>)>,
}

struct Client {
    endpoint: quinn::Endpoint,
    to: SocketAddr,
    connection: Mutex<Option<Connection>>,
}

#[derive(Clone)]
struct Connection {
    sender: SendRequest<h3_quinn::OpenStreams, Bytes>,
    used: Arc<AtomicBool>,
}

/// Why there is no answer.
enum Failed {
    /// The request was not looked at: it may go again.
    Rejected,
    Broken,
}

/// Where a request stops when it is under way: it says so, and waits for a word.
struct Pause {
    begun: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

impl Asker {
    pub(super) fn start(base: &str, ca: &str) -> Self {
        let to = base.strip_prefix("https://").unwrap().parse().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider);
        let tls = tls.with_safe_default_protocol_versions().unwrap();
        let mut tls = tls.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let tls = Arc::new(QuicClientConfig::try_from(tls).unwrap());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let within = runtime.enter();
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        drop(within);
        endpoint.set_default_client_config(quinn::ClientConfig::new(tls));
        let client = Arc::new(Client { endpoint, to, connection: Mutex::default() });
        Self { runtime, client, paused: None }
    }
}

impl Ask for Asker {
    fn ask(&mut self, line: &str) -> String {
        if let Some((go_on, answer)) = self.paused.take() {
            go_on.send(()).unwrap();
            return self.runtime.block_on(answer).unwrap();
        }
        let client = Arc::clone(&self.client);
        let (first, rest) = line.split_once(' ').unwrap();
        match first {
            "PARALLEL" => {
                let (count, what) = rest.split_once(' ').unwrap();
                let count: usize = count.parse().unwrap();
                self.runtime.block_on(async {
                    let mut all = JoinSet::new();
                    for _ in 0..count {
                        let (client, what) = (Arc::clone(&client), what.to_owned());
                        all.spawn(async move { client.once(&what, None).await });
                    }
                    let all = all.join_all().await;
                    let whole = all.iter().filter(|said| said.starts_with("200 ")).count();
                    format!("{whole} of {count}")
                })
            }
            "PAUSE" => {
                let ((begun, has_begun), (go, go_on)) = (oneshot::channel(), oneshot::channel());
                let (what, pause) = (rest.to_owned(), Pause { begun, go_on });
                let answer = async move { client.once(&what, Some(pause)).await };
                self.paused = Some((go, self.runtime.spawn(answer)));
                self.runtime.block_on(has_begun).unwrap();
                "under way".to_owned()
            }
            _ => self.runtime.block_on(client.once(line, None)),
        }
    }
}

impl Client {
    /// Asks once, and again where the request was not looked at.
    async fn once(&self, line: &str, mut pause: Option<Pause>) -> String {
        for _ in 0..TRIES {
            let mut connection = self.connection().await;
            match connection.exchange(self.to, line, &mut pause).await {
                Ok(said) => return said,
                Err(Failed::Broken) => return "error".to_owned(),
                Err(Failed::Rejected) => {
                    let mut kept = self.connection.lock().await;
                    let used = kept.as_ref().map(|kept| &kept.used);
                    if used.is_some_and(|used| Arc::ptr_eq(used, &connection.used)) {
                        *kept = None;
                    }
                }
            }
        }
        "rejected again and again".to_owned()
    }

    async fn connection(&self) -> Connection {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return connection.clone();
        }
        let connecting = self.endpoint.connect(self.to, &self.to.ip().to_string()).unwrap();
        let connection = h3_quinn::Connection::new(connecting.await.unwrap());
        let (mut driver, sender) = h3::client::new(connection).await.unwrap();
        tokio::spawn(async move { drop(driver.wait_idle().await) });
        kept.insert(Connection { sender, used: Arc::default() }).clone()
    }
}

impl Connection {
    async fn exchange(
        &mut self,
        to: SocketAddr,
        line: &str,
        pause: &mut Option<Pause>,
    ) -> Result<String, Failed> {
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut request = Request::builder().method(method).uri(format!("https://{to}{path}"));
        let (mut pieces, mut waits) = (Vec::new(), false);
        for (name, value) in words.map(|word| word.split_once('=').unwrap()) {
            match name {
                "send" => {
                    pieces = vec![letters(value.parse().unwrap())];
                    request = request.header("content-length", value);
                }
                "stream" => {
                    let whole = letters(value.parse().unwrap());
                    pieces = whole.chunks(PIECE).map(Bytes::copy_from_slice).collect();
                }
                _ => request = request.header(name, value),
            }
            waits |= name == "expect";
        }
        let request = request.body(()).unwrap();
        let stream = self.sender.send_request(request).await.map_err(Failed::unanswered)?;
        let (mut sending, mut receiving) = stream.split();
        if waits {
            let interim = receiving.recv_response().await.map_err(Failed::unanswered)?;
            assert_eq!(interim.status(), StatusCode::CONTINUE);
        }
        let send = async {
            for piece in pieces {
                sending.send_data(piece).await?;
            }
            sending.finish().await
        };
        let receive = async {
            let answer = receiving.recv_response().await.map_err(Failed::unanswered)?;
            if let Some(pause) = pause.take() {
                pause.begun.send(()).unwrap();
                pause.go_on.await.unwrap();
            }
            let mut body = Vec::new();
            while let Some(mut part) = receiving.recv_data().await.map_err(|_| Failed::Broken)? {
                body.extend_from_slice(&part.copy_to_bytes(part.remaining()));
            }
            let trailers = receiving.recv_trailers().await.map_err(|_| Failed::Broken)?;
            Ok((answer, body, trailers))
        };
        // Both at once: an echo is answered before all of it has been sent. What could not be sent
        // shows in the answer.
        let (_sent, received) = tokio::join!(send, receive);
        let (answer, body, trailers) = received?;
        let which = if self.used.swap(true, Ordering::Relaxed) { "old" } else { "new" };
        let (status, what) = (answer.status().as_u16(), describe(&body, trailers.as_ref()));
        Ok(format!("{status} HTTP/3 {which} {} {what}", body.len()))
    }
}

impl Failed {
    /// What an error means while no answer has begun.
    fn unanswered(error: StreamError) -> Self {
        match error {
            StreamError::RemoteTerminate { code, .. } if code != Code::H3_REQUEST_REJECTED => {
                Self::Broken
            }
            StreamError::StreamError { .. } | StreamError::HeaderTooBig { .. } => Self::Broken,
            // It has said that it takes no more, or the connection is over.
            _ => Self::Rejected,
        }
    }
}

fn letters(count: usize) -> Bytes {
    (b'a'..=b'z').cycle().take(count).collect()
}

/// What a body is, and its trailer fields.
fn describe(body: &[u8], trailers: Option<&HeaderMap>) -> String {
    let what = match *body == letters(body.len()) {
        true => "letters".into(),
        false => String::from_utf8_lossy(body.split(|byte| *byte == b'\n').next().unwrap()),
    };
    let fields = trailers.into_iter().flatten();
    let fields = fields.map(|(name, value)| format!(" {name}: {}", value.to_str().unwrap()));
    fields.fold(what.into_owned(), |said, field| said + &field)
}
