//! The lines of a journal, a row for each event, action and group of settings. A row names all
//! fields: they are written in this order, and read in this order.

use core::fmt;

use super::error::Wrong;
use super::text::{Fields, Part};
use crate::altsvc::BackOff;
use crate::id::RequestId;
use crate::types::{Key, Timing};
use crate::upstream::{Action, Event, Profile};
use crate::{altsvc, eyeballs, limits, pool, race};

/// What an upstream was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// [`handle_event`](crate::upstream::Upstream::handle_event), or
    /// [`request`](crate::upstream::Upstream::request), which does the same as
    /// [`Event::Requested`].
    Event(Event),
    /// [`handle_timeout`](crate::upstream::Upstream::handle_timeout).
    Timeout,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The id of the request that [`Event::Requested`] made.
    Minted(RequestId),
    /// An action, in the order in which they were taken.
    Action(Action),
}

impl Output {
    pub(super) const fn is_action(&self) -> bool {
        matches!(self, Self::Action(_))
    }
}

/// A line that begins with a word which says what it is.
pub(super) trait Line: Sized {
    fn write(&self, out: &mut String);
    /// `None` when the word is not known here.
    fn read(word: &str, fields: &mut Fields<'_>) -> Result<Option<Self>, Wrong>;
    #[cfg(test)]
    fn samples() -> Vec<Self>;
}

macro_rules! lines {
    ($($type:ident {$(
        $word:literal => $variant:ident $({ $($field:ident),* })? $(($only:ident))?,
    )*})*) => {$(
        impl Line for $type {
            fn write(&self, out: &mut String) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($only))? => {
                        out.push_str($word);
                        $($($field.put(stringify!($field), out);)*)?
                        $($only.put(stringify!($only), out);)?
                    })*
                }
            }

            fn read(word: &str, fields: &mut Fields<'_>) -> Result<Option<Self>, Wrong> {
                Ok(Some(match word {
                    $($word => Self::$variant
                        $({ $($field: Part::take(stringify!($field), fields)?),* })?
                        $((Part::take(stringify!($only), fields)?))?,)*
                    _ => return Ok(None),
                }))
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                let mut all = Vec::new();
                for _at in 0..SAMPLES {
                    $(all.push(Self::$variant
                        $({ $($field: sample(_at)),* })?
                        $((lines!(@sample _at $only)))?);)*
                }
                all
            }
        }
    )*};
    (@sample $at:ident $only:ident) => { sample($at) };
}

macro_rules! parts {
    ($($type:ty { $($field:ident),* })*) => {$(
        impl Part for $type {
            fn put(&self, _: &str, out: &mut String) {
                let Self { $($field),* } = self;
                $($field.put(stringify!($field), out);)*
            }

            fn take(_: &'static str, fields: &mut Fields<'_>) -> Result<Self, Wrong> {
                Ok(Self { $($field: Part::take(stringify!($field), fields)?),* })
            }

            #[cfg(test)]
            fn all() -> Vec<Self> {
                (0..SAMPLES).map(|at| Self { $($field: sample(at)),* }).collect()
            }
        }
    )*};
}

/// How many samples of each row; more than any field has.
#[cfg(test)]
pub(super) const SAMPLES: usize = 64;

#[cfg(test)]
pub(super) fn sample<T: Part>(at: usize) -> T {
    let mut all = T::all();
    let at = at % all.len();
    all.swap_remove(at)
}

lines! {
    Event {
        "requested" => Requested { key, method, deadline },
        "cancelled" => Cancelled(request),
        "resolved" => Resolved { host, addresses },
        "resolve-finished" => ResolveFinished { host, failed },
        "services-resolved" => ServicesResolved { pool, records, ttl },
        "attempt-progress" => AttemptProgress(attempt),
        "connected" => Connected { attempt, protocol, limit },
        "early-data" => EarlyData { attempt, limit },
        "confirmed" => Confirmed { connection, limit },
        "attempt-failed" => AttemptFailed { attempt, cause },
        "limit" => Limit { connection, limit },
        "refusing" => Refusing(connection),
        "stream-ended" => StreamEnded { connection, request, outcome, retry, body, timing },
        "probed" => Probed(connection),
        "mute" => Mute(connection),
        "closed" => Closed { connection, cause },
        "learnt" => Learnt { origin, said, source, age },
        "restored" => Restored { unix, text },
        "misdirected" => Misdirected(connection),
        "budget-spent" => BudgetSpent(connection),
        "network-changed" => NetworkChanged,
        "drain" => Drain,
        "close" => Close { at },
    }
    Action {
        "resolve" => Resolve { host, name },
        "resolve-services" => ResolveServices { pool, origin, name },
        "connect" => Connect { attempt, connection, transport, address, origin, profile },
        "abort-attempt" => AbortAttempt(attempt),
        "assign" => Assign { request, connection },
        "reset" => Reset { connection, request },
        "recall" => Recall { connection, request },
        "resend" => Resend(request),
        "refuse" => Refuse { request, reason, failed },
        "finished" => Finished { request, outcome },
        "probe" => Probe(connection),
        "shutdown" => Shutdown(connection),
        "abort" => Abort(connection),
    }
}

