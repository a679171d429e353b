//! How much a peer may send on a whole connection before it is read.
//!
//! QUIC holds what is not read, and its streams share one window: bodies that nobody reads would
//! take it from those that are read, or it would have to be as large as all of them together. So
//! it begins small, grows as bytes are read, and has what waits for slow readers on top, for as
//! long as the memory of all bodies allows.

use regatta_core::engine::quic::{Endpoint, Options};
use regatta_core::id::QuicId;

/// The window that every connection begins with, in bytes: what 100 Mbit/s bring in 20 ms. A new
/// path carries less in its first round trips (RFC 9002 7.2).
const FIRST: u32 = 256 << 10;

/// The stream's window that everyone may have (`limits::Memory`).
const NARROW: u32 = 65_535;

/// The windows of a connection, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// Each stream's.
    pub(crate) stream: u32,
    /// The connection's, at the beginning.
    first: u32,
    /// And how large it may grow.
    most: u32,
}

impl Windows {
    /// Those of `options`, where the connection's is what it may grow to: it is set to what it
    /// begins with.
    pub(crate) fn of(options: &mut Options) -> Self {
        let (stream, most) = (options.stream_window, options.connection_window);
        let first = most.min(FIRST);
        options.connection_window = first;
        Self { stream, first, most }
    }
}

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Credit {
    windows: Windows,
    /// For streams that are read.
    window: u64,
    /// How much had been read when it grew last.
    grown_at: u64,
    /// What the transport was told.
    told: u64,
    /// What the peer may send beyond that, because it was granted before: less with every byte that
    /// is read.
    debt: u64,
    /// What it is raised by for streams that are not read.
    on_top: u64,
    received: u64,
}

impl Credit {
    pub(super) fn new(windows: Windows) -> Self {
        let first = windows.first.into();
        Self { windows, window: first, grown_at: 0, told: first, debt: 0, on_top: 0, received: 0 }
    }

    /// Whether the window is smaller than what is withheld asks for.
    pub(super) const fn is_short(&self, withheld: u64) -> bool {
        self.on_top < withheld
    }

    /// How much the transport holds at most where it may be `withheld` of streams that are not
    /// read: no more than the peer was granted.
    pub(super) fn held(&self, withheld: u64) -> usize {
        usize::try_from(withheld.min(self.told + self.debt)).unwrap_or(usize::MAX)
    }

    /// What the window is to become where so many bytes were `received` in all, and `withheld` of
    /// streams that are not read; `None` leaves it. It is raised for these by as much as there is
    /// `room`; where there is none, peers wait.
    fn next(&mut self, received: u64, withheld: u64, room: u64) -> Option<u64> {
        let read = received.saturating_sub(self.received);
        self.received = received;
        self.debt = self.debt.saturating_sub(read);
        let most = u64::from(self.windows.most);
        if room == 0 {
            self.window = self.windows.first.into();
            self.grown_at = received;
        } else if self.window < most && received - self.grown_at >= self.window / 2 {
            self.window = (self.window * 2).min(most);
            self.grown_at = received;
        }
        // What everyone may hold is on top whatever there is.
        let room = if self.windows.stream <= NARROW { u64::MAX } else { room };
        self.on_top = match room {
            0 => 0,
            room => withheld.min(self.on_top.saturating_add(room)),
        };
        let (wanted, granted) = (self.window + self.on_top, self.told + self.debt);
        if self.told > wanted {
            // It takes the rest back as bytes are read.
            self.debt += self.told - wanted;
            self.told = wanted;
        } else if wanted > granted {
            self.told += wanted - granted;
        } else {
            return None;
        }
        Some(self.told)
    }

    /// Tells the transport what has changed.
    pub(super) fn settle(
        &mut self,
        endpoint: &mut Endpoint,
        id: QuicId,
        received: u64,
        withheld: u64,
        room: u64,
    ) {
        if let Some(window) = self.next(received, withheld, room) {
            endpoint.set_receive_window(id, window);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: u64 = 1 << 20;

    fn credit() -> Credit {
        let mut options = Options::default();
        let credit = Credit::new(Windows::of(&mut options));
        assert_eq!(options.connection_window, FIRST);
        credit
    }

    #[test]
    fn a_window_doubles_with_what_is_read_of_it() {
        let mut credit = credit();
        assert_eq!(credit.next(100_000, 0, u64::MAX), None);
        assert_eq!(credit.next(M / 8, 0, u64::MAX), Some(M / 2));
        assert_eq!(credit.next(M / 4, 0, u64::MAX), None);
        let mut received = M / 8;
        for window in [M, 2 * M, 4 * M, 8 * M, 16 * M] {
            received += window / 4;
            assert_eq!(credit.next(received, 0, u64::MAX), Some(window));
        }
        assert_eq!(credit.next(received + 100 * M, 0, u64::MAX), None, "as large as it may be");
    }

    #[test]
    fn what_nobody_reads_is_on_top_and_never_twice() {
        let mut credit = credit();
        let first = u64::from(FIRST);
        assert_eq!(credit.next(0, 40 * M, u64::MAX), Some(first + 40 * M));
        // Its readers begin and stop again, a little at a time: what is granted stays the same.
        for n in 1..=20 {
            credit.next(n * 1_000, 0, u64::MAX);
            credit.next(n * 1_000, 40 * M, u64::MAX);
            assert_eq!(credit.told + credit.debt, first + 40 * M, "{n}");
        }
    }

    #[test]
    fn it_is_raised_by_what_there_is_room_for() {
        let mut credit = credit();
        let first = u64::from(FIRST);
        assert_eq!(credit.held(40 * M), FIRST as usize);
        assert_eq!(credit.next(0, 40 * M, 3 * M), Some(first + 3 * M));
        assert_eq!(credit.held(40 * M), FIRST as usize + 3 * M as usize);
        assert_eq!(credit.next(0, 40 * M, M), Some(first + 4 * M));
        assert_eq!(credit.held(M), M as usize);
    }

    #[test]
    fn at_the_limit_a_window_is_small_again() {
        let mut credit = credit();
        let first = u64::from(FIRST);
        credit.next(M, 10 * M, u64::MAX);
        let granted = credit.told;
        assert_eq!(granted, 2 * first + 10 * M);
        assert_eq!(credit.next(M, 10 * M, 0), Some(first));
        assert_eq!(credit.debt, granted - first);
        assert_eq!(credit.next(2 * M, 10 * M, 0), None, "it is taken back as bytes are read");
        assert_eq!(credit.debt, granted - first - M);
    }
}
