//! Values of options, read from text.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// One `-H`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderLine {
    /// Send it.
    Set(HeaderName, HeaderValue),
    /// Leave out what would be sent by default.
    Remove(HeaderName),
    /// Lines of a file, `-` is standard input.
    File(String),
}

/// One `--connect-to`. Empty parts are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectTo {
    /// Whose requests are led elsewhere; any host's.
    pub(crate) host: Option<String>,
    /// Any port's.
    pub(crate) port: Option<u16>,
    /// Where to; the same host.
    pub(crate) to_host: Option<String>,
    /// The same port.
    pub(crate) to_port: Option<u16>,
}

/// `-C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offset {
    /// At this byte.
    At(u64),
    /// Where the file ends that is there.
    EndOfFile,
}

/// One `--resolve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    /// Lower-case name.
    pub(crate) host: String,
    /// Of which port.
    pub(crate) port: u16,
    /// In order of preference.
    pub(crate) addresses: Vec<IpAddr>,
}

/// Reads one field line.
pub(crate) fn header(line: &str) -> Result<HeaderLine, String> {
    if let Some(file) = line.strip_prefix('@') {
        return Ok(HeaderLine::File(file.to_owned()));
    }
    let named = |name: &str| {
        let name = name.trim();
        name.parse::<HeaderName>().map_err(|_| format!("\"{name}\" is not a field name"))
    };
    if let Some((name, text)) = line.split_once(':') {
        let name = named(name)?;
        return match text.trim() {
            "" => Ok(HeaderLine::Remove(name)),
            text => Ok(HeaderLine::Set(name, field(text)?)),
        };
    }
    match line.strip_suffix(';') {
        Some(name) => Ok(HeaderLine::Set(named(name)?, HeaderValue::from_static(""))),
        None => Err("expected \"Name: value\"".to_owned()),
    }
}

pub(super) fn field(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("\"{text}\" is not a field value"))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected seconds, such as 5 or 0.25 (0 is no limit)".to_owned())
}

/// A name server: an address, and a port where it is another than 53.
pub(crate) fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().map(|address| SocketAddr::new(address, 53));
    let expected = || "expected an address, with a port where it is not 53: 192.0.2.53:5353".into();
    address.or_else(|_| text.parse()).map_err(|_: std::net::AddrParseError| expected())
}

pub(crate) fn resolve(text: &str) -> Result<Resolve, String> {
    let expected =
        || "expected HOST:PORT:ADDR[,ADDR], such as example.org:443:127.0.0.1".to_owned();
    let host_end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']').map(|end| end + 2),
        None => text.find(':'),
    };
    let (host, rest) =
        text.split_at_checked(host_end.ok_or_else(expected)?).ok_or_else(expected)?;
    let rest = rest.strip_prefix(':').ok_or_else(expected)?;
    let (port, addresses) = rest.split_once(':').ok_or_else(expected)?;
    let port = port.parse().map_err(|_| format!("\"{port}\" is not a port"))?;
    let address = |text: &str| {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_err(|_| format!("\"{text}\" is not an IP address"))
    };
    let addresses = addresses.split(',').map(address).collect::<Result<_, _>>()?;
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    if host.is_empty() { Err(expected()) } else { Ok(Resolve { host, port, addresses }) }
}

pub(crate) fn offset(text: &str) -> Result<Offset, String> {
    match text {
        "-" => Ok(Offset::EndOfFile),
        text => {
            text.parse().map(Offset::At).map_err(|_| "expected a number of bytes or -".to_owned())
        }
    }
}

/// A number with K, M, G, T or P behind it, which count in 1024s.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let expected = || "expected a number of bytes, such as 500, 100K or 1M".to_owned();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        "P" => 1 << 50,
        _ => return Err(expected()),
    };
    let number = digits.parse::<u64>().map_err(|_| expected())?;
    number.checked_mul(factor).ok_or_else(expected)
}

