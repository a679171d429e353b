//! Answers of name servers, beside a second reader of messages (simple-dns) that also writes them
//! anew.
//!
//! ```text
//!   what | a message, as it came                                        (0 to 2: A, AAAA, HTTPS)
//!   what | flags (2) | answers | authorities | their records            (3 to 5)
//!   what | n | data of an HTTPS record (n bytes) | n | ..               (6)
//!   what | a name to ask for                                            (7)
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use regatta_core::Duration;
use regatta_core::altsvc::{HttpsRecords, Offer, https_records};
use regatta_core::dns::{Answer, Heard, Lookup, RecordType, Servers};
use regatta_core::types::{Origin, Protocol, Scheme};
use simple_dns::rdata::{HTTPS, RData, SVCParam};
use simple_dns::{CLASS, CharacterString, Name, Packet, PacketFlag, ResourceRecord, TYPE};

const ID: u16 = 0x1234;
const ASKED: &str = "www.example.org";
const QUESTION: &[u8] = b"\x03www\x07example\x03org\0";
/// Points at the question's name.
const SAME: &[u8] = &[0xc0, 12];

/// Most aliases within an answer.
const ALIASES_MAX: usize = 8;

/// What a name server says.
pub fn answer(bytes: &[u8]) {
    let Some((what, rest)) = bytes.split_first() else { return };
    let kind = [RecordType::A, RecordType::Aaaa, RecordType::Https][usize::from(what % 8 % 3)];
    match what % 8 {
        0..=2 => message(rest, kind),
        3..=5 => {
            let Some((front, records)) = rest.split_first_chunk() else { return };
            let [high, low, answers, authorities] = *front;
            let flags = 0x8000 ^ u16::from_be_bytes([high, low]);
            message(&written(kind, flags, [answers, authorities], records), kind);
        }
        6 => {
            let (mut records, mut count, mut rest) = (Vec::new(), 0, rest);
            while let Some((length, behind)) = rest.split_first() {
                let (data, behind) = behind.split_at(behind.len().min((*length).into()));
                records.extend([SAME, b"\0\x41\0\x01\0\0\0\x3c\0", &[data.len() as u8]].concat());
                records.extend(data);
                (count, rest) = (count + 1, behind);
                if count == u8::MAX {
                    break;
                }
            }
            message(&written(RecordType::Https, 0x8180, [count, 0], &records), RecordType::Https);
        }
        _ => question(&String::from_utf8_lossy(rest), kind),
    }
}

fn written(kind: RecordType, flags: u16, [answers, authorities]: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let front = [ID, flags, 1, answers.into(), authorities.into(), 0];
    let front: Vec<u8> = front.into_iter().flat_map(u16::to_be_bytes).collect();
    let kind = [kind.number(), 1].map(u16::to_be_bytes).concat();
    [&front[..], QUESTION, &kind, rest].concat()
}

fn lookup(name: &str, kind: RecordType) -> Option<Lookup> {
    Lookup::new(&Servers::of([SocketAddr::from(([192, 0, 2, 1], 53))]), ID, name, kind)
}

fn hear(message: &[u8], kind: RecordType) -> Heard {
    let mut lookup = lookup(ASKED, kind).expect("a name as any other");
    lookup.turn().expect("its first");
    let heard = lookup.hear(message);
    let is_over_tcp = lookup.turn().is_some_and(|turn| turn.over_tcp);
    assert_eq!(is_over_tcp, heard == Heard::CutOff);
    heard
}

/// The second reader asks the same.
fn question(name: &str, kind: RecordType) {
    let Some(lookup) = lookup(name, kind) else { return };
    let read = Packet::parse(lookup.message()).expect("a question");
    let [asked] = &read.questions[..] else { panic!("{} questions", read.questions.len()) };
    assert_eq!((read.id(), u16::from(asked.qtype)), (ID, kind.number()));
    assert_eq!(read.opt().map(|edns| edns.udp_packet_size), Some(1_232));
    assert!(read.has_flags(PacketFlag::RECURSION_DESIRED) && !asked.unicast_response);
    if !name.contains('\\') {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let labels: Vec<&[u8]> = asked.qname.as_bytes().collect();
        assert_eq!(labels, name.split('.').map(str::as_bytes).collect::<Vec<_>>(), "{name}");
    }
}

