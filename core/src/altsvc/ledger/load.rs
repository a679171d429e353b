//! The ledger as rows of a file, and back.

use super::super::health::{Health, Mark};
use super::super::lines::{Row, What};
use super::super::{Clock, Source};
use super::notes::{has_room, own_host};
use super::{Alternative, Duration, Held, Instant, Ledger, Origin};

impl Ledger {
    /// Every row of a file, those of the origin that is to be forgotten first in front.
    pub(in super::super) fn rows(&self, clock: Clock) -> Vec<Row> {
        let entries: Vec<_> = self.order.iter(&self.entries).collect();
        let mut rows = Vec::new();
        for (_, entry) in entries.into_iter().rev() {
            let here = entry.network == self.network;
            let mut add = |what| rows.push(Row { origin: entry.origin.clone(), what });
            // What ends within this second has ended on the file's clock.
            let lasts = |until: Instant, persist: bool| {
                (here || persist) && clock.unix_of(until) > clock.unix
            };
            let said = |held: &&Held| lasts(held.said, held.persist);
            for held in entry.held.iter().filter(said) {
                let until = clock.unix_of(held.said);
                let (alternative, source) = (held.alternative.clone(), held.source);
                add(What::Offer { alternative, until, source, persist: held.persist });
            }
            let mut by_dns: Vec<&Held> =
                entry.held.iter().filter(|held| lasts(held.dns, false)).collect();
            by_dns.sort_by_key(|held| held.rank);
            for held in &by_dns {
                let (alternative, until) = (held.alternative.clone(), clock.unix_of(held.dns));
                add(What::Offer { alternative, until, source: Source::Dns, persist: false });
            }
            // As they will stand when they are read: what is not offered last, and no more of it
            // than is kept.
            let mut all: Vec<&Held> = entry.held.iter().filter(said).collect();
            all.extend(by_dns.into_iter().filter(|held| !said(held)));
            let lost = entry.held.iter().filter(|held| !said(held) && !lasts(held.dns, false));
            let known = |held: &&Held| here && held.health.is_known();
            let most = self.config.max_alternatives as usize;
            all.extend(lost.filter(known).take(most));
            for held in all.into_iter().filter(known) {
                let Health { mark, failures, until } = held.health;
                let until = clock.unix_of(until);
                let until = if until > clock.unix { until } else { 0 };
                let alternative = held.alternative.clone();
                add(What::Health { alternative, mark, failures, until });
            }
            if here && entry.rtt > 0 {
                add(What::Rtt(entry.rtt));
            }
        }
        rows
    }

    /// Takes a row in, as far as limits and rules allow.
    pub(in super::super) fn take(&mut self, clock: Clock, row: &Row) {
        let Row { origin, what } = row;
        match what.clone() {
            What::Offer { mut alternative, until, source, persist } => {
                own_host(origin, &mut alternative);
                let until = clock.instant_of(until);
                if until > clock.now {
                    self.take_offer(origin, alternative, (until, source, persist));
                }
            }
            What::Health { mut alternative, mark, failures, until } => {
                own_host(origin, &mut alternative);
                let until = clock.instant_of(until);
                let until = if until > clock.now { until } else { Instant::EPOCH };
                let mut health = Health { mark, failures, until };
                if mark == Mark::Confirmed {
                    health.confirm();
                }
                self.take_health(origin, alternative, health);
            }
            What::Rtt(micros) => self.note_rtt(origin, Duration::from_micros(micros.into())),
        }
    }

    fn take_offer(
        &mut self,
        origin: &Origin,
        alternative: Alternative,
        (until, source, persist): (Instant, Source, bool),
    ) {
        if !self.may(origin, &alternative) {
            self.refused += 1;
            return;
        }
        let place = self.touch_or_make(origin);
        let (suffix, config) = (self.suffix(origin), &self.config);
        let (most, hosts) = (config.max_alternatives as usize, config.max_hosts);
        let Some(entry) = self.entries.get_mut(place) else { return };
        let alike = |held: &&Held| match source {
            Source::Dns => held.dns > Instant::EPOCH,
            _ => held.said > Instant::EPOCH,
        };
        let mut others: Vec<&Alternative> =
            entry.held.iter().filter(alike).map(|held| &held.alternative).collect();
        others.retain(|other| **other != alternative);
        let rank = u8::try_from(others.len()).unwrap_or(u8::MAX);
        if others.len() >= most || !has_room(&others, &alternative, hosts) {
            self.refused += 1;
            return;
        }
        let at = entry.held.iter().position(|held| held.alternative == alternative);
        let at = at.unwrap_or_else(|| {
            // Behind all others of its class.
            entry.held.push(Held::remembered(alternative, Health::default()));
            entry.held.len() - 1
        });
        let Some(held) = entry.held.get_mut(at) else { return };
        if source == Source::Dns {
            (held.dns, held.rank) = (until, rank);
        } else {
            (held.said, held.source, held.persist) = (until, source, persist);
        }
        entry.arrange(most);
        if let Some(suffix) = suffix {
            self.canonical.insert(suffix, place);
        }
    }

    fn take_health(&mut self, origin: &Origin, alternative: Alternative, health: Health) {
        let place = self.touch_or_make(origin);
        let most = self.config.max_alternatives as usize;
        let Some(entry) = self.entries.get_mut(place) else { return };
        match entry.held.iter_mut().find(|held| held.alternative == alternative) {
            Some(held) => held.health = health,
            None => entry.held.push(Held::remembered(alternative, health)),
        }
        entry.arrange(most);
    }
}
