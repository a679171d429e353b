//! What is told to the ledger.

use super::{
    Alternative, Class, Duration, Entry, Health, Heard, Held, Instant, Ledger, Link, NotLearnt,
    Offer, Origin, Place, Said, Scheme, SmallVec, Source,
};
use crate::id::Id as _;

impl Ledger {
    /// Takes in what was heard of `origin`, and says how many alternatives of it are kept.
    ///
    /// What DNS says replaces what DNS has said, all else replaces what was said or guessed
    /// (AS-7). What is not offered any more is remembered as far as it has been tried, so that
    /// nobody heals an alternative by offering it again.
    pub fn learn(
        &mut self,
        now: Instant,
        origin: &Origin,
        said: &Said,
        heard: Heard,
    ) -> Result<u32, NotLearnt> {
        if origin.scheme != Scheme::Https {
            return Err(NotLearnt::NotSecure);
        }
        let own = self.find(origin);
        if heard.source.is_guess() && own.is_some_and(|place| self.offers_any(now, place)) {
            return Err(NotLearnt::AlreadyKnown);
        }
        let offers = match said {
            Said::Clear => Vec::new(),
            Said::Offers(offers) => self.accepted(now, origin, offers, heard.age),
        };
        if own.is_none() && offers.is_empty() {
            return Ok(0);
        }
        let place = self.touch_or_make(origin);
        let (most, suffix) = (self.config.max_alternatives as usize, self.suffix(origin));
        let Some(entry) = self.entries.get_mut(place) else { return Ok(0) };
        entry.expire(now);
        match heard.source {
            Source::Dns => entry.hear_from_dns(&offers),
            source => entry.hear(&offers, source),
        }
        entry.arrange(most);
        let kept = u32::try_from(offers.len()).unwrap_or(u32::MAX);
        if let Some(suffix) = suffix
            && kept > 0
        {
            self.canonical.insert(suffix, place);
        }
        Ok(kept)
    }

    /// Those that may be kept, each once, without what names the origin's own host, with the time
    /// at which each ends.
    fn accepted(
        &mut self,
        now: Instant,
        origin: &Origin,
        offers: &[Offer],
        age: Duration,
    ) -> Vec<(Offer, Instant)> {
        let mut kept: Vec<(Offer, Instant)> = Vec::new();
        for offer in offers {
            let mut offer = offer.clone();
            own_host(origin, &mut offer.alternative);
            let until = now + offer.max_age.saturating_sub(age);
            if until <= now || kept.iter().any(|(known, _)| known.alternative == offer.alternative)
            {
                continue;
            }
            let others: Vec<_> = kept.iter().map(|(offer, _)| &offer.alternative).collect();
            if kept.len() < self.config.max_alternatives as usize
                && self.may(origin, &offer.alternative)
                && has_room(&others, &offer.alternative, self.config.max_hosts)
            {
                kept.push((offer, until));
            } else {
                self.refused += 1;
            }
        }
        kept
    }

    /// Somebody asked for this origin: it is among the last to be forgotten.
    pub fn used(&mut self, now: Instant, origin: &Origin) {
        if let Some(place) = self.speaker(now, origin) {
            self.touch(place);
        }
    }

    /// The alternative works: what was held against it is forgotten. Where it was not known,
    /// nothing is.
    pub fn mark_confirmed(&mut self, now: Instant, origin: &Origin, which: &Alternative) {
        let Some(place) = self.speaker(now, origin) else { return };
        self.touch(place);
        let held = self.entries.get_mut(place).and_then(|entry| entry.held_mut(which));
        if let Some(held) = held {
            held.health.confirm();
        }
    }

    /// The alternative failed where nothing else was shown to work: whoever tries it does not
    /// wait for it alone.
    pub fn mark_suspect(&mut self, now: Instant, origin: &Origin, which: &Alternative) {
        self.mark(now, origin, which, |health, _| health.suspect());
    }

    /// The alternative failed where another way worked: it is left alone for a while, and for
    /// twice as long the next time.
    pub fn mark_broken(&mut self, now: Instant, origin: &Origin, which: &Alternative) {
        let back_off = self.config.back_off;
        self.mark(now, origin, which, |health, now| health.break_off(now, &back_off));
    }

    fn mark(
        &mut self,
        now: Instant,
        origin: &Origin,
        which: &Alternative,
        mark: impl FnOnce(&mut Health, Instant),
    ) {
        if origin.scheme != Scheme::Https {
            return;
        }
        let place = match self.speaker(now, origin) {
            Some(place) => place,
            None => self.touch_or_make(origin),
        };
        self.touch(place);
        let most = self.config.max_alternatives as usize;
        let Some(entry) = self.entries.get_mut(place) else { return };
        if let Some(held) = entry.held_mut(which) {
            mark(&mut held.health, now);
            return;
        }
        let mut held = Held::remembered(entry.own(which), Health::default());
        mark(&mut held.health, now);
        entry.held.insert(0, held);
        entry.arrange(most);
    }

