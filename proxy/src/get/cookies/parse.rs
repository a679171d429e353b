//! Set-Cookie, as curl reads it.

use super::{Cookie, Site, is_address, tail_matches};
use crate::get::date;

/// Longest name and value together.
const LONGEST: usize = 4_096;

/// Longest line.
const LONGEST_LINE: usize = 5_000;

/// The cookie that a line sets; `None` where it may not, or is malformed.
pub(super) fn set_cookie(line: &str, site: Option<Site<'_>>, now: i64) -> Option<Cookie> {
    let is_control = |byte: u8| byte < 0x20 && byte != b'\t' || byte == 0x7f;
    if line.len() > LONGEST_LINE || line.bytes().any(is_control) {
        return None;
    }
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.len() + value.len() > LONGEST || value.contains('\t') || name.contains('\t') {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: site.map(|site| site.host.to_owned()),
        below: false,
        path: site.map_or_else(|| "/".to_owned(), |site| folder(site.path)),
        secure: false,
        http_only: false,
        expires: 0,
    };
    let mut by_age = false;
    let mut names_domain = false;
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        // The file has tabs between its columns.
        if value.contains('\t') {
            return None;
        }
        match name.trim().to_ascii_lowercase().as_str() {
            "secure" if site.is_some_and(|site| !site.is_safe) => return None,
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "path" => cookie.path = path(value),
            "domain" if !value.is_empty() => {
                names_domain = true;
                let domain = value.strip_prefix('.').unwrap_or(value);
                domain_is_allowed(domain, site).then_some(())?;
                cookie.below = !is_address(domain);
                cookie.domain = Some(domain.to_owned());
            }
            "max-age" => {
                by_age = true;
                cookie.expires = by_max_age(value, now);
            }
            "expires" if !by_age && cookie.expires == 0 => {
                // 0 says that there is no expiry, so the start of 1970 is a second later.
                cookie.expires = date::parse(value).map_or(0, |at| at.max(1));
            }
            _ => {}
        }
    }
    prefix_is_kept(&cookie, names_domain).then_some(cookie)
}

/// What `__Secure-` and `__Host-` promise.
fn prefix_is_kept(cookie: &Cookie, names_domain: bool) -> bool {
    if cookie.name.starts_with("__Secure-") {
        return cookie.secure;
    }
    if cookie.name.starts_with("__Host-") {
        return cookie.secure && cookie.path == "/" && !names_domain;
    }
    true
}

/// The host's own domain, or one above it that is not a top-level domain.
fn domain_is_allowed(domain: &str, site: Option<Site<'_>>) -> bool {
    let has_dot =
        domain.trim_end_matches('.').contains('.') || domain.parse::<std::net::IpAddr>().is_ok();
    if !has_dot && !domain.eq_ignore_ascii_case("localhost") {
        return false;
    }
    match site {
        None => true,
        Some(site) if is_address(site.host) => domain == site.host,
        Some(site) => tail_matches(domain, site.host),
    }
}

fn by_max_age(value: &str, now: i64) -> i64 {
    let value = value.trim_matches('"');
    match value.parse::<i64>() {
        Ok(age) if age <= 0 => 1,
        Ok(age) => now.saturating_add(age),
        Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => i64::MAX,
        Err(_) => 1,
    }
}

/// The Path attribute: quotes and a last slash left out, `/` where it does not begin with one.
fn path(value: &str) -> String {
    let bare = value.strip_prefix('"').unwrap_or(value);
    let bare = bare.strip_suffix('"').unwrap_or(bare);
    if !bare.starts_with('/') {
        return "/".to_owned();
    }
    let bare = if bare.len() > 1 { bare.strip_suffix('/').unwrap_or(bare) } else { bare };
    bare.to_owned()
}

/// The default: the request's path up to its last slash.
fn folder(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}
