//! How HTTP/3 is marked, judged by what became of connections and attempts: the race itself is
//! asked nothing.
//!
//! What must be true of a pool:
//!
//! - *confirmed*: a connection over QUIC has just been established, on this network;
//! - *suspect*: one over QUIC was established on this network and has not been blamed yet;
//! - *broken*: since it was last marked, or one won that had been begun on another network,
//!   connections over QUIC were begun on this network and every one of them failed; and TCP
//!   connected meanwhile, or had when the first of them began. Or none was begun since one was
//!   found suspect that had never answered, and TCP connected after it.

use std::collections::BTreeMap;

use regatta_core::record::{Kind, Record, Rule};
use regatta_core::types::Transport;
use regatta_core::upstream::PoolView;

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    UnderWay,
    /// It is established.
    Won,
    /// It could not be.
    Failed,
    /// It was given up, or is over after it was established.
    Over,
}

/// A connection, until long after its end.
#[derive(Clone, Copy, Debug)]
struct Leg {
    connection: u64,
    pool: u64,
    quic: bool,
    rule: Rule,
    /// How many records there had been when it was begun, was established and was over.
    begun: u64,
    won: Option<u64>,
    over: Option<u64>,
    network: u32,
    fate: Fate,
    /// It was confirmed.
    confirmed: bool,
    /// It has answered a request.
    answered: bool,
    /// It was found suspect.
    blamed: bool,
    /// The pool was marked since it was begun.
    judged: bool,
}

/// Every connection of pools that race, and how those were marked last.
#[derive(Debug, Default)]
pub(super) struct Marks {
    legs: Vec<Leg>,
    last: BTreeMap<u64, Kind>,
    /// Pools that were found suspect last, by a connection that may never have answered: when that
    /// was established.
    mute: BTreeMap<u64, u64>,
    records: u64,
    network: u32,
    met: Vec<&'static str>,
}

impl Marks {
    /// Takes a record in. `course` tells a connection's pool and transport. Whether something was
    /// judged; or what is wrong.
    pub(super) fn record(
        &mut self,
        record: &Record,
        course: impl Fn(u64) -> Option<(u64, Transport)>,
    ) -> Result<bool, String> {
        self.records += 1;
        let Record { kind, rule, a, b, to, .. } = *record;
        match kind {
            Kind::ConnectionMade if is_of_race(rule) => {
                if let Some((pool, transport)) = course(a) {
                    self.begin(a, pool, transport == Transport::Quic, rule);
                }
            }
            Kind::AttemptWon => self.on_won(b),
            Kind::Completed => self.on_answered(b),
            Kind::ConnectFailed => self.end(a, Fate::Failed),
            Kind::ConnectionState if to == CLOSED => self.end(a, Fate::Over),
            Kind::Http3Confirmed => return self.on_confirmed(a).map(|()| true),
            Kind::Http3Suspect => return self.on_suspect(a).map(|()| true),
            Kind::Http3Broken => return self.on_broken(a).map(|()| true),
            _ => {}
        }
        Ok(false)
    }

    fn begin(&mut self, connection: u64, pool: u64, quic: bool, rule: Rule) {
        self.legs.push(Leg {
            connection,
            pool,
            quic,
            rule,
            begun: self.records,
            won: None,
            over: None,
            network: self.network,
            fate: Fate::UnderWay,
            confirmed: false,
            answered: false,
            blamed: false,
            judged: false,
        });
    }

    fn leg(&mut self, connection: u64) -> Option<&mut Leg> {
        self.legs.iter_mut().rfind(|leg| leg.connection == connection)
    }

    fn on_won(&mut self, connection: u64) {
        let records = self.records;
        let Some(leg) = self.leg(connection) else { return };
        (leg.fate, leg.won) = (Fate::Won, Some(records));
        let Leg { quic, rule, pool, network, .. } = *leg;
        if quic && network != self.network {
            // It proves nothing of this network, and yet its race is over: what ran beside it was
            // given up for it, and has not failed.
            self.legs.iter_mut().filter(|leg| leg.pool == pool).for_each(|leg| leg.judged = true);
        }
        let item = match (quic, rule) {
            (true, Rule::RaceDelay | Rule::RaceQuicFailed | Rule::RaceSecondKnown) => {
                "QUIC won over the other family"
            }
            (true, _) => "QUIC won",
            (false, Rule::RaceTcpOnly) => return,
            (false, _) => "TCP won against QUIC",
        };
        self.met.push(item);
    }

    fn on_answered(&mut self, connection: u64) {
        if let Some(leg) = self.leg(connection) {
            leg.answered = true;
        }
    }

    fn end(&mut self, connection: u64, fate: Fate) {
        let records = self.records;
        if let Some(leg) = self.leg(connection)
            && leg.over.is_none()
        {
            (leg.fate, leg.over) = (fate, Some(records));
        }
    }