pub(crate) fn connect_to(text: &str) -> Result<ConnectTo, String> {
    let expected = || "expected HOST1:PORT1:HOST2:PORT2, such as a.test:443::8443".to_owned();
    let mut parts = [const { String::new() }; 4];
    let mut rest = text;
    for (n, part) in parts.iter_mut().enumerate() {
        let end = match rest.strip_prefix('[') {
            Some(literal) => literal.find(']').map(|end| end + 2).ok_or_else(expected)?,
            None => rest.find(':').unwrap_or(rest.len()),
        };
        let (this, behind) = rest.split_at_checked(end).ok_or_else(expected)?;
        *part = this.trim_matches(['[', ']']).to_ascii_lowercase();
        rest = match behind.strip_prefix(':') {
            Some(rest) => rest,
            None if behind.is_empty() && n >= 2 => "",
            None => return Err(expected()),
        };
    }
    let [host, port, to_host, to_port] = parts;
    let name = |text: String| (!text.is_empty()).then_some(text);
    let number = |text: String| match text.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("\"{text}\" is not a port")),
    };
    Ok(ConnectTo {
        host: name(host),
        port: number(port)?,
        to_host: name(to_host),
        to_port: number(to_port)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines() {
        let set = |name: &'static str, value: &'static str| {
            let name = HeaderName::from_static(name);
            Ok(HeaderLine::Set(name, HeaderValue::from_static(value)))
        };
        assert_eq!(header("X-A: b: c"), set("x-a", "b: c"));
        assert_eq!(header("X-A;"), set("x-a", ""));
        assert_eq!(header("Accept:"), Ok(HeaderLine::Remove(http::header::ACCEPT)));
        assert_eq!(header("X A: b"), Err("\"X A\" is not a field name".to_owned()));
        assert!(header("X-A: b\r\nX-B: c").is_err());
    }

    #[test]
    fn name_servers() {
        let at = |text: &str| dns_server(text).map(|address| address.to_string()).ok();
        assert_eq!(at("192.0.2.1").as_deref(), Some("192.0.2.1:53"));
        assert_eq!(at("192.0.2.1:5353").as_deref(), Some("192.0.2.1:5353"));
        assert_eq!(at("2001:db8::1").as_deref(), Some("[2001:db8::1]:53"));
        assert_eq!(at("[2001:db8::1]").as_deref(), Some("[2001:db8::1]:53"));
        assert_eq!(at("[2001:db8::1]:5353").as_deref(), Some("[2001:db8::1]:5353"));
        assert_eq!([at("ns.test"), at("192.0.2.1:"), at("")], [None, None, None]);
    }

    #[test]
    fn resolve_lines() {
        let answer = |host: &str, port, addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            Ok(Resolve { host: host.to_owned(), port, addresses })
        };
        assert_eq!(resolve("A.b:443:127.0.0.1"), answer("a.b", 443, &["127.0.0.1"]));
        assert_eq!(resolve("a:80:[::1],127.0.0.1"), answer("a", 80, &["::1", "127.0.0.1"]));
        assert_eq!(resolve("a:80:::1"), answer("a", 80, &["::1"]));
        assert_eq!(resolve("[::2]:80:::1"), answer("::2", 80, &["::1"]));
        for wrong in ["", "a", "a:80", "a:b:127.0.0.1", "a:80:b", ":80:127.0.0.1", "[::1"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["-1", "NaN", "x", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_may_have_a_unit() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("12k"), Ok(12 << 10));
        assert_eq!(bytes("3M"), Ok(3 << 20));
        assert_eq!(bytes("1G"), Ok(1 << 30));
        for wrong in ["", "K", "-1", "1.5M", "1X", "99999P"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ways_elsewhere() {
        let way = |host: &str, port, to_host: &str, to_port| {
            let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Ok(ConnectTo { host: name(host), port, to_host: name(to_host), to_port })
        };
        assert_eq!(connect_to("A.b:80:c:81"), way("a.b", Some(80), "c", Some(81)));
        assert_eq!(connect_to("::127.0.0.1:"), way("", None, "127.0.0.1", None));
        assert_eq!(connect_to("a:::81"), way("a", None, "", Some(81)));
        assert_eq!(connect_to("[::1]:80:[::2]:81"), way("::1", Some(80), "::2", Some(81)));
        for wrong in ["", "a", "a:80", "a:x:b:81", "a:80:b:x", "[::1"] {
            assert!(connect_to(wrong).is_err(), "{wrong}");
        }
    }
}
