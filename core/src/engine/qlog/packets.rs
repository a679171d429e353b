//! What everyone can see of a datagram's packets (RFC 8999, RFC 9000 17).

use super::Json;
use crate::engine::integer;

/// One packet, as far as it is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet<'a> {
    kind: &'static str,
    version: Option<&'a [u8]>,
    destination: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    length: usize,
}

/// The data of an event for each packet of `datagram`, in their order.
pub(in crate::engine) fn describe(datagram: &[u8]) -> Vec<Json> {
    let mut all = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let packet = first(rest);
        rest = rest.get(packet.length..).unwrap_or_default();
        all.push(packet);
    }
    let is_coalesced = all.len() > 1;
    all.iter().map(|packet| packet.describe(is_coalesced)).collect()
}

impl Packet<'_> {
    fn describe(&self, is_coalesced: bool) -> Json {
        let mut data = Json::default();
        data.object("header", |header| {
            header.text("packet_type", self.kind);
            let ids =
                [("version", self.version), ("scid", self.source), ("dcid", self.destination)];
            for (name, value) in ids {
                if let Some(value) = value {
                    header.hex(name, value);
                }
            }
        });
        data.flag("is_coalesced", is_coalesced);
        data.object("raw", |raw| raw.number("length", self.length as u64));
        data
    }
}

/// The first packet of what is not empty; it takes up at least one byte.
fn first(bytes: &[u8]) -> Packet<'_> {
    let length = bytes.len();
    let rest = Packet { kind: "unknown", version: None, destination: None, source: None, length };
    match bytes.first() {
        // Where the id of a short header ends is known to its receiver alone.
        Some(front) if front & 0x80 == 0 => Packet { kind: "1RTT", ..rest },
        _ => long(bytes).unwrap_or(rest),
    }
}

fn long(bytes: &[u8]) -> Option<Packet<'_>> {
    let (front, after) = bytes.split_first()?;
    let (version, after) = after.split_at_checked(4)?;
    let (destination, after) = id(after)?;
    let (source, after) = id(after)?;
    let (kind, length) = match (version, front >> 4 & 0b11) {
        ([0, 0, 0, 0], _) => ("version_negotiation", bytes.len()),
        (_, 0) => {
            let mut after = after;
            let token = integer::take(&mut after)?;
            ("initial", end(bytes, after.get(usize::try_from(token).ok()?..)?)?)
        }
        (_, 1) => ("0RTT", end(bytes, after)?),
        (_, 2) => ("handshake", end(bytes, after)?),
        _ => ("retry", bytes.len()),
    };
    let (destination, source) = (Some(destination), Some(source));
    Some(Packet { kind, version: Some(version), destination, source, length })
}

/// Where the packet ends whose length stands in front of `after`.
fn end(bytes: &[u8], mut after: &[u8]) -> Option<usize> {
    let length = integer::take(&mut after)?;
    let end = (bytes.len() - after.len()).checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some(end)
}

fn id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}
