//! What a server's answers say of where else it is: the field Alt-Svc (RFC 7838 3).

use http::HeaderValue;

use super::Config;
use crate::altsvc::{Alternative, MAX_AGE, Offer, Said};
use crate::time::Duration;
use crate::types::Protocol;

/// What a server's answers say of where else it is. A service that says something itself is not
/// talked over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advertise {
    /// Nothing.
    Off,
    /// That HTTP/3 is on the same host, at the port where this server speaks it; a server that
    /// does not, and a connection in plain text, says nothing. The default.
    Http3 {
        /// How long a client may remember it. Default a day (RFC 7838 3.1).
        max_age: Duration,
    },
    /// These words, on every connection that is under TLS: for a server that clients reach at
    /// another port than its own.
    Said(Said),
}

impl Default for Advertise {
    fn default() -> Self {
        Self::Http3 { max_age: MAX_AGE }
    }
}

/// A server's field, and which of its answers have it.
#[derive(Clone, Debug, Default)]
pub struct Advertised {
    field: Option<HeaderValue>,
    on_http3: bool,
}

impl Advertised {
    /// Of a server that speaks HTTP/3 at this port of UDP, if it does.
    pub fn new(config: &Config, udp_port: Option<u16>) -> Self {
        let said = match &config.advertise {
            Advertise::Off => None,
            Advertise::Said(said) => Some(said.clone()),
            Advertise::Http3 { max_age } => udp_port.filter(|port| *port != 0).map(|port| {
                let offer = Offer::new(Alternative::http3(port));
                Said::Offers(vec![Offer { max_age: *max_age, ..offer }])
            }),
        };
        // Names, quotes and digits alone: no field refuses that.
        let field = said.and_then(|said| HeaderValue::try_from(said.to_string()).ok());
        Self { field, on_http3: config.advertise_on_http3 }
    }

    /// The field's value in answers on such a connection, if they have it: a client on HTTP/3
    /// knows the way already, and an `http` origin has no name that an alternative could prove.
    pub fn on(&self, protocol: Protocol, is_secure: bool) -> Option<&HeaderValue> {
        let has_it = is_secure && (protocol != Protocol::Http3 || self.on_http3);
        self.field.as_ref().filter(|_| has_it)
    }
}
