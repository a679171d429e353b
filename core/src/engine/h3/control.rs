//! Streams of one direction: control, the two of field compression, and others that are ignored
//! (RFC 9114 6.2).

use std::collections::BTreeMap;

use bytes::Bytes;
use quinn_proto::{Dir, VarInt, WriteError};

use super::frame::{Frames, Piece, Settings, kind, put_front, reserved};
use super::stream::Fault;
use super::{H3, code, log};
use crate::engine::integer;
use crate::engine::qlog::Log;

/// Longest payload of a control frame that is understood, in bytes.
const MOST_PAYLOAD: u64 = 1 << 10;
/// Bytes of frames that mean nothing, on the control stream (A77).
const MOST_UNKNOWN: u64 = 1 << 20;
/// Bytes that wait for a peer which does not read its control streams.
const MOST_WAITING: usize = 64 << 10;
/// From so many waiting bytes on the encoder stream nothing is inserted (RFC 9204 2.1.3).
const HELD_UP: usize = 2 << 10;

/// Kinds of streams (RFC 9114 6.2, RFC 9204 4.2).
pub(super) mod kinds {
    pub(crate) const CONTROL: u64 = 0;
    pub(crate) const PUSH: u64 = 1;
    pub(crate) const ENCODER: u64 = 2;
    pub(crate) const DECODER: u64 = 3;
}

/// One of our own.
#[derive(Debug)]
struct Own {
    kind: u64,
    stream: Option<quinn_proto::StreamId>,
    out: Vec<u8>,
}

impl Own {
    const fn new(kind: u64) -> Self {
        Self { kind, stream: None, out: Vec::new() }
    }
}

/// One of the peer's.
#[derive(Debug)]
enum Theirs {
    /// Its kind has not come whole.
    Unknown(Vec<u8>),
    Control,
    Encoder,
    Decoder,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Control {
    own: [Own; 3],
    theirs: BTreeMap<quinn_proto::StreamId, Theirs>,
    readable: Vec<quinn_proto::StreamId>,
    /// Which of the three that may be there once are.
    seen: [bool; 3],
    frames: Frames,
    kind: u64,
    payload: Vec<u8>,
    unknown: u64,
    grease: Option<u64>,
}

impl Control {
    pub(super) fn new(settings: &Settings, grease: u64) -> Self {
        let mut control = Own::new(kinds::CONTROL);
        settings.put(&mut control.out, grease);
        // A frame that means nothing (RFC 9114 7.2.8).
        put_front(&mut control.out, reserved(grease >> 8), 0);
        Self {
            own: [control, Own::new(kinds::ENCODER), Own::new(kinds::DECODER)],
            theirs: BTreeMap::new(),
            readable: Vec::new(),
            seen: [false; 3],
            frames: Frames::default(),
            kind: 0,
            payload: Vec::new(),
            unknown: 0,
            grease: Some(grease >> 16),
        }
    }

    /// The peer's control stream, once it is known.
    pub(super) fn theirs(&self) -> Option<quinn_proto::StreamId> {
        let found = self.theirs.iter().find(|(_, theirs)| matches!(theirs, Theirs::Control));
        found.map(|(stream, _)| *stream)
    }

    /// Whether there is room on the encoder stream for inserts.
    pub(super) const fn takes_inserts(&self) -> bool {
        let [_, encoder, _] = &self.own;
        encoder.out.len() < HELD_UP
    }

    /// A stream of the peer's can be read.
    pub(super) fn on_readable(&mut self, stream: quinn_proto::StreamId) {
        self.readable.push(stream);
    }

    /// Whether nothing waits to be said, be it without a meaning.
    fn is_quiet(&self) -> bool {
        self.grease.is_none() && self.own.iter().all(|own| own.out.is_empty())
    }

    /// How many streams of our own are open.
    pub(super) fn opened(&self) -> usize {
        self.own.iter().filter(|own| own.stream.is_some()).count()
    }

