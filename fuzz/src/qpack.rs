//! Field compression: an encoder and a decoder with everything between them late, and a decoder
//! that is told anything at all.

use regatta_core::engine::h3::qpack::{Decoded, Decoder, Encoder, Error, Field, Limits, Line};
use regatta_models::tape::Tape;

const WIDE: Limits = Limits { bytes: 1 << 16, fields: 100 };
const NAMES: [&str; 7] =
    [":path", "a", "accept", "cookie", "content-type", "x-a-long-name", "server"];
const VALUES: [&str; 6] = ["", "*/*", "v", "text/css", "a value that is longer", "\u{0}\u{ff}"];

/// A section on its way, and what it says.
struct Sent {
    stream: u64,
    section: Vec<u8>,
    fields: Vec<Field>,
}

/// Both ends of one direction.
struct Pair {
    tape: Tape,
    encoder: Encoder,
    decoder: Decoder,
    inserts: Vec<u8>,
    acknowledgements: Vec<u8>,
    sent: Vec<Sent>,
    waiting: Vec<Sent>,
    granted: usize,
}

/// What is encoded is decoded, whatever is late, cut, cancelled or shrunk meanwhile.
pub fn pair(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let granted = tape.pick("granted", &[0, 31, 64, 150, 1_000]);
    let blocked = tape.draw("blocked", 4) as usize;
    let mut encoder = Encoder::new(1 << 12);
    encoder.grant(granted, blocked);
    let mut pair = Pair {
        tape,
        encoder,
        decoder: Decoder::new(granted, blocked),
        inserts: Vec::new(),
        acknowledgements: Vec::new(),
        sent: Vec::new(),
        waiting: Vec::new(),
        granted,
    };
    for n in 0..60 {
        pair.step(4 * (n / 2));
    }
    pair.settle();
}

impl Pair {
    fn step(&mut self, stream: u64) {
        match self.tape.draw("step", 7) {
            0 | 1 => self.send(stream),
            2 => {
                let n = self.tape.draw("inserts", 40) as usize;
                let came: Vec<u8> = self.inserts.drain(..n.min(self.inserts.len())).collect();
                self.decoder.on_encoder_stream(&came).unwrap();
                self.wake();
            }
            3 => {
                self.decoder.take_instructions(&mut self.acknowledgements);
                let n = self.tape.draw("acknowledgements", 6) as usize;
                let n = n.min(self.acknowledgements.len());
                let came: Vec<u8> = self.acknowledgements.drain(..n).collect();
                self.encoder.on_decoder_stream(&came).unwrap();
            }
            4 => {
                let capacity = self.tape.draw("capacity", 2_000) as usize;
                self.encoder.set_capacity(capacity);
            }
            5 => self.take(),
            _ => {}
        }
        assert!(self.encoder.size() <= self.granted);
        // An instruction that has not come whole may be of the longest codes.
        assert!(self.decoder.size() <= 9 * self.granted + 20);
    }

    fn send(&mut self, stream: u64) {
        let n = self.tape.draw("fields", 5);
        let fields: Vec<Field> = (0..n)
            .map(|_| Field {
                name: self.tape.pick("name", &NAMES).into(),
                value: self.tape.pick("value", &VALUES).into(),
                is_sensitive: self.tape.one_in("secret", 8),
            })
            .collect();
        let lines = fields.iter().map(|field| Line {
            name: &field.name,
            value: &field.value,
            is_sensitive: field.is_sensitive,
        });
        let may_insert = !self.tape.one_in("held up", 5);
        let mut section = Vec::new();
        self.encoder.encode(stream, lines, may_insert, &mut section);
        self.encoder.take_instructions(&mut self.inserts);
        self.sent.push(Sent { stream, section, fields });
    }

