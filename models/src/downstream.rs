//! The listening side beside a model that walks over everything, every time.

use std::collections::BTreeSet;

use core::net::IpAddr;

use regatta_core::downstream::{Action, Config, Counts, Cut, Downstream, Event, WhenFull};
use regatta_core::id::ConnectionId;
use regatta_core::{Duration, Instant, Machine as _};

use crate::harness::{self, Input, Rest, Subject};
use crate::seen::{Exception, Expected, Seen, never};
use crate::settings::{HUGE, ms};
use crate::tape::Tape;

const ACTIONS: &str = "the listener does what its model does, in that order";
const DEADLINE: &str = "the listener waits until its model's next deadline";
const COUNTS: &str = "the listener counts what its model counts";

/// A listener, its connections in the order in which they were accepted, and who comes.
#[derive(Debug)]
pub struct Port {
    config: Config,
    connections: Vec<Connection>,
    past: BTreeSet<ConnectionId>,
    /// Handshakes that have asked for their turn.
    asked: u64,
    paused: bool,
    stage: Stage,
    counts: Counts,
    evaluated: u64,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    id: ConnectionId,
    client: Option<IpAddr>,
    greeting: Greeting,
    /// When it was, or will be, given up.
    until: Instant,
    given_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    Silent,
    Queued(u64),
    Shaking,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    Draining(Option<Instant>),
    Cutting,
    Drained,
}

/// What a sweep must have seen.
pub fn expected() -> Expected {
    let cuts: Vec<_> = Cut::ALL.iter().map(|cut| cut.name()).collect();
    Expected::default()
        .with("action", &NAMES)
        .with("cut", &cuts)
        .with_always(&harness::INVARIANTS)
        .with_always(&[ACTIONS, DEADLINE, COUNTS])
        .without(&engines())
}

const NAMES: [&str; 9] =
    ["serve", "turn away", "handshake", "pause", "resume", "stop", "shutdown", "abort", "drained"];

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Serve(_) => "serve",
        Action::TurnAway => "turn away",
        Action::Handshake(_) => "handshake",
        Action::PauseAccepting => "pause",
        Action::ResumeAccepting => "resume",
        Action::StopAccepting => "stop",
        Action::Shutdown(_) => "shutdown",
        Action::Abort(_) => "abort",
        Action::Drained => "drained",
    }
}

/// What the machine decides itself; all else engines and drivers only tell it.
const OWN: [Cut; 8] = [
    Cut::ConnectionLimit,
    Cut::AddressLimit,
    Cut::AcceptPaused,
    Cut::AcceptedDraining,
    Cut::HandshakeWaited,
    Cut::SilenceTimeout,
    Cut::HandshakeTimeout,
    Cut::DrainConnection,
];

fn engines() -> Vec<Exception> {
    let others = Cut::ALL.iter().filter(|cut| !OWN.contains(cut) && **cut != Cut::Malformed);
    others.map(|cut| never("cut", cut.name(), "an engine's; one of them stands for all")).collect()
}

