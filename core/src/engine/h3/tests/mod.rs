//! The engine against itself and against peers that say whatever a test wants, over QUIC in
//! memory.

use bytes::Bytes;
use http::{Request, Response};

use self::net::Net;
use crate::engine::{Config, Event, Head};

mod datagrams;
mod early;
mod exchange;
mod frames;
mod lifetime;
mod messages;
mod net;
mod priorities;
mod qlog;

fn get(path: &str) -> Request<()> {
    Request::get(format!("https://example.com{path}")).body(()).unwrap()
}

fn post(path: &str) -> Request<()> {
    Request::post(format!("https://example.com{path}")).body(()).unwrap()
}

fn status(code: u16) -> Response<()> {
    Response::builder().status(code).body(()).unwrap()
}

/// Each event in one word or two, without what is only counted and without limits.
fn told(events: Vec<Event>) -> Vec<String> {
    let counted = |event: &Event| matches!(event, Event::Cut(_) | Event::Limit(_));
    events.iter().filter(|event| !counted(event)).map(word).collect()
}

fn word(event: &Event) -> String {
    let end = |end: &bool| if *end { " end" } else { "" };
    match event {
        Event::Head { stream, head: Head::Request(head), end: last } => {
            format!("{stream} {} {}{}", head.method(), head.uri(), end(last))
        }
        Event::Head { stream, head: Head::Response(head), end: last } => {
            format!("{stream} {}{}", head.status().as_u16(), end(last))
        }
        Event::Informational { stream, head } => format!("{stream} {}", head.status().as_u16()),
        Event::Data { stream, bytes, end: last } => {
            format!("{stream} {} bytes{}", bytes.len(), end(last))
        }
        Event::Trailers { stream, .. } => format!("{stream} trailers"),
        Event::Capacity { stream } => format!("{stream} capacity"),
        Event::Ended { stream } => format!("{stream} ended"),
        Event::Reset { stream, cause, retry } => format!("{stream} {cause:?} {retry:?}"),
        other => format!("{other:?}"),
    }
}

/// A client and a server, past their handshake.
fn pair(config: &Config) -> Net {
    let mut net = Net::new(Some(config), Some(config));
    net.run(20);
    net
}
