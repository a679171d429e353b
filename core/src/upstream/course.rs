//! Where a connection goes, and over what.

use core::net::IpAddr;
use std::sync::Arc;

use super::Upstream;
use super::cluster::transport;
use super::grid::{Grid, Runner};
use super::race::Race;
use crate::eyeballs::{Eyeballs, Family, Success};
use crate::id::{HostId, PoolId};
use crate::race::Leg;
use crate::types::Transport;

/// What is settled before the first address is known.
pub(super) struct Course {
    pub(super) host: HostId,
    /// The host is not the pool's: the connection counts for one of its users.
    pub(super) own_host: bool,
    pub(super) transport: Transport,
    pub(super) eyeballs: Eyeballs,
    /// The only addresses, where they are not all of the host's.
    pub(super) fixed: Option<Vec<IpAddr>>,
}

impl Upstream {
    /// The course of a pool's next connection, or of one that a leg of its race is.
    pub(super) fn course(&mut self, pool: PoolId, runner: Option<&Runner>) -> Option<Course> {
        let member = self.pools.get(pool)?;
        let mut config = self.settings.get(member.key.cluster.slot())?.eyeballs.clone();
        let alternative = runner.and_then(|runner| runner.alternative.as_ref());
        let elsewhere = alternative.and_then(|alternative| alternative.host.as_deref());
        let profile = self.profiles.get(usize::from(member.key.profile.0));
        let (mut transport, mut port) = (transport(profile), member.key.origin.port);
        if let Some(alternative) = alternative {
            (transport, port) = (Transport::Quic, alternative.port);
        } else if let Some(via) = profile.and_then(|profile| profile.via.as_ref()) {
            config.success = Success::Transport;
            port = via.port;
        }
        let host = elsewhere.map_or(member.host, |host| self.hosts.take(&Arc::from(host)));
        let mut eyeballs = Eyeballs::new(&config, port);
        if alternative.is_some() {
            // Another leg goes to the other family.
            eyeballs.keep_to_one_family();
        }
        let fixed = runner.is_some_and(|runner| runner.leg == Leg::QuicFallback);
        let fixed = fixed.then(|| self.other_family(pool, host, config.first_family));
        Some(Course { host, own_host: elsewhere.is_some(), transport, eyeballs, fixed })
    }

    /// The first address of the family that the leg over QUIC does not go to.
    fn other_family(&self, pool: PoolId, host: HostId, first: Family) -> Vec<IpAddr> {
        let grid = self.pools.get(pool).and_then(|member| member.grid.as_deref());
        let mut races = grid.into_iter().flat_map(Grid::connections).filter_map(|(_, id)| {
            self.races.get(id.slot())?.as_deref().filter(|race| race.host == host)
        });
        let leads = |race: &&Race| race.runner.as_ref().is_some_and(|r| r.leg == Leg::Quic);
        let lead = races.find(leads).and_then(|race| race.lines.first());
        let lead_is_v6 = lead.map_or(first == Family::V6, |line| line.address.is_ipv6());
        let mut known = self.hosts.get(host).into_iter().flat_map(|host| &host.addresses);
        let other = known.find(|address| address.to_canonical().is_ipv6() != lead_is_v6);
        other.into_iter().copied().collect()
    }
}
