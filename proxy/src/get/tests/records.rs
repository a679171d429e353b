//! HTTPS records: a name server on loopback, an origin that speaks HTTP/3, and the command line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

const A: u16 = 1;
const HTTPS: u16 = 65;

/// What is answered over UDP to a question for HTTPS records; over TCP it is always the record.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Record,
    CutOff,
    Failure,
}

/// A name server, and how often each type was asked for, over UDP and TCP.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeMap<(u16, bool), usize>>>,
}

impl NameServer {
    /// It knows `www.test` at 127.0.0.1, and this port's HTTPS record.
    async fn start(port: u16, says: Says) -> Self {
        let (udp, tcp) = pair().await;
        let address = udp.local_addr().unwrap();
        let asked = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let note = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                let question = &buffer[..length];
                *note.lock().unwrap().entry((kind(question), false)).or_default() += 1;
                udp.send_to(&answer(question, port, says), from).await.unwrap();
            }
        });
        let note = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = tcp.accept().await {
                let length = socket.read_u16().await.unwrap();
                let mut question = vec![0; length.into()];
                socket.read_exact(&mut question).await.unwrap();
                *note.lock().unwrap().entry((kind(&question), true)).or_default() += 1;
                let answer = answer(&question, port, Says::Record);
                socket.write_u16(answer.len() as u16).await.unwrap();
                socket.write_all(&answer).await.unwrap();
            }
        });
        Self { address, asked }
    }

    fn asked(&self, kind: u16, over_tcp: bool) -> usize {
        self.asked.lock().unwrap().get(&(kind, over_tcp)).copied().unwrap_or_default()
    }
}

/// UDP and TCP at one port.
async fn pair() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

/// Where the name ends that is asked for.
fn end_of_name(question: &[u8]) -> usize {
    let mut at = 12;
    while question[at] > 0 {
        at += 1 + usize::from(question[at]);
    }
    at + 1
}

fn kind(question: &[u8]) -> u16 {
    let at = end_of_name(question);
    u16::from_be_bytes([question[at], question[at + 1]])
}

fn answer(question: &[u8], port: u16, says: Says) -> Vec<u8> {
    let end = end_of_name(question);
    let name = &question[12..end];
    // Ports of loopback have five digits.
    let own = format!("\u{6}_{port}\u{6}_https\u{3}www\u{4}test\0");
    let record = match kind(question) {
        A if name == b"\x03www\x04test\0" => Some(vec![127, 0, 0, 1]),
        HTTPS if name == own.as_bytes() => {
            // 1 www.test. alpn=h2,h3 port=..
            let mut data = b"\0\x01\x03www\x04test\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02".to_vec();
            data.extend(port.to_be_bytes());
            Some(data)
        }
        _ => None,
    };
    let (flags, record): (u16, _) = match (kind(question), says) {
        (HTTPS, Says::CutOff) => (0x8380, None),
        (HTTPS, Says::Failure) => (0x8182, None),
        _ => (0x8180, record),
    };
    let counts = [flags, 1, u16::from(record.is_some()), 0, 0];
    let mut message = question[..2].to_vec();
    message.extend(counts.into_iter().flat_map(u16::to_be_bytes));
    message.extend_from_slice(&question[12..end + 4]);
    if let Some(data) = record {
        message.extend_from_slice(b"\xc0\x0c");
        message
            .extend([kind(question), 1, 0, 60, data.len() as u16].map(u16::to_be_bytes).concat());
        message.extend(data);
    }
    message
}

/// The port of an origin for `www.test`, and the file of who has signed for it.
async fn origin() -> (Origin, Scratch) {
    let identity = tls::self_signed(&["www.test".to_owned()]).unwrap();
    let file = Scratch::new();
    fs::write(&file.0, &identity.authority).unwrap();
    // Where its answers say that HTTP/3 is, nobody listens: no response teaches it.
    (Origin::start_http3(identity.options, 1).await.unwrap(), file)
}

#[tokio::test]
async fn an_https_record_sends_the_first_request_over_http3() {
    for (says, options, version) in [
        (Says::Record, "--https-records", "HTTP/3 200"),
        (Says::CutOff, "--https-records", "HTTP/3 200"),
        (Says::Failure, "--https-records", "HTTP/2 200"),
        (Says::Record, "--https-records --http1.1", "HTTP/1.1 200"),
        (Says::Record, "-4", "HTTP/2 200"),
    ] {
        let (origin, authority) = origin().await;
        let port = origin.address.port();
        let names = NameServer::start(port, says).await;
        let (server, authority) = (names.address, authority.name());
        let line = format!(
            "-i {options} --dns-servers {server} --cacert {authority} https://www.test:{port}/bytes/3"
        );
        let (code, whole) = text(&line).await;
        assert_eq!(code, 0, "{options}: {whole}");
        assert!(whole.starts_with(version) && whole.ends_with("abc"), "{options}: {whole}");
        let asks = options == "--https-records";
        assert_eq!(names.asked(HTTPS, false) > 0, asks, "{options}");
        assert_eq!(names.asked(HTTPS, true) > 0, says == Says::CutOff, "{options}");
        assert!(names.asked(A, false) > 0, "the name server was asked for addresses");
    }
}

#[tokio::test]
async fn a_name_server_that_does_not_know_the_name_says_so() {
    let names = NameServer::start(443, Says::Record).await;
    let line = format!("--dns-servers {} http://other.test/", names.address);
    assert_eq!(exit(&line).await, 6);
}

/// As curl's "Resolving timed out": a time limit, and no name that does not exist.
#[tokio::test]
async fn a_name_server_that_says_nothing_is_a_time_limit() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let line = format!("--dns-servers {address} --connect-timeout 0.3 http://www.test/");
    assert_eq!(exit(&line).await, 28);
}
