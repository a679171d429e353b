//! What goes wrong over HTTP/1.1.

use core::time::Duration;

use super::fault::Step::{Finish, Flood, Request, Reset, Say};
use super::fault::{Comes, Fault, Step, Way};

/// An answer as it should be.
pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// More pieces than any limit lets through.
const ENDLESS: u32 = 1 << 20;

fn say(text: &str) -> Step {
    Say(text.as_bytes().to_vec())
}

/// The head of a chunked answer and what follows.
fn chunks(text: &str) -> Step {
    say(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{text}"))
}

fn fault(name: &'static str, script: Vec<Step>, code: i32, says: &'static str) -> Fault {
    Fault::new(Way::Http1, name, script, Comes::Fails(code, says))
}

fn well(name: &'static str, script: Vec<Step>) -> Fault {
    Fault::new(Way::Http1, name, script, Comes::Well)
}

const LARGE: &str = "the peer sent a head larger than the limit";
const CHUNK: &str = "the peer sent a malformed chunk";
const CUT: &str = "the connection ended in the middle of a response";
pub(super) const CLOSED: &str = "the peer closed the connection before it answered";
const RESET: &str = "the peer reset the connection";
pub(super) const LATE_SAYS: &str =
    "the request's time limit passed while waiting for the complete response";

/// How long is waited for who says nothing.
pub(super) const LATE: Duration = Duration::from_secs(3);

/// All that fails at once.
pub(super) fn faults() -> Vec<Fault> {
    vec![
        fault(
            "a header line without end",
            vec![say("HTTP/1.1 200 OK\r\na: "), Flood(ENDLESS, |_| vec![b'x'; 64])],
            56,
            LARGE,
        ),
        fault(
            "header lines without end",
            vec![say("HTTP/1.1 200 OK\r\n"), Flood(ENDLESS, |_| b"a: b\r\n".to_vec())],
            56,
            LARGE,
        ),
        fault(
            "interim responses without end",
            vec![Flood(ENDLESS, |_| b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec())],
            8,
            "the peer sent more frames than the limit",
        ),
        fault("a chunk's size of 68 bits", vec![chunks("11111111111111111\r\n")], 56, CHUNK),
        fault("a chunk longer than its size", vec![chunks("2\r\nabc\r\n")], 56, CHUNK),
        fault(
            "chunk extensions without end",
            vec![chunks("1;a="), Flood(ENDLESS, |_| vec![b'x'; 64])],
            56,
            CHUNK,
        ),
        fault(
            "trailers without end",
            vec![chunks("0\r\n"), Flood(ENDLESS, |_| b"a: b\r\n".to_vec())],
            56,
            LARGE,
        ),
        fault(
            "a body shorter than its length",
            vec![say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"), Finish],
            18,
            CUT,
        ),
        well(
            "a body longer than its length",
            vec![say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokay, and more of it")],
        ),
        well(
            "two answers to one request",
            vec![Say([OK, b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"].concat())],
        ),
        fault("an end instead of an answer", vec![Finish], 52, CLOSED).twice(),
        well("a reset at reuse", vec![Say(OK.to_vec()), Reset]).before(1),
        fault("a reset at reuse by POST", vec![Say(OK.to_vec()), Reset], 56, RESET)
            .before(1)
            .posts(),
        Fault {
            script: vec![Reset],
            ..fault("a reset instead of an answer", Vec::new(), 56, RESET).twice()
        },
        fault(
            "nonsense at reuse",
            vec![Say(OK.to_vec()), Request, say("nonsense\r\n\r\n")],
            8,
            "the peer sent a malformed status line",
        )
        .before(1)
        .posts(),
    ]
}

/// What only a time limit ends.
pub(super) fn silences() -> Vec<Fault> {
    vec![
        fault("no answer", Vec::new(), 28, LATE_SAYS).limit(LATE),
        fault(
            "an answer that stops",
            vec![say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort")],
            28,
            LATE_SAYS,
        )
        .limit(LATE),
        fault("a head that stops", vec![say("HTTP/1.1 200 OK\r\ncontent-")], 28, LATE_SAYS)
            .limit(LATE),
    ]
}