    /// Whether the connection needs the stream, which is one of our own.
    pub(super) fn needs(&self, stream: quinn_proto::StreamId) -> bool {
        self.own.iter().any(|own| own.stream == Some(stream))
    }
}

impl H3 {
    /// Writes what waits, on streams that are opened when there is something to say.
    pub(super) fn write_control(
        &mut self,
        conn: &mut quinn_proto::Connection,
    ) -> Result<(), Fault> {
        let [_, encoder, decoder] = &mut self.control.own;
        self.encoder.take_instructions(&mut encoder.out);
        self.decoder.take_instructions(&mut decoder.out);
        if self.control.is_quiet() {
            return Ok(());
        }
        for own in &mut self.control.own {
            write_own(own, conn, self.log.as_ref())?;
        }
        self.grease(conn)
    }

    /// Says a frame on the control stream.
    pub(super) fn say_control(&mut self, frame: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        frame(&mut out);
        let [control, ..] = &mut self.control.own;
        // What is said before the stream is open is told when it is.
        if let (Some(log), Some(stream)) = (&self.log, control.stream) {
            log::created_control(log, super::client::number(stream), &out);
        }
        control.out.append(&mut out);
    }

    /// Opens a stream that means nothing, where the peer has room for it (RFC 9114 6.2.3). All
    /// that mean something come first, said or not: nginx 1.30 takes none that it does not know
    /// before those three, and ends the connection.
    fn grease(&mut self, conn: &mut quinn_proto::Connection) -> Result<(), Fault> {
        if self.peer.is_none() || self.control.grease.is_none() {
            return Ok(());
        }
        for own in &mut self.control.own {
            open_own(own, conn, self.log.as_ref());
            write_own(own, conn, self.log.as_ref())?;
        }
        if self.control.own.iter().any(|own| own.stream.is_none() || !own.out.is_empty()) {
            return Ok(());
        }
        let Some(grease) = self.control.grease.take() else { return Ok(()) };
        if let Some(stream) = conn.streams().open(Dir::Uni) {
            let mut out = Vec::new();
            let kind = reserved(grease);
            integer::put(&mut out, kind);
            if let Some(log) = &self.log {
                log::stream_type(log, "local", super::client::number(stream), kind);
            }
            let mut send = conn.send_stream(stream);
            let _stopped = send.write(&out).map(|_| send.finish());
        }
        Ok(())
    }

    /// Takes the streams that the peer has begun.
    pub(super) fn accept_control(&mut self, conn: &mut quinn_proto::Connection) {
        while let Some(stream) = conn.streams().accept(Dir::Uni) {
            self.control.theirs.insert(stream, Theirs::Unknown(Vec::new()));
            self.control.readable.push(stream);
        }
    }

    /// Reads what came on the peer's streams.
    pub(super) fn read_control(&mut self, conn: &mut quinn_proto::Connection) -> Result<(), Fault> {
        while let Some(stream) = self.control.readable.pop() {
            let mut recv = conn.recv_stream(stream);
            let Ok(mut chunks) = recv.read(true) else { continue };
            let result = loop {
                match chunks.next(usize::MAX) {
                    Ok(Some(chunk)) => match self.on_control_bytes(stream, chunk.bytes) {
                        Ok(true) => {}
                        other => break other,
                    },
                    Err(quinn_proto::ReadError::Blocked) => break Ok(true),
                    Ok(None) | Err(quinn_proto::ReadError::Reset(_)) => {
                        break self.on_control_end(stream).map(|()| true);
                    }
                }
            };
            drop(chunks);
            if !result? {
                // RFC 9114 6.2: it is not known here.
                self.control.theirs.remove(&stream);
                let _ended = recv.stop(var(code::STREAM_CREATION_ERROR));
            }
        }
        Ok(())
    }

