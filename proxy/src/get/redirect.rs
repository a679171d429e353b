//! `-L`: where a response leads, and what of the request goes along.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION};
use http::{HeaderMap, Method, StatusCode};

use super::exit_code::{Exit, Failure};
use super::url::{Url, UrlError};

/// The next request of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where it goes.
    pub(crate) url: Url,
    /// How.
    pub(crate) method: Method,
    /// Whether the request's body goes along.
    pub(crate) keeps_body: bool,
    /// Whether it leaves the origin, so that secrets stay behind.
    pub(crate) leaves_origin: bool,
}

/// Where `status` and `headers` lead from `url`; `None` when the response is the final one.
///
/// The method changes as curl changes it: 301 and 302 turn POST into GET, 303 turns all but HEAD
/// into GET, 307 and 308 keep it; one that was asked for by `-X` stays. The body goes along
/// exactly when the status keeps the method (RFC 9110 15.4).
pub(crate) fn follow(
    url: &Url,
    method: &Method,
    method_is_fixed: bool,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Step>, Failure> {
    let becomes_get = match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        307 | 308 => false,
        _ => return Ok(None),
    };
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let location = String::from_utf8_lossy(location.as_bytes());
    let next = url.join(&location).map_err(|error| {
        let exit = match error {
            UrlError::Scheme(_) => Exit::UnsupportedProtocol,
            UrlError::Malformed(_) => Exit::MalformedUrl,
        };
        Failure::new(exit, format!("{url} leads to \"{location}\": {error}"))
    })?;
    Ok(Some(Step {
        leaves_origin: !url.same_origin(&next),
        url: next,
        method: if becomes_get && !method_is_fixed { Method::GET } else { method.clone() },
        keeps_body: !becomes_get,
    }))
}

/// Takes out of `headers` what the next request must not carry.
pub(crate) fn strip(headers: &mut HeaderMap, step: &Step) {
    if step.leaves_origin {
        headers.remove(AUTHORIZATION);
        headers.remove(COOKIE);
        headers.remove(HOST);
    }
    if !step.keeps_body {
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn lead(method: &Method, fixed: bool, status: u16, location: &str) -> Option<Step> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        let url = Url::parse("http://a/one").unwrap();
        follow(&url, method, fixed, StatusCode::from_u16(status).unwrap(), &headers).unwrap()
    }

    #[test]
    fn methods_change_as_curl_changes_them() {
        let table = [
            (301, Method::GET, Method::GET, true),
            (301, Method::POST, Method::GET, false),
            (301, Method::PUT, Method::PUT, true),
            (302, Method::POST, Method::GET, false),
            (303, Method::POST, Method::GET, false),
            (303, Method::PUT, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, true),
            (307, Method::POST, Method::POST, true),
            (308, Method::POST, Method::POST, true),
        ];
        for (status, from, to, keeps_body) in table {
            let step = lead(&from, false, status, "/two").unwrap();
            assert_eq!((step.method, step.keeps_body), (to, keeps_body), "{status} {from}");
        }
        assert_eq!(lead(&Method::POST, true, 302, "/two").unwrap().method, Method::POST);
    }

    #[test]
    fn only_redirects_with_a_location_lead_on() {
        for status in [200, 300, 304, 305, 306, 404] {
            assert_eq!(lead(&Method::GET, false, status, "/two"), None, "{status}");
        }
        let url = Url::parse("http://a/").unwrap();
        let found = follow(&url, &Method::GET, false, StatusCode::FOUND, &HeaderMap::new());
        assert_eq!(found.unwrap(), None);
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        let everything = || {
            let mut headers = HeaderMap::new();
            for name in [AUTHORIZATION, COOKIE, HOST, CONTENT_TYPE] {
                headers.insert(name, HeaderValue::from_static("x"));
            }
            headers
        };
        let mut headers = everything();
        strip(&mut headers, &lead(&Method::GET, false, 302, "http://b/").unwrap());
        assert_eq!(headers.keys().collect::<Vec<_>>(), [CONTENT_TYPE]);
        for elsewhere in ["https://a/", "http://a:81/", "//b/"] {
            let step = lead(&Method::GET, false, 302, elsewhere).unwrap();
            assert!(step.leaves_origin, "{elsewhere}");
        }
        let mut headers = everything();
        strip(&mut headers, &lead(&Method::POST, false, 302, "/two").unwrap());
        assert_eq!(headers.len(), 3);
        assert!(!headers.contains_key(CONTENT_TYPE));
    }

    #[test]
    fn a_location_of_another_scheme_is_an_error() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("ftp://b/"));
        let url = Url::parse("http://a/").unwrap();
        let failure = follow(&url, &Method::GET, false, StatusCode::FOUND, &headers).unwrap_err();
        assert_eq!(failure.exit, Exit::UnsupportedProtocol);
        let expected = "http://a/ leads to \"ftp://b/\": the scheme \"ftp\" is not supported";
        assert!(failure.message.starts_with(expected), "{failure}");
    }
}
