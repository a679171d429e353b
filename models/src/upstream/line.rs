//! The line of pools that wait for their turn to begin a connection, or for a socket: first come,
//! first served.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::id::{ConnectionId, PoolId};
use regatta_core::upstream::{Config, PoolView};

use super::connecting;

/// Who stands in line, each with the call in which it came; who came in the same call may go in
/// any order.
#[derive(Debug, Default)]
pub(super) struct Line {
    calls: u64,
    /// The first and the last call in which each may have come.
    since: BTreeMap<PoolId, (u64, u64)>,
    connecting: BTreeMap<ConnectionId, PoolId>,
}

impl Line {
    /// Takes a call's end in. Pools in `hoped` had a connection that was asked for a sign of life
    /// meanwhile: who waits for that does not stand in line, and may have left it and come again.
    /// The last says whether all the call's work is done, and whether a socket is left.
    pub(super) fn observe(
        &mut self,
        config: &Config,
        after: &[PoolView],
        hoped: &BTreeSet<PoolId>,
        (done, sockets_left): (bool, bool),
        races: bool,
    ) {
        self.calls += 1;
        let all = after.iter().flat_map(|view| connecting(view).map(|id| (id, view.id)));
        let under_way: BTreeMap<_, _> = all.collect();
        let most = config.max_handshakes.map_or(usize::MAX, |most| most.get() as usize);
        let many = under_way.len();
        assert!(many <= most, "{many} connections are being established at once");
        let mut before = core::mem::take(&mut self.since);
        for (_, (_, last)) in before.iter_mut().filter(|(pool, _)| hoped.contains(pool)) {
            *last = self.calls;
        }
        let up: BTreeSet<_> =
            after.iter().flat_map(|view| &view.connections).map(|seen| seen.id).collect();
        for (id, pool) in &self.connecting {
            // One that could not be established: its pool makes no other at once, and comes anew.
            if !up.contains(id) {
                match before.get_mut(pool) {
                    // Unless another leg of its race stands there.
                    Some((_, last)) if races => *last = self.calls,
                    _ => drop(before.remove(pool)),
                }
            }
        }
        let mut begun = Vec::new();
        for view in after {
            let now = (self.calls, self.calls);
            let came = before.get(&view.id).copied().unwrap_or(now);
            // Who was called begins one connection, and stands behind the others for the next.
            let is_begun = connecting(view).any(|id| !self.connecting.contains_key(&id));
            if is_begun {
                begun.push((view.id, came.0));
            }
            if view.awaits_turn {
                self.since.insert(view.id, if is_begun { now } else { came });
            }
        }
        for (id, came) in begun {
            let overtaken = self.since.iter().find(|(_, (_, last))| *last < came);
            assert!(overtaken.is_none(), "{id} came in call {came} and overtakes {overtaken:?}");
        }
        self.connecting = under_way;
        let full = many >= most || !sockets_left;
        assert!(!done || full || self.since.is_empty(), "a turn is free: {:?}", self.since);
        for view in after.iter().filter(|view| done && view.waiting > 0) {
            let hopes = view.awaits_turn || !view.connections.is_empty();
            assert!(hopes, "{} needs a connection, has none and does not stand in line", view.id);
        }
    }
}