parts! {
    Key { cluster, origin, profile, priority }
    Timing { opened, first_byte, ended }
    limits::Config {
        max_connections, max_pending_requests, max_requests, max_retries, max_connection_pools
    }
    pool::Config {
        connect_timeout, idle_timeout, max_connection_duration, max_requests_per_connection,
        max_concurrent_streams, assumed_streams, preconnect_permille, max_resends,
        max_unprocessed_resends, probe_after_idle, drain_timeout
    }
    eyeballs::Config {
        attempt_delay, resolution_delay, first_family, first_family_count, success,
        max_addresses, max_parallel, max_attempts
    }
    BackOff { first, longest }
    altsvc::Config {
        max_origins, max_alternatives, max_hosts, back_off, canonical_suffixes, refuse_private,
        refuse_user_ports, seed
    }
    race::Config { delay, tcp_at_once_when_unknown, second_family, max_legs }
}

/// Where connections go is written only where that is a proxy, and whether requests go early, and
/// HTTPS records are asked for, only where that is so.
impl Part for Profile {
    fn put(&self, _: &str, out: &mut String) {
        let Self { protocols, via, early_data, https_records } = self;
        protocols.put("protocols", out);
        if let Some(via) = via {
            via.put("via", out);
        }
        if *early_data {
            early_data.put("early_data", out);
        }
        if *https_records {
            https_records.put("https_records", out);
        }
    }

    fn take(_: &'static str, fields: &mut Fields<'_>) -> Result<Self, Wrong> {
        let protocols = Part::take("protocols", fields)?;
        let has_via = fields.is_next("via");
        let via = if has_via { Some(Part::take("via", fields)?) } else { None };
        let early_data = fields.is_next("early_data") && Part::take("early_data", fields)?;
        let https_records = !fields.is_over() && Part::take("https_records", fields)?;
        Ok(Self { protocols, via, early_data, https_records })
    }

    #[cfg(test)]
    fn all() -> Vec<Self> {
        let one = |at| Self {
            protocols: sample(at),
            via: sample(at),
            early_data: sample(at),
            https_records: sample(at / 2),
        };
        (0..SAMPLES).map(one).collect()
    }
}

impl Line for Input {
    fn write(&self, out: &mut String) {
        match self {
            Self::Event(event) => event.write(out),
            Self::Timeout => out.push_str("timeout"),
        }
    }

    fn read(word: &str, fields: &mut Fields<'_>) -> Result<Option<Self>, Wrong> {
        match word {
            "timeout" => Ok(Some(Self::Timeout)),
            _ => Ok(Event::read(word, fields)?.map(Self::Event)),
        }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        Event::samples().into_iter().map(Self::Event).chain([Self::Timeout]).collect()
    }
}

impl Line for Output {
    fn write(&self, out: &mut String) {
        match self {
            Self::Minted(request) => {
                out.push_str("minted");
                request.put("request", out);
            }
            Self::Action(action) => action.write(out),
        }
    }

    fn read(word: &str, fields: &mut Fields<'_>) -> Result<Option<Self>, Wrong> {
        match word {
            "minted" => Part::take("request", fields).map(|request| Some(Self::Minted(request))),
            _ => Ok(Action::read(word, fields)?.map(Self::Action)),
        }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let minted = RequestId::all().into_iter().map(Self::Minted);
        Action::samples().into_iter().map(Self::Action).chain(minted).collect()
    }
}

/// As the journal writes it.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self))
    }
}

/// As the journal writes it.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self))
    }
}

fn shown(line: &impl Line) -> String {
    let mut text = String::new();
    line.write(&mut text);
    text
}
