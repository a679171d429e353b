//! Retry-After (RFC 9110 10.2.3): seconds, or a date.

use crate::time::Duration;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAYS: [&str; 7] = ["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"];

/// How long from now the field asks for; `None` where it is malformed. `unix` is the wall clock,
/// as time since 1970. A date is read in the one form that may be sent (RFC 9110 5.6.7); one that
/// has passed asks for nothing.
pub fn retry_after(field: &str, unix: Duration) -> Option<Duration> {
    let field = field.trim();
    if field.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time all the same.
        let seconds = (!field.is_empty()).then(|| field.parse().unwrap_or(u64::MAX))?;
        return Some(Duration::from_secs(seconds));
    }
    Some(Duration::from_secs(date(field)?).saturating_sub(unix))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<u64> {
    let mut words = text.split(' ');
    words.next().filter(|day| DAYS.contains(day))?;
    let day = number(words.next()?, 2)?;
    let name = words.next()?;
    let month = u64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year = number(words.next()?, 4)?;
    let mut clock = words.next()?.split(':').map(|part| number(part, 2));
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    let over = clock.next().is_some() || words.next() != Some("GMT") || words.next().is_some();
    let lawful = (1..=31).contains(&day) && hours < 24 && minutes < 60 && seconds <= 60;
    if over || !lawful || year < 1970 {
        return None;
    }
    Some(((days(year, month, day) * 24 + hours) * 60 + minutes) * 60 + seconds)
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let lawful = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    lawful.then(|| text.parse().ok())?
}

/// Days since 1970. Years begin in March, so that the leap day is the last.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    before + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now = Duration::from_secs(784_111_777);
        let rows = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:50:00 GMT", Some(23)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Thu, 29 Feb 1996 00:00:00 GMT", Some(825_552_000 - 784_111_777)),
            ("Wed, 01 Jan 2025 00:00:00 GMT", Some(1_735_689_600 - 784_111_777)),
            // A second may leap, nothing else; and no time is before 1970.
            ("Sun, 06 Nov 1994 08:49:60 GMT", Some(23)),
            ("Sun, 06 Nov 1994 08:49:61 GMT", None),
            ("Sun, 06 Nov 1994 08:60:00 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            // Each number has its digits.
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, +6 Nov 1994 08:49:37 GMT", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("0, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT x", None),
        ];
        for (field, expected) in rows {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(field, now), expected, "{field}");
        }
    }
}
