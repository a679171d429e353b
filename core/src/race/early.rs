//! Early data: may a request go with the first flight, and may it go again when that was refused
//! (RFC 8470, RFC 9001 4.6). Functions without state; the race only hears of what failed.

use super::Health;
use crate::types::{MethodClass, Transport};

/// Why a request waits for the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoEarlyData {
    /// Nobody has allowed it.
    NotAllowed,
    /// Over TCP nothing goes early.
    NotQuic,
    /// Whoever repeats the first flight would repeat what the request does (RFC 8470 3).
    NotSafe,
    /// QUIC failed lately.
    Suspect,
    /// It went early once and was refused (RFC 8470 5.2).
    Refused,
}

/// What is known of a request that may go early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// Whether the configuration allows it at all; it should not by default.
    pub allowed: bool,
    /// What the connection is made over.
    pub transport: Transport,
    /// How freely the request may be repeated.
    pub method: MethodClass,
    /// How QUIC has worked there.
    pub health: Health,
    /// Whether it went early before, and was refused.
    pub refused: bool,
}

/// Whether a request may go with the first flight, and if not why.
pub const fn early_data(early: &Early) -> Result<(), NoEarlyData> {
    match early {
        Early { allowed: false, .. } => Err(NoEarlyData::NotAllowed),
        Early { transport: Transport::Tcp, .. } => Err(NoEarlyData::NotQuic),
        Early { refused: true, .. } => Err(NoEarlyData::Refused),
        Early { method: MethodClass::Early, health, .. } => match health {
            Health::Unknown | Health::Confirmed => Ok(()),
            Health::Suspect | Health::Failed => Err(NoEarlyData::Suspect),
        },
        _ => Err(NoEarlyData::NotSafe),
    }
}

/// How early data was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// The handshake did not take it: the server has not seen it.
    ByHandshake,
    /// The server answered 425 (Too Early).
    TooEarly,
}

/// What becomes of a request whose early data was, or seems to be, refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Again {
    /// It goes again over the full handshake, once.
    Resend,
    /// The response is the caller's.
    PassOn,
}

/// What to do about it. `early`: it went with the first flight; `marked`: it came to us with
/// `Early-Data: 1`, so that whoever sent it early answers for it (RFC 8470 5.2); `before`: it was
/// refused before.
pub const fn after_refusal(how: Refused, early: bool, marked: bool, before: bool) -> Again {
    match how {
        // The streams are gone without having been processed.
        Refused::ByHandshake => Again::Resend,
        Refused::TooEarly if early && !marked && !before => Again::Resend,
        Refused::TooEarly => Again::PassOn,
    }
}
