//! Requests and downloads between two threads, each an end of its own: what a unit costs them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use quiche::h3::{self, Header, NameValue as _};
use rustix::time::{ClockId, clock_gettime};

use crate::link::{Link, config};
use crate::port::Port;

/// What answers a request.
const GREETING: &[u8] = b"Hello, world!";
/// Requests of a run, and before it; bytes of a download.
const WARM_UP: u64 = 1_280;
const ALONE: u64 = 6_400;
const TOGETHER: u64 = 51_200;
const LENGTH: u64 = 512 << 20;
/// Nothing is waited for longer than this without a look around.
const LOOK: Duration = Duration::from_millis(100);

/// One run: so many requests at once, or a download where that is no number.
pub(crate) fn run(load: &str, certificate: &str, key: &str) -> io::Result<()> {
    let mut config = config().map_err(io::Error::other)?;
    config.load_cert_chain_from_pem_file(certificate).map_err(io::Error::other)?;
    config.load_priv_key_from_pem_file(key).map_err(io::Error::other)?;
    let port = Port::bind("127.0.0.1:0")?;
    let (to, clock) = (port.local, Arc::new(AtomicU64::new(0)));
    let told = Arc::clone(&clock);
    thread::spawn(move || Server { port, config, clock, guest: None, left: Vec::new() }.serve());
    let server = || Duration::from_nanos(told.load(Ordering::Relaxed));
    let mut link = Link::open(to, "localhost", None)?;
    let (path, count, at_once, units) = match load.parse() {
        Ok(1) => ("/".to_owned(), ALONE, 1, ALONE as f64),
        Ok(at_once) => ("/".to_owned(), TOGETHER, at_once, TOGETHER as f64),
        Err(_) => (format!("/{LENGTH}"), 1, 1, LENGTH as f64 / 1e6),
    };
    if count > 1 {
        ask(&mut link, to, &path, WARM_UP, at_once)?;
    }
    let begun = (cpu(), server());
    ask(&mut link, to, &path, count, at_once)?;
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / units;
    println!("client {:.3} us, server {:.3} us", each(cpu() - begun.0), each(server() - begun.1));
    Ok(())
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Asks so often, so many at once, and reads what comes.
fn ask(link: &mut Link, to: SocketAddr, path: &str, count: u64, at_once: u64) -> io::Result<()> {
    let header = |name: &str, value: &str| Header::new(name.as_bytes(), value.as_bytes());
    let head = [
        header(":method", "GET"),
        header(":scheme", "https"),
        header(":authority", &format!("localhost:{}", to.port())),
        header(":path", path),
    ];
    let (mut begun, mut done, mut piece) = (0, 0, vec![0; 65_536]);
    while done < count {
        while begun < count && begun - done < at_once {
            match link.http.send_request(&mut link.quic, &head, true) {
                Ok(_) => begun += 1,
                Err(
                    h3::Error::StreamBlocked
                    | h3::Error::TransportError(quiche::Error::StreamLimit),
                ) => break,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        link.turn(true)?;
        while let Ok((stream, event)) = link.http.poll(&mut link.quic) {
            match event {
                h3::Event::Data => {
                    while link.http.recv_body(&mut link.quic, stream, &mut piece).is_ok() {}
                }
                h3::Event::Finished => done += 1,
                h3::Event::Reset(code) => return Err(io::Error::other(format!("reset: {code}"))),
                _ => {}
            }
        }
        if link.quic.is_closed() {
            return Err(io::Error::other("closed"));
        }
    }
    Ok(())
}

/// A server of one client.
struct Server {
    port: Port,
    config: quiche::Config,
    /// What its thread has spent, in nanoseconds.
    clock: Arc<AtomicU64>,
    guest: Option<(quiche::Connection, Option<h3::Connection>)>,
    /// Streams whose body is not all sent, and how many bytes are left.
    left: Vec<(u64, u64)>,
}

impl Server {
    fn serve(mut self) -> io::Result<()> {
        loop {
            let quic = self.guest.as_ref().map(|(quic, _)| quic);
            let most = quic.and_then(quiche::Connection::timeout);
            self.port.wait(most.unwrap_or(LOOK).min(LOOK))?;
            let (to, config, guest) = (self.port.local, &mut self.config, &mut self.guest);
            self.port.receive(|datagram, from| {
                if guest.is_none() {
                    // Long enough to be nobody else's.
                    let id = quiche::ConnectionId::from_ref(&[9; 16]);
                    let quic = quiche::accept(&id, None, to, from, config);
                    *guest = quic.ok().map(|quic| (quic, None));
                }
                if let Some((quic, _)) = guest {
                    let _ = quic.recv(datagram, quiche::RecvInfo { from, to });
                }
            })?;
            if let Some((quic, http)) = &mut self.guest {
                if quic.timeout().is_some_and(|left| left.is_zero()) {
                    quic.on_timeout();
                }
                if http.is_none() && quic.is_established() {
                    let settings = h3::Config::new().map_err(io::Error::other)?;
                    *http = h3::Connection::with_transport(quic, &settings).ok();
                }
                if let Some(http) = http {
                    answer(quic, http, &mut self.left);
                }
                self.port.send(quic)?;
            }
            let spent = u64::try_from(cpu().as_nanos()).unwrap_or(u64::MAX);
            self.clock.store(spent, Ordering::Relaxed);
        }
    }
}

/// Answers what has come, and goes on with what did not fit.
fn answer(quic: &mut quiche::Connection, http: &mut h3::Connection, left: &mut Vec<(u64, u64)>) {
    while let Ok((stream, event)) = http.poll(quic) {
        let h3::Event::Headers { list, .. } = event else { continue };
        let path = list.iter().find(|field| field.name() == b":path");
        let path = path.map(|field| String::from_utf8_lossy(field.value()).into_owned());
        let length = path.and_then(|path| path.trim_start_matches('/').parse().ok());
        let text = length.unwrap_or(GREETING.len() as u64).to_string();
        let head = [
            Header::new(b":status", b"200"),
            Header::new(b"content-type", b"text/plain"),
            Header::new(b"content-length", text.as_bytes()),
        ];
        let _ = http.send_response(quic, stream, &head, false);
        match length {
            Some(length) => left.push((stream, length)),
            None => drop(http.send_body(quic, stream, GREETING, true)),
        }
    }
    let zeroes = [0; 65_536];
    left.retain_mut(|(stream, left)| {
        while *left > 0 {
            let n = (*left).min(zeroes.len() as u64);
            let piece = &zeroes[..usize::try_from(n).unwrap_or(0)];
            match http.send_body(quic, *stream, piece, n == *left) {
                Ok(sent) => *left -= sent as u64,
                Err(_) => break,
            }
        }
        *left > 0
    });
}
