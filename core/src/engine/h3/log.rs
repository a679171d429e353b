//! What an engine tells its connection's qlog.

use super::control::kinds;
use super::frame::kind;
use super::qpack::Field;
use super::{H3, Settings};
use crate::engine::integer;
use crate::engine::qlog::{Json, Log};
use crate::time::Instant;

/// A frame as the log tells it, without what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) stream: u64,
    pub(super) kind: u64,
    pub(super) length: u64,
}

const CREATED: &str = "http:frame_created";
const PARSED: &str = "http:frame_parsed";

impl H3 {
    /// Tells what happens from here on to the log of the connection, which
    /// [`Endpoint::qlog`](crate::engine::quic::Endpoint::qlog) has begun.
    pub fn set_qlog(&mut self, log: Log) {
        log.event("http:parameters_set", |data| settings(data, "local", &self.own_settings()));
        self.log = Some(log);
    }

    /// What is told from here on happens at `now`.
    pub(super) const fn log_at(&mut self, now: Instant) {
        if let Some(log) = &mut self.log {
            log.at(now);
        }
    }

    /// The peer's settings.
    pub(super) fn log_settings(&self, theirs: &Settings) {
        if let Some(log) = &self.log {
            log.event("http:parameters_set", |data| settings(data, "remote", theirs));
        }
    }

    /// A frame of the control stream has come, whole.
    pub(super) fn log_control(&self, kind: u64, payload: &[u8]) {
        let Some(log) = &self.log else { return };
        let stream = self.control.theirs().map_or(0, super::client::number);
        let shown = Shown { stream, kind, length: payload.len() as u64 };
        frame(log, PARSED, shown, |frame| held(frame, kind, payload));
    }

    /// Part of a body goes out.
    pub(super) fn log_data(&self, stream: u64, length: usize) {
        if let Some(log) = &self.log {
            let shown = Shown { stream, kind: kind::DATA, length: length as u64 };
            frame(log, CREATED, shown, |_| {});
        }
    }

    /// A section goes out.
    pub(super) fn log_sent<'a>(
        &self,
        stream: u64,
        length: usize,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        let Some(log) = &self.log else { return };
        let shown = Shown { stream, kind: kind::HEADERS, length: length as u64 };
        frame(log, CREATED, shown, |frame| headers(frame, fields));
    }

    /// A section has come and was read.
    pub(super) fn log_section(&self, stream: u64, length: usize, fields: &[Field]) {
        let Some(log) = &self.log else { return };
        let shown = Shown { stream, kind: kind::HEADERS, length: length as u64 };
        let fields = fields.iter().map(|field| (&field.name[..], &field.value[..]));
        frame(log, PARSED, shown, |frame| headers(frame, fields));
    }
}

/// Whole frames go out on the control stream.
pub(super) fn created_control(log: &Log, stream: u64, mut frames: &[u8]) {
    while let (Some(kind), Some(length)) = (integer::take(&mut frames), integer::take(&mut frames))
    {
        let end = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((payload, rest)) = frames.split_at_checked(end) else { return };
        frames = rest;
        let shown = Shown { stream, kind, length };
        frame(log, CREATED, shown, |frame| held(frame, kind, payload));
    }
}

/// A frame has come whose contents are told elsewhere, or not at all.
pub(super) fn parsed(log: &Log, shown: Shown) {
    frame(log, PARSED, shown, |_| {});
}

/// A stream's kind is known.
pub(super) fn stream_type(log: &Log, owner: &str, stream: u64, kind: u64) {
    log.event("http:stream_type_set", |data| {
        data.text("owner", owner);
        data.number("stream_id", stream);
        data.text(
            "stream_type",
            match kind {
                kinds::CONTROL => "control",
                kinds::PUSH => "push",
                kinds::ENCODER => "qpack_encode",
                kinds::DECODER => "qpack_decode",
                kind if is_reserved(kind) => "reserved",
                _ => "unknown",
            },
        );
        data.number("stream_type_value", kind);
    });
}

fn frame(log: &Log, event: &str, shown: Shown, fill: impl FnOnce(&mut Json)) {
    log.event(event, |data| {
        data.number("stream_id", shown.stream);
        data.number("length", shown.length);
        data.object("frame", |frame| {
            let name = match shown.kind {
                kind::DATA => "data",
                kind::HEADERS => "headers",
                kind::CANCEL_PUSH => "cancel_push",
                kind::SETTINGS => "settings",
                kind::PUSH_PROMISE => "push_promise",
                kind::GOAWAY => "goaway",
                kind::MAX_PUSH_ID => "max_push_id",
                kind::PRIORITY_UPDATE | kind::PRIORITY_UPDATE_PUSH => "priority_update",
                kind if is_reserved(kind) => "reserved",
                _ => "unknown",
            };
            frame.text("frame_type", name);
            if name == "unknown" {
                frame.number("frame_type_value", shown.kind);
            }
            fill(frame);
        });
    });
}

/// What a frame of the control stream says.
fn held(frame: &mut Json, kind: u64, mut payload: &[u8]) {
    match kind {
        kind::SETTINGS => {
            let all = Settings::read(payload).unwrap_or_default();
            frame.objects(
                "settings",
                each(&all).into_iter().filter_map(|(name, value)| {
                    let mut setting = Json::default();
                    setting.text("name", name);
                    setting.number("value", value?);
                    Some(setting)
                }),
            );
        }
        kind::GOAWAY => frame.number("id", integer::take(&mut payload).unwrap_or_default()),
        kind::MAX_PUSH_ID | kind::CANCEL_PUSH => {
            frame.number("push_id", integer::take(&mut payload).unwrap_or_default());
        }
        kind::PRIORITY_UPDATE | kind::PRIORITY_UPDATE_PUSH => {
            let is_push = kind == kind::PRIORITY_UPDATE_PUSH;
            frame.text("target_stream_type", if is_push { "push" } else { "request" });
            let element = integer::take(&mut payload).unwrap_or_default();
            frame.number("prioritized_element_id", element);
            frame.text("priority_field_value", &String::from_utf8_lossy(payload));
        }
        _ => {}
    }
}

/// Names of fields, and the values of pseudo-fields: others may be secrets, and so may a query.
fn headers<'a>(frame: &mut Json, fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
    frame.objects(
        "headers",
        fields.map(|(name, value)| {
            let value = match name {
                b":path" => value.split(|byte| *byte == b'?').next().unwrap_or_default(),
                [b':', ..] => value,
                _ => &[],
            };
            let mut field = Json::default();
            field.text("name", &String::from_utf8_lossy(name));
            field.text("value", &String::from_utf8_lossy(value));
            field
        }),
    );
}

/// Settings by their names in qlog; what is without end is not said.
fn each(settings: &Settings) -> [(&'static str, Option<u64>); 5] {
    let section = settings.max_field_section;
    [
        ("max_table_capacity", Some(settings.table_capacity)),
        ("max_field_section_size", Some(section).filter(|most| *most < (1 << 62) - 1)),
        ("blocked_streams_count", Some(settings.blocked_streams)),
        ("enable_connect_protocol", Some(settings.connect_protocol.into())),
        ("h3_datagram", Some(settings.datagrams.into())),
    ]
}

fn settings(data: &mut Json, owner: &str, settings: &Settings) {
    data.text("owner", owner);
    for (name, value) in each(settings) {
        if let Some(value) = value {
            data.number(name, value);
        }
    }
}

/// A number that means nothing on purpose (RFC 9114 7.2.8).
const fn is_reserved(kind: u64) -> bool {
    kind >= 0x21 && (kind - 0x21).is_multiple_of(0x1f)
}
