//! `-w`: a text with the transfer's variables in it.

use std::fmt::Write as _;

use http::Version;

use super::report::Report;

/// What is written, and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

/// A variable's value.
enum Value {
    Text(Option<String>),
    Number(u64),
    Seconds(f64),
    /// Three digits.
    Status(u16),
}

/// All variables, in the order of `%{json}`.
const NAMES: [&str; 41] = [
    "certs",
    "content_type",
    "errormsg",
    "exitcode",
    "filename_effective",
    "ftp_entry_path",
    "http_code",
    "http_connect",
    "http_version",
    "local_ip",
    "local_port",
    "method",
    "num_certs",
    "num_connects",
    "num_headers",
    "num_redirects",
    "proxy_ssl_verify_result",
    "redirect_url",
    "referer",
    "remote_ip",
    "remote_port",
    "response_code",
    "scheme",
    "size_download",
    "size_header",
    "size_request",
    "size_upload",
    "speed_download",
    "speed_upload",
    "ssl_verify_result",
    "time_appconnect",
    "time_connect",
    "time_namelookup",
    "time_pretransfer",
    "time_redirect",
    "time_starttransfer",
    "time_total",
    "url",
    "url_effective",
    "urlnum",
    "curl_version",
];

/// Fills `format` in. A variable that nobody knows is said on standard error.
pub(crate) fn fill(format: &str, report: &Report) -> Written {
    let mut written = Written::default();
    let mut to_err = false;
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        let mut text = String::new();
        let next = behind.chars().next();
        rest = match (c, next) {
            ('%', Some('%')) => {
                text.push('%');
                &behind[1..]
            }
            ('%', Some('{')) => match behind[1..].split_once('}') {
                None => {
                    text.push_str("%{");
                    &behind[1..]
                }
                Some((name, behind)) => {
                    match name {
                        "onerror" if report.failure.is_none() => return written,
                        "onerror" => {}
                        "stdout" => to_err = false,
                        "stderr" => to_err = true,
                        name => match text_of(name, report) {
                            Some(value) => text = value,
                            None => {
                                let said = format!("regatta: -w knows no variable \"{name}\"\n");
                                written.err.extend_from_slice(said.as_bytes());
                            }
                        },
                    }
                    behind
                }
            },
            ('%', Some('h')) if behind.starts_with("header{") => {
                match behind["header{".len()..].split_once('}') {
                    None => {
                        text.push_str("%header{");
                        &behind["header{".len()..]
                    }
                    Some((name, behind)) => {
                        let first = report.headers.get(name);
                        text.extend(first.map(|v| String::from_utf8_lossy(v.as_bytes())));
                        behind
                    }
                }
            }
            ('%', Some(other)) => {
                text.extend(['%', other]);
                &behind[other.len_utf8()..]
            }
            ('\\', Some(escaped)) => {
                text.push_str(&unescaped(escaped));
                &behind[escaped.len_utf8()..]
            }
            _ => {
                text.push(c);
                behind
            }
        };
        let to = if to_err { &mut written.err } else { &mut written.out };
        to.extend_from_slice(text.as_bytes());
    }
    written
}

fn unescaped(c: char) -> String {
    match c {
        'n' => "\n".to_owned(),
        'r' => "\r".to_owned(),
        't' => "\t".to_owned(),
        other => format!("\\{other}"),
    }
}

fn text_of(name: &str, report: &Report) -> Option<String> {
    match name {
        "json" => Some(json(report)),
        "header_json" => Some(header_json(report)),
        name => value(name, report).map(Value::plain),
    }
}

fn value(name: &str, report: &Report) -> Option<Value> {
    let header = |name: &str| {
        let value = report.headers.get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let ip = |end: Option<std::net::SocketAddr>| end.map(|end| end.ip().to_string());
    let port = |end: Option<std::net::SocketAddr>| u64::from(end.map_or(0, |end| end.port()));
    let times = &report.times;
    Some(match name {
        "certs" | "ftp_entry_path" => Value::Text(None),
        "content_type" => Value::Text(header("content-type")),
        "errormsg" => Value::Text(report.failure.as_ref().map(|failure| failure.message.clone())),
        "exitcode" => {
            Value::Number(report.failure.as_ref().map_or(0, |failure| failure.exit as u64))
        }
        "filename_effective" => {
            Value::Text(report.file.as_ref().map(|file| file.display().to_string()))
        }
        "http_code" | "response_code" => Value::Status(report.status.unwrap_or(0)),
        "http_connect" => Value::Status(report.tunnel_status.unwrap_or(0)),
        "http_version" => Value::Text(Some(version(report.version).to_owned())),
        "local_ip" => Value::Text(ip(report.ends.local)),
        "local_port" => Value::Number(port(report.ends.local)),
        "method" => Value::Text(Some(report.method.clone())),
        "num_certs" | "proxy_ssl_verify_result" => Value::Number(0),
        "num_connects" => Value::Number(report.connects),
        "num_headers" => Value::Number(report.headers.len() as u64),
        "num_redirects" => Value::Number(report.redirects),
        "redirect_url" => Value::Text(report.redirect_url.clone()),
        "referer" => Value::Text(report.referer.clone()),
        "remote_ip" => Value::Text(ip(report.ends.remote)),
        "remote_port" => Value::Number(port(report.ends.remote)),
        "scheme" => Value::Text(scheme(report)),
        "size_download" => Value::Number(report.downloaded),
        "size_header" => Value::Number(report.header_bytes),
        "size_request" => Value::Number(report.request_bytes),
        "size_upload" => Value::Number(report.uploaded),
        "speed_download" => Value::Number(report.speed(report.downloaded)),
        "speed_upload" => Value::Number(report.speed(report.uploaded)),
        "ssl_verify_result" => Value::Number(0),
        "time_appconnect" => Value::Seconds(times.secured),
        "time_connect" => Value::Seconds(times.connected),
        "time_namelookup" => Value::Seconds(times.looked_up),
        "time_pretransfer" => Value::Seconds(times.ready),
        "time_redirect" => Value::Seconds(times.redirects),
        "time_starttransfer" => Value::Seconds(times.first_byte),
        "time_total" => Value::Seconds(times.total),
        "url" => Value::Text(Some(report.url.clone())),
        "url_effective" => Value::Text(Some(report.effective.clone())),
        "urlnum" => Value::Number(report.number as u64),
        "curl_version" => Value::Text(Some(concat!("regatta/", env!("CARGO_PKG_VERSION")).into())),
        _ => return None,
    })
}

fn scheme(report: &Report) -> Option<String> {
    report.status.map(|_| if report.is_https { "HTTPS" } else { "HTTP" }.to_owned())
}

fn version(version: Option<Version>) -> &'static str {
    match version {
        Some(Version::HTTP_10) => "1",
        Some(Version::HTTP_11) => "1.1",
        Some(Version::HTTP_2) => "2",
        Some(Version::HTTP_3) => "3",
        _ => "0",
    }
}

