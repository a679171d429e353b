//! Every code with which a server's QUIC, TLS or HTTP/3 may close a connection: the sentence and
//! the exit code of `regatta get`, and that the next URL is served.

#[path = "../../../core/src/engine/quic/tests/forge.rs"]
mod forge;

use core::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, Incoming, ServerConfig, VarInt};
use rustls::pki_types::PrivatePkcs8KeyDer;

use self::forge::{MARK, REASON, closing_with, forging};
use super::program::{Folder, Origin, get};

/// How a server treats its clients.
#[derive(Clone, Copy, Debug)]
enum Close {
    /// A transport's code, when a request has come.
    Quic(u64),
    /// HTTP/3's, when a request has come.
    Http3(u32),
    /// It takes nobody.
    Refuses,
    /// It speaks no HTTP/3.
    OtherAlpn,
}

/// What is said behind the origin's name, or all of it where nobody could be asked.
static ROWS: [(Close, i32, &str); 32] = [
    (Close::Quic(0x0), 52, "the peer closed the connection before it answered"),
    (Close::Quic(0x1), 95, "QUIC's INTERNAL_ERROR"),
    (Close::Quic(0x2), 56, "connection refused"),
    (Close::Quic(0x3), 95, "QUIC's FLOW_CONTROL_ERROR"),
    (Close::Quic(0x4), 95, "QUIC's STREAM_LIMIT_ERROR"),
    (Close::Quic(0x5), 95, "QUIC's STREAM_STATE_ERROR"),
    (Close::Quic(0x6), 95, "QUIC's FINAL_SIZE_ERROR"),
    (Close::Quic(0x7), 95, "QUIC's FRAME_ENCODING_ERROR"),
    (Close::Quic(0x8), 95, "QUIC's TRANSPORT_PARAMETER_ERROR"),
    (Close::Quic(0x9), 95, "QUIC's CONNECTION_ID_LIMIT_ERROR"),
    (Close::Quic(0xa), 95, "QUIC's PROTOCOL_VIOLATION"),
    (Close::Quic(0xb), 95, "QUIC's INVALID_TOKEN"),
    (Close::Quic(0xc), 95, "QUIC's APPLICATION_ERROR"),
    (Close::Quic(0xd), 95, "QUIC's CRYPTO_BUFFER_EXCEEDED"),
    (Close::Quic(0xe), 95, "QUIC's KEY_UPDATE_ERROR"),
    (Close::Quic(0xf), 95, "QUIC's AEAD_LIMIT_REACHED"),
    (Close::Quic(0x10), 95, "QUIC's NO_VIABLE_PATH"),
    (Close::Quic(0x3ff0), 95, "QUIC's error code 0x3ff0"),
    (Close::Quic(0x128), 35, "in common"),
    (Close::Quic(0x12a), 35, "alert"),
    (Close::Quic(0x130), 35, "alert"),
    (Close::Quic(0x178), 35, "in common"),
    (Close::Http3(0x100), 52, "the peer closed the connection before it answered"),
    (Close::Http3(0x101), 95, "H3_GENERAL_PROTOCOL_ERROR"),
    (Close::Http3(0x102), 95, "H3_INTERNAL_ERROR"),
    (Close::Http3(0x107), 95, "H3_EXCESSIVE_LOAD"),
    (Close::Http3(0x109), 95, "H3_SETTINGS_ERROR"),
    (Close::Http3(0x10b), 95, "H3_REQUEST_REJECTED"),
    (Close::Http3(0x200), 95, "QPACK_DECOMPRESSION_FAILED"),
    (Close::Http3(0x3fff_ffff), 95, "0x3fffffff"),
    (Close::Refuses, 7, "connection refused"),
    (Close::OtherAlpn, 35, "in common"),
];

/// A server that closes like this, whatever comes.
fn serve(close: Close, certificate: &Certificate) -> (Endpoint, SocketAddr) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider);
    let tls = tls.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let chain = vec![certificate.made.cert.der().clone()];
    let key = PrivatePkcs8KeyDer::from(certificate.made.signing_key.serialize_der());
    let mut tls = tls.with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    let alpn: &[u8] = if matches!(close, Close::OtherAlpn) { b"doq" } else { b"h3" };
    tls.alpn_protocols = vec![alpn.to_vec()];
    let crypto: Arc<dyn quinn::crypto::ServerConfig> =
        Arc::new(QuicServerConfig::try_from(tls).unwrap());
    let crypto = match close {
        Close::Quic(code) => forging(crypto, closing_with(code)),
        _ => crypto,
    };
    let config = ServerConfig::with_crypto(crypto);
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let at = endpoint.local_addr().unwrap();
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            tokio::spawn(meet(incoming, close));
        }
    });
    (endpoint, at)
}

async fn meet(incoming: Incoming, close: Close) {
    if matches!(close, Close::Refuses) {
        return incoming.refuse();
    }
    let Ok(connection) = incoming.await else { return };
    let asked = connection.accept_bi().await;
    let (code, reason) = match close {
        Close::Http3(code) => (code, &b""[..]),
        _ => (MARK, REASON),
    };
    connection.close(VarInt::from_u32(code), reason);
    drop(asked);
}

struct Certificate {
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
    file: String,
}

impl Certificate {
    /// Its own authority, in one file with another's.
    fn beside(folder: &Folder, other: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let other = std::fs::read_to_string(other).unwrap();
        let file = folder.file("ca.pem", other + &made.cert.pem());
        Self { made, file }
    }
}

/// Programs that run side by side.
const TOGETHER: usize = 4;

/// Asks one that closes, and then one that is good; what was wrong, if anything was.
fn ask(
    (close, code, sentence): &'static (Close, i32, &'static str),
    certificate: &Certificate,
    good: String,
) -> impl Future<Output = Option<String>> + use<> {
    let (endpoint, at) = serve(*close, certificate);
    let (url, ca) = (format!("https://{at}/"), certificate.file.clone());
    let said = tokio::task::spawn_blocking(move || {
        let null = ["-o", "/dev/null", "-o", "/dev/null"];
        get(&[&["--cacert", &ca, "--http3-only"][..], &null, &[&url, &good]].concat())
    });
    async move {
        let said = said.await.unwrap();
        endpoint.close(VarInt::from_u32(0), b"");
        let first = said.err.lines().next().unwrap_or_default();
        let is_right = first.starts_with(&format!("regatta: ({code}) "))
            && first.contains(&format!("https://{at}"))
            && first.contains(sentence)
            && said.code == 0;
        (!is_right).then(|| format!("{close:?}: {} {:?}", said.code, said.err))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_has_its_sentence_and_exit_code() {
    let folder = Folder::new();
    let ca = folder.at("origin-ca.pem");
    let origin = Origin::start(&["--tls", "self-signed", "--tls-ca-out", &ca]);
    let certificate = Certificate::beside(&folder, &ca);
    let mut wrong = Vec::new();
    for rows in ROWS.chunks(TOGETHER) {
        let asked = rows.iter().map(|row| ask(row, &certificate, origin.https("/bytes/3")));
        let asked: Vec<_> = asked.map(tokio::spawn).collect();
        for said in asked {
            wrong.extend(said.await.unwrap());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
