//! The ledger recounts itself.

use super::super::health::Mark;
use super::{Class, Held, Instant, Ledger};

impl Ledger {
    /// Recounts every index and limit and panics on the first lie. For tests, fuzzers and the
    /// simulator; production never calls it.
    pub fn check(&self) {
        let entries = self.entries.len();
        assert!(entries <= self.config.max_origins as usize, "{entries} origins are too many");
        assert_eq!(self.table.len(), entries, "the table has another number of origins");
        assert_eq!(self.order.len() as usize, entries, "the order has another number of origins");
        let most = self.config.max_alternatives as usize;
        for (place, entry) in self.order.iter(&self.entries) {
            let origin = &entry.origin;
            assert_eq!(self.find(origin), Some(place), "{origin} is not found");
            let held = &entry.held;
            assert!(held.is_sorted_by_key(Held::place), "{origin}: not in the order of classes");
            for class in [Class::Said, Class::Dns, Class::Remembered] {
                let count = held.iter().filter(|held| held.class() == class).count();
                assert!(count <= most, "{origin}: {count} alternatives are too many");
            }
            for (index, one) in held.iter().enumerate() {
                let twice = held.iter().skip(index + 1).any(|h| h.alternative == one.alternative);
                assert!(!twice, "{origin}: {} stands there twice", one.alternative);
                let forgotten = one.class() == Class::Remembered && !one.health.is_known();
                assert!(!forgotten, "{origin}: {} is held for nothing", one.alternative);
                assert!(one.alternative.port > 0, "{origin}: port 0");
                let own = one.alternative.host.as_deref() == Some(&*origin.host);
                assert!(!own, "{origin}: its own host has two forms");
                let fine = one.health.mark != Mark::Confirmed || one.health.until == Instant::EPOCH;
                assert!(fine, "{origin}: {} is confirmed and waits", one.alternative);
            }
        }
        for (suffix, place) in &self.canonical {
            let origin = self.entries.get(*place).map(|entry| &entry.origin);
            let known = origin.and_then(|origin| self.suffix(origin));
            assert_eq!(known, Some(*suffix), "{origin:?} speaks for another suffix");
        }
    }
}
