//! Lines into requests, answers into lines.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _};
use std::net::SocketAddr;

use quiche::h3::{self, Header, NameValue as _};

use crate::link::Link;

/// What RFC 9114 8.1 calls H3_REQUEST_REJECTED.
const REQUEST_REJECTED: u64 = 0x10b;
/// Bytes that are read at a time.
const PIECE: usize = 65_536;
/// How often a request goes again that was not looked at: each connection takes one of fifty at
/// least before it takes no more.
const TRIES: u32 = 50;

/// Who asks, on one connection at a time.
pub(crate) struct Asker {
    to: SocketAddr,
    authority: String,
    ca: String,
    link: Option<Link>,
    /// The connection has carried an answer.
    used: bool,
}

/// One request, and what came of it.
#[derive(Clone, Default)]
struct Exchange {
    head: Vec<Header>,
    body: Vec<u8>,
    /// The body waits for 100 (Continue).
    waits: bool,
    sent: usize,
    status: Option<String>,
    came: Vec<u8>,
    trailers: Vec<Header>,
    end: Option<End>,
    tries: u32,
    said: String,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// It was not looked at, and may go again.
    Rejected,
    Broken,
}

impl Asker {
    pub(crate) fn new(base: &str, ca: &str) -> io::Result<Self> {
        let authority = base.strip_prefix("https://").unwrap_or(base);
        let to = authority.parse().map_err(io::Error::other)?;
        Ok(Self { to, authority: authority.into(), ca: ca.into(), link: None, used: false })
    }

    /// Does what a line says.
    pub(crate) fn ask(&mut self, line: &str) -> io::Result<String> {
        let words: Vec<&str> = line.split(' ').collect();
        let (count, pauses, words) = match words.as_slice() {
            ["PARALLEL", count, rest @ ..] => {
                (count.parse().map_err(io::Error::other)?, false, rest)
            }
            ["PAUSE", rest @ ..] => (1, true, rest),
            all => (1, false, all),
        };
        let mut exchanges = vec![self.exchange(words); count];
        self.run(&mut exchanges, pauses)?;
        if line.starts_with("PARALLEL") {
            let whole = exchanges.iter().filter(|one| one.said.starts_with("200 ")).count();
            return Ok(format!("{whole} of {count}"));
        }
        Ok(exchanges.swap_remove(0).said)
    }

    /// A request as words say it.
    fn exchange(&self, words: &[&str]) -> Exchange {
        let header = |name: &str, value: &str| Header::new(name.as_bytes(), value.as_bytes());
        let mut exchange = Exchange::default();
        exchange.head = vec![
            header(":method", words.first().unwrap_or(&"GET")),
            header(":scheme", "https"),
            header(":authority", &self.authority),
            header(":path", words.get(1).unwrap_or(&"/")),
        ];
        for (name, value) in words.iter().skip(2).filter_map(|word| word.split_once('=')) {
            match name {
                "send" | "stream" => exchange.body = letters(value.parse().unwrap_or(0)),
                _ => exchange.head.push(header(name, value)),
            }
            if name == "send" {
                exchange.head.push(header("content-length", value));
            }
            exchange.waits |= name == "expect";
        }
        exchange
    }

    /// Asks all of them at once, and those again that were not looked at.
    fn run(&mut self, exchanges: &mut [Exchange], mut pauses: bool) -> io::Result<()> {
        while exchanges.iter().any(|one| one.said.is_empty()) {
            let mut link = match self.link.take() {
                Some(link) => link,
                None => {
                    self.used = false;
                    Link::open(self.to, "localhost", Some(&self.ca))?
                }
            };
            self.run_on(&mut link, exchanges, &mut pauses)?;
            let mut is_over = link.quic.is_closed() || link.quic.is_draining();
            for one in exchanges.iter_mut().filter(|one| one.said.is_empty()) {
                // Only what was not looked at is left.
                is_over = true;
                one.tries += 1;
                if one.tries == TRIES {
                    one.said = "rejected again and again".into();
                }
                *one = Exchange { status: None, sent: 0, end: None, ..one.clone() };
                one.came.clear();
            }
            if !is_over {
                self.link = Some(link);
            }
        }
        Ok(())
    }