fn message(bytes: &[u8], kind: RecordType) {
    let heard = hear(bytes, kind);
    if let Heard::Answer(answer) = &heard {
        bounded(answer, bytes.len());
    }
    let Ok(packet) = Packet::parse(bytes) else { return };
    let (Heard::Answer(_) | Heard::NoSuchName { .. } | Heard::Failed) = heard else {
        return;
    };
    let second = Second::read(&packet, kind);
    // What the second reader takes for good may be refused (bytes behind a record's end), but
    // both may not read something else.
    if let (Heard::Answer(answer), Some(second)) = (&heard, &second) {
        assert_eq!(answer.addresses, second.addresses);
        assert_eq!((&answer.owner, answer.https.len()), (&second.owner, second.https.len()));
    }
    let code = bytes[3] & 0xf;
    let expected = match &second {
        _ if code != 0 && code != 3 => Heard::Failed,
        Some(Second { malformed: false, .. }) => {
            let second = second.as_ref().map(Second::answer).unwrap_or_default();
            match code == 3 && second.addresses.is_empty() && second.https.is_empty() {
                true => Heard::NoSuchName { ttl: second.ttl },
                false => Heard::Answer(second),
            }
        }
        _ => Heard::Failed,
    };
    // Written anew nothing is left that both could take otherwise.
    for anew in [packet.build_bytes_vec(), packet.build_bytes_vec_compressed()] {
        // The codes behind 15 stand in an OPT record, which need not be there.
        let Ok(mut anew) = anew else { continue };
        // Nor does the second writer tell each record's length rightly (IPSECKEY's).
        if Packet::parse(&anew).is_err() {
            continue;
        }
        anew[3] = anew[3] & 0xf0 | code;
        assert_eq!(hear(&anew, kind), expected, "{anew:?}");
    }
    if let Some(second) = second {
        offers(&second);
    }
}

/// Nothing is longer than what it was read of.
fn bounded(answer: &Answer, length: usize) {
    let https: usize = answer.https.iter().map(|data| data.len() + 12).sum();
    assert!(answer.addresses.len() * 16 + https <= length, "{answer:?} of {length} bytes");
    assert!(answer.owner.as_ref().is_none_or(|owner| owner.len() <= 253));
}

/// What the records offer, by the second reader's parameters.
fn offers(second: &Second<'_>) {
    let origin = Origin { scheme: Scheme::Https, host: ASKED.into(), port: 443 };
    let owner = second.owner.as_deref().unwrap_or(ASKED);
    let max_age = Duration::from_secs(60);
    let read = https_records(&second.https, &origin, owner, max_age);
    let Some(records) = second.services.iter().map(|it| it.and_then(Service::of)).collect() else {
        assert!(read.is_err(), "{read:?} of {:?}", second.services);
        return;
    };
    let mut records: Vec<Service<'_>> = records;
    records.truncate(16);
    let expected = match records.iter().find(|record| record.https.priority == 0) {
        Some(alias) => match text(&alias.https.target) {
            _ if alias.https.target.get_labels().is_empty() => HttpsRecords::Unavailable,
            Some(name) if is_host(&name) => HttpsRecords::Alias(name),
            _ => HttpsRecords::Offers(Vec::new()),
        },
        None => {
            records.sort_by_key(|record| record.https.priority);
            let all = records.iter().flat_map(|record| record.offers(&origin, owner, max_age));
            HttpsRecords::Offers(all.collect())
        }
    };
    assert_eq!(read, Ok(expected), "{:?}", second.services);
}

/// A record whose parameters are what RFC 9460 demands of them.
struct Service<'a> {
    https: &'a HTTPS<'a>,
    alpn: &'a [CharacterString<'a>],
    port: u16,
    unknown: bool,
}

impl<'a> Service<'a> {
    fn of(https: &'a HTTPS<'a>) -> Option<Self> {
        let mut service = Self { https, alpn: &[], port: 443, unknown: false };
        for parameter in https.iter_params() {
            let is_good = match parameter {
                SVCParam::Mandatory(keys) => {
                    service.unknown = keys.iter().any(|key| ![1, 2, 3, 4, 6].contains(key));
                    let there = |key: &u16| *key != 0 && https.get_param(*key).is_some();
                    !keys.is_empty() && keys.iter().all(there)
                }
                SVCParam::Alpn(names) => {
                    service.alpn = names;
                    !names.is_empty() && !names.contains(&named(b""))
                }
                SVCParam::NoDefaultAlpn => https.get_param(1).is_some(),
                SVCParam::Port(port) => {
                    service.port = *port;
                    true
                }
                SVCParam::Ipv4Hint(all) => !all.is_empty(),
                SVCParam::Ipv6Hint(all) => !all.is_empty(),
                _ => true,
            };
            if !is_good {
                return None;
            }
        }
        Some(service)
    }

