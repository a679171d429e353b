//! How much a peer may send on a whole connection before it is read.
//!
//! QUIC holds what is not read, and its streams share one window: bodies that nobody reads would
//! take it from those that are read, or it would have to be as large as all of them together. So
//! it begins small, grows as bytes are read, and has what waits for slow readers on top, for as
//! long as the memory of all bodies allows.

use super::Options;
use crate::limits::Memory;

/// The window that every connection begins with, in bytes: what 100 Mbit/s bring in 20 ms. A new
/// path carries less in its first round trips (RFC 9002 7.2).
const FIRST: u32 = 256 << 10;

/// The receive windows of a connection, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveWindows {
    /// Each stream's.
    stream: u32,
    /// The connection's, at the beginning.
    first: u32,
    /// And how large it may grow.
    most: u32,
}

impl ReceiveWindows {
    /// Those of `options`, where the connection's is what it may grow to: it is set to what it
    /// begins with.
    pub fn of(options: &mut Options) -> Self {
        let (stream, most) = (options.stream_window, options.connection_window);
        let first = most.min(FIRST);
        options.connection_window = first;
        Self { stream, first, most }
    }

    /// Each stream's, in bytes.
    pub const fn stream(&self) -> u32 {
        self.stream
    }
}

/// The receive window of one connection, as it grows and shrinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    windows: ReceiveWindows,
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
    /// That of a connection which begins.
    pub fn new(windows: ReceiveWindows) -> Self {
        let first = windows.first.into();
        Self { windows, window: first, grown_at: 0, told: first, debt: 0, on_top: 0, received: 0 }
    }

    /// Whether the window is smaller than what is withheld asks for.
    pub const fn is_short(&self, withheld: u64) -> bool {
        self.on_top < withheld
    }

    /// How much the transport holds at most where it may be `withheld` of streams that are not
    /// read: no more than the peer was granted.
    pub fn held(&self, withheld: u64) -> usize {
        usize::try_from(withheld.min(self.told.saturating_add(self.debt))).unwrap_or(usize::MAX)
    }

    /// What the window is to become where so many bytes were `received` in all, and `withheld` of
    /// streams that are not read; `None` leaves it. It is raised for these by as much as there is
    /// `room`; where there is none, peers wait. What it says is for
    /// [`Endpoint::set_receive_window`](super::Endpoint::set_receive_window), which takes what is
    /// granted already back as bytes are read.
    pub fn settle(&mut self, received: u64, withheld: u64, room: u64) -> Option<u64> {
        let read = received.saturating_sub(self.received);
        self.received = received;
        self.debt = self.debt.saturating_sub(read);
        let most = u64::from(self.windows.most);
        if room == 0 {
            self.window = self.windows.first.into();
            self.grown_at = received;
        } else if self.window < most && received.saturating_sub(self.grown_at) >= self.window / 2 {
            self.window = (self.window * 2).min(most);
            self.grown_at = received;
        }
        // What everyone may hold is on top whatever there is.
        let room = if self.windows.stream <= Memory::NARROW { u64::MAX } else { room };
        self.on_top = match room {
            0 => 0,
            room => withheld.min(self.on_top.saturating_add(room)),
        };
        let (wanted, granted) =
            (self.window.saturating_add(self.on_top), self.told.saturating_add(self.debt));
        if self.told > wanted {
            // It takes the rest back as bytes are read.
            self.debt = self.debt.saturating_add(self.told - wanted);
            self.told = wanted;
        } else if wanted > granted {
            self.told = self.told.saturating_add(wanted - granted);
        } else {
            return None;
        }
        Some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: u64 = 1 << 20;

    fn credit() -> Credit {
        let mut options = Options::default();
        let credit = Credit::new(ReceiveWindows::of(&mut options));
        assert_eq!(options.connection_window, FIRST);
        credit
    }

    #[test]
    fn a_window_doubles_with_what_is_read_of_it() {
        let mut credit = credit();
        assert_eq!(credit.settle(100_000, 0, u64::MAX), None);
        assert_eq!(credit.settle(M / 8, 0, u64::MAX), Some(M / 2));
        assert_eq!(credit.settle(M / 4, 0, u64::MAX), None);
        let mut received = M / 8;
        for window in [M, 2 * M, 4 * M, 8 * M, 16 * M] {
            received += window / 4;
            assert_eq!(credit.settle(received, 0, u64::MAX), Some(window));
        }
        assert_eq!(credit.settle(received + 100 * M, 0, u64::MAX), None, "as large as it may be");
    }

    #[test]
    fn what_nobody_reads_is_on_top_and_never_twice() {
        let mut credit = credit();
        let first = u64::from(FIRST);
        assert_eq!(credit.settle(0, 40 * M, u64::MAX), Some(first + 40 * M));
        // Its readers begin and stop again, a little at a time: what is granted stays the same.
        for n in 1..=20 {
            credit.settle(n * 1_000, 0, u64::MAX);
            credit.settle(n * 1_000, 40 * M, u64::MAX);
            assert_eq!(credit.told + credit.debt, first + 40 * M, "{n}");
        }
    }

    #[test]
    fn it_is_raised_by_what_there_is_room_for() {
        let mut credit = credit();
        let first = u64::from(FIRST);
        assert_eq!(credit.held(40 * M), FIRST as usize);
        assert_eq!(credit.settle(0, 40 * M, 3 * M), Some(first + 3 * M));
        assert_eq!(credit.held(40 * M), FIRST as usize + 3 * M as usize);
        assert_eq!(credit.settle(0, 40 * M, M), Some(first + 4 * M));
        assert_eq!(credit.held(M), M as usize);
    }

    #[test]
    fn at_the_limit_a_window_is_small_again() {
        let mut credit = credit();
        let first = u64::from(FIRST);
        credit.settle(M, 10 * M, u64::MAX);
        let granted = credit.told;
        assert_eq!(granted, 2 * first + 10 * M);
        assert_eq!(credit.settle(M, 10 * M, 0), Some(first));
        assert_eq!(credit.debt, granted - first);
        assert_eq!(credit.settle(2 * M, 10 * M, 0), None, "it is taken back as bytes are read");
        assert_eq!(credit.debt, granted - first - M);
    }

    /// What was promised is kept, and no more is held than may be, whatever is read and withheld.
    #[test]
    fn no_promise_is_broken_in_any_order() {
        let mut random = 1_u64;
        let mut draw = |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % (most + 1)
        };
        for _ in 0..200 {
            let (mut credit, mut received, mut promised) = (credit(), 0, 0);
            for _ in 0..200 {
                received += draw(4) * draw(M);
                let withheld = draw(1) * draw(64 * M);
                let room = [0, draw(8 * M), u64::MAX][draw(2) as usize];
                let told = credit.told;
                let new = credit.settle(received, withheld, room);
                assert_eq!(new.unwrap_or(told), credit.told);
                let granted = received + credit.told + credit.debt;
                assert!(granted >= promised, "{credit:?}: {granted} of {promised}");
                promised = granted;
                assert!(credit.on_top <= withheld && credit.window <= 16 * M, "{credit:?}");
                assert!(room > 0 || credit.told <= u64::from(FIRST), "{credit:?}");
                assert!(credit.held(withheld) as u64 <= credit.told + credit.debt, "{credit:?}");
            }
        }
        credit().settle(u64::MAX, u64::MAX, u64::MAX);
    }
}
