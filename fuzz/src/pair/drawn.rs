//! Draws heads, bodies and trailers that a caller may say.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use regatta_models::tape::Tape;

/// Fields whose names begin so are compared; the others are the engines' own.
const OURS: &str = "x-";

/// A request whose path says which exchange it is.
pub(super) fn request(tape: &mut Tape, number: usize, is_http1: bool) -> Request<()> {
    let mut request = Request::new(());
    let methods = [Method::GET, Method::POST, Method::HEAD, Method::PUT];
    *request.method_mut() = tape.pick("method", &methods);
    // The tape has no part in it: it is always a URI.
    let uri = format!("http://a/{number}").try_into();
    *request.uri_mut() = uri.unwrap_or_default();
    *request.headers_mut() = fields(tape);
    if is_http1 && tape.one_in("close", 8) {
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    request
}

/// Which exchange a heard request belongs to.
pub(super) fn number(request: &Request<()>) -> Option<usize> {
    request.uri().path().strip_prefix('/')?.parse().ok()
}

/// A final response.
pub(super) fn response(tape: &mut Tape, is_http1: bool) -> Response<()> {
    let mut response = Response::new(());
    let codes = [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::NO_CONTENT];
    let more = [StatusCode::NOT_MODIFIED, StatusCode::INTERNAL_SERVER_ERROR];
    *response.status_mut() = tape.pick("status", &[codes.as_slice(), &more].concat());
    *response.headers_mut() = fields(tape);
    if is_http1 && tape.one_in("close", 8) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// 103 with a field.
pub(super) fn hint(tape: &mut Tape) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::EARLY_HINTS;
    *response.headers_mut() = fields(tape);
    response
}

/// A few fields, some of them longer than a frame.
fn fields(tape: &mut Tape) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for _ in 0..tape.draw("fields", 4) {
        let names = ["x-a", "x-b", "x-c", "x-a-longer-name"];
        let name = HeaderName::from_static(tape.pick("name", &names));
        let length = tape.pick("value", &[1, 0, 30, 300, 5_000]);
        let letter = tape.pick("letter", &[b'v', b'\t', b' ', 0xff]);
        let mut value = vec![b'v'; length];
        // Blanks at either end would not be part of the value.
        if let [_, middle @ .., _] = value.as_mut_slice() {
            middle.fill(letter);
        }
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            fields.append(name, value);
        }
    }
    fields
}

pub(super) fn trailers(tape: &mut Tape) -> HeaderMap {
    let mut trailers = fields(tape);
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    trailers
}

/// The fields that are compared.
pub(super) fn ours(headers: &HeaderMap) -> HeaderMap {
    let ours = headers.iter().filter(|(name, _)| name.as_str().starts_with(OURS));
    ours.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The next bytes of a body: each differs from its neighbours, so that none can be missed.
pub(super) fn body(tape: &mut Tape, already: usize, most: u32) -> Vec<u8> {
    let wide = tape.pick("most", &[40, 1, 3_000, 40_000]).min(most);
    let length = tape.draw("length", wide) as usize;
    (already..already + length).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect()
}
