//! Looks one host's name up and tells the upstream what comes.

use core::future::poll_fn;
use core::net::IpAddr;
use std::sync::Arc;

use regatta_core::id::HostId;
use regatta_core::upstream::Event;

use crate::hub::Hub;
use crate::runtime::{Resolution, Runtime};

/// Feeds every answer as it comes, then the end.
pub(crate) async fn run<R: Runtime>(hub: Arc<Hub<R>>, host: HostId, name: Arc<str>) {
    if let Some(addresses) = known(&hub, &name) {
        hub.feed(Event::Resolved { host, addresses });
        hub.feed(Event::ResolveFinished { host, failed: None });
        return;
    }
    let mut resolution = hub.runtime.resolve(&name);
    let mut failed = None;
    while let Some(answer) = poll_fn(|cx| resolution.poll_answer(cx)).await {
        match answer {
            Ok(answer) => hub.feed(Event::Resolved { host, addresses: answer.addresses }),
            Err(cause) => failed = Some(cause),
        }
    }
    hub.feed(Event::ResolveFinished { host, failed });
}

/// Addresses that need no look-up: an IP literal's own, or those that the client was given.
fn known<R: Runtime>(hub: &Hub<R>, name: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Some(vec![address]);
    }
    hub.settings.addresses_of(name)
}