    pub(super) fn on_network_changed(&mut self) {
        self.network += 1;
        self.mute.clear();
    }

    fn judged(&mut self, pool: u64, kind: Kind) {
        match (self.last.insert(pool, kind), kind) {
            (Some(Kind::Http3Broken), Kind::Http3Confirmed) => {
                self.met.push("broken, then confirmed");
            }
            (Some(Kind::Http3Suspect), Kind::Http3Broken) => self.met.push("suspect, then broken"),
            (Some(Kind::Http3Suspect), Kind::Http3Confirmed) => {
                self.met.push("suspect, then confirmed");
            }
            _ => {}
        }
    }

    fn on_confirmed(&mut self, pool: u64) -> Result<(), String> {
        let network = self.network;
        let mut legs = self.legs.iter_mut().filter(|leg| leg.pool == pool && leg.quic);
        let won = |leg: &&mut Leg| leg.won.is_some() && !leg.confirmed && leg.network == network;
        let Some(leg) = legs.rfind(won) else {
            return Err("HTTP/3 was confirmed where no connection over QUIC was new".to_owned());
        };
        leg.confirmed = true;
        self.mute.remove(&pool);
        self.legs.iter_mut().filter(|leg| leg.pool == pool).for_each(|leg| leg.judged = true);
        self.judged(pool, Kind::Http3Confirmed);
        Ok(())
    }

    fn on_suspect(&mut self, pool: u64) -> Result<(), String> {
        let network = self.network;
        let dead = |leg: &&mut Leg| leg.won.is_some() && !leg.blamed && leg.network == network;
        let mute = |leg: &&Leg| leg.won.is_some() && leg.over.is_none() && !leg.answered;
        let of_pool = self.legs.iter().filter(|leg| leg.pool == pool && leg.quic);
        let mute = of_pool.filter(|leg| leg.network == network).find(mute).and_then(|leg| leg.won);
        let mut legs = self.legs.iter_mut().filter(|leg| leg.pool == pool && leg.quic);
        let Some(leg) = legs.find(dead) else {
            return Err("HTTP/3 was suspect though none of its connections had died".to_owned());
        };
        leg.blamed = true;
        self.mute.remove(&pool);
        self.mute.extend(mute.map(|won| (pool, won)));
        self.judged(pool, Kind::Http3Suspect);
        Ok(())
    }

    fn on_broken(&mut self, pool: u64) -> Result<(), String> {
        let network = self.network;
        let of_pool = || self.legs.iter().filter(|leg| leg.pool == pool);
        let over_quic =
            || of_pool().filter(|leg| leg.quic && !leg.judged && leg.network == network);
        let mute = self.mute.remove(&pool);
        let Some(first) = over_quic().map(|leg| leg.begun).min().or(mute) else {
            return Err("HTTP/3 was broken though nothing had been tried over QUIC".to_owned());
        };
        if let Some(leg) = over_quic().find(|leg| leg.fate != Fate::Failed) {
            return Err(format!("HTTP/3 was broken though one leg is not: {leg:?}"));
        }
        let stood = |leg: &Leg| leg.over.is_none_or(|over| over > first);
        let tcp = of_pool().any(|leg| !leg.quic && leg.won.is_some() && stood(leg));
        if !tcp {
            return Err("HTTP/3 was broken though TCP did not connect".to_owned());
        }
        self.legs.iter_mut().filter(|leg| leg.pool == pool).for_each(|leg| leg.judged = true);
        self.judged(pool, Kind::Http3Broken);
        Ok(())
    }

    /// How many connections may be the first ones of their pools over their transports.
    pub(super) fn firsts(&self) -> u32 {
        let open = self.legs.iter().filter(|leg| leg.over.is_none());
        let firsts: std::collections::BTreeSet<_> = open.map(|leg| (leg.pool, leg.quic)).collect();
        firsts.len() as u32
    }

    /// What was met since it was asked last.
    pub(super) fn met(&mut self, views: &[PoolView]) -> Vec<&'static str> {
        let waits = |view: &&PoolView| {
            let id = regatta_core::record::pack(view.id);
            let runs = |leg: &Leg| leg.pool == id && leg.quic && leg.fate == Fate::UnderWay;
            view.awaits_turn && self.legs.iter().any(runs)
        };
        if views.iter().any(|view| waits(&view)) {
            self.met.push("TCP waits for its turn beside QUIC");
        }
        core::mem::take(&mut self.met)
    }
}

/// The number of the state `Closed` in records.
const CLOSED: u8 = regatta_core::pool::State::Closed as u8;

const fn is_of_race(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::RaceQuicFirst
            | Rule::RaceTcpOnly
            | Rule::RaceDelay
            | Rule::RaceQuicFailed
            | Rule::RaceSuspect
            | Rule::RaceBehind
            | Rule::RaceLearnt
            | Rule::RaceSecondKnown
    )
}