impl Value {
    fn plain(self) -> String {
        match self {
            Self::Text(text) => text.unwrap_or_default(),
            Self::Number(number) => number.to_string(),
            Self::Seconds(seconds) => format!("{seconds:.6}"),
            Self::Status(status) => format!("{status:03}"),
        }
    }

    fn json(self) -> String {
        match self {
            Self::Text(None) => "null".to_owned(),
            Self::Text(Some(text)) => quoted(&text),
            Self::Status(status) => status.to_string(),
            other => other.plain(),
        }
    }
}

fn json(report: &Report) -> String {
    let pairs = NAMES.iter().filter_map(|name| {
        let value = match *name {
            "certs" => Value::Text(Some(String::new())),
            name => value(name, report)?,
        };
        Some(format!("\"{name}\":{}", value.json()))
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn header_json(report: &Report) -> String {
    let mut text = "{".to_owned();
    for (n, name) in report.headers.keys().enumerate() {
        let values = report.headers.get_all(name).iter();
        let values = values.map(|value| quoted(&String::from_utf8_lossy(value.as_bytes())));
        let comma = if n > 0 { ",\n" } else { "" };
        let _ = write!(text, "{comma}\"{name}\":[{}]", values.collect::<Vec<_>>().join(","));
    }
    text.push_str("\n}");
    text
}

fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::get::exit_code::{Exit, Failure};

    fn report() -> Report {
        let mut report = Report { url: "a".to_owned(), status: Some(200), ..Report::default() };
        report.headers.insert("x-a", HeaderValue::from_static("one"));
        report.headers.append("x-a", HeaderValue::from_static("t\"o"));
        report.times.total = 1.5;
        report.downloaded = 30;
        report
    }

    fn out(format: &str) -> String {
        String::from_utf8(fill(format, &report()).out).unwrap()
    }

    #[test]
    fn formats_are_curls() {
        for (format, meant) in [
            ("%{http_code} %{response_code}\\n", "200 200\n"),
            ("%{time_total}", "1.500000"),
            ("%{speed_download}", "20"),
            ("%header{X-A} %header{none}.", "one ."),
            ("100%% %z %", "100% %z %"),
            ("\\t\\r\\x\\", "\t\r\\x\\"),
            ("%{unfinished %header{x", "%{unfinished %header{x"),
            ("a%{unknown}b", "ab"),
            ("a%{onerror}b", "a"),
            ("%{header_json}", "{\"x-a\":[\"one\",\"t\\\"o\"]\n}"),
            ("%{scheme} %{http_version} %{num_headers}", "HTTP 0 2"),
        ] {
            assert_eq!(out(format), meant, "{format}");
        }
    }

    #[test]
    fn output_changes_sides() {
        let written = fill("a%{stderr}b%{stdout}c%{nobody}", &report());
        assert_eq!(written.out, b"ac");
        assert!(written.err.starts_with(b"b") && written.err.ends_with(b"\"nobody\"\n"));
    }

    #[test]
    fn failures_are_told() {
        let mut report = report();
        report.failure = Some(Failure::new(Exit::Timeout, "late"));
        let written = fill("%{onerror}%{exitcode} %{errormsg}", &report);
        assert_eq!(written.out, b"28 late");
    }

    #[test]
    fn every_name_has_a_value_and_the_object_has_them_all() {
        for name in &NAMES {
            assert!(value(name, &report()).is_some(), "{name}");
        }
        let json = out("%{json}");
        assert!(json.starts_with("{\"certs\":\"\",\"content_type\":null,"), "{json}");
        assert_eq!(json.matches("\":").count(), NAMES.len());
    }
}
