//! Worlds in which QUIC and TCP race and nothing changes: when each first byte comes, and how many
//! connections are begun, worked out by hand.

use core::time::Duration;

use regatta_core::altsvc::{Alternative, Offer};
use regatta_core::race::Delay;
use regatta_core::types::Scheme;
use regatta_core::upstream::Protocols;

use super::case::{Case, Dice, DnsPlan, HostPlan, OriginPlan, address};
use super::fault::FaultKind;
use super::optimum::{Expectation, case, plain_request};
use crate::peer::{Conduct, ServerPlan};

/// Between two requests that are asked one after the other: less than QUIC's idle time, and than
/// the time after which HTTP/2 is probed.
const APART: Duration = Duration::from_secs(5);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What becomes of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Udp {
    /// They get through.
    Works,
    /// They disappear.
    Swallowed,
    /// Nobody listens.
    Refused,
    /// Those of the family that goes first disappear; there are two.
    OtherFamily,
}

/// The world, as far as the answer hangs on it.
#[derive(Clone, Copy, Debug)]
struct World {
    rtt: Duration,
    udp: Udp,
    /// HTTP/3 is known beforehand; else it is learnt from the first answer.
    known: bool,
    /// A second leg over QUIC may go to the other family.
    second: bool,
    together: bool,
    requests: u32,
}

/// One origin on one host, asked a few times in turn or at once.
pub(super) fn stable(dice: &mut Dice<'_>, seed: u64) -> Case {
    // No multiple of a millisecond: nothing happens at the race's delay but the race's delay.
    let delay = Duration::from_micros(101 + u64::from(dice.tape.draw("delay", 60_000)) * 8);
    let families: &[bool] = dice.tape.pick("families", &[&[false][..], &[true], &[true, false]]);
    let two = families.len() == 2;
    let all = [Udp::Works, Udp::Swallowed, Udp::Refused, Udp::OtherFamily];
    let udp = dice.tape.pick("datagrams", if two { &all } else { &all[..3] });
    let plan =
        ServerPlan { http3: (udp != Udp::Refused).then(Default::default), ..ServerPlan::default() };
    let conduct = Conduct::Honest(Box::new(plan));
    let addresses =
        families.iter().enumerate().map(|(n, v6)| (address(0, n, *v6), conduct.clone()));
    let hosts = vec![HostPlan { delay, addresses: addresses.collect() }];
    let addresses = (0..families.len()).map(|place| (0, place)).collect();
    let dns = DnsPlan::AT_ONCE;
    let origin = OriginPlan { name: "a.test", scheme: Scheme::Https, addresses, dns };
    let mut case = case(dice, seed, hosts, vec![origin]);
    case.http3 = true;
    match udp {
        Udp::Works | Udp::Refused => {}
        Udp::Swallowed => case.from_start.push(FaultKind::NoUdp),
        Udp::OtherFamily => case.from_start.push(FaultKind::NoUdpOf(true)),
    }
    let known = dice.tape.draw("known", 3) != 2;
    if known {
        case.client.known.push((0, Offer::new(Alternative::http3(443))));
    }
    let plan = &mut case.client;
    plan.protocols[0] = Protocols::AutoHttp3;
    let by_rtt = Delay::RoundTrip { permille: 1_500, least: ms(10), most: ms(300) };
    plan.race.delay = dice.usual("race's delay", &[plan.race.delay, Delay::Fixed(ms(10)), by_rtt]);
    plan.race.second_family = dice.usual("second family", &[true, false]);
    // The race between addresses is another one's.
    plan.eyeballs.attempt_delay = ms(60_000);
    plan.pool.connect_timeout = ms(60_000);
    let together = dice.tape.draw("together", 2) == 1;
    let requests = 1 + dice.tape.draw("requests", 4);
    for n in 0..requests {
        case.requests.push(plain_request(if together { Duration::ZERO } else { APART * n }));
    }
    let second = two && case.client.race.second_family;
    let world = World { rtt: delay * 2, udp, known, second, together, requests };
    case.expectation = Some(world.expect(&case.client.race.delay));
    case
}

impl World {
    fn expect(self, delay: &Delay) -> Expectation {
        let Self { rtt, together, requests, known, .. } = self;
        let (first, connections) = match known {
            true => self.race(delay.after(None)),
            false => self.learn(delay.after(Some(rtt))),
        };
        let first_byte = (0..requests).map(|n| Some(if n == 0 || together { first } else { rtt }));
        // Each of one attempt.
        Expectation { first_byte: first_byte.collect(), connections, attempts: connections }
    }

    /// TCP, TLS 1.3, the request. QUIC starts beside the second request.
    fn learn(self, delay: Duration) -> (Duration, u64) {
        let tries = !self.together && self.requests > 1 && self.udp != Udp::Refused;
        // The world ends with the last request, a round trip after the second one.
        let slow = delay < self.rtt || self.udp != Udp::Works && self.requests > 2;
        let more = match tries {
            true => 1 + u64::from(self.second && slow),
            false => 0,
        };
        (self.rtt * 3, 1 + more)
    }

    /// QUIC first.
    fn race(self, delay: Duration) -> (Duration, u64) {
        let Self { rtt, second, .. } = self;
        let both = u64::from(second);
        match self.udp {
            // Its handshake takes one round trip, TCP's with TLS two, from later on.
            Udp::Works if delay < rtt => (rtt * 2, 2 + both),
            Udp::Works => (rtt * 2, 1),
            Udp::Swallowed => (delay + rtt * 3, 2 + both),
            Udp::OtherFamily if second => (delay + rtt * 2, 3),
            Udp::OtherFamily => (delay + rtt * 3, 2),
            // One refusal a round trip; TCP at the latest behind the last one.
            Udp::Refused => {
                let refused = if second { rtt * 2 } else { rtt };
                (delay.min(refused) + rtt * 3, 2 + both)
            }
        }
    }
}