    /// Whether the stream is one to be read on.
    fn on_control_bytes(
        &mut self,
        stream: quinn_proto::StreamId,
        mut bytes: Bytes,
    ) -> Result<bool, Fault> {
        let Some(theirs) = self.control.theirs.get_mut(&stream) else { return Ok(false) };
        if let Theirs::Unknown(so_far) = theirs {
            so_far.extend_from_slice(&bytes);
            let mut rest = &so_far[..];
            let Some(kind) = integer::take(&mut rest) else { return Ok(true) };
            bytes = Bytes::copy_from_slice(rest);
            if let Some(log) = &self.log {
                log::stream_type(log, "remote", super::client::number(stream), kind);
            }
            let Some(known) = self.on_kind(kind)? else { return Ok(false) };
            self.control.theirs.insert(stream, known);
        }
        match self.control.theirs.get(&stream) {
            Some(Theirs::Control) => self.on_control_frames(bytes)?,
            Some(Theirs::Encoder) => {
                self.decoder.on_encoder_stream(&bytes).map_err(compression)?;
                self.wake_unblocked();
            }
            Some(Theirs::Decoder) => {
                self.encoder.on_decoder_stream(&bytes).map_err(compression)?;
            }
            Some(Theirs::Unknown(_)) | None => {}
        }
        Ok(true)
    }

    /// What a stream of this kind is; nothing where it means nothing.
    fn on_kind(&mut self, kind: u64) -> Result<Option<Theirs>, Fault> {
        let (place, theirs) = match kind {
            kinds::CONTROL => (0, Theirs::Control),
            kinds::ENCODER => (1, Theirs::Encoder),
            kinds::DECODER => (2, Theirs::Decoder),
            // RFC 9114 6.2.2: only a server pushes, and only what it was allowed.
            kinds::PUSH if self.is_server => {
                return Err(Fault::Connection(code::STREAM_CREATION_ERROR));
            }
            kinds::PUSH => return Err(Fault::Connection(code::ID_ERROR)),
            _ => return Ok(None),
        };
        let is_again =
            self.control.seen.get_mut(place).is_some_and(|seen| core::mem::replace(seen, true));
        if is_again {
            return Err(Fault::Connection(code::STREAM_CREATION_ERROR));
        }
        Ok(Some(theirs))
    }

    fn on_control_end(&mut self, stream: quinn_proto::StreamId) -> Result<(), Fault> {
        match self.control.theirs.remove(&stream) {
            Some(Theirs::Control | Theirs::Encoder | Theirs::Decoder) => {
                Err(Fault::Connection(code::CLOSED_CRITICAL_STREAM))
            }
            // RFC 9114 6.2: it may end before its kind is known.
            Some(Theirs::Unknown(_)) | None => Ok(()),
        }
    }

    fn on_control_frames(&mut self, mut bytes: Bytes) -> Result<(), Fault> {
        while let Some(piece) = self.control.frames.next(&mut bytes) {
            match piece {
                Piece::Front { kind, len } => {
                    self.on_control_front(kind, len)?;
                    self.control.kind = kind;
                    if len == 0 && is_known(kind) {
                        self.on_control_frame(kind, &[])?;
                    }
                }
                Piece::Part(part) if is_known(self.control.kind) => {
                    self.control.payload.extend_from_slice(&part);
                    if self.control.frames.left() == 0 {
                        let payload = core::mem::take(&mut self.control.payload);
                        self.on_control_frame(self.control.kind, &payload)?;
                    }
                }
                Piece::Part(_) => {}
            }
        }
        Ok(())
    }

    /// Whether such a frame may stand here.
    fn on_control_front(&mut self, kind: u64, len: u64) -> Result<(), Fault> {
        // RFC 9114 6.2.1.
        let has_begun = self.peer_has_begun;
        let unexpected = match kind {
            kind::SETTINGS => has_begun,
            _ if !has_begun => return Err(Fault::Connection(code::MISSING_SETTINGS)),
            kind::DATA | kind::HEADERS | kind::PUSH_PROMISE => true,
            kind::MAX_PUSH_ID | kind::PRIORITY_UPDATE | kind::PRIORITY_UPDATE_PUSH => {
                !self.is_server
            }
            _ => kind::HTTP2_ONLY.contains(&kind),
        };
        if unexpected {
            return Err(Fault::Connection(code::FRAME_UNEXPECTED));
        }
        if !is_known(kind) {
            self.log_control(kind, &[]);
            self.control.unknown = self.control.unknown.saturating_add(len).saturating_add(16);
        }
        let is_too_long = is_known(kind) && len > MOST_PAYLOAD;
        if is_too_long || self.control.unknown > MOST_UNKNOWN {
            return Err(Fault::Connection(code::EXCESSIVE_LOAD));
        }
        Ok(())
    }

