//! Answers to try a client's options on, at the paths where httpbin has them.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_RANGE, COOKIE, ETAG, IF_NONE_MATCH, LOCATION, RANGE,
    SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use regatta_core::basic::{Credentials, percent_decoded};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::handlers::{Reply, text, whole};

/// What there is to ask for.
pub(crate) const PATHS: &str = "\
\x20 /redirect/N        N redirects, then /headers
  /headers           the request's method, target and fields
  /response-headers?NAME=VALUE
                     an answer with these fields
  /cookies           the request's cookies; /cookies/set?NAME=VALUE sets some
  /basic-auth/U/P    401, unless the request names this user and password
  /bearer/TOKEN      401, unless the request has this token
  /gzip /deflate /brotli /zstd
                     a packed body
  /range/N           N letters, or the part of them that Range asks for
  /etag/TAG          304 for whom has that ETag already
";

/// What the packed bodies are when they are unpacked: a whole paragraph, or a word of brotli.
const PARAGRAPH: &str = "a packed body has the same line over and over\n";

/// The answer, if the path is one of ours.
pub(super) fn answer(head: &http::request::Parts) -> Option<Response<Reply>> {
    let path = head.uri.path().strip_prefix('/')?;
    let query = head.uri.query().unwrap_or("");
    let (name, argument) = path.split_once('/').unwrap_or((path, ""));
    Some(match (name, argument) {
        ("redirect", n) => redirect(n.parse().ok()?),
        ("headers", "") => text(StatusCode::OK, told(head)),
        ("response-headers", "") => response_headers(query),
        ("cookies", "") => cookies(&head.headers),
        ("cookies", "set") => set_cookies(query),
        ("basic-auth", pair) => {
            let (user, password) = pair.split_once('/')?;
            let expected = Credentials::typed(&format!("{user}:{password}")).basic()?;
            guarded(&head.headers, &expected, "Basic realm=\"regatta\"")
        }
        ("bearer", token) => {
            let expected = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
            guarded(&head.headers, &expected, "Bearer")
        }
        ("gzip" | "deflate" | "brotli" | "zstd", "") => packed(name)?,
        ("range", n) => range(n.parse().ok()?, &head.headers),
        ("etag", tag) => etag(tag, &head.headers),
        _ => return None,
    })
}

fn redirect(left: u32) -> Response<Reply> {
    let to = match left {
        0 | 1 => "/headers".to_owned(),
        left => format!("/redirect/{}", left - 1),
    };
    let mut response = text(StatusCode::FOUND, "see the Location field\n");
    put(&mut response, LOCATION, &to);
    response
}

/// The request, as a person would read it.
fn told(head: &http::request::Parts) -> String {
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut lines: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    format!("{} {target}\n{}", head.method, lines.concat())
}

fn response_headers(query: &str) -> Response<Reply> {
    let mut response = text(StatusCode::OK, "these are the fields\n");
    for (name, value) in pairs(query) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn cookies(headers: &HeaderMap) -> Response<Reply> {
    let mut found = String::new();
    for value in headers.get_all(COOKIE) {
        found.push_str(&String::from_utf8_lossy(value.as_bytes()));
        found.push('\n');
    }
    text(StatusCode::OK, found)
}

fn set_cookies(query: &str) -> Response<Reply> {
    let mut response = text(StatusCode::FOUND, "the cookies are set\n");
    put(&mut response, LOCATION, "/cookies");
    for (name, value) in pairs(query) {
        if let Ok(cookie) = HeaderValue::from_str(&format!("{name}={value}; Path=/")) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

fn guarded(headers: &HeaderMap, expected: &HeaderValue, challenge: &str) -> Response<Reply> {
    if headers.get(AUTHORIZATION).is_some_and(|given| given == expected) {
        return text(StatusCode::OK, "come in\n");
    }
    let mut response = text(StatusCode::UNAUTHORIZED, "who are you?\n");
    put(&mut response, WWW_AUTHENTICATE, challenge);
    response
}

fn packed(name: &str) -> Option<Response<Reply>> {
    let plain = PARAGRAPH.repeat(200);
    let (encoding, bytes) = match name {
        "gzip" => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(plain.as_bytes()).ok()?;
            ("gzip", gzip.finish().ok()?)
        }
        "deflate" => {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
            zlib.write_all(plain.as_bytes()).ok()?;
            ("deflate", zlib.finish().ok()?)
        }
        "zstd" => ("zstd", compress_to_vec(plain.as_bytes(), CompressionLevel::Fastest)),
        // "hello", from the brotli program.
        _ => ("br", vec![0x0b, 0x02, 0x80, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03]),
    };
    let mut response = text(StatusCode::OK, "");
    *response.body_mut() = whole(bytes.into());
    put(&mut response, CONTENT_ENCODING, encoding);
    Some(response)
}

/// One range of RFC 9110 14.1.2; of several the whole is sent.
fn range(count: usize, headers: &HeaderMap) -> Response<Reply> {
    let letters: Bytes = (b'a'..=b'z').cycle().take(count.min(1 << 20)).collect();
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let Some((from, to)) = asked.and_then(|range| range.split_once('-')) else {
        return text_of(StatusCode::OK, letters);
    };
    if to.contains(',') {
        return text_of(StatusCode::OK, letters);
    }
    let last = letters.len().saturating_sub(1);
    let part = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) if from <= last => Some((from, to.min(last))),
        (Ok(from), Err(_)) if from <= last => Some((from, last)),
        (Err(_), Ok(length)) if length > 0 => Some((letters.len().saturating_sub(length), last)),
        _ => None,
    };
    let Some((from, to)) = part.filter(|(from, to)| from <= to) else {
        let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "no such part\n");
        put(&mut response, CONTENT_RANGE, &format!("bytes */{}", letters.len()));
        return response;
    };
    let mut response = text_of(StatusCode::PARTIAL_CONTENT, letters.slice(from..=to));
    put(&mut response, CONTENT_RANGE, &format!("bytes {from}-{to}/{}", letters.len()));
    response
}