    /// Remembers the smoothed round trip to the origin; zero says nothing.
    pub fn note_rtt(&mut self, origin: &Origin, rtt: Duration) {
        if origin.scheme != Scheme::Https || rtt.is_zero() {
            return;
        }
        let place = self.touch_or_make(origin);
        if let Some(entry) = self.entries.get_mut(place) {
            entry.rtt = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1);
        }
    }

    /// The alternative answered 421: it does not speak for the origin (RFC 7838 6, AS-9).
    pub fn misdirected(&mut self, now: Instant, origin: &Origin, which: &Alternative) {
        let Some(place) = self.speaker(now, origin) else { return };
        if let Some(entry) = self.entries.get_mut(place) {
            let which = entry.own(which);
            entry.held.retain(|held| held.alternative != which);
        }
    }

    /// Forgets an origin, as when its data is cleared (AS-8).
    pub fn forget(&mut self, origin: &Origin) {
        if let Some(place) = self.find(origin) {
            self.remove(place);
        }
    }

    /// Another network: only what was said to persist is known there (AS-8), and none of it was
    /// tried. O(1): entries learn of it when they are next written.
    pub const fn network_changed(&mut self) {
        self.network = self.network.wrapping_add(1);
    }

    /// The origin's entry, which is now the last to be forgotten; another makes room for it.
    pub(super) fn touch_or_make(&mut self, origin: &Origin) -> Place {
        if let Some(place) = self.find(origin) {
            self.touch(place);
            return place;
        }
        if self.entries.len() >= self.config.max_origins as usize
            && let Some(oldest) = self.order.last().and_then(|slot| self.entries.id_at(slot))
        {
            self.remove(oldest);
            self.evicted += 1;
        }
        let place = self.entries.insert(Entry {
            origin: origin.clone(),
            link: Link::NONE,
            network: self.network,
            rtt: 0,
            held: SmallVec::new(),
        });
        self.table.insert(self.table.hash_origin(origin), place.slot);
        self.order.push_front(&mut self.entries, place.slot());
        place
    }

    /// To the front; and what another network had of it is gone.
    fn touch(&mut self, place: Place) {
        self.order.remove(&mut self.entries, place.slot());
        self.order.push_front(&mut self.entries, place.slot());
        let network = self.network;
        if let Some(entry) = self.entries.get_mut(place)
            && entry.network != network
        {
            entry.network = network;
            entry.move_on();
        }
    }

    fn remove(&mut self, place: Place) {
        let Some(entry) = self.entries.get(place) else { return };
        let (hash, suffix) = (self.table.hash_origin(&entry.origin), self.suffix(&entry.origin));
        self.table.remove(hash, place.slot);
        if let Some(suffix) = suffix
            && self.canonical.get(&suffix) == Some(&place)
        {
            self.canonical.remove(&suffix);
        }
        self.order.remove(&mut self.entries, place.slot());
        self.entries.remove(place);
    }
}

/// The origin's own host has one form.
pub(super) fn own_host(origin: &Origin, alternative: &mut Alternative) {
    if alternative.host.as_deref() == Some(&*origin.host) {
        alternative.host = None;
    }
}

/// Whether one more may be named beside others: hosts are counted, and one is the origin's own.
pub(super) fn has_room(others: &[&Alternative], next: &Alternative, most: u32) -> bool {
    let Some(host) = &next.host else { return true };
    let mut hosts: Vec<&str> = others.iter().filter_map(|other| other.host.as_deref()).collect();
    if hosts.contains(&&**host) {
        return true;
    }
    hosts.sort_unstable();
    hosts.dedup();
    hosts.len() + 1 < most as usize
}

impl Entry {
    /// As it is held here: the origin's own host has one form.
    fn own(&self, which: &Alternative) -> Alternative {
        let mut which = which.clone();
        own_host(&self.origin, &mut which);
        which
    }

    fn held_mut(&mut self, which: &Alternative) -> Option<&mut Held> {
        let which = self.own(which);
        self.held.iter_mut().find(|held| held.alternative == which)
    }

    /// Forgets what is not offered any more at `now`.
    fn expire(&mut self, now: Instant) {
        for held in &mut self.held {
            if held.said <= now {
                (held.said, held.persist) = (Instant::EPOCH, false);
            }
            if held.dns <= now {
                held.dns = Instant::EPOCH;
            }
        }
    }

    /// Keeps what outlives a change of network.
    fn move_on(&mut self) {
        self.rtt = 0;
        self.held.retain(|held| held.persist);
        for held in &mut self.held {
            held.dns = Instant::EPOCH;
            held.health = Health::default();
        }
    }

    /// The origin offers these and no others; in their order.
    fn hear(&mut self, offers: &[(Offer, Instant)], source: Source) {
        for held in &mut self.held {
            (held.said, held.persist) = (Instant::EPOCH, false);
        }
        for (offer, until) in offers.iter().rev() {
            let at = self.held.iter().position(|held| held.alternative == offer.alternative);
            let mut held = match at {
                Some(at) => self.held.remove(at),
                None => Held::remembered(offer.alternative.clone(), Health::default()),
            };
            (held.said, held.source, held.persist) = (*until, source, offer.persist);
            self.held.insert(0, held);
        }
    }

    /// DNS offers these and no others; what the origin itself offers keeps its order.
    fn hear_from_dns(&mut self, offers: &[(Offer, Instant)]) {
        for held in &mut self.held {
            held.dns = Instant::EPOCH;
        }
        for (rank, (offer, until)) in (0..).zip(offers) {
            let at = self.held.iter().position(|held| held.alternative == offer.alternative);
            let at = at.unwrap_or_else(|| {
                self.held.push(Held::remembered(offer.alternative.clone(), Health::default()));
                self.held.len() - 1
            });
            if let Some(held) = self.held.get_mut(at) {
                (held.dns, held.rank) = (*until, rank);
            }
        }
    }

    /// Each class in its place, and of what is not offered only what has been tried: `most`.
    pub(super) fn arrange(&mut self, most: usize) {
        self.held.retain(|held| held.class() != Class::Remembered || held.health.is_known());
        self.held.sort_by_key(Held::place);
        let offered = self.held.iter().filter(|held| held.class() != Class::Remembered).count();
        self.held.truncate(offered + most);
    }
}
