//! What is said, carried and damaged.

use regatta_models::tape::Tape;

use super::{Side, World, carry};

impl World {
    pub(super) fn step(&mut self, tape: &mut Tape) {
        let up = tape.one_in("up", 2);
        let damages = self.damages;
        let (from, to) = match up {
            true => (&mut self.client, &mut self.server),
            false => (&mut self.server, &mut self.client),
        };
        match tape.weighted("move", &[4, 4, 8, 4, 1]) {
            0 => say(tape, from),
            1 => from.flush(),
            2 => carry(from, to, tape.pick("bytes", &[1_000, 0, 1, 5, 20_000]), damages),
            3 if damages => damage(tape, &mut from.pipe),
            // Whoever closes before it could speak has nothing said.
            4 if damages || !from.tls.is_handshaking() => {
                from.tls.close();
                from.has_closed = true;
            }
            _ => {}
        }
    }
}

fn say(tape: &mut Tape, side: &mut Side) {
    let wide = tape.pick("most", &[50, 1, 2_000, 40_000]);
    let length = tape.draw("length", wide) as usize;
    // Dropped by contract after a close or an error.
    if side.has_closed || side.error.is_some() {
        return;
    }
    let from = side.said.len();
    let bytes: Vec<u8> =
        (from..from + length).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect();
    side.plain.put(&bytes);
    side.said.extend_from_slice(&bytes);
}

/// Changes one bit or byte, or moves, doubles or drops a whole record.
fn damage(tape: &mut Tape, pipe: &mut Vec<u8>) {
    let count = u32::try_from(pipe.len()).unwrap_or(u32::MAX);
    if count == 0 {
        return;
    }
    let how = tape.draw("how", 8);
    let at = tape.draw("at", count) as usize;
    let records = records(pipe);
    let which = tape.draw("record", u32::try_from(records.len()).unwrap_or(u32::MAX)) as usize;
    let record = records.get(which).cloned().unwrap_or(0..pipe.len());
    match how {
        0 => pipe[at] ^= 1 << tape.draw("bit", 8),
        1 => pipe.insert(at, u8::try_from(tape.draw("byte", 256)).unwrap_or(0)),
        2 => drop(pipe.remove(at)),
        3 => pipe.truncate(at),
        4 => drop(pipe.drain(record)),
        5 => {
            let copy = pipe[record.clone()].to_vec();
            pipe.splice(record.end..record.end, copy);
        }
        6 => {
            let last: Vec<u8> = pipe.drain(record).collect();
            pipe.extend_from_slice(&last);
        }
        // The type of a record, or its version or length.
        _ => pipe[record.start + at % 5.min(record.len())] = u8::try_from(at % 256).unwrap_or(0),
    }
}

/// Where the whole records in the pipe lie: type, version, length of two bytes, and so many more.
fn records(pipe: &[u8]) -> Vec<core::ops::Range<usize>> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some([_, _, _, high, low]) = pipe.get(at..at + 5) {
        let end = at + 5 + usize::from(u16::from_be_bytes([*high, *low]));
        if end > pipe.len() {
            break;
        }
        records.push(at..end);
        at = end;
    }
    records
}