#[cfg(test)]
mod tests {
    use regatta_core::Instant;

    use super::*;

    const POOL: u64 = 1;

    /// Connections by number: even ones over QUIC, odd ones over TCP.
    fn told(all: &[(Kind, u64)]) -> Result<Marks, String> {
        let mut marks = Marks::default();
        for (kind, id) in all {
            if *kind == Kind::Stale {
                marks.on_network_changed();
                continue;
            }
            let second = matches!(kind, Kind::AttemptWon | Kind::Completed);
            let (a, b) = if second { (0, *id) } else { (*id, 0) };
            let (at, rule) = (Instant::EPOCH, Rule::RaceQuicFirst);
            let record = Record { at, kind: *kind, rule, from: 0, to: CLOSED, a, b, value: 0 };
            let over =
                |id: u64| if id.is_multiple_of(2) { Transport::Quic } else { Transport::Tcp };
            marks.record(&record, |id| Some((POOL, over(id))))?;
        }
        Ok(marks)
    }

    #[test]
    fn marks_have_their_reasons() {
        use Kind::{AttemptWon as Won, ConnectFailed as Failed, ConnectionMade as Made};
        let (broken, suspect, confirmed) =
            (Kind::Http3Broken, Kind::Http3Suspect, Kind::Http3Confirmed);
        let network = Kind::Stale;
        let done = Kind::Completed;
        let mute = [(Made, 2), (Won, 2), (confirmed, POOL), (suspect, POOL), (Made, 3), (Won, 3)];
        let answered = [&mute[..3], &[(done, 2)], &mute[3..], &[(broken, POOL)]].concat();
        let moved = [&mute[..4], &[(network, 0)], &mute[4..], &[(broken, POOL)]].concat();
        let mute = [&mute[..], &[(broken, POOL)]].concat();
        // Who was begun before the network changed wins: what is given up for it has not failed.
        let given_up = [(Made, 2), (network, 0), (Made, 4), (Won, 2), (Kind::ConnectionState, 4)];
        let later = [(Made, 6), (Made, 3), (Won, 3), (Failed, 6), (broken, POOL)];
        let no_winner = [&given_up[..3], &given_up[4..], &later].concat();
        let nothing_tried = [&given_up[..], &later[1..3], &later[4..]].concat();
        let given_up = [&given_up[..], &later].concat();
        let all: [(&[(Kind, u64)], bool); 20] = [
            (&given_up, true),
            (&no_winner, false),
            (&nothing_tried, false),
            (&[(Made, 2), (Made, 3), (Won, 3), (Failed, 2), (broken, POOL)], true),
            (&[(Made, 2), (Made, 3), (Failed, 2), (Won, 3), (broken, POOL)], true),
            // It runs still, or TCP did not connect, or nothing was tried.
            (&[(Made, 2), (Made, 3), (Won, 3), (broken, POOL)], false),
            (&[(Made, 2), (Made, 3), (Failed, 2), (broken, POOL)], false),
            (&[(Made, 3), (Won, 3), (broken, POOL)], false),
            // The other family has not failed.
            (&[(Made, 2), (Made, 4), (Made, 3), (Won, 3), (Failed, 2), (broken, POOL)], false),
            // What failed on another network proves nothing.
            (&[(Made, 2), (Made, 3), (Won, 3), (network, 0), (Failed, 2), (broken, POOL)], false),
            (&[(Made, 2), (Won, 2), (confirmed, POOL)], true),
            (&[(Made, 2), (Won, 2), (confirmed, POOL), (confirmed, POOL)], false),
            (&[(Made, 3), (Won, 3), (confirmed, POOL)], false),
            (&[(Made, 2), (Won, 2), (confirmed, POOL), (suspect, POOL)], true),
            (&[(Made, 2), (Failed, 2), (suspect, POOL)], false),
            (&[(Made, 2), (Won, 2), (network, 0), (suspect, POOL)], false),
            // It shook hands and answered nothing, and TCP connects.
            (&mute, true),
            (&mute[1..], false),
            (&answered, false),
            (&moved, false),
        ];
        for (records, right) in all {
            assert_eq!(told(records).is_ok(), right, "{records:?}");
        }
    }

    #[test]
    fn a_mark_that_follows_another_is_met() {
        use Kind::{AttemptWon as Won, ConnectFailed as Failed, ConnectionMade as Made};
        let records = [
            (Made, 2),
            (Made, 3),
            (Won, 3),
            (Failed, 2),
            (Kind::Http3Broken, POOL),
            (Made, 4),
            (Won, 4),
            (Kind::Http3Confirmed, POOL),
            (Kind::Http3Suspect, POOL),
        ];
        let met = told(&records).unwrap().met(&[]);
        assert_eq!(met, ["TCP won against QUIC", "QUIC won", "broken, then confirmed"]);
    }
}