    fn offers(&self, origin: &Origin, owner: &str, max_age: Duration) -> Vec<Offer> {
        let root = self.https.target.get_labels().is_empty();
        let host = match text(&self.https.target) {
            _ if root => Some(owner).filter(|owner| *owner != &*origin.host).map(Into::into),
            Some(name) if is_host(&name) => Some(name),
            _ => return Vec::new(),
        };
        let (port, no_default) = (self.port, self.https.get_param(2).is_some());
        let names = [
            (Protocol::Http3, &b"h3"[..], false),
            (Protocol::Http2, b"h2", false),
            (Protocol::Http1, b"http/1.1", !no_default),
        ];
        let spoken = names
            .into_iter()
            .filter(|(_, name, default)| *default || self.alpn.contains(&named(name)));
        let offer = |(protocol, ..): (Protocol, &[u8], bool)| {
            let host = host.clone();
            let mut offer = Offer::new(regatta_core::altsvc::Alternative { protocol, host, port });
            offer.max_age = max_age;
            offer
        };
        if self.unknown || port == 0 { Vec::new() } else { spoken.map(offer).collect() }
    }
}

fn named(protocol: &[u8]) -> CharacterString<'_> {
    CharacterString::new(protocol).expect("at most 255 bytes")
}

fn is_host(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// What the second reader's records come to.
#[derive(Default)]
struct Second<'a> {
    owner: Option<Box<str>>,
    addresses: Vec<IpAddr>,
    /// As their data is written anew.
    https: Vec<Box<[u8]>>,
    /// Nothing where a record has no data.
    services: Vec<Option<&'a HTTPS<'a>>>,
    ttl: Option<Duration>,
    /// A record of the type has no data.
    malformed: bool,
}

impl<'a> Second<'a> {
    /// `None` where aliases lead nowhere.
    fn read(packet: &'a Packet<'a>, kind: RecordType) -> Option<Self> {
        let asked = Name::new_unchecked(ASKED);
        let of_in = |record: &&ResourceRecord<'_>| {
            record.class == CLASS::IN
                && !record.cache_flush
                && record.rdata.type_code() != TYPE::OPT
        };
        let kind = TYPE::from(kind.number());
        let (mut name, mut found) = (&asked, Self::default());
        let mut least = u32::MAX;
        for _ in 0..=ALIASES_MAX {
            let own = || packet.answers.iter().filter(of_in).filter(|record| record.name == *name);
            let mut some = false;
            for record in own().filter(|record| record.rdata.type_code() == kind) {
                least = least.min(seconds(record));
                some = true;
                found.take(&record.rdata);
            }
            let alias = own().find(|record| record.rdata.type_code() == TYPE::CNAME);
            if let Some(record) = alias.filter(|_| !some) {
                least = least.min(seconds(record));
                let RData::CNAME(to) = &record.rdata else { return None };
                name = &to.0;
                continue;
            }
            if *name != asked {
                found.owner = Some(text(name)?);
            }
            let mut soa = packet.name_servers.iter().filter(of_in).filter_map(|record| {
                let RData::SOA(soa) = &record.rdata else { return None };
                Some(seconds(record).min(soa.minimum))
            });
            let none = soa.next_back();
            let seconds = if some { Some(least) } else { none };
            found.ttl = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            return Some(found);
        }
        None
    }

    fn take(&mut self, data: &'a RData<'a>) {
        match data {
            RData::A(it) => self.addresses.push(IpAddr::V4(Ipv4Addr::from(it.address))),
            RData::AAAA(it) => self.addresses.push(IpAddr::V6(Ipv6Addr::from(it.address))),
            RData::HTTPS(it) => {
                self.https.push(data_of(it));
                self.services.push(Some(it));
            }
            RData::Empty(TYPE::HTTPS) => {
                self.https.push(Box::default());
                self.services.push(None);
            }
            _ => self.malformed = true,
        }
    }

    fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        answer.owner.clone_from(&self.owner);
        answer.addresses.clone_from(&self.addresses);
        answer.https.clone_from(&self.https);
        answer.ttl = self.ttl;
        answer
    }
}

fn seconds(record: &ResourceRecord<'_>) -> u32 {
    if record.ttl >> 31 == 0 { record.ttl } else { 0 }
}

/// The data alone: a message of this record, without its header and its own front.
fn data_of(https: &HTTPS<'_>) -> Box<[u8]> {
    let mut packet = Packet::new_reply(0);
    let root = Name::new_unchecked("");
    packet.answers.push(ResourceRecord::new(root, CLASS::IN, 0, RData::HTTPS(https.clone())));
    packet.build_bytes_vec().expect("it was read")[12 + 11..].into()
}

/// In lower case, where all of it can be shown and no dot stands in a label.
fn text(name: &Name<'_>) -> Option<Box<str>> {
    let labels: Vec<&[u8]> = name.as_bytes().collect();
    let shown = |byte: &u8| byte.is_ascii_graphic() && !b".\\".contains(byte);
    let all = labels.iter().all(|label| label.iter().all(shown));
    let text = String::from_utf8(labels.join(&b'.')).ok().filter(|_| all)?;
    Some(text.to_ascii_lowercase().into())
}
