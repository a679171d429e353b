//! How alternatives and the settings of the race are written and read.

use std::sync::Arc;

use super::text::Value;
use crate::altsvc::{Alternative, HttpsRecords, Offer, Said};
use crate::race::Delay;
#[cfg(test)]
use crate::time::Duration;
use crate::types::Protocol;

impl Value for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![false, true]
    }
}

/// `clear`, or the offers, each ended by `;`.
impl Value for Said {
    fn expected() -> String {
        format!("clear, or for each alternative {}", Offer::expected())
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Clear => out.push_str("clear"),
            Self::Offers(offers) => {
                for offer in offers {
                    offer.write(out);
                    out.push(';');
                }
            }
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "clear" {
            return Some(Self::Clear);
        }
        let ended = |part: &str| Offer::read(part.strip_suffix(';')?);
        text.split_inclusive(';').map(ended).collect::<Option<_>>().map(Self::Offers)
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        vec![Self::Clear, Self::Offers(Vec::new()), Self::Offers(Offer::samples())]
    }
}

/// `unavailable`, `alias:name`, or the offers of services as [`Said`] has them.
impl Value for HttpsRecords {
    fn expected() -> String {
        format!("unavailable, alias:name, or for each service {}", Offer::expected())
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Unavailable => out.push_str("unavailable"),
            Self::Alias(name) => {
                out.push_str("alias:");
                Arc::<str>::from(&**name).write(out);
            }
            Self::Offers(offers) => Said::Offers(offers.clone()).write(out),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "unavailable" {
            return Some(Self::Unavailable);
        }
        if let Some(name) = text.strip_prefix("alias:") {
            return Some(Self::Alias(Box::from(&*Arc::<str>::read(name)?)));
        }
        match Said::read(text)? {
            Said::Clear => None,
            Said::Offers(offers) => Some(Self::Offers(offers)),
        }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let alias = Self::Alias("svc.test".into());
        vec![Self::Unavailable, alias, Self::Offers(vec![]), Self::Offers(Offer::samples())]
    }
}

/// With slashes between its parts, the host last, which is missing where it is the origin's own.
impl Value for Offer {
    fn expected() -> String {
        "protocol/port/age/persist/host;".to_owned()
    }

    fn write(&self, out: &mut String) {
        let Self { alternative: Alternative { protocol, host, port }, max_age, persist } = self;
        protocol.write(out);
        out.push('/');
        port.write(out);
        out.push('/');
        max_age.write(out);
        out.push('/');
        persist.write(out);
        if let Some(host) = host {
            out.push('/');
            put_name(host, ';', out);
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '/');
        let (protocol, port) = (Protocol::read(parts.next()?)?, Value::read(parts.next()?)?);
        let (max_age, persist) = (Value::read(parts.next()?)?, Value::read(parts.next()?)?);
        let host = match parts.next() {
            None => None,
            Some(host) => Some(Box::from(&*Arc::<str>::read(host)?)),
        };
        Some(Self { alternative: Alternative { protocol, host, port }, max_age, persist })
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let hosts = [None, Some("alt.test"), Some("2001:db8::1"), Some(""), Some("a;/ b")];
        let ages = [Duration::ZERO, Duration::from_secs(86_400), Duration::from_nanos(1)];
        let both = hosts.into_iter().zip(ages.into_iter().cycle());
        let one = |(host, max_age): (Option<&str>, _)| Self {
            alternative: Alternative {
                protocol: Protocol::Http3,
                host: host.map(Box::from),
                port: 8_443,
            },
            max_age,
            persist: host.is_some(),
        };
        both.map(one).collect()
    }
}

/// A name in which one more character stands for nothing but itself.
fn put_name(name: &str, reserved: char, out: &mut String) {
    let mut text = String::new();
    Arc::<str>::from(name).write(&mut text);
    out.push_str(&text.replace(reserved, &format!("%{:02X}", u32::from(reserved))));
}

/// Each ended by a comma.
impl Value for Vec<Box<str>> {
    fn expected() -> String {
        "names, each with a comma behind it".to_owned()
    }

    fn write(&self, out: &mut String) {
        for name in self {
            put_name(name, ',', out);
            out.push(',');
        }
    }

    fn read(text: &str) -> Option<Self> {
        let ended = |part: &str| Some(Box::from(&*Arc::<str>::read(part.strip_suffix(',')?)?));
        text.split_inclusive(',').map(ended).collect()
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let one = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        vec![one(&[]), one(&[".a.test"]), one(&["", "a,b", ".c.test"])]
    }
}

/// `300ms`, or `1500/10ms/300ms` where it hangs on the round trip.
impl Value for Delay {
    fn expected() -> String {
        "a time, or permille/least/most".to_owned()
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Fixed(delay) => delay.write(out),
            Self::RoundTrip { permille, least, most } => {
                permille.write(out);
                out.push('/');
                least.write(out);
                out.push('/');
                most.write(out);
            }
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (first, rest) = (parts.next()?, (parts.next(), parts.next(), parts.next()));
        match rest {
            (None, ..) => Value::read(first).map(Self::Fixed),
            (Some(least), Some(most), None) => Some(Self::RoundTrip {
                permille: Value::read(first)?,
                least: Value::read(least)?,
                most: Value::read(most)?,
            }),
            _ => None,
        }
    }

    #[cfg(test)]
    fn samples() -> Vec<Self> {
        let ms = Duration::from_millis;
        let scaled = Self::RoundTrip { permille: 1_500, least: ms(10), most: ms(300) };
        vec![Self::Fixed(ms(300)), scaled]
    }
}
