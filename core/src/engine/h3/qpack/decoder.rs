//! Sections into fields; the encoder stream into the table; acknowledgements out.

use std::collections::BTreeMap;

use bytes::Bytes;
use smallvec::SmallVec;

use super::super::shelf::Shelf;
use super::integer::{self, Reader, Stop};
use super::static_table;
use super::table::{Entry, OVERHEAD, Table};
use super::{Error, FIELD_OVERHEAD, Field, Name};

/// What a section may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes, counted as RFC 9114 4.2.2 does: [`FIELD_OVERHEAD`] for each field beside its
    /// name and value.
    pub bytes: usize,
    /// Most fields.
    pub fields: usize,
}

/// What became of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Its fields are there.
    Fields,
    /// It needs inserts that have not come: [`Decoder::unblocked`] says when to try again.
    Blocked,
    /// It goes over a limit. It was left there; the stream is now to be
    /// [cancelled](Decoder::cancel).
    TooLarge,
}

/// The reader's side.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// The capacity that the peer was granted.
    most: usize,
    most_blocked: usize,
    /// Streams that wait, and for how many inserts.
    blocked: BTreeMap<u64, u64>,
    /// An instruction that has not come whole.
    partial: Vec<u8>,
    /// How many inserts the encoder knows to have come.
    known: u64,
    /// What the encoder is to be told.
    told: Vec<u8>,
    /// Room for the literals of a section, and where they lie when it is read.
    text: Vec<u8>,
    shelf: Shelf,
}

/// Where a field's text lies while its section is read.
#[derive(Clone, Copy)]
enum Text {
    Static(&'static str),
    /// The name of this entry of the static table.
    StaticName(u8, &'static str),
    /// The name of an entry of the table, and its length.
    Name(u64, usize),
    /// An entry's value.
    Value(u64, usize),
    /// The next of the section's own text, of this length.
    Own(usize),
}

/// Room of so many bytes is kept for the next section.
const MOST_TEXT: usize = 1 << 10;

/// A section, as far as it was read.
struct Reading<'a> {
    table: &'a Table,
    base: u64,
    required: u64,
    /// Literals, one behind the other.
    text: Vec<u8>,
    room: usize,
}

impl Decoder {
    /// Grants the peer `capacity` bytes of a dynamic table, and `blocked` streams that may wait
    /// for it: SETTINGS_QPACK_MAX_TABLE_CAPACITY and SETTINGS_QPACK_BLOCKED_STREAMS.
    pub fn new(capacity: usize, blocked: usize) -> Self {
        Self {
            table: Table::default(),
            most: capacity,
            most_blocked: blocked,
            blocked: BTreeMap::new(),
            partial: Vec::new(),
            known: 0,
            told: Vec::new(),
            text: Vec::new(),
            shelf: Shelf::default(),
        }
    }

    /// Takes in what came on the encoder stream, whatever its pieces.
    pub fn on_encoder_stream(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.partial.is_empty() {
            let read = self.instructions(bytes)?;
            self.partial.extend_from_slice(bytes.get(read..).unwrap_or_default());
        } else {
            self.partial.extend_from_slice(bytes);
            let partial = core::mem::take(&mut self.partial);
            let read = self.instructions(&partial)?;
            if read < partial.len() {
                self.partial = partial;
                self.partial.drain(..read);
            }
        }
        Ok(())
    }

    /// Reads whole instructions, and returns how many bytes they were.
    fn instructions(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let mut reader = Reader(bytes);
        while let Some(first) = reader.peek() {
            let before = reader;
            match self.instruction(first, &mut reader) {
                Ok(()) => {}
                Err(Stop::Short) => {
                    reader = before;
                    break;
                }
                Err(Stop::Bad | Stop::Large) => return Err(Error::EncoderStream),
            }
        }
        Ok(bytes.len() - reader.0.len())
    }