    /// One of the sections comes, of its stream the first; or the stream is given up.
    fn take(&mut self) {
        let n = self.tape.draw("which", 4) as usize;
        let Some(stream) = self.sent.get(n).map(|sent| sent.stream) else { return };
        if self.waiting.iter().any(|waiting| waiting.stream == stream) {
            return;
        }
        if self.tape.one_in("cancel", 6) {
            self.sent.retain(|sent| sent.stream != stream);
            return self.decoder.cancel(stream);
        }
        let first = self.sent.iter().position(|sent| sent.stream == stream).unwrap();
        let sent = self.sent.remove(first);
        self.read(sent);
    }

    fn read(&mut self, sent: Sent) {
        let mut fields = Vec::new();
        match self.decoder.decode(sent.stream, &sent.section, WIDE, &mut fields).unwrap() {
            Decoded::Fields => assert_eq!(fields, sent.fields),
            Decoded::Blocked => self.waiting.push(sent),
            Decoded::TooLarge => panic!("nothing large was sent"),
        }
    }

    fn wake(&mut self) {
        while let Some(stream) = self.decoder.unblocked() {
            let n = self.waiting.iter().position(|sent| sent.stream == stream).unwrap();
            let sent = self.waiting.remove(n);
            let before = self.waiting.len();
            self.read(sent);
            assert_eq!(self.waiting.len(), before, "it was said that it can be read");
        }
    }

    fn settle(&mut self) {
        self.encoder.take_instructions(&mut self.inserts);
        self.decoder.on_encoder_stream(&core::mem::take(&mut self.inserts)).unwrap();
        self.wake();
        for sent in core::mem::take(&mut self.sent) {
            self.read(sent);
        }
        assert!(self.waiting.is_empty(), "every insert has come");
        self.decoder.take_instructions(&mut self.acknowledgements);
        self.encoder.on_decoder_stream(&self.acknowledgements).unwrap();
        assert_eq!(self.encoder.size(), self.decoder.size());
    }
}

/// What one decoder made of an encoder stream and a section.
type Made = (Result<(), Error>, Option<Result<Decoded, Error>>, Vec<Field>);

/// A length, then an encoder stream so long, then a section: however the stream is cut it is
/// understood in one way, within the limits.
pub fn sections(bytes: &[u8]) {
    let Some((&len, rest)) = bytes.split_first() else { return };
    let (stream, section) = rest.split_at(usize::from(len).min(rest.len()));
    let whole = understand(&[stream], section);
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(understand(&single, section), whole, "cut in bytes");
    let third: Vec<&[u8]> = stream.chunks(3).collect();
    assert_eq!(understand(&third, section), whole, "cut in threes");
    // What was understood can be said again.
    let (Ok(()), Some(Ok(Decoded::Fields)), fields) = whole else { return };
    let mut again = Vec::new();
    let lines = fields.iter().map(|field| Line {
        name: &field.name,
        value: &field.value,
        is_sensitive: field.is_sensitive,
    });
    Encoder::new(0).encode(0, lines, true, &mut again);
    let mut decoded = Vec::new();
    let made = Decoder::new(0, 0).decode(0, &again, WIDE, &mut decoded);
    assert_eq!((made, decoded), (Ok(Decoded::Fields), fields));
}

fn understand(pieces: &[&[u8]], section: &[u8]) -> Made {
    const CAPACITY: usize = 200;
    const LIMITS: Limits = Limits { bytes: 500, fields: 8 };
    let mut decoder = Decoder::new(CAPACITY, 1);
    for piece in pieces {
        if let Err(error) = decoder.on_encoder_stream(piece) {
            return (Err(error), None, Vec::new());
        }
        assert!(decoder.size() <= 9 * CAPACITY + 20);
    }
    let mut fields = Vec::new();
    let made = decoder.decode(4, section, LIMITS, &mut fields);
    let size: usize = fields.iter().map(|field| field.name.len() + field.value.len() + 32).sum();
    assert!(fields.len() <= LIMITS.fields && size <= LIMITS.bytes);
    (Ok(()), Some(made), fields)
}
