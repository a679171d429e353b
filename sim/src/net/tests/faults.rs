//! Faults on a schedule.

use std::io::ErrorKind;

use super::*;
use crate::net::fault::{Fault, Peers};
use crate::net::nat::Nat;
use crate::net::rule::{Action, Rule, Transport};

/// A question and its answer over one connection, under a fault at 100 ms that may end at
/// 400 ms. Says what the client reads, and when.
fn asked(pair: &Pair, faults: &[(u64, Fault)]) -> (Result<Vec<u8>, ErrorKind>, u64) {
    for (at, fault) in faults {
        pair.net.at(Instant::from_millis(*at), fault.clone());
    }
    let done = pair.net.run(async {
        let (mut near, mut far, _listening) = pair.connected().await;
        pair.server.spawn(async move {
            while let Ok(question) = read(&mut far).await {
                if question.is_empty() || write_all(&mut far, &question).await.is_err() {
                    break;
                }
            }
        });
        pair.client.sleep(ms(90)).await;
        let asked = write_all(&mut near, b"question").await;
        let answer = match asked {
            Ok(()) => read(&mut near).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| error.kind())
    });
    (done.unwrap(), pair.now_ms())
}

#[test]
fn each_fault_is_heard_as_it_should_be() {
    let (c, s) = (crate::net::HostId(0), crate::net::HostId(1));
    let crash = |peers| Fault::Crash { host: s, peers };
    let answer = Ok(b"question".to_vec());
    let reset = Err(ErrorKind::ConnectionReset);
    let slow = Link::delay(ms(100));
    let drop_tcp = Rule::new(Action::Drop).transport(Transport::Tcp);
    // The client asks at 120 ms; a round trip takes 20 ms, and a lost question goes again after
    // 220, 660 and 1,540 ms.
    let two = |first: Fault, until: u64, second: Fault| vec![(100, first), (until, second)];
    let one = |fault: Fault| vec![(100, fault)];
    let at_server = address(SERVER);
    let black = |link| Fault::LinkAddress(c, at_server, link);
    let no_address = Fault::RemoveAddress(s, at_server);
    let table = [
        ("none", vec![], &answer, 140),
        ("down and up", two(Fault::LinkDown(c, s), 300, Fault::LinkUp(s, c)), &answer, 360),
        ("another link", one(Fault::Link(c, s, slow)), &answer, 320),
        ("back slower", one(Fault::LinkOneWay(s, c, slow)), &answer, 230),
        ("apart", two(Fault::Partition(vec![c]), 400, Fault::Heal), &answer, 800),
        ("another's partition", one(Fault::Partition(vec![c, s])), &answer, 140),
        ("crash, reset", one(crash(Peers::Reset)), &reset, 120),
        ("crash, silent", two(crash(Peers::Silence), 400, Fault::Restart(s)), &reset, 800),
        ("stopped", two(Fault::Stop(s), 400, Fault::Release(s)), &answer, 420),
        ("no address", two(no_address, 300, Fault::AddAddress(s, at_server)), &answer, 360),
        ("rule", two(Fault::AddRule(drop_tcp), 300, Fault::RemoveRule(drop_tcp)), &answer, 360),
        ("rules", two(Fault::AddRule(drop_tcp), 300, Fault::RemoveRules), &answer, 360),
        ("black hole", two(black(Some(Link::cut())), 300, black(None)), &answer, 360),
        ("port", one(Fault::RefusePort { host: s, port: 80, time: ms(900) }), &answer, 140),
    ];
    for (what, faults, expected, at) in table {
        let pair = Pair::new(Link::delay(ms(10)));
        let (heard, now) = asked(&pair, &faults);
        assert_eq!((&heard, now), (expected, at), "{what}");
    }
}

#[test]
fn a_crashed_host_forgets_and_listens_again() {
    let pair = Pair::new(Link::delay(ms(10)));
    let host = pair.server.id();
    let done = pair.net.run(async {
        let (_near, mut far, _listening) = pair.connected().await;
        pair.net.apply(Fault::Crash { host, peers: Peers::Silence });
        let own = read(&mut far).await.unwrap_err().kind();
        let out = pair.server.connect(Address::Ip(at(CLIENT, 80))).await.unwrap_err().kind();
        pair.net.at(pair.net.now() + ms(1_500), Fault::Restart(host));
        let start = pair.now_ms();
        let again = pair.connect().await.is_ok();
        (own, out, again, pair.now_ms() - start)
    });
    let down = ErrorKind::NetworkDown;
    assert_eq!(done.unwrap(), (ErrorKind::ConnectionReset, down, true, 2_020));
}

#[test]
fn a_nat_hides_forgets_and_rebinds() {
    let nat = Nat::new(address("198.51.100.1")).tcp_idle(ms(5_000));
    for (what, wait, rebind, expected) in [
        ("in time", 4_000, false, Ok(b"question".to_vec())),
        ("too late", 6_000, false, Err(ErrorKind::ConnectionReset)),
        ("rebound", 10, true, Err(ErrorKind::ConnectionReset)),
    ] {
        let pair = Pair::new(Link::delay(ms(10)));
        pair.net.nat(&pair.client, nat);
        let client = pair.client.id();
        let done = pair.net.run(async {
            let mut listening = pair.listen().await;
            let mut near = pair.connect().await.unwrap();
            let (mut far, peer) = poll_fn(|cx| listening.poll_accept(cx)).await.unwrap();
            assert_eq!(peer.unwrap().ip(), address("198.51.100.1"), "{what}");
            pair.client.sleep(ms(wait)).await;
            if rebind {
                pair.net.apply(Fault::RebindNat(client));
            }
            write_all(&mut near, b"question").await.unwrap();
            pair.client.sleep(ms(15)).await;
            if expected.is_ok() {
                let question = read(&mut far).await.unwrap();
                write_all(&mut far, &question).await.unwrap();
            }
            read(&mut near).await.map_err(|error| error.kind())
        });
        assert_eq!(done.unwrap(), expected, "{what}");
    }
}

#[test]
fn a_swizzle_stops_and_releases_everyone() {
    for seed in 0..20 {
        let pair = Pair::seeded(seed, Link::delay(ms(10)));
        let third = pair.net.host("third", [address("192.0.2.3")]);
        let hosts = vec![pair.server.id(), pair.client.id(), third.id()];
        let swizzle = Fault::Swizzle { hosts, every: ms(100), hold: ms(500) };
        // Stops at 100, 200 and 300 ms; releases at 900, 1,000 and 1,100 ms.
        let (heard, at) = asked(&pair, &[(100, swizzle)]);
        assert_eq!(heard, Ok(b"question".to_vec()), "seed {seed}");
        assert!(at == 140 || (910..=1_200).contains(&at), "seed {seed}: {at}");
    }
}
