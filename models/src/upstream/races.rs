//! What a world has more in which QUIC and TCP race: alternatives, and what is heard of them.

use regatta_core::Duration;
use regatta_core::altsvc::{Alternative, HttpsRecords, Offer, Said, Source};
use regatta_core::id::PoolId;
use regatta_core::race::Delay;
use regatta_core::types::{Key, Limit, Protocol, Scheme};
use regatta_core::upstream::{Config, Event, Protocols};

use crate::settings::ms;
use crate::tape::Tape;

/// A host that is an alternative and no origin.
pub(super) const ELSEWHERE: &str = "c.example";

/// The ports of alternatives.
pub(super) const PORTS: [u16; 3] = [9_000, 9_001, 9_002];

/// What an earlier run knew, as curl writes it.
const FILE: &str = "h2 a.example 8000 h3 a.example 9000 \"20300101 00:00:00\" 0 0\n";

/// Lets the first profile race.
pub(super) fn draw(tape: &mut Tape, config: &mut Config) {
    config.profiles[0].protocols = Protocols::AutoHttp3;
    for cluster in &mut config.clusters {
        let scaled = Delay::RoundTrip { permille: 1_500, least: ms(10), most: ms(300) };
        let delays = [Delay::Fixed(ms(300)), Delay::Fixed(ms(300)), Delay::Fixed(ms(0)), scaled];
        cluster.race.delay = tape.pick("delay", &delays);
        cluster.race.second_family = !tape.one_in("one family", 3);
        cluster.race.tcp_at_once_when_unknown = tape.one_in("at once", 4);
        // A longer list: a byte that stood for one of the first means the same as before.
        let both = [(false, false), (true, false), (false, true), (true, true)];
        let all = both.map(|also| [1_024, 1_024, 1, 2, 4].map(|most| (most, also)));
        let (most, (early, asks)) = tape.pick("legs", all.as_flattened());
        config.profiles[0].https_records |= asks;
        cluster.race.max_legs = most;
        // The first cluster is the one of the profile.
        config.profiles[0].early_data |= early;
    }
}

/// Whether QUIC and TCP race for its pool.
pub(super) fn is_raced(key: &Key) -> bool {
    key.origin.scheme == Scheme::Https && key.profile.0 == 0
}

/// Somebody says what else serves an origin.
pub(super) fn learnt(tape: &mut Tape, keys: &[Key]) -> Event {
    let https: Vec<_> = keys.iter().filter(|key| key.origin.scheme == Scheme::Https).collect();
    let origin = tape.pick("origin", &https).origin.clone();
    if tape.one_in("file", 16) {
        let text = if tape.one_in("damaged", 2) { "what is this" } else { FILE };
        return Event::Restored { unix: 1_790_000_000, text: text.into() };
    }
    let mut offers: Vec<Offer> = Vec::new();
    for _ in 0..tape.pick("offers", &[1, 1, 1, 2, 0]) {
        let mut alternative = Alternative::http3(tape.pick("port", &PORTS));
        if tape.one_in("elsewhere", 3) {
            alternative.host = Some(ELSEWHERE.into());
        }
        let max_age = tape.pick("age", &[ms(86_400_000), ms(86_400_000), ms(200)]);
        offers.push(Offer { max_age, persist: tape.one_in("persist", 3), alternative });
    }
    let said = if tape.one_in("clear", 8) { Said::Clear } else { Said::Offers(offers) };
    let source = tape.pick("source", &[Source::Field, Source::Dns, Source::Hint]);
    Event::Learnt { origin, said, source, age: Duration::ZERO }
}

/// The answer that there is nothing.
pub(super) fn no_services(pool: PoolId) -> Event {
    Event::ServicesResolved { pool, records: HttpsRecords::Offers(vec![]), ttl: None }
}

/// What the resolver says of services, right or wrong; who follows aliases is led on, mostly.
pub(super) fn services(tape: &mut Tape, pool: PoolId, follows: bool) -> Event {
    let ttl = tape.pick("ttl", &[None, Some(ms(0)), Some(ms(200)), Some(Duration::MAX)]);
    let records =
        match tape.weighted("services", if follows { &[2, 1, 12, 1] } else { &[4, 2, 1, 1] }) {
            0 => {
                let mut alternative = Alternative::http3(tape.pick("port", &PORTS));
                if tape.one_in("elsewhere", 3) {
                    alternative.host = Some(ELSEWHERE.into());
                }
                HttpsRecords::Offers(vec![Offer::new(alternative)])
            }
            1 => HttpsRecords::Offers(vec![]),
            2 => HttpsRecords::Alias(ELSEWHERE.into()),
            _ => HttpsRecords::Unavailable,
        };
    Event::ServicesResolved { pool, records, ttl }
}

/// What comes out of a handshake over QUIC.
pub(super) fn established(limit: Limit) -> (Protocol, Limit) {
    let granted = match limit {
        Limit::Concurrent(granted) => granted.into(),
        Limit::Total(granted) => granted,
    };
    (Protocol::Http3, Limit::Total(granted))
}

#[cfg(test)]
mod tests {
    use super::super::{Anarchy, World};
    use crate::testing::{regressions, tapes};

    #[test]
    fn the_books_agree_where_quic_and_tcp_race() {
        tapes::<World<true>>(20, 160);
        tapes::<World<true>>(5, 1_200);
    }

    #[test]
    fn the_contract_holds_in_anarchy() {
        tapes::<Anarchy<true>>(10, 300);
    }

    #[test]
    fn a_denied_leg_leaves_nobody_waiting() {
        regressions::<World<true>>(&[
            // The leg that was to follow was denied, and who waited was told of nothing.
            &[
                0, 89, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 238, 0, 33, 0, 0, 0, 0, 0, 23, 213, 0, 0, 0,
                0, 0, 0, 17, 0, 3, 0, 0, 0, 0, 0, 55, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 149, 1, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 21, 0, 0, 0, 52, 0, 5,
                0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 6, 98, 0, 0, 0, 12,
            ],
        ]);
    }

