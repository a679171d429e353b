//! Quantities as people write them: `20ms`, `64KiB`, `10Mbit/s`, `1%`.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use regatta_core::rng::Rng;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Millionths in a whole.
const MILLION: u64 = 1_000_000;

/// A time: `250us`, `20ms`, `1.5s`, `2min`, `1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A time, or `"none"` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOrNone(pub Option<Duration>);

/// A number of bytes: `1500`, `"64KiB"`, `"10MB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A number of bytes, or `"none"` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesOrNone(pub Option<u64>);

/// Bits in a second: `"64kbit/s"`, `"10Mbit/s"`, `"1Gbit/s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// Millionths: `"1%"`, or a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

/// A whole number, or `"none"` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberOrNone(pub Option<u32>);

/// A number that is 1 or more, or `"none"` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountOrNone(pub Option<NonZeroU32>);

/// A value of any kind, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain(pub String);

/// A quantity, or two with `..` between them: one in that range is drawn each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range<T> {
    /// The least.
    pub least: T,
    /// The most.
    pub most: T,
}

/// What a quantity is read from and shown as.
pub trait Quantity: Sized {
    /// What is expected, for people.
    const EXPECTED: &'static str;

    /// Reads it; `None` when the text is something else.
    fn read(text: &str) -> Option<Self>;
}

/// Splits `12.5ms` into 12.5 in millionths and `ms`.
fn number_and_unit(text: &str) -> Option<(u128, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 6 || number.ends_with('.') {
        return None;
    }
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = format!("{fraction:0<6}").parse().ok()?;
    Some((whole * u128::from(MILLION) + fraction, unit.trim_start()))
}

/// A number times its unit, exact.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    let all = number * u128::from(*scale);
    let exact = all.is_multiple_of(u128::from(MILLION));
    u64::try_from(all / u128::from(MILLION)).ok().filter(|_| exact)
}

impl Quantity for Time {
    const EXPECTED: &'static str = "a time such as \"250us\", \"20ms\", \"1.5s\" or \"2min\"";

    fn read(text: &str) -> Option<Self> {
        let units = [
            ("ns", 1),
            ("us", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("min", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ];
        scaled(text, &units).map(|nanos| Self(Duration::from_nanos(nanos)))
    }
}

impl Quantity for TimeOrNone {
    const EXPECTED: &'static str = "a time such as \"20ms\" or \"1.5s\", or \"none\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self(None)),
            text => Time::read(text).map(|time| Self(Some(time.0))),
        }
    }
}

impl Quantity for Bytes {
    const EXPECTED: &'static str = "a number of bytes such as 1500, \"64KiB\" or \"10MB\"";

    fn read(text: &str) -> Option<Self> {
        let units = [
            ("", 1),
            ("B", 1),
            ("kB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ];
        scaled(text, &units).map(Self)
    }
}

impl Quantity for Rate {
    const EXPECTED: &'static str = "a rate such as \"64kbit/s\", \"10Mbit/s\" or \"1Gbit/s\"";

    fn read(text: &str) -> Option<Self> {
        let units = [
            ("bit/s", 1),
            ("kbit/s", 1_000),
            ("Mbit/s", 1_000_000),
            ("Gbit/s", 1_000_000_000),
            ("B/s", 8),
            ("kB/s", 8_000),
            ("MB/s", 8_000_000),
        ];
        scaled(text, &units).filter(|bits| *bits > 0).map(Self)
    }
}

impl Quantity for Share {
    const EXPECTED: &'static str = "a share such as \"1%\" or 0.01, from 0 to 1";

    fn read(text: &str) -> Option<Self> {
        let millionths = scaled(text, &[("%", MILLION / 100), ("", MILLION)])?;
        u32::try_from(millionths).ok().filter(|all| u64::from(*all) <= MILLION).map(Self)
    }
}

impl Quantity for NumberOrNone {
    const EXPECTED: &'static str = "a whole number, or \"none\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self(None)),
            text => text.parse().ok().map(|number| Self(Some(number))),
        }
    }
}

impl Quantity for CountOrNone {
    const EXPECTED: &'static str = "a whole number from 1 on, or \"none\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self(None)),
            text => text.parse().ok().map(|number| Self(Some(number))),
        }
    }
}

impl Quantity for Plain {
    const EXPECTED: &'static str = "a text or a number";

    fn read(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }
}

