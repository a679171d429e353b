//! The second reading: a stream's bytes as a whole, by RFC 9114's sections and not by the engine's
//! steps. Sections of fields are taken apart by core's QPACK, which has targets of its own.

use std::collections::BTreeSet;

use regatta_core::engine::h3::code;
use regatta_core::engine::h3::qpack::{Decoded, Decoder, Encoder, Field, Limits};

use super::meaning::{Fields, Message, Part};

/// As the engine's defaults are.
pub(super) const LIMITS: Limits = Limits { bytes: 32 << 10, fields: 100 };

/// A frame that means nothing and is so long is too much to skip.
const MOST_UNKNOWN: u64 = 1 << 20;

/// What comes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is wrong with it, so far as it goes.
    Sound,
    /// The connection ends with this code.
    Connection(u64),
    /// The message is malformed: the stream ends.
    Malformed,
    /// The engine may refuse it or not: letters that this reading does not judge, or numbers.
    Unsure,
}

/// A request's stream, read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) message: Message,
    pub(super) verdict: Verdict,
    /// Other rules hold for it, which are not known here: it may mean anything.
    pub(super) is_other: bool,
}

/// An integer of variable length (RFC 9000 16), and what stands behind it.
pub(super) fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let wide = 1 << (bytes.first()? >> 6);
    let (own, rest) = bytes.split_at_checked(wide)?;
    let mut value = 0;
    for (at, byte) in own.iter().enumerate() {
        let byte = if at == 0 { byte & 0x3f } else { *byte };
        value = value * 256 + u64::from(byte);
    }
    Some((value, rest))
}

/// A frame in front: its kind, its length, what has come of it, and what stands behind it.
type Front<'a> = (u64, u64, &'a [u8], &'a [u8]);

fn frame(bytes: &[u8]) -> Option<Front<'_>> {
    let (kind, rest) = integer(bytes)?;
    let (len, rest) = integer(rest)?;
    let has = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
    let (own, rest) = rest.split_at(has);
    Some((kind, len, own, rest))
}

/// Where the message stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    Body,
    End,
}

/// How this side has asked, as far as it says how an answer is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nobody has: it is a request that is read.
    Nothing,
    Plainly,
    /// By HEAD.
    ForHead,
}

/// Reads a request, or an answer to what was asked so.
pub(super) fn message(bytes: &[u8], ended: bool, asked: Asked) -> Read {
    let mut reading = Reading {
        asked,
        place: Place::Head,
        message: Message::default(),
        length: None,
        got: 0,
        interims: 0,
        is_unsure: false,
        is_other: false,
    };
    let verdict = reading.all(bytes, ended).err().unwrap_or(Verdict::Sound);
    let is_unsure = reading.is_unsure || reading.is_other;
    let verdict = if is_unsure { Verdict::Unsure } else { verdict };
    Read { message: reading.message, verdict, is_other: reading.is_other }
}

struct Reading {
    asked: Asked,
    place: Place,
    message: Message,
    length: Option<u64>,
    got: u64,
    interims: u32,
    is_unsure: bool,
    is_other: bool,
}

