//! What no single field can say of itself: names that must exist, fields that need each other.

use std::net::IpAddr;

use http::{HeaderValue, Method, Uri};
use regatta_core::types::Scheme;

use super::asking;
use super::expect::Condition;
use super::format::File;
use super::format::policy::{Client, Protocols, Versions};
use super::format::service::{Alpn, Behaviour, Server, Tls};
use super::format::work::Load;
use super::plan::{Wrong, host_of, place};

/// Most users of one load.
const MOST_USERS: u32 = 100_000;

pub(super) fn check(file: &File) -> Result<(), Wrong> {
    if file.duration.0.is_zero() {
        return wrong("duration", "expected more than no time");
    }
    for (name, host) in &file.host {
        let path = format!("host.{name}.addresses");
        if host.addresses.is_empty() {
            return wrong(&path, "expected at least one address");
        }
        let other = |address: &IpAddr| {
            file.host
                .iter()
                .find(|(other, host)| *other != name && host.addresses.contains(address))
        };
        for address in &host.addresses {
            if let Some((other, _)) = other(address) {
                return wrong(&path, &format!("{address} is an address of `{other}` too"));
            }
        }
    }
    for (name, server) in &file.server {
        check_server(file, &format!("server.{name}"), server)?;
    }
    host_of(file, "client.host", &file.client.host)?;
    check_alternatives(&file.client)?;
    if file.load.is_empty() {
        return wrong("load", "expected at least one");
    }
    for (name, load) in &file.load {
        check_load(&format!("load.{name}"), load)?;
    }
    for (list, conditions) in [("holds", &file.expect.holds), ("unmet", &file.expect.unmet)] {
        for load in conditions.iter().filter_map(Condition::load) {
            place(&file.load, &format!("expect.{list}"), load, "load")?;
        }
    }
    Ok(())
}

fn check_server(file: &File, path: &str, server: &Server) -> Result<(), Wrong> {
    host_of(file, &format!("{path}.host"), &server.host)?;
    let known = &file.host[&server.host].addresses;
    let strange = server.addresses.iter().flatten().find(|address| !known.contains(address));
    if let Some(address) = strange {
        let says = format!("{address} is no address of the host `{}`", server.host);
        return wrong(&format!("{path}.addresses"), &says);
    }
    if server.protocols.iter().all(|alpn| *alpn == Alpn::Http3) {
        let says = "expected \"h2\", \"http/1.1\" or both, and \"h3\" beside them";
        return wrong(&format!("{path}.protocols"), says);
    }
    check_http3(path, server)?;
    let script = server.behaviour != Behaviour::Answers;
    if script && !matches!(server.tls, Tls::Good | Tls::None) {
        return wrong(&format!("{path}.tls"), "a script has \"good\" or \"none\"");
    }
    if script && !server.changes.is_empty() {
        return wrong(&format!("{path}.changes"), "a script does not change");
    }
    if server.behaviour == Behaviour::ResetsAtReuse && server.tls != Tls::None {
        return wrong(&format!("{path}.tls"), "a server that resets at reuse has none");
    }
    if !(200..=599).contains(&server.status) {
        return wrong(&format!("{path}.status"), "expected a final status, 200 to 599");
    }
    Ok(())
}

fn check_http3(path: &str, server: &Server) -> Result<(), Wrong> {
    let has_http3 = server.has_http3();
    if has_http3 && server.tls == Tls::None {
        return wrong(&format!("{path}.protocols"), "\"h3\" is nothing without TLS");
    }
    if has_http3 && matches!(server.tls_versions, Versions::Tls12) {
        return wrong(&format!("{path}.tls_versions"), "\"h3\" needs TLS 1.3");
    }
    if has_http3 && server.behaviour != Behaviour::Answers {
        return wrong(&format!("{path}.protocols"), "a script does not speak \"h3\"");
    }
    if server.quic_idle_timeout.is_some() && !has_http3 {
        return wrong(&format!("{path}.quic_idle_timeout"), "expected \"h3\" in `protocols`");
    }
    if server.early_data && !has_http3 {
        return wrong(&format!("{path}.early_data"), "expected \"h3\" in `protocols`");
    }
    let said = server.alt_svc.as_deref();
    if said.is_some() && server.behaviour != Behaviour::Answers {
        return wrong(&format!("{path}.alt_svc"), "a script says nothing of the kind");
    }
    if said.is_some_and(|said| HeaderValue::from_str(said).is_err()) {
        return wrong(&format!("{path}.alt_svc"), "expected what a field may hold, or \"none\"");
    }
    Ok(())
}

fn check_alternatives(client: &Client) -> Result<(), Wrong> {
    let has_http3 = matches!(client.protocols, Protocols::Http3 | Protocols::AutoHttp3);
    if client.early_data && !has_http3 {
        let says = "it is of use with `protocols` \"http3\" and \"auto-http3\" alone";
        return wrong("client.early_data", says);
    }
    for (origin, said) in &client.alt_svc {
        let path = format!("client.alt_svc.{origin}");
        if asking::origin(origin).is_none_or(|origin| origin.scheme != Scheme::Https) {
            let says = format!("`{origin}` is no origin: expected one such as https://www.test");
            return wrong("client.alt_svc", &says);
        }
        if asking::offers(said).is_none() {
            let says = format!("`{said}` offers nothing: expected a value such as h3=\":443\"");
            return wrong(&path, &says);
        }
        if !matches!(client.protocols, Protocols::AutoHttp3) {
            let says = "it is of use with `protocols = \"auto-http3\"` alone";
            return wrong("client.alt_svc", says);
        }
    }
    Ok(())
}

fn check_load(path: &str, load: &Load) -> Result<(), Wrong> {
    for (what, weights) in [("origins", &load.origins), ("methods", &load.methods)] {
        if weights.values().all(|weight| *weight == 0) {
            return wrong(&format!("{path}.{what}"), "expected one whose weight is above 0");
        }
    }
    for origin in load.origins.keys() {
        let uri = origin.parse::<Uri>().ok();
        let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
        if !matches!(scheme, Some("http" | "https")) {
            let says = format!("`{origin}` is no origin: expected one such as https://www.test");
            return wrong(&format!("{path}.origins"), &says);
        }
    }
    if let Some(method) = load.methods.keys().find(|name| name.parse::<Method>().is_err()) {
        return wrong(&format!("{path}.methods"), &format!("`{method}` is no method"));
    }
    if load.users.is_some() && load.rate.is_some() {
        return wrong(&format!("{path}.rate"), "a load has `users` or a `rate`, not both");
    }
    if load.users.is_some_and(|users| users == 0 || users > MOST_USERS) {
        return wrong(&format!("{path}.users"), "expected 1 to 100000");
    }
    if load.rate.is_some_and(|rate| !(1e-6..=1e9).contains(&rate)) {
        return wrong(&format!("{path}.rate"), "expected requests in a second, above 0");
    }
    let endless = load.users.is_some() || load.rate.is_some();
    match (load.requests, load.lasts) {
        (None, None) => wrong(path, "expected `requests` or `lasts`: when is it done?"),
        (None, Some(_)) if !endless => {
            wrong(path, "all requests come at once: expected `requests`, `users` or a `rate`")
        }
        _ => Ok(()),
    }
}

fn wrong(path: &str, says: &str) -> Result<(), Wrong> {
    Err((path.to_owned(), says.to_owned()))
}
