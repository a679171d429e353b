//! What of a response, or of a frame, is to be learnt.

use http::header::{AGE, ALT_SVC};
use http::{HeaderMap, Response, StatusCode, Uri};

use super::{Frame, Heard, Said, Source, parse};
use crate::time::Duration;
use crate::types::{Origin, Scheme};

/// Most bytes of a response's Alt-Svc fields that are read: room for a hundred alternatives.
const FIELD_MAX: usize = 4_096;

/// What a final response to a request for `asked` says about alternatives, on a connection that
/// is `origin`'s by its certificate; `None` where nothing is to be learnt.
///
/// - Nothing over plain text, which proves nothing (RFC 7838 2.1).
/// - Nothing of a 421, whose sender does not speak for the origin (RFC 7838 6, AS-9).
/// - Nothing where the request was for somebody else: a proxy's answer is not about the proxy.
/// - Nothing of a field that cannot be read: what is known stays.
pub fn heard(origin: &Origin, asked: &Uri, response: &Response<()>) -> Option<(Said, Heard)> {
    let (fields, status) = (response.headers(), response.status());
    if !fields.contains_key(ALT_SVC) || status == StatusCode::MISDIRECTED_REQUEST {
        return None;
    }
    if origin.scheme != Scheme::Https || Origin::of(asked).as_ref() != Ok(origin) {
        return None;
    }
    let values = fields.get_all(ALT_SVC).into_iter().map(http::HeaderValue::as_bytes);
    let said = parse(values, FIELD_MAX).ok()?.said;
    Some((said, Heard { source: Source::Field, age: age(fields) }))
}

/// What an ALTSVC frame with this payload says, on the stream of this number and on a connection
/// that is `origin`'s by its certificate. A frame that names another origin says nothing here:
/// connections are not shared between origins.
pub fn heard_frame(origin: &Origin, stream: u32, payload: &[u8]) -> Option<(Said, Heard)> {
    let frame = Frame::read(stream, payload).ok()?;
    if origin.scheme != Scheme::Https || frame.origin.is_some_and(|named| named != *origin) {
        return None;
    }
    let said = parse([frame.value], FIELD_MAX).ok()?.said;
    Some((said, Heard::from(Source::Frame)))
}

/// How old the response is: the first member of Age, in seconds; what is no number is nothing,
/// and what does not fit is as much as fits (RFC 9111 5.1, 1.2.2).
fn age(fields: &HeaderMap) -> Duration {
    let first = fields.get(AGE).and_then(|value| value.to_str().ok());
    let digits = first.and_then(|value| value.split(',').next()).map_or("", str::trim);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::ZERO;
    }
    Duration::from_secs(digits.parse::<u32>().unwrap_or(u32::MAX).into())
}