    #[test]
    fn early_data_once_failed() {
        regressions::<World<true>>(&[
            // A pool that drained kept an open connection for who was called back from early data;
            // the books did not.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 212, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 182, 0, 0, 38, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 66, 63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 11, 125, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 66, 0, 0, 185, 0, 0, 0, 99, 0, 0,
                114, 0, 0, 0, 0, 0, 0, 0, 0, 242, 0, 0, 0, 0, 0, 0, 0, 42, 45, 8,
            ],
            // An attempt that was guessed at, and was QUIC's, was said to have agreed on HTTP/1.1.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190, 0, 0, 29, 0, 0, 0, 0, 0, 0, 11, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 109,
                0, 97, 0, 0, 0, 59, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 2, 53, 0, 0, 0, 0, 0, 0, 0,
                0, 40,
            ],
            // A burst had left somebody who could go early, and was forgotten when a leg failed.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 97, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 78, 0, 0, 0, 0, 98, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 195, 0,
                43, 0, 0, 0, 0, 11, 25, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 147, 2, 0, 0, 0, 0, 0, 0, 109,
                0, 0, 53, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 52, 0, 0, 0, 42,
            ],
        ]);
    }

    /// A request that was called back, answered, and late.
    #[test]
    fn what_comes_back_late_has_run_out_of_time() {
        regressions::<World<true>>(&[&[
            0, 0, 0, 0, 0, 0, 0, 0, 0, 212, 0, 0, 0, 0, 49, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 208, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 195, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 201, 0, 0, 0, 0, 0, 0, 238, 0, 61, 0, 0, 222, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 132, 0, 0, 12, 0, 21, 0, 195, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 116, 0, 0, 0, 0, 0, 0, 0, 74, 0, 0, 0, 0, 0, 0, 0, 0, 232, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 103, 0, 0, 0, 0, 0, 0, 0, 0, 0, 224,
        ]]);
    }

    /// A call ended, cut short, before the next leg of a race had begun: nobody is told of a
    /// failure, and who waited is served by that leg.
    #[test]
    fn a_leg_may_follow_in_the_next_call() {
        regressions::<World<true>>(&[&[
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 3, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 1, 0, 29, 1, 0, 0, 0, 0, 0, 0, 23, 3, 0, 0, 0,
            0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 23, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 42, 1, 2, 0, 0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 29, 1, 12, 0, 0, 12,
        ]]);
    }

    /// While all drains a leg is given up, and who was served in its stead goes again.
    #[test]
    fn a_leg_given_up_in_a_drain_stands_in_nobodys_way() {
        regressions::<World<true>>(&[&[
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 29, 5, 0, 219, 0, 0, 0, 0, 62, 0, 0, 0, 0, 0, 0, 102, 0, 0, 0, 0, 0, 59, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 238, 33, 0,
            129, 0, 0, 0, 0, 0, 0, 0, 0, 0, 157, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 42, 145, 176, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60,
            0, 115, 0, 205, 0, 0, 0, 0, 0, 0, 0, 0, 203, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 95, 27,
        ]]);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<World<true>>(&[
            // A pool stood in line for a leg that nobody waited for, and was dropped there.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 62, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 22,
                0, 0, 0, 0, 0, 0, 0, 71, 0, 0, 0, 0, 0, 58, 0, 0, 105, 77,
            ],
            // The same, and another pool took its place.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 221, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 1, 0, 0, 0, 0, 0, 0, 0, 243, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 1,
                0, 0, 0, 0, 0, 1, 0, 0, 0, 237,
            ],
            // A failed leg was followed by another that overtook the line.
            &[
                0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 75, 0, 0, 0, 0, 0, 0, 23, 109, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 89, 5, 252,
            ],
            // A leg to a family without addresses was owed for so long that it failed for others.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 22, 133, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 87, 21, 0,
                0, 0, 98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 89, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0,
                0, 0, 9, 0, 116, 0, 0, 0, 0, 107, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 238, 0, 222, 62, 0, 0, 21, 12, 0, 81, 0, 0, 243, 103, 0, 0, 162,
                0, 0, 0, 0, 0, 194,
            ],
            // The same, for one who had just come.
            &[
                0, 0, 0, 25, 0, 0, 0, 0, 0, 62, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 226, 0, 0, 0, 98, 0, 0, 0, 0, 0, 0, 0, 0,
                211, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 71, 0, 0, 0, 0, 23, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 58, 0, 0, 0, 0, 0, 0, 0, 109, 3, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 195, 0, 0, 102, 0, 32, 0, 0, 0, 0, 157, 249, 0, 0, 0, 0,
                109, 0, 13, 0, 0, 89, 1, 42, 0, 21, 0, 0, 152, 0, 0, 0, 0, 0, 252, 0, 0,
            ],
            // What waited was given to the connection whose end was being told.
            &[
                0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 243, 0, 0, 0, 0, 0, 0, 7, 253, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
                0, 23, 0, 90, 110, 0, 0, 0, 0, 0, 146, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 36,
            ],
            // Who waits for another connection than the one that failed him waits for none where
            // the race lets none begin.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 195, 0, 1, 0, 0, 0, 0, 0, 189, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 181, 7,
            ],
            // A leg over QUIC stood in line behind what it was to serve.
            &[
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 145, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 253,
                0, 0, 0, 0, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 147, 0, 0, 0, 0, 0, 0, 39, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 0, 0, 0, 23, 0, 58, 188, 0, 0, 0, 0, 0, 66,
                63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13,
            ],
        ]);
    }
}
