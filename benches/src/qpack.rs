//! QPACK beside the `h3` crate's: what a section of fields costs to write and to read.

use std::hint::black_box;
use std::time::Duration;

use regatta_core::engine::h3::qpack::{Decoded, Decoder, Encoder, Limits, Line};

use crate::measure::{cpu, table};

#[cfg(h3_qpack)]
#[allow(warnings, unsafe_code, clippy::all, clippy::pedantic, reason = "another project's source")]
mod peer {
    include!(concat!(env!("OUT_DIR"), "/h3_qpack.rs"));
}

const RUNS: usize = 7;
/// Sections of one run, and how many of them go before they are acknowledged.
const SECTIONS: u64 = 200_000;
const AT_ONCE: u64 = 16;
/// What both sides grant where there is a dynamic table.
const CAPACITY: usize = 4_096;
const BLOCKED: usize = 100;

type Fields = [(&'static str, &'static str)];

/// As a browser asks for a page.
const REQUEST: &Fields = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "www.example.com"),
    (":path", "/articles/2026/the-state-of-things?page=2"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("referer", "https://www.example.com/"),
    ("cookie", "visitor=3f2a9c0e7b1d4e58a6c1; theme=dark"),
    ("priority", "u=0, i"),
];

/// As a server answers.
const RESPONSE: &Fields = &[
    (":status", "200"),
    ("content-type", "text/html; charset=utf-8"),
    ("content-length", "48211"),
    ("date", "Sun, 22 Nov 2026 06:12:56 GMT"),
    ("server", "regatta"),
    ("cache-control", "private, max-age=0"),
    ("etag", "\"5f3a-62c1d0a4\""),
    ("vary", "accept-encoding"),
    ("x-frame-options", "sameorigin"),
    ("x-request-id", "0c9a41f2-6b0e-4b1c"),
];

/// Prints the table.
pub(crate) fn run() {
    let rows: Vec<Vec<String>> = coders().into_iter().map(row).collect();
    table(
        "QPACK",
        &format!(
            "Nanoseconds of CPU time to write and to read the section of a request with {} \
             fields and of an answer with {}, and the bytes that it takes. The tables are of \
             {CAPACITY} bytes, warm, and sections are acknowledged {AT_ONCE} at a time. Ours gives \
             each name and value as `Bytes`, the `h3` crate's as a vector of its own. Median of \
             {RUNS} runs of {SECTIONS}.",
            REQUEST.len(),
            RESPONSE.len()
        ),
        &["coder", "request: write", "read", "bytes", "answer: write", "read", "bytes"],
        &rows,
    );
}

/// What a section costs.
struct Cost {
    write: Duration,
    read: Duration,
    bytes: usize,
}

/// One run over sections of these fields.
type Run = fn(&Fields) -> Cost;

fn coders() -> Vec<(&'static str, Run)> {
    vec![
        #[cfg(h3_qpack)]
        ("h3", theirs as Run),
        ("regatta", |fields| ours(fields, 0)),
        ("regatta, dynamic table", |fields| ours(fields, CAPACITY)),
    ]
}

fn row((name, run): (&str, Run)) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    for fields in [REQUEST, RESPONSE] {
        let runs: Vec<Cost> = (0..RUNS).map(|_| run(fields)).collect();
        let median = |part: fn(&Cost) -> Duration| {
            let mut all: Vec<Duration> = runs.iter().map(part).collect();
            all.sort();
            format!("{:.0}", all[all.len() / 2].as_nanos() as f64 / SECTIONS as f64)
        };
        row.extend([median(|cost| cost.write), median(|cost| cost.read)]);
        row.push(runs[0].bytes.to_string());
    }
    row
}

fn ours(fields: &Fields, capacity: usize) -> Cost {
    let (mut encoder, mut decoder) = (Encoder::new(capacity), Decoder::new(capacity, BLOCKED));
    encoder.grant(capacity, BLOCKED);
    let limits = Limits { bytes: 64 << 10, fields: 100 };
    let lines = || fields.iter().map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()));
    let mut sections = vec![Vec::new(); AT_ONCE as usize];
    let (mut told, mut heard) = (Vec::new(), Vec::new());
    let mut decoded = Vec::new();
    let mut cost = Cost { write: Duration::ZERO, read: Duration::ZERO, bytes: 0 };
    for round in 0..SECTIONS / AT_ONCE {
        let begun = cpu();
        for (stream, section) in (round * AT_ONCE..).zip(&mut sections) {
            section.clear();
            encoder.encode(stream, lines(), true, section);
        }
        cost.write += cpu() - begun;
        encoder.take_instructions(&mut told);
        decoder.on_encoder_stream(&told).expect("instructions");
        told.clear();
        let begun = cpu();
        for (stream, section) in (round * AT_ONCE..).zip(&sections) {
            decoded.clear();
            let done = decoder.decode(stream, section, limits, &mut decoded);
            assert_eq!(done, Ok(Decoded::Fields));
            black_box(&decoded);
        }
        cost.read += cpu() - begun;
        assert_eq!(decoded.len(), fields.len());
        decoder.take_instructions(&mut heard);
        encoder.on_decoder_stream(&heard).expect("acknowledgements");
        heard.clear();
        cost.bytes = sections[0].len();
    }
    cost
}

#[cfg(h3_qpack)]
fn theirs(fields: &Fields) -> Cost {
    use self::peer::qpack::{HeaderField, decode_stateless, encode_stateless};

    let lines = || fields.iter().map(|(name, value)| HeaderField::new(*name, *value));
    // Its own way from a message's fields: each becomes one of these first.
    let mut sections = vec![Vec::new(); AT_ONCE as usize];
    let mut cost = Cost { write: Duration::ZERO, read: Duration::ZERO, bytes: 0 };
    for _ in 0..SECTIONS / AT_ONCE {
        let begun = cpu();
        for section in &mut sections {
            section.clear();
            encode_stateless(section, lines()).expect("a section");
        }
        cost.write += cpu() - begun;
        let begun = cpu();
        for section in &sections {
            let decoded = decode_stateless(&mut section.as_slice(), u64::MAX).expect("fields");
            assert_eq!(black_box(decoded).fields.len(), fields.len());
        }
        cost.read += cpu() - begun;
        cost.bytes = sections[0].len();
    }
    cost
}