impl Reading {
    fn all(&mut self, mut bytes: &[u8], ended: bool) -> Result<(), Verdict> {
        let is_request = self.asked == Asked::Nothing;
        while let Some((kind, len, own, rest)) = frame(bytes) {
            let is_whole = own.len() as u64 == len;
            match kind {
                0x0 => {
                    if self.place != Place::Body {
                        return Err(Verdict::Connection(code::FRAME_UNEXPECTED));
                    }
                    self.got = self.got.saturating_add(len);
                    if self.length.is_some_and(|length| self.got > length) {
                        return Err(Verdict::Malformed);
                    }
                    self.message.push(Part::Data(own.to_vec()));
                }
                0x1 => {
                    if self.place == Place::End {
                        return Err(Verdict::Connection(code::FRAME_UNEXPECTED));
                    }
                    if len > LIMITS.bytes as u64 {
                        self.is_other = true;
                        return Ok(());
                    }
                    if is_whole {
                        self.section(own)?;
                    }
                }
                // Nobody was allowed to push (RFC 9114 7.2.5).
                0x5 if !is_request => return Err(Verdict::Connection(code::ID_ERROR)),
                // Those of the control stream, and of HTTP/2 (7.2, 7.2.8; RFC 9218 7.2).
                0x3 | 0x4 | 0x5 | 0x7 | 0xd | 0xf_0700 | 0xf_0701 | 0x2 | 0x6 | 0x8 | 0x9 => {
                    return Err(Verdict::Connection(code::FRAME_UNEXPECTED));
                }
                _ if len >= MOST_UNKNOWN => return Err(Verdict::Connection(code::EXCESSIVE_LOAD)),
                _ => {}
            }
            bytes = rest;
            if !is_whole {
                return self.cut_off(ended);
            }
        }
        if !bytes.is_empty() {
            return self.cut_off(ended);
        }
        if !ended {
            return Ok(());
        }
        if self.place == Place::Head {
            // RFC 9114 4.1: a message that is not whole.
            return Err(Verdict::Malformed);
        }
        if self.length.is_some_and(|length| self.got != length) {
            return Err(Verdict::Malformed);
        }
        if self.place == Place::Body {
            self.message.push(Part::End);
        }
        Ok(())
    }

    /// The bytes end within a frame (RFC 9114 7.1).
    fn cut_off(&self, ended: bool) -> Result<(), Verdict> {
        match ended {
            true => Err(Verdict::Connection(code::FRAME_ERROR)),
            false => Ok(()),
        }
    }

    fn section(&mut self, bytes: &[u8]) -> Result<(), Verdict> {
        let mut fields = Vec::new();
        match Decoder::new(0, 0).decode(0, bytes, LIMITS, &mut fields) {
            Err(error) => return Err(Verdict::Connection(error.code())),
            Ok(Decoded::Fields) => {}
            Ok(_) => {
                self.is_other = true;
                return Err(Verdict::Malformed);
            }
        }
        self.is_unsure |= !fields.iter().all(is_plain);
        let (pseudo, fields) = sort(fields).ok_or(Verdict::Malformed)?;
        match (self.place, self.asked) {
            (Place::Body, _) => {
                if !pseudo.is_empty() {
                    return Err(Verdict::Malformed);
                }
                self.message.push(Part::Trailers(fields));
                self.message.push(Part::End);
                self.place = Place::End;
                Ok(())
            }
            (_, Asked::Nothing) => self.request(&pseudo, fields),
            _ => self.response(&pseudo, fields),
        }
    }

    fn request(&mut self, pseudo: &Fields, fields: Fields) -> Result<(), Verdict> {
        let one = |name: &str| pseudo.get(name.as_bytes()).and_then(|all| all.first().cloned());
        let known: [&[u8]; 4] = [b":authority", b":method", b":path", b":scheme"];
        // Tunnels are read by other rules.
        self.is_other |= one(":method").as_deref() == Some(b"CONNECT");
        if pseudo.keys().any(|name| !known.contains(&&name[..])) {
            return Err(Verdict::Malformed);
        }
        let all = (one(":method"), one(":scheme"), one(":path"));
        let (Some(method), Some(scheme), Some(path)) = all else { return Err(Verdict::Malformed) };
        let hosts = fields.get(&b"host"[..]).map_or(&[][..], |all| all);
        let authority = match (one(":authority"), hosts) {
            (Some(authority), []) => authority,
            (Some(authority), [host]) if authority == *host => authority,
            (None, [host]) => host.clone(),
            // Ports and letters' case are not judged here.
            (Some(_), [_]) => {
                self.is_other = true;
                return Err(Verdict::Malformed);
            }
            _ => return Err(Verdict::Malformed),
        };
        let is_star = path == b"*" && method == b"OPTIONS";
        if !path.starts_with(b"/") && !is_star || method.is_empty() || scheme.is_empty() {
            return Err(Verdict::Malformed);
        }
        self.is_unsure |= authority.is_empty() || scheme != b"https" || is_star;
        self.length = length(&fields)?;
        self.message.push(Part::Request(method, path, authority, fields));
        self.place = Place::Body;
        Ok(())
    }