fn etag(tag: &str, headers: &HeaderMap) -> Response<Reply> {
    let quoted = format!("\"{tag}\"");
    let mut response = if headers.get(IF_NONE_MATCH).is_some_and(|given| *given == *quoted) {
        let mut bare = text_of(StatusCode::NOT_MODIFIED, Bytes::new());
        bare.headers_mut().clear();
        bare
    } else {
        text(StatusCode::OK, format!("this is {tag}\n"))
    };
    put(&mut response, ETAG, &quoted);
    response
}

fn text_of(status: StatusCode, body: Bytes) -> Response<Reply> {
    let mut response = text(status, "");
    *response.body_mut() = whole(body);
    response
}

fn put(response: &mut Response<Reply>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The pairs of a query, decoded.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let decode = |text: &str| {
            let bytes = percent_decoded(text);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Some((decode(name), decode(value)))
    })
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt as _;

    use super::*;

    async fn ask(path: &str, name: HeaderName, value: &str) -> (u16, HeaderMap, Bytes) {
        let request = Request::builder().uri(path).header(name, value).body(()).unwrap();
        let (head, ()) = request.into_parts();
        let (head, body) = answer(&head).unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, body)
    }

    #[tokio::test]
    async fn ranges_are_those_of_rfc_9110() {
        for (asked, status, meant) in [
            ("bytes=0-2", 206, "abc"),
            ("bytes=23-", 206, "xyz"),
            ("bytes=-2", 206, "yz"),
            ("bytes=20-99", 206, "uvwxyz"),
            ("bytes=26-", 416, "no such part\n"),
            ("letters=0-2", 200, "abcdefghijklmnopqrstuvwxyz"),
        ] {
            let (code, _, body) = ask("/range/26", RANGE, asked).await;
            assert_eq!((code, &body[..]), (status, meant.as_bytes()), "{asked}");
        }
    }

    #[tokio::test]
    async fn guards_know_their_words() {
        assert_eq!(ask("/basic-auth/a/b", AUTHORIZATION, "Basic YTpi").await.0, 200);
        assert_eq!(ask("/basic-auth/a/c", AUTHORIZATION, "Basic YTpi").await.0, 401);
        assert_eq!(ask("/bearer/x", AUTHORIZATION, "Bearer x").await.0, 200);
        assert_eq!(ask("/etag/x", IF_NONE_MATCH, "\"x\"").await.0, 304);
    }

    #[tokio::test]
    async fn fields_and_cookies_are_told_and_set() {
        let (_, _, told) = ask("/headers?q", COOKIE, "a=b").await;
        assert_eq!(told, "GET /headers?q\ncookie: a=b\n");
        assert_eq!(ask("/cookies", COOKIE, "a=b").await.2, "a=b\n");
        let (_, headers, _) = ask("/cookies/set?a=b%20c", COOKIE, "x=y").await;
        assert_eq!(headers[SET_COOKIE], "a=b c; Path=/");
        let (_, headers, _) = ask("/response-headers?X-A=b", COOKIE, "x=y").await;
        assert_eq!(headers["x-a"], "b");
        let (_, headers, _) = ask("/redirect/3", COOKIE, "x=y").await;
        assert_eq!(headers[LOCATION], "/redirect/2");
        for name in ["gzip", "deflate", "brotli", "zstd"] {
            let (code, headers, body) = ask(&format!("/{name}"), COOKIE, "x=y").await;
            assert!(code == 200 && headers.contains_key(CONTENT_ENCODING) && body.len() < 500);
        }
    }
}