impl Port {
    fn find(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    fn is_full(&self) -> bool {
        self.connections.len() >= self.config.max_connections as usize
    }

    fn shaking(&self) -> usize {
        self.connections.iter().filter(|one| one.greeting == Greeting::Shaking).count()
    }

    /// The connection that was just served, if one was, has this id.
    fn on_accepted(
        &mut self,
        now: Instant,
        peer: Option<IpAddr>,
        minted: Option<ConnectionId>,
    ) -> Vec<Action> {
        let client = peer.map(client);
        let of_client =
            self.connections.iter().filter(|one| client.is_some() && one.client == client);
        let most = self.config.max_connections_per_address;
        let cut = if self.stage != Stage::Serving {
            Some(Cut::AcceptedDraining)
        } else if self.is_full() {
            Some(Cut::ConnectionLimit)
        } else if client.is_some() && most.is_some_and(|most| of_client.count() >= most as usize) {
            Some(Cut::AddressLimit)
        } else {
            None
        };
        if let Some(cut) = cut {
            self.counts.add(cut);
            return vec![Action::TurnAway];
        }
        let Some(id) = minted else { return vec![] };
        let known = self.connections.iter().any(|one| one.id == id) || self.past.contains(&id);
        assert!(!known, "{id:?} is given out twice");
        let until = now + self.config.silence_timeout;
        let greeting = Greeting::Silent;
        self.connections.push(Connection { id, client, greeting, until, given_up: false });
        let mut actions = vec![Action::Serve(id)];
        actions.extend(self.pause());
        actions
    }

    fn pause(&mut self) -> Option<Action> {
        if self.config.when_full != WhenFull::Wait || self.stage != Stage::Serving {
            return None;
        }
        let full = self.is_full();
        let before = core::mem::replace(&mut self.paused, full);
        match (before, self.paused) {
            (false, true) => {
                self.counts.add(Cut::AcceptPaused);
                Some(Action::PauseAccepting)
            }
            (true, false) => Some(Action::ResumeAccepting),
            _ => None,
        }
    }

    fn on_handshaking(&mut self, now: Instant, id: ConnectionId) -> Vec<Action> {
        let (until, place) = (now + self.config.handshake_timeout, self.asked);
        let waits = self.shaking() >= self.config.max_handshakes as usize;
        let Some(found) = self.find(id).filter(|one| one.greeting == Greeting::Silent) else {
            return vec![];
        };
        found.greeting = Greeting::Queued(place);
        if !found.given_up {
            found.until = until;
        }
        self.asked += 1;
        if waits {
            self.counts.add(Cut::HandshakeWaited);
        }
        self.turns()
    }

    /// Whose turn it is, as long as there are turns.
    fn turns(&mut self) -> Vec<Action> {
        let mut actions = vec![];
        while self.shaking() < self.config.max_handshakes as usize {
            let place = |one: &&mut Connection| match one.greeting {
                Greeting::Queued(place) => Some(place),
                _ => None,
            };
            let waiting = self.connections.iter_mut().filter(|one| place(one).is_some());
            let Some(first) = waiting.min_by_key(|one| place(one)) else { break };
            first.greeting = Greeting::Shaking;
            actions.push(Action::Handshake(first.id));
        }
        actions
    }

    fn on_closed(&mut self, id: ConnectionId) -> Vec<Action> {
        let Some(at) = self.connections.iter().position(|one| one.id == id) else { return vec![] };
        self.connections.remove(at);
        self.past.insert(id);
        let mut actions = self.turns();
        actions.extend(self.pause());
        actions.extend(self.finish());
        actions
    }

    fn finish(&mut self) -> Option<Action> {
        let ending = matches!(self.stage, Stage::Draining(_) | Stage::Cutting);
        (ending && self.connections.is_empty()).then(|| {
            self.stage = Stage::Drained;
            Action::Drained
        })
    }

    fn on_drain(&mut self, now: Instant, limit: Option<Duration>) -> Vec<Action> {
        let until = limit.or(self.config.drain_timeout).map(|limit| now + limit);
        match self.stage {
            Stage::Serving => {
                self.stage = Stage::Draining(until);
                let mut ids: Vec<_> = self.connections.iter().map(|one| one.id).collect();
                ids.sort_by_key(|id| id.slot());
                let mut actions = vec![Action::StopAccepting];
                actions.extend(ids.into_iter().map(Action::Shutdown));
                actions.extend(self.finish());
                actions
            }
            Stage::Draining(before) => {
                self.stage = Stage::Draining(before.into_iter().chain(until).min());
                vec![]
            }
            Stage::Cutting | Stage::Drained => vec![],
        }
    }

    fn on_timeout(&mut self, now: Instant) -> Vec<Action> {
        let mut late: Vec<_> = self.connections.iter_mut().filter(|one| one.is_timed()).collect();
        late.retain(|one| one.until <= now);
        late.sort_by_key(|one| (one.until, one.id));
        let mut actions = vec![];
        for one in late {
            one.given_up = true;
            self.counts.add(match one.greeting {
                Greeting::Silent => Cut::SilenceTimeout,
                _ => Cut::HandshakeTimeout,
            });
            actions.push(Action::Abort(one.id));
        }
        if matches!(self.stage, Stage::Draining(Some(until)) if until <= now) {
            self.stage = Stage::Cutting;
            let mut ids: Vec<_> = self.connections.iter().map(|one| one.id).collect();
            ids.sort_by_key(|id| id.slot());
            for id in ids {
                self.counts.add(Cut::DrainConnection);
                actions.push(Action::Abort(id));
            }
        }
        actions
    }

    fn deadline(&self) -> Option<Instant> {
        let greeting = self.connections.iter().filter(|one| one.is_timed()).map(|one| one.until);
        let drain = match self.stage {
            Stage::Draining(until) => until,
            _ => None,
        };
        greeting.chain(drain).min()
    }
}

impl Connection {
    const fn is_timed(&self) -> bool {
        !self.given_up && !matches!(self.greeting, Greeting::Open)
    }
}

/// IPv4 whole, of IPv6 the first half, as text.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => {
                let mut octets = six.octets();
                octets[8..].fill(0);
                IpAddr::from(octets)
            }
        },
    }
}

fn peer(tape: &mut Tape) -> Option<IpAddr> {
    let text = tape.pick(
        "peer",
        &["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2:1", ""],
    );
    text.parse().ok()
}

impl Subject for Port {
    type Machine = Downstream;

