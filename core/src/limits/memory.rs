//! The memory of all bodies together: whether a stream may take more in.

/// A stream's window is at most such a part of the limit.
const SHARE: usize = 4;
/// The connection's window once its streams' have grown is so many streams'.
const STREAMS: usize = 16;
/// How many streams an HTTP/3 connection is expected to have.
const QUIC_STREAMS: usize = 100;
/// Bytes of a stream that are read ahead where memory is short: what others hold of one read.
const SMALL_BUFFER: u32 = 16 << 10;

/// The rules of one account that all bodies of a client share.
///
/// It remembers nothing: how much is used is counted where it is held, on many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    most: usize,
}

impl Memory {
    /// The window of a stream, in bytes, that everyone may have whatever is held: the one that
    /// HTTP/2 begins with (RFC 9113 6.9.2).
    pub const NARROW: u32 = 65_535;

    /// So many bytes.
    pub const fn new(most: usize) -> Self {
        Self { most }
    }

    /// Whether one direction of a stream that holds `own` bytes may take more in while all
    /// together hold `used`. One that holds nothing always may: so whoever is read from goes on,
    /// a buffer at a time, and nothing waits for a reader that has stopped.
    pub const fn may(self, used: usize, own: usize) -> bool {
        own == 0 || used < self.most
    }

    /// Whether a stream has to end that holds `own` bytes and gets more, because it had been
    /// granted a window before: all together hold twice the limit, and it more than the `buffer`
    /// that everyone may.
    pub const fn is_too_much(self, used: usize, own: usize, buffer: usize) -> bool {
        used / 2 >= self.most && own > buffer
    }

    /// How much more peers may be granted beside what the streams that are read need: up to twice
    /// the limit, where HTTP/2's streams end.
    pub const fn room(self, used: usize) -> usize {
        self.most.saturating_mul(2).saturating_sub(used)
    }

    /// Whether new streams of HTTP/2 are granted little while `used` bytes are held: from half of
    /// the limit on, until less than a quarter is held again.
    pub const fn is_narrow(self, used: usize, was: bool) -> bool {
        used >= self.most / if was { 4 } else { 2 }
    }

    /// The windows of an HTTP/2 connection's streams that begins while `used` bytes are held: a
    /// quarter of the limit at most, so that no single one holds it all, and narrow where that is
    /// the time. These grow later like others. The connection's own window stays: with it unread
    /// bodies would stop those that are read.
    pub fn windows(self, used: usize, configured: Windows) -> Windows {
        let part = |part: usize, most: u32| {
            u32::try_from(self.most / part).unwrap_or(u32::MAX).max(Self::NARROW).min(most)
        };
        let narrow = if self.is_narrow(used, false) { Self::NARROW } else { u32::MAX };
        let stream = part(SHARE, configured.stream);
        // Sixteen streams' windows are the connection's once they have grown.
        let stream_most = part(STREAMS, configured.stream_most).max(stream);
        Windows { stream: stream.min(narrow), stream_most }
    }

    /// What each stream of an HTTP/3 connection that begins while `used` bytes are held may hold,
    /// which stays what it is: a window of so much that a hundred (RFC 9114 6.1) hold no more than
    /// the limit, and little where that is the time. Where that is less than what is configured,
    /// little is read ahead too.
    pub fn quic_stream(self, used: usize, configured: QuicStream) -> QuicStream {
        let share = u32::try_from(self.most / QUIC_STREAMS).unwrap_or(u32::MAX).max(Self::NARROW);
        let narrow = if self.is_narrow(used, false) { Self::NARROW } else { u32::MAX };
        let QuicStream { window, buffer } = configured;
        let granted = window.min(share).min(narrow);
        let ahead = if granted < window { SMALL_BUFFER } else { u32::MAX };
        QuicStream { window: granted, buffer: buffer.min(ahead) }
    }
}