    /// RFC 9204 4.3.
    fn instruction(&mut self, first: u8, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let entry = if first & 0x80 != 0 {
            // Insert with Name Reference.
            let number = reader.integer(6)?;
            // An instruction that has not come whole costs no more than to be passed over.
            let mut whole = *reader;
            whole.skip_string(7, self.most)?;
            let mut value = Vec::new();
            let name = match first & 0x40 {
                0 => self.relative(number).ok_or(Stop::Bad)?.name(),
                _ => Bytes::from_static(static_entry(number).ok_or(Stop::Bad)?.1.as_bytes()),
            };
            reader.string(7, self.most, &mut value)?;
            Entry::new(&name, &value)
        } else if first & 0x40 != 0 {
            // Insert with Literal Name.
            let mut whole = *reader;
            whole.skip_string(5, self.most)?;
            whole.skip_string(7, self.most)?;
            let (mut name, mut value) = (Vec::new(), Vec::new());
            reader.string(5, self.most, &mut name)?;
            reader.string(7, self.most, &mut value)?;
            Entry::new(&name, &value)
        } else if first & 0x20 != 0 {
            // Set Dynamic Table Capacity.
            let capacity = usize::try_from(reader.integer(5)?).map_err(|_| Stop::Bad)?;
            if capacity > self.most {
                return Err(Stop::Bad);
            }
            self.table.set_capacity(capacity);
            return Ok(());
        } else {
            // Duplicate.
            let number = reader.integer(5)?;
            self.relative(number).ok_or(Stop::Bad)?.again()
        };
        if self.table.insert(entry) { Ok(()) } else { Err(Stop::Bad) }
    }

    /// The entry that the encoder stream calls by `number`.
    fn relative(&self, number: u64) -> Option<&Entry> {
        self.table.get(self.table.inserted().checked_sub(number)?.checked_sub(1)?)
    }

    /// Reads the section of `stream` onto the end of `fields`.
    pub fn decode(
        &mut self,
        stream: u64,
        section: &[u8],
        limits: Limits,
        fields: &mut Vec<Field>,
    ) -> Result<Decoded, Error> {
        let mut reader = Reader(section);
        let prefix = self.prefix(&mut reader).ok_or(Error::DecompressionFailed)?;
        let (required, base) = prefix;
        if required > self.table.inserted() {
            return self.block(stream, required);
        }
        self.blocked.remove(&stream);
        let (table, text) = (&self.table, core::mem::take(&mut self.text));
        let mut reading = Reading { table, base, required, text, room: limits.bytes };
        let mut lines: SmallVec<[(Text, Text, bool); 8]> = SmallVec::new();
        while let Some(first) = reader.peek() {
            if lines.len() >= limits.fields {
                return Ok(Decoded::TooLarge);
            }
            match reading.line(first, &mut reader) {
                Ok(line) => lines.push(line),
                Err(Stop::Large) => return Ok(Decoded::TooLarge),
                Err(Stop::Short | Stop::Bad) => return Err(Error::DecompressionFailed),
            }
        }
        // All of the section's own text lies together.
        let own = &reading.text;
        let mut own = self.shelf.put(own.len(), |out| out.extend_from_slice(own));
        let mut bytes = |text| match text {
            Text::Static(text) | Text::StaticName(_, text) => {
                Bytes::from_static(str::as_bytes(text))
            }
            Text::Name(entry, _) => table.get(entry).map(Entry::name).unwrap_or_default(),
            Text::Value(entry, _) => table.get(entry).map(Entry::value).unwrap_or_default(),
            Text::Own(length) => own.split_to(length),
        };
        fields.extend(lines.iter().map(|&(name, value, is_sensitive)| Field {
            name: match name {
                Text::StaticName(entry, _) => Name::of_entry(entry),
                name => bytes(name).into(),
            },
            value: bytes(value),
            is_sensitive,
        }));
        if reading.text.capacity() <= MOST_TEXT {
            reading.text.clear();
            self.text = reading.text;
        }
        if required > 0 {
            // Section Acknowledgment (RFC 9204 4.4.1).
            integer::put(&mut self.told, 0x80, 7, stream);
            self.known = self.known.max(required);
        }
        Ok(Decoded::Fields)
    }

    fn block(&mut self, stream: u64, required: u64) -> Result<Decoded, Error> {
        self.blocked.insert(stream, required);
        if self.blocked.len() > self.most_blocked {
            return Err(Error::DecompressionFailed);
        }
        Ok(Decoded::Blocked)
    }

    /// How many inserts a section requires, and the base of its references (RFC 9204 4.5.1).
    fn prefix(&self, reader: &mut Reader<'_>) -> Option<(u64, u64)> {
        let encoded = reader.integer(8).ok()?;
        let is_behind = reader.peek()? & 0x80 != 0;
        let delta = reader.integer(7).ok()?;
        let required = self.required(encoded)?;
        let base = if is_behind {
            required.checked_sub(delta)?.checked_sub(1)?
        } else {
            required.checked_add(delta)?
        };
        Some((required, base))
    }

    /// RFC 9204 4.5.1.1.
    fn required(&self, encoded: u64) -> Option<u64> {
        if encoded == 0 {
            return Some(0);
        }
        let entries = (self.most / OVERHEAD) as u64;
        let range = 2 * entries;
        if encoded > range {
            return None;
        }
        let most = self.table.inserted() + entries;
        let required = most / range * range + encoded - 1;
        let required = if required > most { required.checked_sub(range)? } else { required };
        (required > 0).then_some(required)
    }

