//! The file of `-b` and `-c`: seven columns with tabs between them, Netscape's format.

use super::{Cookie, Jar, parse};

const PREFACE: &str = "\
# Netscape HTTP Cookie File
# Written by regatta; a change is lost with the next run.

";

/// Marks a line whose cookie is not for scripts.
const HTTP_ONLY: &str = "#HttpOnly_";

impl Jar {
    /// Takes a file's cookies in; `skips_sessions` leaves out those without an expiry.
    pub(crate) fn read(&mut self, text: &str, skips_sessions: bool, now: i64) {
        for line in text.lines() {
            let field = line.get(..11).filter(|name| name.eq_ignore_ascii_case("set-cookie:"));
            let cookie = match field {
                Some(_) => parse::set_cookie(line[11..].trim_start(), None, now),
                None => read_line(line),
            };
            if let Some(cookie) = cookie.filter(|c| c.expires != 0 || !skips_sessions) {
                self.add(cookie, None, now);
            }
        }
    }

    /// The whole file.
    pub(crate) fn write(&mut self, now: i64) -> String {
        self.expire(now);
        let mut text = PREFACE.to_owned();
        // The newest first, as curl has them.
        for cookie in self.cookies.iter().rev().filter(|cookie| cookie.domain.is_some()) {
            text.push_str(&write_line(cookie));
        }
        text
    }
}

fn read_line(line: &str) -> Option<Cookie> {
    let (line, http_only) = match line.strip_prefix(HTTP_ONLY) {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    if line.starts_with('#') {
        return None;
    }
    let columns: Vec<&str> = line.split('\t').collect();
    let (domain, below, path, secure, expires, name, value) = match columns[..] {
        [domain, below, path, secure, expires, name, value] => {
            (domain, below, path, secure, expires, name, value)
        }
        [domain, below, path, secure, expires, name] => {
            (domain, below, path, secure, expires, name, "")
        }
        _ => return None,
    };
    let is_true = |text: &str| text.eq_ignore_ascii_case("true");
    Some(Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: Some(domain.trim_start_matches('.').to_owned()),
        below: is_true(below),
        path: if path.starts_with('/') { path.to_owned() } else { "/".to_owned() },
        secure: is_true(secure),
        http_only,
        expires: expires.parse().ok()?,
    })
}

fn write_line(cookie: &Cookie) -> String {
    let truth = |is: bool| if is { "TRUE" } else { "FALSE" };
    format!(
        "{}{}{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
        if cookie.http_only { HTTP_ONLY } else { "" },
        if cookie.below { "." } else { "" },
        cookie.domain.as_deref().unwrap_or_default(),
        truth(cookie.below),
        cookie.path,
        truth(cookie.secure),
        cookie.expires,
        cookie.name,
        cookie.value,
    )
}
