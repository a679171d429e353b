//! Messages of the domain name system, which the `domain` crate writes and reads: one question,
//! and what the records of its answer come to.

use core::net::IpAddr;

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::message_builder::{MessageBuilder, PushError};
use domain::base::{self, ParsedName, ParsedRecord, Question, UnknownRecordData};
use domain::dep::octseq::array::Array;
use domain::rdata::{A, Aaaa, Cname, Soa};

use super::{Answer, RecordType};
use crate::time::Duration;

/// Most aliases that are followed within one answer.
const ALIASES_MAX: usize = 8;

/// The longest answer over UDP that is asked for: what passes every path unfragmented (DNS flag
/// day 2020).
const UDP_MAX: u16 = 1_232;

/// A header, the longest name with its type and class, and EDNS.
const QUESTION_MAX: usize = 12 + 255 + 4 + 11;

/// A name that is asked for.
pub(super) type Name = base::Name<Array<255>>;

/// What a message can carry of text; one dot at the end makes no difference.
pub(super) fn name(text: &str) -> Option<Name> {
    let name: Name = text.to_ascii_lowercase().parse().ok()?;
    (!name.is_root()).then_some(name)
}

/// The message that asks, recursion desired.
pub(super) fn question(id: u16, name: &Name, kind: RecordType) -> Option<Vec<u8>> {
    let write = || -> Result<_, PushError> {
        let mut message = MessageBuilder::from_target(Array::<QUESTION_MAX>::new())?;
        message.header_mut().set_id(id);
        message.header_mut().set_rd(true);
        let mut message = message.question();
        message.push((name, kind.rtype(), Class::IN))?;
        let mut message = message.additional();
        message.opt(|edns| {
            edns.set_udp_payload_size(UDP_MAX);
            Ok(())
        })?;
        Ok(message.finish().to_vec())
    };
    write().ok()
}

impl RecordType {
    const fn rtype(self) -> Rtype {
        Rtype::from_int(self.number())
    }
}

type Octets = [u8];

/// A name where it stands in a message.
type Owner<'a> = ParsedName<&'a Octets>;

/// An answer to a question.
#[derive(Debug)]
pub(super) struct Message<'a>(&'a base::Message<Octets>);

impl<'a> Message<'a> {
    /// `None` where it answers no single question, or another one.
    pub(super) fn read(bytes: &'a [u8], id: u16, name: &Name, kind: RecordType) -> Option<Self> {
        let message = base::Message::from_slice(bytes).ok()?;
        let header = message.header();
        let is_answer = header.qr() && header.opcode() == Opcode::QUERY && header.id() == id;
        let asked = message.sole_question().ok()?;
        let same = asked == Question::new(name, kind.rtype(), Class::IN);
        (is_answer && same).then_some(Self(message))
    }

    /// Its RCODE.
    pub(super) fn code(&self) -> u8 {
        self.0.header().rcode().to_int()
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.0.header().tc()
    }

    /// What its records say of `name`; `None` where one of them cannot be read or is not what it
    /// must be, or aliases have no end.
    pub(super) fn answer(&self, name: &Name, kind: RecordType) -> Option<Answer> {
        let records = Records::read(self.0)?;
        let mut owner: Option<Owner<'a>> = None;
        let mut ttl: Option<Duration> = None;
        let mut answer = Answer::default();
        for _ in 0..=ALIASES_MAX {
            let own = || {
                records.answers.iter().filter(|record| match &owner {
                    Some(owner) => record.owner() == *owner,
                    None => record.owner() == *name,
                })
            };
            let mut note = |record: &ParsedRecord<'_, Octets>| {
                let its = time_to_live(record);
                ttl = Some(ttl.map_or(its, |least| least.min(its)));
            };
            for record in own().filter(|record| record.rtype() == kind.rtype()) {
                note(record);
                answer.take(record, kind)?;
            }
            let alias = own().find(|record| record.rtype() == Rtype::CNAME);
            if let Some(record) = alias.filter(|_| answer.is_empty()) {
                note(record);
                owner = Some(alias_of(record)?);
                continue;
            }
            answer.owner = match owner {
                Some(owner) if owner != *name => Some(text(&owner)?),
                _ => None,
            };
            answer.ttl = if answer.is_empty() { records.none } else { ttl };
            return Some(answer);
        }
        None
    }
}

impl Answer {
    /// Takes what a record of this type says.
    fn take(&mut self, record: &ParsedRecord<'_, Octets>, kind: RecordType) -> Option<()> {
        match kind {
            RecordType::A => {
                let found = record.to_record::<A>().ok()??;
                self.addresses.push(IpAddr::V4(found.data().addr()));
            }
            RecordType::Aaaa => {
                let found = record.to_record::<Aaaa>().ok()??;
                self.addresses.push(IpAddr::V6(found.data().addr()));
            }
            RecordType::Https => {
                let found = record.to_record::<UnknownRecordData<&Octets>>().ok()??;
                self.https.push((*found.data().data()).into());
            }
        }
        Some(())
    }
}

/// The records of a message, of the class IN.
struct Records<'a> {
    answers: Vec<ParsedRecord<'a, Octets>>,
    /// For how long it holds that there are none.
    none: Option<Duration>,
}

impl<'a> Records<'a> {
    /// `None` where one of them cannot be read.
    fn read(message: &'a base::Message<Octets>) -> Option<Self> {
        let mut all = Self { answers: Vec::new(), none: None };
        let mut section = message.answer().ok()?;
        for record in section.by_ref() {
            let record = record.ok()?;
            if record.class() == Class::IN {
                all.answers.push(record);
            }
        }
        for record in section.next_section().ok()?? {
            let record = record.ok()?;
            if record.class() == Class::IN
                && let Ok(Some(soa)) = record.to_record::<Soa<_>>()
            {
                // RFC 2308 5
                let least = Duration::from_secs(soa.data().minimum().as_secs().into());
                all.none = Some(time_to_live(&record).min(least));
            }
        }
        Some(all)
    }
}

fn time_to_live(record: &ParsedRecord<'_, Octets>) -> Duration {
    let seconds = record.ttl().as_secs();
    // The first bit is none of its (RFC 2181 8).
    Duration::from_secs(if seconds > i32::MAX as u32 { 0 } else { seconds.into() })
}

/// Where an alias leads.
fn alias_of<'a>(record: &ParsedRecord<'a, Octets>) -> Option<Owner<'a>> {
    Some(record.to_record::<Cname<Owner<'a>>>().ok()??.into_data().into_cname())
}

/// In lower case, where all of it is printable and no dot stands within a label.
fn text(name: &Owner<'_>) -> Option<Box<str>> {
    let text = name.to_string();
    (!text.contains('\\')).then(|| text.to_ascii_lowercase().into())
}