    fn new(tape: &mut Tape) -> Self {
        let mut config = Config::default();
        config.max_connections = tape.pick("connections", &[3, 16_384, 1, 2, 0]);
        config.when_full = tape.pick("when full", &[WhenFull::TurnAway, WhenFull::Wait]);
        config.max_connections_per_address = tape.pick("of one address", &[None, Some(1), Some(2)]);
        config.max_handshakes = tape.pick("handshakes", &[1, 1_024, 2, 0]);
        config.handshake_timeout = tape.pick("handshake", &[ms(100), ms(10_000), ms(0), HUGE]);
        config.silence_timeout = tape.pick("silence", &[ms(100), ms(60_000), ms(0), HUGE]);
        config.drain_timeout = tape.pick("drain", &[Some(ms(500)), None, Some(ms(0))]);
        Self {
            config,
            connections: vec![],
            past: BTreeSet::new(),
            asked: 0,
            paused: false,
            stage: Stage::Serving,
            counts: Counts::new(),
            evaluated: 0,
        }
    }

    fn machine(&self) -> Downstream {
        Downstream::new(self.config.clone())
    }

    fn event(&mut self, tape: &mut Tape, _: Instant) -> Event {
        let living: Vec<_> = self.connections.iter().map(|one| one.id).collect();
        let gone: Vec<_> = self.past.iter().copied().collect();
        let stranger = vec![ConnectionId::new(7, 7)];
        let which = match tape.weighted("which", &[12, 1, 1]) {
            0 if !living.is_empty() => living,
            1 if !gone.is_empty() => gone,
            _ => stranger,
        };
        let id = which[tape.draw("connection", u32::try_from(which.len()).unwrap_or(1)) as usize];
        match tape.weighted("event", &[8, 5, 4, 4, 1, 1]) {
            0 => Event::Accepted { peer: peer(tape) },
            1 => Event::Handshaking(id),
            2 => Event::Greeted(id),
            3 => Event::Closed(id),
            4 => Event::Cut(Cut::Malformed),
            _ => Event::Drain {
                limit: tape.pick("limit", &[None, Some(ms(50)), Some(ms(0)), Some(HUGE)]),
            },
        }
    }

    fn observe(
        &mut self,
        now: Instant,
        input: &Input<Event>,
        actions: &[Action],
        machine: &Downstream,
    ) {
        let minted = actions.iter().find_map(|action| match action {
            Action::Serve(id) => Some(*id),
            _ => None,
        });
        let expected = match *input {
            Input::Timeout => self.on_timeout(now),
            Input::Event(Event::Accepted { peer }) => self.on_accepted(now, peer, minted),
            Input::Event(Event::Handshaking(id)) => self.on_handshaking(now, id),
            Input::Event(Event::Greeted(id)) => {
                if let Some(found) = self.find(id) {
                    found.greeting = Greeting::Open;
                }
                self.turns()
            }
            Input::Event(Event::Closed(id)) => self.on_closed(id),
            Input::Event(Event::Cut(cut)) => {
                self.counts.add(cut);
                vec![]
            }
            Input::Event(Event::Drain { limit }) => self.on_drain(now, limit),
        };
        assert_eq!(actions, expected, "{ACTIONS}");
        assert_eq!(machine.poll_timeout(), self.deadline(), "{DEADLINE}");
        assert_eq!(*machine.counts(), self.counts, "{COUNTS}");
        assert_eq!(machine.active(), self.connections.len());
        assert_eq!(machine.handshakes() as usize, self.shaking());
        self.evaluated += 1;
    }

    fn see(&self, _: &Input<Event>, actions: &[Action], machine: &mut Downstream, seen: &mut Seen) {
        actions.iter().for_each(|action| seen.sometimes("action", name(action)));
        machine.counts().iter().for_each(|(cut, _)| seen.sometimes("cut", cut));
    }

    fn see_invariants(&self, seen: &mut Seen) {
        if self.evaluated > 0 {
            [ACTIONS, DEADLINE, COUNTS].iter().for_each(|name| seen.always(name, self.evaluated));
        }
    }

    fn describe(&self) -> String {
        format!("{:?}", self.config)
    }

    fn rest(&mut self, _: Instant, _: &Downstream) -> Rest<Event> {
        match (self.stage, self.connections.first()) {
            (Stage::Serving, _) => Rest::Event(Event::Drain { limit: None }),
            (_, Some(connection)) => Rest::Event(Event::Closed(connection.id)),
            (_, None) => Rest::Done,
        }
    }

    fn at_rest(&self, machine: &Downstream) {
        assert_eq!(self.stage, Stage::Drained, "a drain without connections is over");
        assert_eq!((machine.active(), machine.handshakes()), (0, 0), "nothing is left");
        assert_eq!(machine.poll_timeout(), None, "nothing is waited for");
    }

    fn actions_max(&self) -> usize {
        2 * self.connections.len() + 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{regressions, tapes};

    #[test]
    fn machine_and_model_agree() {
        tapes::<Port>(20, 200);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<Port>(&[]);
    }
}
