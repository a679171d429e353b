//! `-L`: where a response leads, and what becomes of the request.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use super::exit_code::{Exit, Failure};
use super::url::{Url, UrlError};
use crate::cli::GetArgs;

/// What kind of request it is; `-X` only gives it another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Head,
    /// With a body of `-d`, `--json` or `-F`.
    Post,
    /// With a body of `-T`.
    Put,
}

impl Kind {
    /// The method that it has by itself.
    pub(crate) fn method(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Head => http::Method::HEAD,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
        }
    }

    /// Whether its body is sent.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }

    /// What it becomes after a redirect of this status: 301 and 302 turn POST into GET, 303 turns
    /// all but HEAD into GET, unless they were told not to (RFC 9110 15.4).
    pub(crate) fn after(self, status: StatusCode, args: &GetArgs) -> Self {
        let keeps = match status.as_u16() {
            301 => args.request.post301,
            302 => args.request.post302,
            303 => args.request.post303,
            _ => true,
        };
        match (self, status.as_u16()) {
            (Self::Post, 301..=303) if !keeps => Self::Get,
            (Self::Put, 303) => Self::Get,
            (kind, _) => kind,
        }
    }
}

/// Where `status` and `headers` lead from `url`; `None` when they lead nowhere.
pub(crate) fn target(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Result<Url, Failure>> {
    if !status.is_redirection() {
        return None;
    }
    let location = headers.get(LOCATION)?;
    let location = String::from_utf8_lossy(location.as_bytes());
    if location.trim().is_empty() {
        return None;
    }
    Some(url.join(&location).map_err(|error| {
        let exit = match error {
            UrlError::Scheme(_) => Exit::UnsupportedProtocol,
            UrlError::Malformed(_) => Exit::MalformedUrl,
        };
        Failure::new(exit, format!("{url} leads to \"{location}\": {error}"))
    }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn args(line: &str) -> GetArgs {
        crate::cli::tests::get(&format!("{line} a")).unwrap()
    }

    #[test]
    fn kinds_change_as_curl_changes_them() {
        let table = [
            (301, Kind::Get, Kind::Get),
            (301, Kind::Post, Kind::Get),
            (301, Kind::Put, Kind::Put),
            (302, Kind::Post, Kind::Get),
            (303, Kind::Post, Kind::Get),
            (303, Kind::Put, Kind::Get),
            (303, Kind::Head, Kind::Head),
            (307, Kind::Post, Kind::Post),
            (308, Kind::Put, Kind::Put),
        ];
        for (status, from, to) in table {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(from.after(status, &args("-L")), to, "{status} {from:?}");
        }
        for (status, option) in [(301, "--post301"), (302, "--post302"), (303, "--post303")] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Kind::Post.after(status, &args(option)), Kind::Post, "{option}");
        }
    }

    #[test]
    fn only_redirects_with_a_location_lead_on() {
        let url = Url::parse("http://a/one").unwrap();
        let mut headers = HeaderMap::new();
        assert!(target(&url, StatusCode::FOUND, &headers).is_none());
        headers.insert(LOCATION, HeaderValue::from_static("/two"));
        assert!(target(&url, StatusCode::OK, &headers).is_none());
        let two = target(&url, StatusCode::FOUND, &headers).unwrap().unwrap();
        assert_eq!(two.to_string(), "http://a/two");
    }

    #[test]
    fn a_location_of_another_scheme_is_an_error() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("ftp://b/"));
        let url = Url::parse("http://a/").unwrap();
        let failure = target(&url, StatusCode::FOUND, &headers).unwrap().unwrap_err();
        assert_eq!(failure.exit, Exit::UnsupportedProtocol);
        let expected = "http://a/ leads to \"ftp://b/\": the scheme \"ftp\" is not supported";
        assert!(failure.message.starts_with(expected), "{failure}");
    }
}
