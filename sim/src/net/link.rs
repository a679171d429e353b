//! What lies between two hosts.

use core::time::Duration;

/// One direction of what lies between two hosts; [`Net::link`](crate::Net::link) uses it for
/// both.
///
/// What it draws comes from the run's choices, loss and jitter also in a quiet run. A used-up
/// tape draws neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// How long everything takes from one end to the other, least. Default 0.
    pub delay: Duration,
    /// What is added to the delay of each packet. It never makes one overtake another: that is
    /// `reorder`. Default none.
    pub jitter: Jitter,
    /// Bits per second that go in, with all headers from IP up. Default as many as come.
    pub bandwidth: Option<u64>,
    /// Bytes that may wait for the bandwidth; a packet that finds no room is lost. Unused without
    /// `bandwidth`. Default 128 KiB, a tenth of a second at 10 Mbit/s.
    pub queue: u64,
    /// Packets lost of a million, each by itself. Default 0; 1,000,000 is a link that is cut.
    pub loss_ppm: u32,
    /// Loss that comes in bursts, beside `loss_ppm`. Default none.
    pub burst: Option<Burst>,
    /// Packets of a million that come twice. Default 0.
    pub duplicate_ppm: u32,
    /// Packets of a million that come `reorder_by` later than they should, so that others
    /// overtake them. Default 0.
    pub reorder_ppm: u32,
    /// How much later those come. Default 1 ms.
    pub reorder_by: Duration,
    /// The longest IP packet in bytes. TCP's segments are made to fit; a longer datagram is lost
    /// without a word.
    /// Default 1,500, as on Ethernet.
    pub mtu: u16,
}

/// A distribution of what is added to a link's delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Nothing.
    #[default]
    None,
    /// Everything from 0 to this, alike.
    Uniform(Duration),
    /// A bell of this standard deviation around the link's delay, cut at 3.4 deviations; a delay
    /// is never less than 0.
    Normal(Duration),
    /// Mostly little and sometimes very much: Lomax's distribution of shape 2, whose median is
    /// 0.41 and whose mean is 1 of this; cut at 255 of it.
    Pareto(Duration),
}

/// Loss in bursts: Gilbert's and Elliott's chain of a good and a bad state, which takes one step
/// with each packet and starts good.
///
/// The mean length of a burst is a million by `recover_ppm` packets, and the part of the packets
/// that fall into one is `enter_ppm` by the sum of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// From good to bad, of a million packets.
    pub enter_ppm: u32,
    /// From bad to good, of a million packets.
    pub recover_ppm: u32,
    /// Packets lost of a million in the good state.
    pub good_loss_ppm: u32,
    /// Packets lost of a million in the bad state.
    pub bad_loss_ppm: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self::delay(Duration::ZERO)
    }
}

impl Link {
    /// A perfect link of this one-way delay.
    pub const fn delay(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Jitter::None,
            bandwidth: None,
            queue: 128 << 10,
            loss_ppm: 0,
            burst: None,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            reorder_by: Duration::from_millis(1),
            mtu: 1_500,
        }
    }

    /// A link that loses everything: a black hole.
    pub const fn cut() -> Self {
        Self::delay(Duration::ZERO).loss_ppm(1_000_000)
    }

    /// With this jitter.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// With so many bits per second, of which at least 1 goes.
    #[must_use]
    pub const fn bandwidth(mut self, bits_per_second: u64) -> Self {
        self.bandwidth = Some(bits_per_second);
        self
    }

    /// With a queue of so many bytes before the bandwidth.
    #[must_use]
    pub const fn queue(mut self, bytes: u64) -> Self {
        self.queue = bytes;
        self
    }

    /// With so many packets lost of a million.
    #[must_use]
    pub const fn loss_ppm(mut self, ppm: u32) -> Self {
        self.loss_ppm = ppm;
        self
    }

    /// With loss in bursts.
    #[must_use]
    pub const fn burst(mut self, burst: Burst) -> Self {
        self.burst = Some(burst);
        self
    }

    /// With so many packets of a million that come twice.
    #[must_use]
    pub const fn duplicate_ppm(mut self, ppm: u32) -> Self {
        self.duplicate_ppm = ppm;
        self
    }

    /// With so many packets of a million that come `by` later.
    #[must_use]
    pub const fn reorder(mut self, ppm: u32, by: Duration) -> Self {
        self.reorder_ppm = ppm;
        self.reorder_by = by;
        self
    }

    /// With IP packets of at most so many bytes.
    #[must_use]
    pub const fn mtu(mut self, bytes: u16) -> Self {
        self.mtu = bytes;
        self
    }

    /// Whether everything arrives, in order, after the delay.
    pub(crate) fn is_flat(&self) -> bool {
        self.jitter == Jitter::None
            && self.bandwidth.is_none()
            && self.loss_ppm == 0
            && self.burst.is_none()
            && self.duplicate_ppm == 0
            && self.reorder_ppm == 0
    }
}
