//! `-b` and `-c`: cookies with curl's rules on domain, path, secure and expiry.

use super::url::Url;

mod file;
mod parse;
#[cfg(test)]
mod tests;

/// Most cookies that one request carries (curl's own limit).
const MOST_SENT: usize = 150;

/// Longest Cookie field (curl's own limit).
const LONGEST_SENT: usize = 8_190;

/// One cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whose it is, without a leading dot; `None` is everybody's, as a file may say.
    pub(crate) domain: Option<String>,
    /// Whether names below the domain have it too.
    pub(crate) below: bool,
    pub(crate) path: String,
    /// Only over TLS, or to this machine itself.
    pub(crate) secure: bool,
    /// Not for scripts: that does not concern us, but is kept.
    pub(crate) http_only: bool,
    /// Seconds since 1970; 0 lives as long as the program runs.
    pub(crate) expires: i64,
}

/// All cookies, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar {
    cookies: Vec<Cookie>,
}

/// Who asks, or answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    /// Nobody in between can read along: TLS, or the way stays on this machine.
    pub(crate) is_safe: bool,
}

impl<'a> Site<'a> {
    pub(crate) fn of(url: &'a Url) -> Self {
        let host = url.host();
        let is_local = ["localhost", "127.0.0.1", "::1"].contains(&host);
        Self { host, path: url.uri().path(), is_safe: url.is_https() || is_local }
    }
}

impl Jar {
    /// Takes a Set-Cookie field of a response in.
    pub(crate) fn set(&mut self, line: &str, site: Site<'_>, now: i64) {
        if let Some(cookie) = parse::set_cookie(line, Some(site), now) {
            self.add(cookie, Some(site), now);
        }
    }

    /// The Cookie field for a request.
    pub(crate) fn field(&mut self, site: Site<'_>, now: i64) -> Option<String> {
        self.expire(now);
        let mut found: Vec<&Cookie> =
            self.cookies.iter().filter(|cookie| cookie.is_for(site)).collect();
        // Longer paths first, then longer domains and names; among equals the newest first.
        found.reverse();
        let domain = |cookie: &Cookie| cookie.domain.as_ref().map_or(0, String::len);
        found.sort_by(|a, b| {
            let key = |cookie: &Cookie| (cookie.path.len(), domain(cookie), cookie.name.len());
            key(b).cmp(&key(a))
        });
        let mut field = String::new();
        for cookie in found.into_iter().take(MOST_SENT) {
            let pair = format!("{}={}", cookie.name, cookie.value);
            if field.len() + 2 + pair.len() > LONGEST_SENT {
                break;
            }
            if !field.is_empty() {
                field.push_str("; ");
            }
            field.push_str(&pair);
        }
        (!field.is_empty()).then_some(field)
    }

    fn add(&mut self, cookie: Cookie, site: Option<Site<'_>>, now: i64) {
        self.expire(now);
        let is_overlay = |old: &&Cookie| {
            // What was set over TLS is not replaced by anybody without.
            old.secure && old.name == cookie.name && old.shares_domain(&cookie) && {
                let folder = old.path.split('/').nth(1).unwrap_or_default();
                let own = cookie.path.split('/').nth(1).unwrap_or_default();
                folder == own
            }
        };
        if site.is_some_and(|site| !site.is_safe) && self.cookies.iter().any(|c| is_overlay(&c)) {
            return;
        }
        let same = |old: &Cookie| {
            old.name == cookie.name
                && old.below == cookie.below
                && old.path == cookie.path
                && match (&old.domain, &cookie.domain) {
                    (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                    (a, b) => a.is_none() && b.is_none(),
                }
        };
        match self.cookies.iter_mut().find(|old| same(old)) {
            // It keeps its place: its age is that of the first.
            Some(old) => *old = cookie,
            None => self.cookies.push(cookie),
        }
        self.expire(now);
    }

    fn expire(&mut self, now: i64) {
        self.cookies.retain(|cookie| cookie.expires == 0 || cookie.expires >= now);
    }
}

impl Cookie {
    fn is_for(&self, site: Site<'_>) -> bool {
        let host = match &self.domain {
            None => true,
            Some(domain) if self.below && !is_address(site.host) => tail_matches(domain, site.host),
            Some(domain) => domain.eq_ignore_ascii_case(site.host),
        };
        host && path_matches(&self.path, site.path) && (!self.secure || site.is_safe)
    }

    fn shares_domain(&self, other: &Self) -> bool {
        match (&self.domain, &other.domain) {
            (Some(a), Some(b)) => tail_matches(a, b) || tail_matches(b, a),
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// RFC 6265 5.1.3.
fn tail_matches(domain: &str, host: &str) -> bool {
    let Some(start) = host.len().checked_sub(domain.len()) else { return false };
    let tail = host.get(start..).is_some_and(|tail| tail.eq_ignore_ascii_case(domain));
    tail && (start == 0 || host.as_bytes()[start - 1] == b'.')
}

/// RFC 6265 5.1.4.
fn path_matches(cookie: &str, request: &str) -> bool {
    match request.strip_prefix(cookie) {
        Some(rest) => cookie.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}