    fn response(&mut self, pseudo: &Fields, fields: Fields) -> Result<(), Verdict> {
        let status = pseudo.get(&b":status"[..]).and_then(|all| all.first());
        let status: u16 = match status.map(|text| core::str::from_utf8(text)) {
            Some(Ok(text)) if pseudo.len() == 1 && text.len() == 3 => {
                text.parse().map_err(|_| Verdict::Malformed)?
            }
            _ => return Err(Verdict::Malformed),
        };
        match status {
            ..100 | 101 => Err(Verdict::Malformed),
            100..200 => {
                self.interims += 1;
                // The engine's limit is its own.
                self.is_unsure |= self.interims > 16;
                if status != 100 {
                    self.message.push(Part::Interim(status, fields));
                }
                Ok(())
            }
            _ => {
                self.length = length(&fields)?;
                if self.asked == Asked::ForHead || [204, 304].contains(&status) {
                    self.length = Some(0);
                }
                self.message.push(Part::Response(status, fields));
                self.place = Place::Body;
                Ok(())
            }
        }
    }
}

/// Pseudo-fields, which stand in front and once, and fields (RFC 9114 4.2, 4.3).
fn sort(all: Vec<Field>) -> Option<(Fields, Fields)> {
    let (mut pseudo, mut fields) = (Fields::new(), Fields::new());
    for field in all {
        let (name, value) = (field.name.to_vec(), field.value.to_vec());
        if name.starts_with(b":") {
            if !fields.is_empty() || pseudo.insert(name, vec![value]).is_some() {
                return None;
            }
            continue;
        }
        let of_connection: [&[u8]; 5] =
            [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];
        let is_bad_te = name == b"te" && value != b"trailers";
        let is_upper = name.iter().any(u8::is_ascii_uppercase);
        let blank = |byte: Option<&u8>| byte.is_some_and(|byte| [b' ', b'\t'].contains(byte));
        let is_blank = blank(value.first()) || blank(value.last());
        let is_control = value.iter().any(|byte| [0, b'\r', b'\n'].contains(byte));
        let is_wrong = is_bad_te || is_upper || is_blank || is_control || name.is_empty();
        if is_wrong || of_connection.contains(&&name[..]) {
            return None;
        }
        fields.entry(name).or_default().push(value);
    }
    if let Some(crumbs) = fields.get_mut(&b"cookie"[..])
        && crumbs.len() > 1
    {
        *crumbs = vec![crumbs.join(&b"; "[..])];
    }
    Some((pseudo, fields))
}

/// Letters about which there are no two opinions.
fn is_plain(field: &Field) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:, =*".contains(byte);
    field.name.iter().all(plain)
        && field.value.iter().all(plain)
        && *field.name != *b"http2-settings"
}

/// What a message says of its length.
fn length(fields: &Fields) -> Result<Option<u64>, Verdict> {
    match fields.get(&b"content-length"[..]).map(|all| &all[..]) {
        None => Ok(None),
        Some([one]) if !one.is_empty() && one.iter().all(u8::is_ascii_digit) => {
            let text = core::str::from_utf8(one).map_err(|_| Verdict::Malformed)?;
            text.parse().map(Some).map_err(|_| Verdict::Malformed)
        }
        Some(_) => Err(Verdict::Malformed),
    }
}

