//! Field compression for HTTP/3 (RFC 9204), with no connection around it.
//!
//! ```text
//!   encoder --- sections, on their streams ----------> decoder
//!      |  ----- inserts, capacity: encoder stream ---->  |
//!      <------- acknowledgements: decoder stream --------'
//! ```
//!
//! An [`Encoder`] turns fields into sections, a [`Decoder`] sections into fields. Each keeps a
//! dynamic table if its owner grants memory for one; without one, all is in the static table and
//! in literals, and the streams beside stay empty.
//!
//! Neither trusts the other: a section that the peer has blown up is given up at its limit, a
//! table never counts more than its capacity, and whatever comes that is not by the rules is one
//! of the three errors.

mod decoder;
mod encoder;
mod huffman;
mod integer;
mod static_table;
mod table;
#[cfg(test)]
mod tests;

pub use decoder::{Decoded, Decoder, Limits};
pub use encoder::Encoder;
pub(super) use static_table::ENTRIES as STATIC_ENTRIES;

use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

/// What a field counts beyond its name and value in the size of a section, in bytes
/// (RFC 9114 4.2.2).
pub const FIELD_OVERHEAD: usize = 32;

/// An error that ends the connection (RFC 9204 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A section cannot be understood.
    DecompressionFailed,
    /// What came on the encoder stream cannot be understood.
    EncoderStream,
    /// What came on the decoder stream cannot be understood.
    DecoderStream,
}

impl Error {
    /// The code that the connection is closed with.
    pub const fn code(self) -> u64 {
        match self {
            Self::DecompressionFailed => 0x200,
            Self::EncoderStream => 0x201,
            Self::DecoderStream => 0x202,
        }
    }
}

/// A field to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// In lower case.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Never put in a table, here or at anyone who sends it on (RFC 9204 7.1.3).
    pub is_sensitive: bool,
}

impl<'a> Line<'a> {
    /// A field that is no secret.
    pub const fn new(name: &'a [u8], value: &'a [u8]) -> Self {
        Self { name, value, is_sensitive: false }
    }
}

/// The name of a field that was decoded: its bytes, and where they stand in the static table, if it
/// came as a reference to that.
#[derive(Clone)]
pub struct Name(Told);

#[derive(Clone)]
enum Told {
    Entry(u8),
    Literal(Bytes),
}

impl Name {
    /// That of an entry of the static table, which has such a one.
    const fn of_entry(entry: u8) -> Self {
        Self(Told::Entry(entry))
    }

    /// The entry of the static table that it came as.
    pub(super) const fn entry(&self) -> Option<u8> {
        match self.0 {
            Told::Entry(entry) => Some(entry),
            Told::Literal(_) => None,
        }
    }
}

impl Deref for Name {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Told::Entry(entry) => {
                let entry = static_table::ENTRIES.get(usize::from(*entry));
                entry.map_or(&[], |(name, _)| name.as_bytes())
            }
            Told::Literal(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Name {
    fn from(bytes: Bytes) -> Self {
        Self(Told::Literal(bytes))
    }
}

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl PartialEq for Name {
    /// By the bytes alone.
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// A field that was decoded. Bytes are as they came: whether they are allowed is not judged here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: Name,
    /// The value.
    pub value: Bytes,
    /// Whoever sends it on must not put it in a table either.
    pub is_sensitive: bool,
}
