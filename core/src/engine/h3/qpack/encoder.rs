//! Fields into sections; inserts onto the encoder stream; acknowledgements in.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use super::integer::{self, Reader, Stop};
use super::static_table::{self, Found};
use super::table::{Entry, OVERHEAD, Table};
use super::{Error, Line};

/// References of sections that were not acknowledged: while there are so many no section refers to
/// the table, so that a peer that never acknowledges costs no more.
const MOST_REFERENCES: usize = 4_000;
/// An instruction of the decoder stream is one integer.
const MOST_PARTIAL: usize = 10;
/// Fields whose values seldom come again, or are better not known to those who can guess at them
/// (RFC 9204 7.1.3): they are not put in the table.
const NOT_INDEXED: [&str; 14] = [
    ":path",
    "age",
    "authorization",
    "content-length",
    "content-range",
    "cookie",
    "date",
    "etag",
    "if-modified-since",
    "if-none-match",
    "last-modified",
    "location",
    "proxy-authorization",
    "set-cookie",
];

const AUTHORITY: &[u8] = b":authority";

/// The writer's side.
#[derive(Debug)]
pub struct Encoder {
    table: Table,
    /// The most memory that this side gives for the table.
    own: usize,
    /// The capacity that the peer grants, at most.
    granted: usize,
    /// How many streams may wait at the peer.
    most_blocked: usize,
    /// What the capacity is to be, once entries in use let it.
    wanted: usize,
    /// How many inserts the peer is known to have.
    known: u64,
    /// Entries before this one are not referred to any more, so that they can go.
    draining: u64,
    /// By stream, the sections that refer to the table and were not acknowledged.
    sections: BTreeMap<u64, VecDeque<Section>>,
    /// How many references they have.
    references: usize,
    /// Streams whose sections may wait at the peer, and for how many inserts.
    blocking: BTreeMap<u64, u64>,
    /// What is to go on the encoder stream.
    told: Vec<u8>,
    /// An instruction that has not come whole.
    partial: Vec<u8>,
    /// Field lines of the section that is being written.
    lines: Vec<u8>,
    /// The last line that named an authority, which mostly comes again.
    authority: Coded,
}

/// A line as it is written without the dynamic table.
#[derive(Debug, Default)]
struct Coded {
    value: Vec<u8>,
    line: Vec<u8>,
}

/// No longer line is kept.
const MOST_CODED: usize = 128;

#[derive(Debug, Default)]
struct Section {
    /// How many inserts it requires.
    required: u64,
    /// The entries that it refers to.
    references: SmallVec<[u64; 8]>,
}

/// One section being written.
struct Writing {
    section: Section,
    /// The number behind the last insert when it began.
    base: u64,
    /// Whether it may refer to what the peer may not have yet.
    may_block: bool,
}

impl Encoder {
    /// An encoder that gives up to `own` bytes for a table. It has none until the peer
    /// [grants](Encoder::grant) one.
    pub fn new(own: usize) -> Self {
        Self {
            table: Table::default(),
            own,
            granted: 0,
            most_blocked: 0,
            wanted: 0,
            known: 0,
            draining: 0,
            sections: BTreeMap::new(),
            references: 0,
            blocking: BTreeMap::new(),
            told: Vec::new(),
            partial: Vec::new(),
            lines: Vec::new(),
            authority: Coded::default(),
        }
    }

    /// The peer's SETTINGS_QPACK_MAX_TABLE_CAPACITY and SETTINGS_QPACK_BLOCKED_STREAMS.
    pub fn grant(&mut self, capacity: usize, blocked: usize) {
        self.granted = capacity;
        self.most_blocked = blocked;
        self.set_capacity(self.own);
    }

