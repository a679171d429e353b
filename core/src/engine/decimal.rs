//! Numbers in fields.

use http::HeaderValue;

/// The most digits that a number has.
const MOST: usize = 20;

/// A number's digits. What formats anything takes ten times as long, for each message.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; MOST],
    first: usize,
}

impl Decimal {
    /// The digits of `number`.
    pub fn of(mut number: u64) -> Self {
        let (mut digits, mut first) = ([b'0'; MOST], MOST);
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            // Below 10.
            *digit = b'0' + (number % 10) as u8;
            first = at;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { digits, first }
    }

    /// As they are written.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.first..).unwrap_or_default()
    }

    /// As a field's value.
    pub fn value(&self) -> HeaderValue {
        // Digits alone: no field refuses them.
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or(HeaderValue::from_static("0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_as_they_are_formatted() {
        let powers = (0..20).map(|n| 10_u64.pow(n));
        let all = powers.flat_map(|power| [power - 1, power, power + 1]).chain([13, u64::MAX]);
        for number in all {
            let decimal = Decimal::of(number);
            assert_eq!(decimal.as_bytes(), number.to_string().as_bytes());
            assert_eq!(decimal.value(), HeaderValue::from(number));
        }
    }
}
