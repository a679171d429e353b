//! Looks one name up, and tells the upstream what comes: a host's addresses, or an origin's HTTPS
//! records.

use core::future::poll_fn;
use core::net::IpAddr;
use std::sync::Arc;

use regatta_core::Duration;
use regatta_core::altsvc::{HttpsRecords, https_records};
use regatta_core::id::{HostId, PoolId};
use regatta_core::types::Origin;
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

/// A question for HTTPS records.
pub(crate) struct Services {
    pub(crate) pool: PoolId,
    pub(crate) origin: Origin,
    pub(crate) name: Arc<str>,
}

/// Feeds the answer, or that there is none.
pub(crate) async fn services<R: Runtime>(hub: Arc<Hub<R>>, asked: Services) {
    let Services { pool, origin, name } = asked;
    // Where the client was given addresses it is to go there and nowhere else.
    let look_up = match known(&hub, &origin.host) {
        Some(_) => None,
        None => hub.runtime.resolve_services(&name),
    };
    let answer = match look_up {
        Some(look_up) => look_up.await.unwrap_or_default(),
        None => Default::default(),
    };
    let owner = answer.owner.as_deref().unwrap_or(&name);
    let read = https_records(&answer.records, &origin, owner, Duration::ZERO);
    let records = read.unwrap_or_else(|_| HttpsRecords::Offers(Vec::new()));
    hub.feed(Event::ServicesResolved { pool, records, ttl: answer.ttl });
}

/// Addresses that need no look-up: an IP literal's own, or those that the client was given.
fn known<R: Runtime>(hub: &Hub<R>, name: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = name.parse() {
        return Some(vec![address]);
    }
    hub.settings.addresses_of(name)
}