    /// Changes how much the table may hold, within what both sides grant. A lower capacity is
    /// told of once no entry that has to go is in use.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.wanted = capacity.min(self.own).min(self.granted);
        self.settle_capacity();
    }

    fn settle_capacity(&mut self) {
        if self.wanted == self.table.capacity() {
            return;
        }
        let rest = self.table.size().saturating_sub(self.wanted);
        if rest > 0 && !self.make_room(self.table.capacity() - self.table.size() + rest) {
            return;
        }
        self.table.set_capacity(self.wanted);
        integer::put(&mut self.told, 0x20, 5, self.wanted as u64);
        self.drain();
    }

    /// Writes the section of `stream` that has these fields onto the end of `out`. What
    /// [`Encoder::take_instructions`] then gives is to be sent before it. Nothing is inserted
    /// unless `may_insert`: not where the encoder stream is held up (RFC 9204 2.1.3).
    pub fn encode<'a>(
        &mut self,
        stream: u64,
        fields: impl IntoIterator<Item = Line<'a>>,
        may_insert: bool,
        out: &mut Vec<u8>,
    ) {
        if may_insert {
            self.settle_capacity();
        }
        if self.table.capacity() == 0 || self.references >= MOST_REFERENCES {
            out.extend_from_slice(&[0, 0]);
            return fields.into_iter().for_each(|line| self.put_static(line, out));
        }
        let may_block =
            self.blocking.contains_key(&stream) || self.blocking.len() < self.most_blocked;
        let base = self.table.inserted();
        let mut writing = Writing { section: Section::default(), base, may_block };
        let mut lines = core::mem::take(&mut self.lines);
        for line in fields {
            self.put_line(&mut writing, line, may_insert, &mut lines);
        }
        let section = writing.section;
        self.put_prefix(section.required, base, out);
        out.extend_from_slice(&lines);
        lines.clear();
        self.lines = lines;
        if section.required == 0 {
            return;
        }
        if section.required > self.known {
            let waits = self.blocking.entry(stream).or_default();
            *waits = section.required.max(*waits);
        }
        self.references += section.references.len();
        self.sections.entry(stream).or_default().push_back(section);
    }

    /// Writes a line without the dynamic table.
    fn put_static(&mut self, line: Line<'_>, out: &mut Vec<u8>) {
        if line.name != AUTHORITY || line.is_sensitive || line.value.len() > MOST_CODED {
            return put_found(out, static_table::find(line.name, line.value), line);
        }
        let Coded { value, line: coded } = &mut self.authority;
        if value != line.value || coded.is_empty() {
            (*value, *coded) = (line.value.to_vec(), Vec::new());
            put_found(coded, static_table::find(line.name, line.value), line);
        }
        out.extend_from_slice(coded);
    }

    /// RFC 9204 4.5.1.
    fn put_prefix(&self, required: u64, base: u64, out: &mut Vec<u8>) {
        if required == 0 {
            return out.extend_from_slice(&[0, 0]);
        }
        let range = 2 * (self.granted / OVERHEAD) as u64;
        integer::put(out, 0, 8, required % range.max(1) + 1);
        match base.checked_sub(required) {
            Some(delta) => integer::put(out, 0, 7, delta),
            None => integer::put(out, 0x80, 7, required - base - 1),
        }
    }

    fn put_line(
        &mut self,
        writing: &mut Writing,
        line: Line<'_>,
        may_insert: bool,
        out: &mut Vec<u8>,
    ) {
        let found = static_table::find(line.name, line.value);
        if line.is_sensitive || matches!(found, Found::Field(_)) {
            return put_found(out, found, line);
        }
        let size = line.name.len() + line.value.len() + OVERHEAD;
        let known = self.table.find(line.name, line.value);
        if let Some(number) = known.filter(|number| *number >= self.draining) {
            if self.refer(writing, number) {
                return put_reference(out, writing.base, number);
            }
        } else if may_insert && size <= self.table.capacity() / 2 && is_indexed(line.name) {
            if self.make_room(size) {
                let number = self.insert(line, found, size);
                if self.refer(writing, number) {
                    return put_reference(out, writing.base, number);
                }
            } else if let Some(number) = known
                && self.refer(writing, number)
            {
                return put_reference(out, writing.base, number);
            }
        }
        let name = match found {
            Found::Nothing => self.table.find_name(line.name),
            _ => None,
        };
        match name.filter(|number| *number >= self.draining) {
            Some(number) if self.refer(writing, number) => {
                put_named(out, writing.base, number);
                integer::put_string(out, 0, 7, line.value);
            }
            _ => put_found(out, found, line),
        }
    }

    /// Whether the section may refer to the entry; then it does.
    fn refer(&mut self, writing: &mut Writing, number: u64) -> bool {
        if number >= self.known && !writing.may_block {
            return false;
        }
        let Some(entry) = self.table.get_mut(number) else { return false };
        entry.references += 1;
        writing.section.references.push(number);
        writing.section.required = writing.section.required.max(number + 1);
        true
    }

    /// Inserts a field for which there is room (RFC 9204 4.3), and returns its number.
    fn insert(&mut self, line: Line<'_>, found: Found, size: usize) -> u64 {
        let number = self.table.inserted();
        // Its place before anything goes out, which may be what it is made of.
        let oldest = self.table.oldest_after(size);
        let is_there = |other: &u64| *other >= oldest;
        let again = self.table.find(line.name, line.value).filter(is_there);
        let named = self.table.find_name(line.name).filter(is_there);
        match (again, found, named) {
            (Some(again), ..) => integer::put(&mut self.told, 0, 5, number - again - 1),
            (None, Found::Name(name) | Found::Field(name), _) => {
                integer::put(&mut self.told, 0xc0, 6, u64::from(name));
                integer::put_string(&mut self.told, 0, 7, line.value);
            }
            (None, Found::Nothing, Some(named)) => {
                integer::put(&mut self.told, 0x80, 6, number - named - 1);
                integer::put_string(&mut self.told, 0, 7, line.value);
            }
            (None, Found::Nothing, None) => {
                integer::put_string(&mut self.told, 0x40, 5, line.name);
                integer::put_string(&mut self.told, 0, 7, line.value);
            }
        }
        self.table.insert(Entry::new(line.name, line.value));
        self.drain();
        number
    }

    /// Moves the mark before which entries are not referred to: a quarter of the table is kept
    /// free of references, so that there is always something that can go (RFC 9204 2.1.1.1).
    fn drain(&mut self) {
        let most = self.table.capacity() / 4 * 3;
        self.draining = self.draining.max(self.table.oldest());
        let mut lasting = self.table.size_from(self.draining);
        while lasting > most
            && let Some(entry) = self.table.get(self.draining)
        {
            lasting -= entry.size();
            self.draining += 1;
        }
    }

    /// Whether so much is free, or will be once entries that nobody needs have gone.
    fn make_room(&self, size: usize) -> bool {
        let mut free = self.table.capacity() - self.table.size();
        let mut number = self.table.oldest();
        while free < size {
            match self.table.get(number) {
                Some(entry) if entry.references == 0 && number < self.known => {
                    free += entry.size();
                }
                _ => return false,
            }
            number += 1;
        }
        true
    }

    /// Takes in what came on the decoder stream, whatever its pieces.
    pub fn on_decoder_stream(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut joined = core::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        let mut reader = Reader(&joined);
        while let Some(first) = reader.peek() {
            let before = reader;
            let bits = if first & 0x80 != 0 { 7 } else { 6 };
            match reader.integer(bits) {
                Ok(number) => self.instruction(first, number).ok_or(Error::DecoderStream)?,
                Err(Stop::Short) if before.0.len() <= MOST_PARTIAL => {
                    self.partial.extend_from_slice(before.0);
                    break;
                }
                Err(_) => return Err(Error::DecoderStream),
            }
        }
        Ok(())
    }

    /// RFC 9204 4.4.
    fn instruction(&mut self, first: u8, number: u64) -> Option<()> {
        if first & 0x80 != 0 {
            // Section Acknowledgment.
            let sections = self.sections.get_mut(&number)?;
            let section = sections.pop_front()?;
            if sections.is_empty() {
                self.sections.remove(&number);
            }
            self.release(&section);
            self.know(section.required);
        } else if first & 0x40 != 0 {
            // Stream Cancellation.
            for section in self.sections.remove(&number).unwrap_or_default() {
                self.release(&section);
            }
            self.blocking.remove(&number);
        } else {
            // Insert Count Increment.
            let known = self.known.checked_add(number)?;
            if number == 0 || known > self.table.inserted() {
                return None;
            }
            self.know(known);
        }
        Some(())
    }

    fn release(&mut self, section: &Section) {
        self.references -= section.references.len();
        for number in &section.references {
            if let Some(entry) = self.table.get_mut(*number) {
                entry.references -= 1;
            }
        }
    }

    fn know(&mut self, known: u64) {
        if known > self.known {
            self.known = known;
            self.blocking.retain(|_, required| *required > known);
        }
    }

    /// Takes what is to be sent on the encoder stream.
    pub fn take_instructions(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.told);
    }

    /// How many bytes the dynamic table counts.
    pub const fn size(&self) -> usize {
        self.table.size()
    }
}