impl Quantity for BytesOrNone {
    const EXPECTED: &'static str = "a number of bytes such as 1500 or \"64KiB\", or \"none\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self(None)),
            text => Bytes::read(text).map(|bytes| Self(Some(bytes.0))),
        }
    }
}

impl Quantity for Range<Time> {
    const EXPECTED: &'static str = "a time such as \"20ms\", or a range such as \"5ms..20ms\"";

    fn read(text: &str) -> Option<Self> {
        range(text)
    }
}

impl Quantity for Range<Bytes> {
    const EXPECTED: &'static str =
        "a number of bytes such as \"64KiB\", or a range such as \"1kB..1MB\"";

    fn read(text: &str) -> Option<Self> {
        range(text)
    }
}

fn range<T: Quantity + Copy + PartialOrd>(text: &str) -> Option<Range<T>> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (T::read(least)?, T::read(most)?);
    (least <= most).then_some(Range { least, most })
}

impl Range<Time> {
    /// One of them.
    pub fn draw(&self, rng: &mut Rng) -> Duration {
        let (least, most) = (self.least.0, self.most.0);
        let span = u64::try_from((most - least).as_nanos()).unwrap_or(u64::MAX - 1);
        least + Duration::from_nanos(rng.below(span + 1))
    }
}

impl Range<Bytes> {
    /// One of them.
    pub const fn draw(&self, rng: &mut Rng) -> u64 {
        self.least.0 + rng.below(self.most.0 - self.least.0 + 1)
    }
}

struct Reader<T>(core::marker::PhantomData<T>);

impl<T: Quantity> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::read(&number.to_string())
            .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::read(&number.to_string())
            .ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
    }
}

macro_rules! read {
    ($($quantity:ty,)*) => {
        $(impl<'de> Deserialize<'de> for $quantity {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Reader(core::marker::PhantomData))
            }
        })*
    };
}

read! {
    Time, TimeOrNone, Bytes, BytesOrNone, Rate, Share, NumberOrNone, CountOrNone, Plain,
    Range<Time>, Range<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let all = [
            ("0ms", Some(0)),
            ("250us", Some(250_000)),
            ("20 ms", Some(20_000_000)),
            ("1.5s", Some(1_500_000_000)),
            ("2min", Some(120_000_000_000)),
            ("0.000001ms", Some(1)),
            ("0.0000001ms", None),
            ("1.5ns", None),
            ("20", None),
            ("-1ms", None),
            ("ms", None),
            ("1.ms", None),
        ];
        for (text, nanos) in all {
            let expected = nanos.map(|nanos| Time(Duration::from_nanos(nanos)));
            assert_eq!(Time::read(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_rates_and_shares() {
        assert_eq!(Bytes::read("64KiB"), Some(Bytes(65_536)));
        assert_eq!(Bytes::read("1.5kB"), Some(Bytes(1_500)));
        assert_eq!(Bytes::read("64kb"), None);
        assert_eq!(Rate::read("10Mbit/s"), Some(Rate(10_000_000)));
        assert_eq!(Rate::read("1MB/s"), Some(Rate(8_000_000)));
        assert_eq!(Rate::read("0bit/s"), None);
        assert_eq!(Share::read("2.5%"), Some(Share(25_000)));
        assert_eq!(Share::read("0.01"), Some(Share(10_000)));
        assert_eq!(Share::read("1"), Some(Share(1_000_000)));
        assert_eq!(Share::read("101%"), None);
        assert_eq!(NumberOrNone::read("none"), Some(NumberOrNone(None)));
        assert_eq!(CountOrNone::read("0"), None);
        assert_eq!(BytesOrNone::read("none"), Some(BytesOrNone(None)));
        assert_eq!(BytesOrNone::read("2KiB"), Some(BytesOrNone(Some(2_048))));
        assert_eq!(BytesOrNone::read("2s"), None);
    }

    #[test]
    fn ranges_hold_both_their_ends() {
        let range = Range::<Bytes>::read("1..3").unwrap();
        let mut rng = Rng::new(1);
        let mut seen: Vec<u64> = (0..100).map(|_| range.draw(&mut rng)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2, 3]);
        assert_eq!(Range::<Time>::read("5ms..2ms"), None);
        let one = Range::<Time>::read("5ms").unwrap();
        assert_eq!(one.draw(&mut rng), Duration::from_millis(5));
    }
}