/// Streams of one direction: the codes with which they may end the connection. `streams` are
/// their bytes, whether each ended, and whether it was reset.
pub(super) fn one_way(streams: &[(Vec<u8>, bool, bool)], is_server: bool) -> BTreeSet<u64> {
    let mut codes = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (bytes, ended, reset) in streams {
        let Some((kind, rest)) = integer(bytes) else { continue };
        let is_critical = [0, 2, 3].contains(&kind);
        if is_critical && (*ended || *reset) {
            codes.insert(code::CLOSED_CRITICAL_STREAM);
        }
        if is_critical && !seen.insert(kind) {
            // Which of both comes first is nobody's to say.
            codes.insert(code::STREAM_CREATION_ERROR);
        }
        match kind {
            0 => codes.extend(control(rest, is_server)),
            1 if is_server => _ = codes.insert(code::STREAM_CREATION_ERROR),
            1 => _ = codes.insert(code::ID_ERROR),
            2 => {
                codes.extend(Decoder::new(0, 0).on_encoder_stream(rest).map_err(|e| e.code()).err())
            }
            3 => codes.extend(Encoder::new(0).on_decoder_stream(rest).map_err(|e| e.code()).err()),
            _ => {}
        }
    }
    codes
}

/// The control stream's first fault.
fn control(mut bytes: &[u8], is_server: bool) -> Option<u64> {
    let (mut begun, mut most_push, mut least_away) = (false, None, None);
    while let Some((kind, len, own, rest)) = frame(bytes) {
        bytes = rest;
        match (kind, begun) {
            (0x4, true) => return Some(code::FRAME_UNEXPECTED),
            (0x4, false) => {}
            (_, false) => return Some(code::MISSING_SETTINGS),
            (0x0 | 0x1 | 0x5 | 0x2 | 0x6 | 0x8 | 0x9, _) => return Some(code::FRAME_UNEXPECTED),
            (0xd | 0xf_0700 | 0xf_0701, _) if !is_server => return Some(code::FRAME_UNEXPECTED),
            _ => {}
        }
        // What is known has no more than a few numbers.
        let is_known = [0x3, 0x4, 0x7, 0xd, 0xf_0700, 0xf_0701].contains(&kind);
        if len > 1_024 && is_known || len >= MOST_UNKNOWN {
            return Some(code::EXCESSIVE_LOAD);
        }
        if own.len() as u64 != len {
            return None;
        }
        let number = integer(own).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number);
        match kind {
            0x4 => {
                begun = true;
                if let Some(code) = settings(own) {
                    return Some(code);
                }
            }
            0x3 | 0x7 | 0xd => {
                let Some(number) = number else { return Some(code::FRAME_ERROR) };
                let is_wrong = match kind {
                    // Nothing was ever pushed.
                    0x3 => true,
                    0x7 => {
                        let rises = least_away.replace(number).is_some_and(|last| number > last);
                        rises || !is_server && number % 4 != 0
                    }
                    _ => most_push.replace(number).is_some_and(|last| number < last),
                };
                if is_wrong {
                    return Some(code::ID_ERROR);
                }
            }
            0xf_0700 | 0xf_0701 => {
                let Some((element, _)) = integer(own) else { return Some(code::FRAME_ERROR) };
                if kind == 0xf_0701 || element % 4 != 0 {
                    return Some(code::ID_ERROR);
                }
            }
            _ => {}
        }
    }
    None
}

/// RFC 9114 7.2.4, RFC 9220 3, RFC 9297 2.1.1.
fn settings(mut bytes: &[u8]) -> Option<u64> {
    let mut seen = BTreeSet::new();
    while !bytes.is_empty() {
        let pair = integer(bytes).and_then(|(id, rest)| Some((id, integer(rest)?)));
        let Some((id, (value, rest))) = pair else { return Some(code::FRAME_ERROR) };
        bytes = rest;
        let is_flag = [0x8, 0x33].contains(&id);
        if !seen.insert(id) || [0, 2, 3, 4, 5].contains(&id) || is_flag && value > 1 {
            return Some(code::SETTINGS_ERROR);
        }
    }
    None
}