fn is_indexed(name: &[u8]) -> bool {
    !NOT_INDEXED.iter().any(|other| other.as_bytes() == name)
}

/// Writes a line without the dynamic table.
fn put_found(out: &mut Vec<u8>, found: Found, line: Line<'_>) {
    let never = u8::from(line.is_sensitive);
    match found {
        Found::Field(number) if !line.is_sensitive => {
            return integer::put(out, 0xc0, 6, u64::from(number));
        }
        Found::Field(number) | Found::Name(number) => {
            integer::put(out, 0x50 | never << 5, 4, u64::from(number));
        }
        Found::Nothing => integer::put_string(out, 0x20 | never << 4, 3, line.name),
    }
    integer::put_string(out, 0, 7, line.value);
}

/// Writes a reference to an entry.
fn put_reference(out: &mut Vec<u8>, base: u64, number: u64) {
    match number.checked_sub(base) {
        None => integer::put(out, 0x80, 6, base - number - 1),
        Some(above) => integer::put(out, 0x10, 4, above),
    }
}

/// Writes a reference to an entry's name.
fn put_named(out: &mut Vec<u8>, base: u64, number: u64) {
    match number.checked_sub(base) {
        None => integer::put(out, 0x40, 4, base - number - 1),
        Some(above) => integer::put(out, 0, 3, above),
    }
}