/// How much the peer of an HTTP/2 connection may send unread on each stream, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// [`stream_window`](crate::engine::Config::stream_window).
    pub stream: u32,
    /// [`stream_window_max`](crate::engine::Config::stream_window_max).
    pub stream_most: u32,
}

/// How much of a stream of an HTTP/3 connection may be here unread, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuicStream {
    /// By the transport: `stream_window` of `engine::quic::Options`.
    pub window: u32,
    /// Read ahead by the engine, beyond that:
    /// [`stream_buffer`](crate::engine::Config::stream_buffer).
    pub buffer: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: u32 = Memory::NARROW;

    #[test]
    fn everyone_may_below_the_limit_and_at_it_who_holds_nothing() {
        let rows = [
            (100, 0, 0, true),
            (100, 99, 99, true),
            (100, 100, 1, false),
            (100, 100, 0, true),
            (100, 1_000, 1, false),
            (100, 1_000, 0, true),
            (0, 0, 0, true),
            (0, 1, 1, false),
        ];
        for (most, used, own, expected) in rows {
            assert_eq!(Memory::new(most).may(used, own), expected, "{own} of {used} of {most}");
        }
    }

    #[test]
    fn streams_are_narrow_from_half_on_until_a_quarter() {
        let rows = [(49, false, false), (50, false, true), (25, true, true), (24, true, false)];
        for (used, was, expected) in rows {
            assert_eq!(Memory::new(100).is_narrow(used, was), expected, "{used}, {was} before");
        }
    }

    #[test]
    fn beyond_twice_the_limit_who_holds_more_than_a_buffer_ends() {
        let rows = [(199, 100, false), (200, 11, true), (200, 10, false), (900, 0, false)];
        for (used, own, expected) in rows {
            let told = Memory::new(100).is_too_much(used, own, 10);
            assert_eq!(told, expected, "{own} of {used}");
        }
        assert!(!Memory::new(usize::MAX).is_too_much(usize::MAX, usize::MAX, 10), "no limit");
    }

    #[test]
    fn a_hundred_streams_of_http3_hold_the_limit() {
        const M: usize = 1 << 20;
        let of = |window, buffer| QuicStream { window, buffer };
        let configured = of(1_250_000, 64 << 10);
        let rows = [
            (usize::MAX, 0, configured),
            (256 * M, 127 * M, configured),
            (256 * M, 128 * M, of(NARROW, 16 << 10)),
            (64 * M, 0, of(671_088, 16 << 10)),
            (8 * M, 0, of(83_886, 16 << 10)),
            (M, 0, of(NARROW, 16 << 10)),
        ];
        for (most, used, expected) in rows {
            assert_eq!(Memory::new(most).quic_stream(used, configured), expected, "{most}, {used}");
        }
        let small = of(1_000, 64 << 10);
        assert_eq!(Memory::new(M).quic_stream(0, small), small, "what was configured");
        let little = of(1_250_000, 1_000);
        assert_eq!(Memory::new(M).quic_stream(0, little), of(NARROW, 1_000), "read ahead");
    }

    #[test]
    fn windows_are_a_part_of_the_limit() {
        const M: usize = 1 << 20;
        let of = |stream, stream_most| Windows { stream, stream_most };
        let configured = of(1 << 20, 16 << 20);
        let rows = [
            (usize::MAX, 0, configured),
            (256 * M, 127 * M, configured),
            (256 * M, 128 * M, of(NARROW, 16 << 20)),
            (64 * M, 0, of(1 << 20, 4 << 20)),
            (16 * M, 0, of(1 << 20, 1 << 20)),
            (2 * M, 0, of(512 << 10, 512 << 10)),
            (0, 0, of(NARROW, NARROW)),
        ];
        for (most, used, expected) in rows {
            assert_eq!(Memory::new(most).windows(used, configured), expected, "{used} of {most}");
        }
        let small = of(1_000, 1_000);
        assert_eq!(Memory::new(0).windows(0, small), small, "never more than is configured");
    }
}