    /// Until all have ended somehow on this connection.
    fn run_on(
        &mut self,
        link: &mut Link,
        exchanges: &mut [Exchange],
        pauses: &mut bool,
    ) -> io::Result<()> {
        let mut streams: BTreeMap<u64, usize> = BTreeMap::new();
        let mut begun: Vec<bool> = exchanges.iter().map(|one| !one.said.is_empty()).collect();
        loop {
            for (at, one) in exchanges.iter_mut().enumerate() {
                if !begun[at]
                    && let Some(stream) = begin(link, one)
                {
                    begun[at] = true;
                    streams.extend(stream.map(|stream| (stream, at)));
                }
            }
            for (stream, at) in &streams {
                send(link, *stream, &mut exchanges[*at]);
            }
            self.take_in(link, &streams, exchanges);
            let is_answered = exchanges.iter().any(|one| one.status.is_some());
            if *pauses && is_answered {
                *pauses = false;
                println!("under way");
                io::stdin().lock().read_line(&mut String::new())?;
            }
            let is_closed = link.quic.is_closed() || link.quic.is_draining();
            for (at, one) in exchanges.iter_mut().enumerate().filter(|(_, one)| one.said.is_empty())
            {
                if is_closed && one.end.is_none() {
                    let is_unanswered = !begun[at] || one.status.is_none();
                    one.end = Some(if is_unanswered { End::Rejected } else { End::Broken });
                }
                match one.end {
                    Some(End::Whole) => {
                        one.said = describe(one, core::mem::replace(&mut self.used, true));
                    }
                    Some(End::Broken) => one.said = "error".into(),
                    Some(End::Rejected) | None => {}
                }
            }
            if exchanges.iter().all(|one| one.end.is_some()) {
                // What acknowledges the last of it.
                return link.turn(false);
            }
            link.turn(true)?;
        }
    }

    /// What HTTP/3 has to tell.
    fn take_in(&mut self, link: &mut Link, streams: &BTreeMap<u64, usize>, all: &mut [Exchange]) {
        while let Ok((stream, event)) = link.http.poll(&mut link.quic) {
            let Some(one) = streams.get(&stream).map(|at| &mut all[*at]) else { continue };
            match event {
                h3::Event::Headers { list, .. } => on_head(one, list),
                h3::Event::Data => {
                    let mut piece = vec![0; PIECE];
                    while let Ok(n) = link.http.recv_body(&mut link.quic, stream, &mut piece) {
                        one.came.extend_from_slice(&piece[..n]);
                    }
                }
                h3::Event::Finished => one.end = one.end.or(Some(End::Whole)),
                h3::Event::Reset(REQUEST_REJECTED) => one.end = Some(End::Rejected),
                h3::Event::Reset(_) => one.end = one.end.or(Some(End::Broken)),
                _ => {}
            }
        }
    }
}

/// Begins a request: its stream; `None` when there is no room yet, an inner one when the
/// connection takes no more.
fn begin(link: &mut Link, one: &mut Exchange) -> Option<Option<u64>> {
    let end = one.body.is_empty();
    match link.http.send_request(&mut link.quic, &one.head, end) {
        Ok(stream) => Some(Some(stream)),
        Err(h3::Error::StreamBlocked | h3::Error::TransportError(quiche::Error::StreamLimit)) => {
            None
        }
        Err(_) => {
            one.end = Some(End::Rejected);
            Some(None)
        }
    }
}

/// Sends as much of a body as goes.
fn send(link: &mut Link, stream: u64, one: &mut Exchange) {
    if one.waits || one.end.is_some() || one.sent == one.body.len() {
        return;
    }
    match link.http.send_body(&mut link.quic, stream, &one.body[one.sent..], true) {
        Ok(n) => one.sent += n,
        Err(h3::Error::Done) => {}
        // The answer may be complete without it.
        Err(_) => one.sent = one.body.len(),
    }
}

fn on_head(one: &mut Exchange, list: Vec<Header>) {
    if one.status.is_some() {
        one.trailers = list;
        return;
    }
    let status = list.iter().find(|field| field.name() == b":status");
    let status = status.map(|field| String::from_utf8_lossy(field.value()).into_owned());
    match status {
        Some(interim) if interim.starts_with('1') => one.waits = false,
        status => one.status = status,
    }
}

fn letters(count: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(count).collect()
}

/// What came, in one line.
fn describe(one: &Exchange, used: bool) -> String {
    let body = &one.came;
    let first = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let what = match *body == letters(body.len()) {
        true => "letters".into(),
        false => String::from_utf8_lossy(first),
    };
    let mut said = format!(
        "{} HTTP/3 {} {} {what}",
        one.status.as_deref().unwrap_or("nothing"),
        if used { "old" } else { "new" },
        body.len(),
    );
    for field in &one.trailers {
        let (name, value) = (field.name(), field.value());
        said += &format!(" {}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    }
    said
}
