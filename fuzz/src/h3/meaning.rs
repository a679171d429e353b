//! What a message means, whoever has read it.

use std::collections::BTreeMap;

use http::{HeaderMap, header};
use regatta_core::engine::{Event, Head};

/// The field that says which stream a request is on.
pub(super) const WHICH: &str = "x-n";

/// Fields by name, each name's in their order.
pub(super) type Fields = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Method, path and authority.
    Request(Vec<u8>, Vec<u8>, Vec<u8>, Fields),
    /// A final response.
    Response(u16, Fields),
    Interim(u16, Fields),
    Data(Vec<u8>),
    Trailers(Fields),
    End,
}

/// Parts in their order; runs of data are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message(pub(super) Vec<Part>);

impl Message {
    pub(super) fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (_, Part::Data(more)) if more.is_empty() => {}
            (Some(Part::Data(data)), Part::Data(more)) => data.extend(more),
            (_, part) => self.0.push(part),
        }
    }

    /// Whether this is how `whole` begins.
    pub(super) fn begins(&self, whole: &Self) -> bool {
        let Some((last, before)) = self.0.split_last() else { return true };
        let Some((front, rest)) = whole.0.split_at_checked(before.len()) else { return false };
        let fits = match (last, rest.first()) {
            (Part::Data(some), Some(Part::Data(all))) => all.starts_with(some),
            (last, next) => next == Some(last),
        };
        before == front && fits
    }

    /// The stream that a request says it is on.
    pub(super) fn which(&self) -> Option<usize> {
        let Some(Part::Request(_, _, _, fields)) = self.0.first() else { return None };
        let value = fields.get(WHICH.as_bytes())?.first()?;
        core::str::from_utf8(value).ok()?.parse().ok()
    }

    /// Takes in what the engine told of its stream; nothing where it is no part of a message.
    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::Head { head: Head::Request(head), end, .. } => {
                let uri = head.uri();
                let host = head.headers().get(header::HOST).map(|host| host.as_bytes().to_vec());
                let authority = uri.authority().map(|text| text.as_str().as_bytes().to_vec());
                let authority = authority.or(host).unwrap_or_default();
                let path = uri.path_and_query().map_or("", |path| path.as_str());
                let (method, path) = (head.method().as_str().into(), path.into());
                self.push(Part::Request(method, path, authority, fields(head.headers())));
                self.end(end);
            }
            Event::Head { head: Head::Response(head), end, .. } => {
                self.push(Part::Response(head.status().as_u16(), fields(head.headers())));
                self.end(end);
            }
            Event::Informational { head, .. } => {
                self.push(Part::Interim(head.status().as_u16(), fields(head.headers())));
            }
            Event::Data { bytes, end, .. } => {
                self.push(Part::Data(bytes.to_vec()));
                self.end(end);
            }
            Event::Trailers { trailers, .. } => {
                self.push(Part::Trailers(fields(&trailers)));
                self.push(Part::End);
            }
            _ => {}
        }
    }

    fn end(&mut self, end: bool) {
        if end {
            self.push(Part::End);
        }
    }
}

fn fields(map: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in map {
        fields.entry(name.as_str().into()).or_default().push(value.as_bytes().to_vec());
    }
    fields
}
