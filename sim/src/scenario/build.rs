//! A scenario's world on a net, and everyone in it set to work.

use core::net::SocketAddr;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::engine::qlog::Sink;
use regatta_core::rng::Rng;
use regatta_runtime::{Client, Error};

use super::board::Board;
use super::format::File;
use super::plan::Plan;
use super::{asking, serving};
use crate::executor::Net;
use crate::host::Host;

/// Makes the world; gives the hosts in the order of their names.
pub(super) fn world(net: &Net, plan: &Plan) -> Vec<Host> {
    let mut hosts = Vec::new();
    for planned in &plan.hosts {
        let host = net.host(&planned.name, planned.addresses.iter().copied());
        net.stack(&host, planned.stack);
        if let Some(nat) = planned.nat {
            net.nat(&host, nat);
        }
        hosts.push(host);
    }
    for first in &plan.first {
        net.apply(first.clone());
    }
    for (at, fault) in &plan.later {
        match *at {
            // Before anyone does anything.
            Instant::EPOCH => net.apply(fault.clone()),
            at => net.at(at, fault.clone()),
        }
    }
    hosts
}

/// Starts servers, client and loads.
pub(super) async fn start(
    hosts: &[Host],
    file: &File,
    board: &Board,
    qlog: Option<&Arc<dyn Sink>>,
    seed: u64,
) -> Result<Client<Host>, Error> {
    let host_of = |name: &str| file.host.keys().position(|known| known == name).map(|n| &hosts[n]);
    let mut seeds = Rng::new(seed ^ 0x7363_656e_6172_696f);
    for server in file.server.values() {
        let rng = Rng::new(seeds.next_u64());
        let Some(host) = host_of(&server.host) else { continue };
        let addresses =
            server.addresses.as_ref().unwrap_or_else(|| &file.host[&server.host].addresses);
        for (number, address) in addresses.iter().enumerate() {
            let mut own = rng.clone();
            let rng = Rng::new(own.next_u64().wrapping_add(number as u64));
            let at = SocketAddr::new(*address, server.port());
            serving::start(host, at, server, rng, qlog).await?;
        }
    }
    let host = host_of(&file.client.host).unwrap_or(&hosts[0]);
    let client = asking::client(host, &file.client, qlog)?;
    for (number, load) in file.load.values().enumerate() {
        asking::Asker::new(host, &client, board, number, load, seeds.next_u64()).start();
    }
    Ok(client)
}
