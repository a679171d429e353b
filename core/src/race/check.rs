//! The race recounts itself.

use super::{Leg, Race, Runner};

impl Race {
    pub(super) fn recount(&self) {
        assert!(self.legs.len() <= self.config.max_legs as usize, "too many legs");
        let quic = |runner: &Runner| runner.established && runner.runner.is_quic();
        let established = self.legs.iter().filter(|(_, runner)| quic(runner)).count();
        assert_eq!(established, self.quic as usize, "established legs over QUIC");
        let under_way = self.legs.iter().filter(|(_, runner)| !runner.established).count();
        let listed = self.round.as_ref().map_or(0, |round| round.legs.len());
        assert_eq!(under_way, listed, "legs under way that no race knows");
        let Some(round) = &self.round else { return };
        assert!(listed > 0, "a race without a leg goes on");
        for id in &round.legs {
            let living = self.legs.get(*id).is_some_and(|runner| !runner.established);
            assert!(living, "{id:?} is not under way");
            assert_eq!(round.legs.iter().filter(|other| *other == id).count(), 1, "{id:?} twice");
        }
        for one in [Leg::Quic, Leg::QuicFallback] {
            let is = |id: &&super::LegId| self.legs.get(**id).is_some_and(|r| r.runner == one);
            assert!(round.legs.iter().filter(is).count() <= 1, "two legs {one:?} at once");
        }
        let waits = round.until.is_none() || round.target.is_some() && !round.due && !round.quiet;
        assert!(waits, "a delay that nobody waits for");
        assert!(!round.broken || round.tcp_ok && !round.quic_ok, "broken against its rule");
        assert!(!(self.draining && round.until.is_some()), "it drains and would start");
    }
}
