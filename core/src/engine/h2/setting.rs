//! The peer's SETTINGS, looked at before h2 sees them: it lets pass what it does not use, and
//! calls all that it refuses PROTOCOL_ERROR.

use super::frame::{Frame, code, flag};

/// Identifiers (RFC 9113 6.5.2, RFC 8441 3).
const ENABLE_PUSH: u16 = 2;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// The largest window (RFC 9113 6.9.1).
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// Says another limit for heads in the payload of a frame that goes out.
pub(super) fn say_head_limit(payload: &mut [u8], limit: u32) {
    for setting in payload.chunks_exact_mut(6) {
        if let Some((id, value)) = setting.split_first_chunk_mut::<2>()
            && *id == MAX_HEADER_LIST_SIZE.to_be_bytes()
        {
            value.copy_from_slice(&limit.to_be_bytes());
        }
    }
}

/// What has come of the payloads of SETTINGS.
#[derive(Debug, Default)]
pub(super) struct Settings {
    bytes: [u8; 6],
    len: usize,
    /// The peer takes extended CONNECT.
    extends: bool,
    are_heard: bool,
}

impl Settings {
    /// A frame begins.
    pub(super) const fn begin(&mut self) {
        self.len = 0;
    }

    /// A frame is complete.
    pub(super) const fn end(&mut self, frame: Frame) {
        self.are_heard |= !frame.has(flag::ACK);
    }

    /// Whether the peer has said what it takes.
    pub(super) const fn are_heard(&self) -> bool {
        self.are_heard
    }

    /// Takes part of a frame's payload. The code of the connection's error, if it holds one.
    pub(super) fn take(&mut self, payload: &[u8], is_server: bool) -> Option<u32> {
        payload.iter().find_map(|byte| {
            let place = self.bytes.get_mut(self.len)?;
            *place = *byte;
            self.len += 1;
            (self.len == self.bytes.len()).then(|| self.judge(is_server)).flatten()
        })
    }

    /// A setting is complete.
    fn judge(&mut self, is_server: bool) -> Option<u32> {
        self.len = 0;
        let [a, b, c, d, e, f] = self.bytes;
        let value = u32::from_be_bytes([c, d, e, f]);
        match u16::from_be_bytes([a, b]) {
            INITIAL_WINDOW_SIZE if value > LARGEST_WINDOW => Some(code::FLOW_CONTROL_ERROR),
            // A server has nothing to be pushed to it.
            ENABLE_PUSH if value == 1 && !is_server => Some(code::PROTOCOL_ERROR),
            ENABLE_CONNECT_PROTOCOL if value == 0 && self.extends => Some(code::PROTOCOL_ERROR),
            ENABLE_CONNECT_PROTOCOL => {
                self.extends = value == 1;
                None
            }
            _ => None,
        }
    }
}
