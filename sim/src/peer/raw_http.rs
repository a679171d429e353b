//! Just enough HTTP to answer wrongly: heads and frames by hand.

use bytes::Buf as _;

use super::wire::Wire;

/// What is said to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An empty 200.
    Answer,
    /// Half of an answer, then the end.
    Half,
    /// REFUSED_STREAM; in HTTP/1.1 the connection is closed without a word.
    Refused,
    /// GOAWAY with the last stream 0; in HTTP/1.1 the connection is closed without a word.
    GoAwayZero,
    /// The connection is closed without a word.
    Close,
    /// An answer and one that nobody asked for.
    TooMuch,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
/// `:status: 200` by HPACK's static table.
const STATUS_200: &[u8] = &[0x88];

/// Serves one connection, HTTP/2 where the peer begins with its preface. `processed` hears of
/// each HTTP/1.1 request that was acted on; field sections of HTTP/2 are not read.
pub(super) async fn serve(
    wire: &mut Wire,
    says: impl Fn(u32) -> Said,
    processed: impl Fn(usize),
) -> Option<()> {
    while wire.plain.len() < PREFACE.len() && PREFACE.starts_with(&wire.plain) {
        wire.read().await?;
    }
    if wire.plain.starts_with(PREFACE) {
        wire.plain.advance(PREFACE.len());
        http2(wire, says).await
    } else {
        http1(wire, says, processed).await
    }
}

async fn http1(
    wire: &mut Wire,
    says: impl Fn(u32) -> Said,
    processed: impl Fn(usize),
) -> Option<()> {
    for number in 0.. {
        let end = loop {
            match wire.plain.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => wire.read().await?,
            }
        };
        let head = String::from_utf8_lossy(&wire.plain.split_to(end)).to_lowercase();
        let field = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<usize>().ok()
        };
        let said = says(number);
        if !matches!(said, Said::Refused | Said::GoAwayZero | Said::Close)
            && let Some(n) = field("x-request:")
        {
            processed(n);
        }
        match said {
            Said::Refused | Said::GoAwayZero | Said::Close => return None,
            Said::Half => {
                let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789";
                wire.write(half).await.ok()?;
                return None;
            }
            Said::Answer => http1_answer(wire).await?,
            Said::TooMuch => {
                http1_answer(wire).await?;
                http1_answer(wire).await?;
            }
        }
        let mut body = field("content-length:").unwrap_or(0);
        while body > 0 {
            if wire.plain.is_empty() {
                wire.read().await?;
            }
            let part = body.min(wire.plain.len());
            wire.plain.advance(part);
            body -= part;
        }
    }
    None
}

async fn http1_answer(wire: &mut Wire) -> Option<()> {
    wire.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

async fn http2(wire: &mut Wire, says: impl Fn(u32) -> Said) -> Option<()> {
    wire.write(&frame(SETTINGS, 0, 0, &[])).await.ok()?;
    let mut number = 0;
    loop {
        while wire.plain.len() < 9 {
            wire.read().await?;
        }
        let head = wire.plain.split_to(9);
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        while wire.plain.len() < length {
            wire.read().await?;
        }
        let payload = wire.plain.split_to(length);
        match kind {
            SETTINGS if flags & ACK == 0 => {
                wire.write(&frame(SETTINGS, ACK, 0, &[])).await.ok()?;
            }
            PING if flags & ACK == 0 => {
                wire.write(&frame(PING, ACK, 0, &payload)).await.ok()?;
            }
            GOAWAY => return None,
            HEADERS => {
                http2_say(wire, says(number), stream).await?;
                number += 1;
            }
            _ => {}
        }
    }
}

/// `None` when the connection is to be closed.
async fn http2_say(wire: &mut Wire, said: Said, stream: u32) -> Option<()> {
    let answer = frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200);
    match said {
        Said::Answer => wire.write(&answer).await.ok(),
        Said::TooMuch => {
            let more = frame(DATA, 0, stream, b"more");
            wire.write(&[answer, more].concat()).await.ok()
        }
        Said::Half => {
            let head = frame(HEADERS, END_HEADERS, stream, STATUS_200);
            let half = frame(DATA, 0, stream, b"half");
            wire.write(&[head, half].concat()).await.ok()?;
            None
        }
        Said::Refused => {
            let refused = frame(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes());
            wire.write(&refused).await.ok()
        }
        Said::GoAwayZero => {
            wire.write(&frame(GOAWAY, 0, 0, &[0; 8])).await.ok()?;
            // Until the client has closed.
            while wire.read().await.is_some() {}
            None
        }
        Said::Close => None,
    }
}
