//! Field compression beside ls-qpack, another implementation in C, both ways: tables in use,
//! acknowledgements late, streams blocked and cancelled, capacities changed under way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use regatta_core::engine::h3::qpack::{Decoded, Decoder, Encoder, Field, Limits, Line};
use regatta_core::rng::Rng;

use super::program::find;

/// Connections, and the sections of each.
const CONNECTIONS: u64 = 60;
const SECTIONS: u64 = 200;
const LIMITS: Limits = Limits { bytes: 1 << 16, fields: 100 };

/// ls-qpack in a process of its own.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        let answer = answer.trim().to_owned();
        assert!(!answer.is_empty() && !answer.starts_with("failed"), "{line}: {answer}");
        answer
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn peer() -> Option<Peer> {
    let python = find("lsqpack_python")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/qpack/lsqpack.py");
    let mut command = Command::new(python);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    Some(Peer { child, input, output: BufReader::new(output) })
}

fn hex(bytes: &[u8]) -> String {
    match bytes {
        [] => "-".into(),
        bytes => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let said: Vec<String> =
        fields.map(|(name, value)| format!("{}={}", hex(name), hex(value))).collect();
    if said.is_empty() { "none".into() } else { said.join(",") }
}

type Fields = Vec<(String, String)>;

/// Fields as browsers and servers send them, some of them again and again.
fn draw(rng: &mut Rng) -> Fields {
    let names = [
        ":method",
        ":path",
        ":authority",
        ":scheme",
        ":status",
        "accept",
        "accept-encoding",
        "content-type",
        "user-agent",
        "x-request-id",
        "cookie",
        "cache-control",
        "vary",
        "x-y",
    ];
    let values = ["GET", "/", "https", "200", "*/*", "gzip, deflate, br", "text/css", "origin", ""];
    let pick = |rng: &mut Rng, from: &[&str]| {
        let n = rng.below(from.len() as u64) as usize;
        from[n].to_owned()
    };
    let count = 1 + rng.below(8);
    (0..count)
        .map(|_| {
            let name = pick(rng, &names);
            let value = match rng.below(4) {
                0 => pick(rng, &values),
                1 => format!("value-{}", rng.below(12)),
                2 => "long-".repeat(rng.below(20) as usize),
                _ => (0..rng.below(20)).map(|_| char::from(rng.below(95) as u8 + 32)).collect(),
            };
            (name, value)
        })
        .collect()
}

fn said(fields: &Fields) -> String {
    pairs(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

fn settings(rng: &mut Rng) -> (usize, usize) {
    let capacity = [0, 100, 256, 1_024, 4_096][rng.below(5) as usize];
    (capacity, rng.below(5) as usize)
}

/// What came of the sections of one direction.
#[derive(Debug, Default)]
struct Count {
    sections: u64,
    blocked: u64,
    references: u64,
}

#[test]
fn ls_qpack_reads_what_is_written() {
    let Some(mut peer) = peer() else { return };
    let mut count = Count::default();
    for seed in 0..CONNECTIONS {
        write_to(&mut peer, &mut Rng::new(seed), &mut count);
    }
    assert!(count.sections >= 10_000 && count.blocked > 50, "{count:?}");
    assert!(count.references > 2_000, "{count:?}");
}

fn write_to(peer: &mut Peer, rng: &mut Rng, count: &mut Count) {
    let (capacity, blocked) = settings(rng);
    peer.ask(&format!("new {capacity} {blocked}"));
    let mut encoder = Encoder::new(1 << 20);
    encoder.grant(capacity, blocked);
    let (mut inserts, mut told, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..SECTIONS {
        let (stream, fields) = (4 * n, draw(rng));
        let lines = fields.iter().map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()));
        let mut section = Vec::new();
        encoder.encode(stream, lines, true, &mut section);
        encoder.take_instructions(&mut inserts);
        count.sections += 1;
        count.references += u64::from(section[0] != 0);
        if rng.below(3) > 0 {
            deliver(peer, rng, &mut inserts, &mut waiting, &mut told);
        }
        let answer = peer.ask(&format!("section {stream} {}", hex(&section)));
        match answer.split_once(' ') {
            None => {
                count.blocked += 1;
                if rng.below(10) == 0 {
                    told.extend(unhex(&peer.ask(&format!("cancel {stream}"))));
                } else {
                    waiting.push((stream, said(&fields)));
                }
            }
            Some((tells, read)) => {
                assert_eq!(read, said(&fields));
                told.extend(unhex(tells));
            }
        }
        if rng.below(2) == 0 {
            let n = rng.below(told.len() as u64 + 1) as usize;
            encoder.on_decoder_stream(&told.drain(..n).collect::<Vec<u8>>()).unwrap();
        }
        if rng.below(20) == 0 {
            encoder.set_capacity(rng.below(capacity as u64 + 1) as usize);
        }
    }
    while !inserts.is_empty() {
        deliver(peer, rng, &mut inserts, &mut waiting, &mut told);
    }
    assert!(waiting.is_empty(), "{waiting:?}");
    encoder.on_decoder_stream(&told).unwrap();
}

/// Some of the inserts come, and with them what waited.
fn deliver(
    peer: &mut Peer,
    rng: &mut Rng,
    inserts: &mut Vec<u8>,
    waiting: &mut Vec<(u64, String)>,
    told: &mut Vec<u8>,
) {
    let n = rng.below(inserts.len() as u64) + 1;
    let came: Vec<u8> = inserts.drain(..inserts.len().min(n as usize)).collect();
    if came.is_empty() {
        return;
    }
    let free = peer.ask(&format!("inserts {}", hex(&came)));
    for stream in free.split(' ').filter(|free| *free != "none") {
        let stream: u64 = stream.parse().unwrap();
        let answer = peer.ask(&format!("resume {stream}"));
        let (tells, read) = answer.split_once(' ').unwrap();
        told.extend(unhex(tells));
        let at = waiting.iter().position(|(waits, _)| *waits == stream).unwrap();
        assert_eq!(waiting.remove(at).1, read);
    }
}

// rule: QP-1e
#[test]
fn what_ls_qpack_writes_is_read() {
    let Some(mut peer) = peer() else { return };
    let mut count = Count::default();
    for seed in 0..CONNECTIONS {
        read_from(&mut peer, &mut Rng::new(seed), &mut count);
    }
    assert!(count.sections >= 10_000 && count.blocked > 50, "{count:?}");
    assert!(count.references > 2_000, "{count:?}");
}

fn read_from(peer: &mut Peer, rng: &mut Rng, count: &mut Count) {
    let (capacity, blocked) = settings(rng);
    let mut decoder = Decoder::new(capacity, blocked);
    let mut inserts = unhex(&peer.ask(&format!("new {capacity} {blocked}")));
    let (mut told, mut waiting) = (Vec::new(), Vec::new());
    for n in 0..SECTIONS {
        let (stream, fields) = (4 * n, said(&draw(rng)));
        let answer = peer.ask(&format!("encode {stream} {fields}"));
        let (more, section) = answer.split_once(' ').unwrap();
        inserts.extend(unhex(more));
        let section = unhex(section);
        count.sections += 1;
        count.references += u64::from(section[0] != 0);
        if rng.below(3) > 0 {
            let n = rng.below(inserts.len() as u64 + 1) as usize;
            let came: Vec<u8> = inserts.drain(..n).collect();
            decoder.on_encoder_stream(&came).unwrap();
            wake(&mut decoder, &mut waiting);
        }
        if !read(&mut decoder, stream, &section, &fields) {
            count.blocked += 1;
            if rng.below(10) == 0 {
                decoder.cancel(stream);
            } else {
                waiting.push((stream, section, fields));
            }
        }
        if rng.below(2) == 0 {
            decoder.take_instructions(&mut told);
            let n = rng.below(told.len() as u64 + 1) as usize;
            let came: Vec<u8> = told.drain(..n).collect();
            peer.ask(&format!("told {}", hex(&came)));
        }
        assert!(decoder.size() <= 9 * capacity + 20);
    }
    decoder.on_encoder_stream(&inserts).unwrap();
    wake(&mut decoder, &mut waiting);
    assert!(waiting.is_empty(), "{waiting:?}");
    decoder.take_instructions(&mut told);
    peer.ask(&format!("told {}", hex(&told)));
}

/// Whether the section could be read; then it says what was meant.
fn read(decoder: &mut Decoder, stream: u64, section: &[u8], expected: &str) -> bool {
    let mut fields: Vec<Field> = Vec::new();
    match decoder.decode(stream, section, LIMITS, &mut fields).unwrap() {
        Decoded::Blocked => false,
        Decoded::TooLarge => panic!("nothing large was sent"),
        Decoded::Fields => {
            let read = pairs(fields.iter().map(|field| (&field.name[..], &field.value[..])));
            assert_eq!(read, expected);
            true
        }
    }
}

fn wake(decoder: &mut Decoder, waiting: &mut Vec<(u64, Vec<u8>, String)>) {
    while let Some(stream) = decoder.unblocked() {
        let at = waiting.iter().position(|(waits, ..)| *waits == stream).unwrap();
        let (stream, section, fields) = waiting.remove(at);
        assert!(read(decoder, stream, &section, &fields), "it was said that it can be read");
    }
}