    fn on_control_frame(&mut self, kind: u64, payload: &[u8]) -> Result<(), Fault> {
        self.log_control(kind, payload);
        match kind {
            kind::SETTINGS => {
                let settings = Settings::read(payload).map_err(Fault::Connection)?;
                self.on_settings(settings)
            }
            kind::GOAWAY => self.on_go_away(number(payload)?),
            kind::MAX_PUSH_ID => {
                let most = number(payload)?;
                // RFC 9114 7.2.7: it never falls.
                if self.max_push.is_some_and(|before| most < before) {
                    return Err(Fault::Connection(code::ID_ERROR));
                }
                self.max_push = Some(most);
                Ok(())
            }
            // Nothing was ever pushed, or allowed to be (RFC 9114 7.2.3).
            kind::CANCEL_PUSH => {
                number(payload)?;
                Err(Fault::Connection(code::ID_ERROR))
            }
            kind::PRIORITY_UPDATE | kind::PRIORITY_UPDATE_PUSH => {
                self.on_priority_update(kind, payload)
            }
            _ => Ok(()),
        }
    }

    fn on_settings(&mut self, settings: Settings) -> Result<(), Fault> {
        self.peer_has_begun = true;
        self.log_settings(&settings);
        // RFC 9114 7.2.4.2: what was promised for early data holds.
        if self.peer.is_some_and(|before| !before.is_kept_by(&settings)) {
            self.peer = None;
            return Err(Fault::Connection(code::SETTINGS_ERROR));
        }
        self.adopt(settings);
        self.say_unsaid();
        Ok(())
    }
}

/// Opens one that is not, where the peer has room for it; its kind is to be said first.
fn open_own(own: &mut Own, conn: &mut quinn_proto::Connection, log: Option<&Log>) {
    if own.stream.is_some() {
        return;
    }
    let Some(stream) = conn.streams().open(Dir::Uni) else { return };
    if let Some(log) = log {
        let number = super::client::number(stream);
        log::stream_type(log, "local", number, own.kind);
        if own.kind == kinds::CONTROL {
            log::created_control(log, number, &own.out);
        }
    }
    let mut out = Vec::with_capacity(own.out.len() + 1);
    integer::put(&mut out, own.kind);
    out.append(&mut own.out);
    own.out = out;
    own.stream = Some(stream);
    // In front of every request.
    let _just_opened = conn.send_stream(stream).set_priority(i32::MAX);
}

/// Gives the transport what waits on one stream.
fn write_own(
    own: &mut Own,
    conn: &mut quinn_proto::Connection,
    log: Option<&Log>,
) -> Result<(), Fault> {
    if own.out.is_empty() {
        return Ok(());
    }
    open_own(own, conn, log);
    let Some(stream) = own.stream else { return Ok(()) };
    match conn.send_stream(stream).write(&own.out) {
        Ok(written) => {
            own.out.drain(..written);
        }
        Err(WriteError::Blocked) => {}
        // RFC 9114 6.2.1: the peer may not refuse it.
        Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
            return Err(Fault::Connection(code::CLOSED_CRITICAL_STREAM));
        }
    }
    if own.out.len() > MOST_WAITING {
        return Err(Fault::Connection(code::EXCESSIVE_LOAD));
    }
    Ok(())
}

/// Frames whose payload is read.
const fn is_known(kind: u64) -> bool {
    matches!(
        kind,
        kind::SETTINGS
            | kind::GOAWAY
            | kind::MAX_PUSH_ID
            | kind::CANCEL_PUSH
            | kind::PRIORITY_UPDATE
            | kind::PRIORITY_UPDATE_PUSH
    )
}

/// A payload that is one integer.
fn number(mut payload: &[u8]) -> Result<u64, Fault> {
    let number = integer::take(&mut payload).filter(|_| payload.is_empty());
    number.ok_or(Fault::Connection(code::FRAME_ERROR))
}

const fn compression(error: super::qpack::Error) -> Fault {
    Fault::Connection(error.code())
}

/// A code as the transport takes it.
pub(super) fn var(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}