    /// A stream whose section waited and can be read now.
    pub fn unblocked(&mut self) -> Option<u64> {
        let inserted = self.table.inserted();
        let free = self.blocked.iter().find(|(_, required)| **required <= inserted);
        let stream = *free?.0;
        self.blocked.remove(&stream);
        Some(stream)
    }

    /// The stream is not read any further (RFC 9204 2.2.2.2).
    pub fn cancel(&mut self, stream: u64) {
        self.blocked.remove(&stream);
        if self.most > 0 {
            integer::put(&mut self.told, 0x40, 6, stream);
        }
    }

    /// Takes what is to be sent on the decoder stream.
    pub fn take_instructions(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.told);
        if self.table.inserted() > self.known {
            // Insert Count Increment (RFC 9204 4.4.3).
            integer::put(out, 0, 6, self.table.inserted() - self.known);
            self.known = self.table.inserted();
        }
    }

    /// How many bytes the dynamic table counts, and what has not come whole beside it.
    pub fn size(&self) -> usize {
        self.table.size() + self.partial.len()
    }
}

impl Reading<'_> {
    /// One field line (RFC 9204 4.5.2 to 4.5.6).
    fn line(&mut self, first: u8, reader: &mut Reader<'_>) -> Result<(Text, Text, bool), Stop> {
        let (name, value, is_sensitive) = if first & 0x80 != 0 {
            let number = reader.integer(6)?;
            let (name, value) = match first & 0x40 {
                0 => self.below(number).and_then(|entry| self.field(entry)),
                _ => static_entry(number).map(|(entry, name, value)| {
                    (Text::StaticName(entry, name), Text::Static(value))
                }),
            }
            .ok_or(Stop::Bad)?;
            (name, value, false)
        } else if first & 0x40 != 0 {
            let number = reader.integer(4)?;
            let name = match first & 0x10 {
                0 => self.below(number).and_then(|entry| self.name(entry)),
                _ => static_entry(number).map(|(entry, name, _)| Text::StaticName(entry, name)),
            };
            (name.ok_or(Stop::Bad)?, self.literal(reader, 7)?, first & 0x20 != 0)
        } else if first & 0x20 != 0 {
            (self.literal(reader, 3)?, self.literal(reader, 7)?, first & 0x10 != 0)
        } else if first & 0x10 != 0 {
            let number = reader.integer(4)?;
            let field = self.above(number).and_then(|entry| self.field(entry));
            let (name, value) = field.ok_or(Stop::Bad)?;
            (name, value, false)
        } else {
            let number = reader.integer(3)?;
            let name = self.above(number).and_then(|entry| self.name(entry));
            (name.ok_or(Stop::Bad)?, self.literal(reader, 7)?, first & 0x08 != 0)
        };
        let size = name.len() + value.len() + FIELD_OVERHEAD;
        self.room = self.room.checked_sub(size).ok_or(Stop::Large)?;
        Ok((name, value, is_sensitive))
    }

    /// The entry that stands so far below the base.
    fn below(&self, number: u64) -> Option<u64> {
        self.base.checked_sub(number)?.checked_sub(1)
    }

    /// The entry that stands so far above the base.
    fn above(&self, number: u64) -> Option<u64> {
        self.base.checked_add(number)
    }

    fn field(&self, number: u64) -> Option<(Text, Text)> {
        let entry = self.entry(number)?;
        let (name, value) = entry.split();
        Some((Text::Name(number, name.len()), Text::Value(number, value.len())))
    }

    fn name(&self, number: u64) -> Option<Text> {
        let (name, _) = self.entry(number)?.split();
        Some(Text::Name(number, name.len()))
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        // RFC 9204 2.2.1: not beyond what the section said that it needs.
        if number < self.required { self.table.get(number) } else { None }
    }

    fn literal(&mut self, reader: &mut Reader<'_>, bits: u8) -> Result<Text, Stop> {
        let begin = self.text.len();
        reader.string(bits, self.room, &mut self.text)?;
        Ok(Text::Own(self.text.len() - begin))
    }
}

impl Text {
    const fn len(self) -> usize {
        match self {
            Self::Static(text) | Self::StaticName(_, text) => text.len(),
            Self::Name(_, length) | Self::Value(_, length) | Self::Own(length) => length,
        }
    }
}

/// An entry's number, name and value.
fn static_entry(number: u64) -> Option<(u8, &'static str, &'static str)> {
    let entry = u8::try_from(number).ok()?;
    static_table::ENTRIES.get(usize::from(entry)).map(|(name, value)| (entry, *name, *value))
}
