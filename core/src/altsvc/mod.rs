//! What else serves an origin: a ledger of alternatives (RFC 7838, RFC 9460).
//!
//! It remembers which protocol, host and port also serve an origin, until when that holds, how
//! well each has worked, and how far away the origin is. It has no actions and no timers. Who
//! uses an alternative, and when, `race` decides; that the server there proves the
//! *origin's* name by its certificate, TLS does (AS-2).
//!
//! ```text
//!  Alt-Svc field --- heard ----+                        +--> known: every alternative in order
//!  ALTSVC frame  --- heard ----|                        |--> best: which one for HTTP/3, if any
//!  HTTPS record  --- https ----+--> learn --> Ledger ---|
//!  hints, prepopulated --------|                ^       |--> rtt
//!  file (ours, curl's) --------+                |       +--> text, for a file
//!                          mark_*, note_rtt, network_changed
//! ```
//!
//! States of an alternative; a broken one becomes suspect when its time has passed:
//!
//! ```text
//!   Unknown --mark_confirmed--> Confirmed      any --mark_broken--> Broken(until)
//!   any --mark_suspect--> Suspect              Broken --until--> Suspect
//! ```
//!
//! - AS-6: one form of each protocol name, quoted authorities, unknown parameters passed over.
//! - AS-7: `ma` is a day where it is missing, `Age` is taken off, what is new replaces what was.
//! - AS-8: a change of network leaves only what was marked `persist`.
//! - AS-9: what an alternative answers with 421 is removed, and nothing is learnt of a 421.
//! - AS-12: plain text is never an alternative, nor is a private address of a public origin;
//!   entries of a field, hosts of an origin and origins are limited.
//! - AS-13: [`Alternative::alt_used`] is what the request says.
//!
//! ```
//! use regatta_core::altsvc::{self, Config, Heard, Ledger, Source, State};
//! use regatta_core::types::{Origin, Protocol, Scheme};
//! use regatta_core::Instant;
//!
//! let mut ledger = Ledger::new(Config::default());
//! let origin = Origin { scheme: Scheme::Https, host: "example.org".into(), port: 443 };
//! let field = altsvc::parse([&br#"h3="alt.example.net:8443"; ma=3600"#[..]], 4_096).unwrap();
//! let at = Instant::from_millis;
//! ledger.learn(at(0), &origin, &field.said, Heard::from(Source::Field)).unwrap();
//!
//! let best = ledger.best(at(10), &origin, Protocol::Http3).unwrap();
//! assert_eq!(best.alternative.alt_used(&origin), "alt.example.net:8443");
//! let alternative = best.alternative.clone();
//! ledger.mark_broken(at(10), &origin, &alternative);
//! assert!(ledger.best(at(11), &origin, Protocol::Http3).is_none(), "broken for five minutes");
//! let later = ledger.best(at(300_010), &origin, Protocol::Http3).unwrap();
//! assert_eq!(later.state, State::Suspect);
//! assert!(ledger.best(at(3_600_000), &origin, Protocol::Http3).is_none(), "the hour is over");
//! ```

mod authority;
mod config;
mod curl;
mod field;
mod file;
mod frame;
mod health;
mod heard;
mod https;
mod ledger;
mod lines;
#[cfg(test)]
mod tests;

use core::fmt;

pub use config::Config;
pub use field::{Field, FieldError, parse};
pub use file::{Clock, FileError};
pub use frame::{Frame, FrameError};
pub use health::{BackOff, State};
pub use heard::{heard, heard_frame};
pub use https::{HttpsRecords, RecordError, https_records};
pub use ledger::{Heard, Known, Ledger, NotLearnt};

use crate::time::Duration;
use crate::types::{Origin, Protocol, Scheme};

/// How long an alternative without `ma` is fresh: a day (RFC 7838 3.1).
pub const MAX_AGE: Duration = Duration::from_secs(86_400);

/// Another place that serves an origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alternative {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Lower-case name, or an IP literal without brackets; `None` is the origin's own host.
    pub host: Option<Box<str>>,
    /// Never 0.
    pub port: u16,
}

impl Alternative {
    /// HTTP/3 on the origin's own host.
    pub const fn http3(port: u16) -> Self {
        Self { protocol: Protocol::Http3, host: None, port }
    }

    /// The host to look up.
    pub fn host<'a>(&'a self, origin: &'a Origin) -> &'a str {
        self.host.as_deref().unwrap_or(&origin.host)
    }

    /// The value of the field Alt-Used in requests that go there (RFC 7838 5, AS-13).
    pub fn alt_used(&self, origin: &Origin) -> String {
        let host = self.host(origin);
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        if self.port == Scheme::Https.default_port() {
            format!("{open}{host}{close}")
        } else {
            format!("{open}{host}{close}:{}", self.port)
        }
    }
}

/// As it stands in a field: `h3="alt.example.net:8443"`.
impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or_default();
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}=\"{open}{host}{close}:{}\"", field::name(self.protocol), self.port)
    }
}

/// An alternative as it is offered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Which.
    pub alternative: Alternative,
    /// For how long, from when it was said.
    pub max_age: Duration,
    /// Whether it outlives a change of network.
    pub persist: bool,
}

impl Offer {
    /// For a day, on this network.
    pub const fn new(alternative: Alternative) -> Self {
        Self { alternative, max_age: MAX_AGE, persist: false }
    }
}

/// What an origin says about its alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// There are none any more.
    Clear,
    /// These and no others, the best first.
    Offers(Vec<Offer>),
}

/// As a field's value, which [`parse`] reads.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Offers(offers) = self else { return f.write_str("clear") };
        for (index, offer) in offers.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}; ma={}", offer.alternative, offer.max_age.as_secs())?;
            if offer.persist {
                f.write_str("; persist=1")?;
            }
        }
        Ok(())
    }
}

/// Where it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Configured: known before anything is asked. It replaces nothing.
    Prepopulated,
    /// A caller's guess. It replaces nothing.
    Hint,
    /// An HTTPS record (RFC 9460).
    Dns,
    /// A response's Alt-Svc field (RFC 7838 3).
    Field,
    /// An ALTSVC frame (RFC 7838 4).
    Frame,
    /// A file that an earlier ledger, or curl, has written.
    File,
}

impl Source {
    /// Every one, in order.
    pub const ALL: [Self; 6] =
        [Self::Prepopulated, Self::Hint, Self::Dns, Self::Field, Self::Frame, Self::File];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepopulated => "prepopulated",
            Self::Hint => "hint",
            Self::Dns => "dns",
            Self::Field => "field",
            Self::Frame => "frame",
            Self::File => "file",
        }
    }

    /// Whether nobody has said it: what was heard counts more.
    const fn is_guess(self) -> bool {
        matches!(self, Self::Prepopulated | Self::Hint)
    }
}
