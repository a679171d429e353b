//! The points at which something legal but rare may happen.

/// How often a point that is on in a run fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// One time in four: harmless, and wanted everywhere.
    Often,
    /// One time in ten.
    Normal,
    /// One time in a hundred.
    Rare,
    /// One time in a thousand.
    Catastrophic,
}

impl Rate {
    pub(super) const fn one_in(self) -> u32 {
        match self {
            Self::Often => 4,
            Self::Normal => 10,
            Self::Rare => 100,
            Self::Catastrophic => 1_000,
        }
    }
}

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal, $rate:ident;)*) => {
        /// A choice point: it has a name, can be switched off by itself, and is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Point { $($(#[$doc])* $point,)* }

        impl Point {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$point,)*];

            /// Its stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)* }
            }

            /// How often it fires in a run in which it is on.
            pub const fn rate(self) -> Rate {
                match self { $(Self::$point => Rate::$rate,)* }
            }
        }
    };
}

points! {
    /// Not the task that was woken first runs next, but any that is ready.
    TaskOrder = "task-order", Often;
    /// A task is polled though nothing woke it.
    SpuriousWake = "spurious-wake", Rare;
    /// A timer expires up to 20 ms after its time.
    LateTimer = "late-timer", Normal;
    /// A read gives one byte though more have come.
    OneByteRead = "one-byte-read", Rare;
    /// Up to 256 reads of a socket in a row give one byte each, however much has come: so that one
    /// wake has more to read than a task does in one go, and ends at any byte.
    Trickle = "trickle", Rare;
    /// A read gives some of the bytes that have come.
    PrefixRead = "prefix-read", Often;
    /// A write takes some of the bytes though there is room for all.
    PartialWrite = "partial-write", Normal;
    /// A read or write says once that it is not ready though it is, and wakes at once.
    NotReadyOnce = "not-ready-once", Normal;
    /// A SYN is lost between hosts whose link loses nothing.
    SynLost = "syn-lost", Rare;
    /// A segment with data is lost between hosts whose link loses nothing.
    SegmentLost = "segment-lost", Rare;
    /// A datagram is lost between hosts whose link loses nothing.
    DatagramLost = "datagram-lost", Rare;
    /// A datagram comes twice.
    DatagramTwice = "datagram-twice", Rare;
    /// A datagram leaves up to 100 ms late, so that others overtake it.
    DatagramLate = "datagram-late", Rare;
    /// An answer of the resolver comes up to 100 ms late.
    SlowAnswer = "slow-answer", Normal;
}
