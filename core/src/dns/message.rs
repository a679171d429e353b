//! Messages of the domain name system: one question, and the records of its answer.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Answer, RecordType};
use crate::time::Duration;

/// The longest name, in its wire form (RFC 1035 2.3.4).
const NAME_MAX: usize = 255;

/// Most aliases that are followed within one answer.
const ALIASES_MAX: usize = 8;

/// The longest answer over UDP that is asked for: what passes every path unfragmented (DNS flag
/// day 2020).
const UDP_MAX: u16 = 1_232;

const IN: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const OPT: u16 = 41;

/// A name in its wire form without compression, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(Vec<u8>);

impl Name {
    /// Of text; one dot at the end makes no difference.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut wire = Vec::new();
        for label in text.split('.') {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            wire.push(length);
            wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        wire.push(0);
        (wire.len() <= NAME_MAX).then_some(Self(wire))
    }

    /// As text, where all of it is printable and no dot stands within a label.
    fn text(&self) -> Option<Box<str>> {
        let mut text = String::new();
        let mut rest = &self.0[..];
        while let Some((length, behind)) = rest.split_first()
            && *length > 0
        {
            let (label, behind) = behind.split_at_checked((*length).into())?;
            if !label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.') {
                return None;
            }
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(core::str::from_utf8(label).ok()?);
            rest = behind;
        }
        Some(text.into())
    }
}

/// The message that asks, recursion desired.
pub(super) fn question(id: u16, name: &Name, kind: u16) -> Vec<u8> {
    let mut message = Vec::new();
    for number in [id, 0x0100, 1, 0, 0, 1] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    message.extend_from_slice(&name.0);
    for number in [kind, IN] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    // EDNS (RFC 6891): the root, its type, how much may come, no flags, no options.
    message.push(0);
    for number in [OPT, UDP_MAX, 0, 0, 0] {
        message.extend_from_slice(&number.to_be_bytes());
    }
    message
}

/// Reads a message from its beginning on; names may point back.
#[derive(Clone, Debug)]
struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, many: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(many)?;
        let bytes = self.all.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// A pointer leads to what stands before everything that was read of the name, so that no
    /// name is without end (RFC 1035 4.1.4).
    fn name(&mut self) -> Option<Name> {
        let mut name = Vec::new();
        let mut from = self.clone();
        let mut first = self.at;
        let mut end = None;
        loop {
            let [length] = *from.bytes(1)? else { return None };
            match length {
                0 => break,
                1..=63 => {
                    name.push(length);
                    name.extend(from.bytes(length.into())?.iter().map(u8::to_ascii_lowercase));
                }
                0xc0.. => {
                    let [low] = *from.bytes(1)? else { return None };
                    end.get_or_insert(from.at);
                    let to = usize::from(length & 0x3f) << 8 | usize::from(low);
                    if to >= first {
                        return None;
                    }
                    (first, from.at) = (to, to);
                }
                _ => return None,
            }
            if name.len() >= NAME_MAX {
                return None;
            }
        }
        name.push(0);
        self.at = end.unwrap_or(from.at);
        Some(Name(name))
    }
}

/// An answer to a question, as far as its header and the question go.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) id: u16,
    pub(super) code: u8,
    pub(super) is_cut_off: bool,
    pub(super) name: Name,
    pub(super) kind: u16,
    /// How many records of answers, and of authority, follow.
    counts: [u16; 2],
    rest: Reader<'a>,
}

impl<'a> Message<'a> {
    /// `None` where it answers no single question of the class IN.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader { all: bytes, at: 0 };
        let (id, flags, questions) = (rest.number()?, rest.number()?, rest.number()?);
        let counts = [rest.number()?, rest.number()?];
        rest.number()?;
        // A response to a standard query.
        let is_answer = flags & 0xf800 == 0x8000;
        if !is_answer || questions != 1 {
            return None;
        }
        let (name, kind, class) = (rest.name()?, rest.number()?, rest.number()?);
        let code = (flags & 0xf) as u8;
        let is_cut_off = flags & 0x0200 != 0;
        (class == IN).then_some(Self { id, code, is_cut_off, name, kind, counts, rest })
    }

    /// Its records; `None` where one of them cannot be read.
    pub(super) fn records(&self) -> Option<Records<'a>> {
        let mut rest = self.rest.clone();
        let [answers, authorities] = self.counts;
        let mut all = Records { answers: Vec::new(), none: None };
        for _ in 0..answers {
            let record = Record::read(&mut rest)?;
            if record.class == IN {
                all.answers.push(record);
            }
        }
        for _ in 0..authorities {
            let record = Record::read(&mut rest)?;
            if record.kind == SOA
                && record.class == IN
                && let Some(least) = record.data.last_chunk()
            {
                // RFC 2308 5
                all.none = Some(record.ttl.min(u32::from_be_bytes(*least)));
            }
        }
        Some(all)
    }
}

#[derive(Debug)]
struct Record<'a> {
    owner: Name,
    kind: u16,
    class: u16,
    ttl: u32,
    data: &'a [u8],
    /// Where an alias leads.
    alias: Option<Name>,
}

impl<'a> Record<'a> {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let (owner, kind, class) = (from.name()?, from.number()?, from.number()?);
        let (ttl, length) = (from.long()?, from.number()?);
        let mut inside = from.clone();
        let data = from.bytes(length.into())?;
        let alias = if kind == CNAME { Some(inside.name()?) } else { None };
        // The first bit is none of its (RFC 2181 8).
        let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
        Some(Self { owner, kind, class, ttl, data, alias })
    }
}

/// The records of a message.
#[derive(Debug)]
pub(super) struct Records<'a> {
    answers: Vec<Record<'a>>,
    /// For how long it holds that there are none.
    none: Option<u32>,
}

impl Records<'_> {
    /// What they say of `name`; `None` where a record of the type is not what it must be, or
    /// aliases have no end.
    pub(super) fn answer(&self, name: &Name, kind: RecordType) -> Option<Answer> {
        let mut owner = name;
        let mut ttl: Option<u32> = None;
        let mut note = |record: &Record<'_>| {
            ttl = Some(ttl.map_or(record.ttl, |least| least.min(record.ttl)));
        };
        let mut answer = Answer::default();
        for _ in 0..=ALIASES_MAX {
            let own = || self.answers.iter().filter(|record| record.owner == *owner);
            for record in own().filter(|record| record.kind == kind.number()) {
                note(record);
                match kind {
                    RecordType::A => {
                        let octets: [u8; 4] = record.data.try_into().ok()?;
                        answer.addresses.push(IpAddr::V4(Ipv4Addr::from(octets)));
                    }
                    RecordType::Aaaa => {
                        let octets: [u8; 16] = record.data.try_into().ok()?;
                        answer.addresses.push(IpAddr::V6(Ipv6Addr::from(octets)));
                    }
                    RecordType::Https => answer.https.push(record.data.into()),
                }
            }
            let alias = own().find_map(|record| Some((record, record.alias.as_ref()?)));
            if let Some((record, next)) = alias.filter(|_| answer.is_empty()) {
                note(record);
                owner = next;
                continue;
            }
            if owner != name {
                answer.owner = Some(owner.text()?);
            }
            let ttl = if answer.is_empty() { self.none } else { ttl };
            answer.ttl = ttl.map(|seconds| Duration::from_secs(seconds.into()));
            return Some(answer);
        }
        None
    }
}
