//! Opening: Linux's times, refusals, backlogs.

use core::future::poll_fn;
use std::io::ErrorKind;

use super::*;
use crate::net::fault::Fault;
use crate::net::rule::{Action, Rule, Transport};
use crate::net::stack::{Kernel, Stack};

/// When each SYN of a connection attempt is lost, in ms, and when it fails.
fn syns(kernel: Kernel) -> (Vec<u64>, u64) {
    let pair = Pair::new(Link::cut());
    pair.net.steps(crate::step::Steps::keep);
    pair.net.stack(&pair.client, Stack { kernel, ..Stack::default() });
    let error = pair.net.run(pair.connect()).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let lost = pair.net.steps(|steps| {
        let lost = steps.kept().iter().filter(|step| step.kind == crate::step::StepKind::Lost);
        lost.map(|step| pair.millis(step.at)).collect()
    });
    (lost, pair.now_ms())
}

#[test]
fn syns_go_again_at_linuxs_times() {
    let (sent, failed) = syns(Kernel::Linux6_5);
    assert_eq!(sent, [0, 1_000, 2_000, 3_000, 4_000, 5_000, 7_000, 11_000, 19_000, 35_000, 67_000]);
    assert_eq!(failed, 131_000);
    let (sent, failed) = syns(Kernel::Older);
    assert_eq!(sent, [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000]);
    assert_eq!(failed, 127_000);
}

#[test]
fn one_lost_syn_costs_a_second() {
    for (lost_until, connected) in [(1, 1_040), (1_500, 2_040), (4_500, 5_040), (5_500, 7_040)] {
        let pair = Pair::new(Link::delay(ms(20)));
        let (client, server) = (pair.client.id(), pair.server.id());
        pair.net.apply(Fault::LinkDown(client, server));
        pair.net.at(Instant::from_millis(lost_until), Fault::LinkUp(client, server));
        let done = pair.net.run(async {
            let _listening = pair.listen().await;
            pair.connect().await.map(drop)
        });
        done.unwrap().unwrap();
        assert_eq!(pair.now_ms(), connected, "down until {lost_until} ms");
    }
}

#[test]
fn a_lost_syn_ack_goes_again_too() {
    let pair = Pair::new(Link::delay(ms(20)));
    pair.net.link_one_way(&pair.server, &pair.client, Link::cut());
    let back = Link::delay(ms(20));
    let again = Fault::LinkOneWay(pair.server.id(), pair.client.id(), back);
    pair.net.at(Instant::from_millis(500), again);
    let done = pair.net.run(async {
        let _listening = pair.listen().await;
        pair.connect().await.map(drop)
    });
    done.unwrap().unwrap();
    // The client's SYN goes again after 1,000 ms, the server's SYN-ACK after 1,020.
    assert_eq!(pair.now_ms(), 1_040);
}

#[test]
fn answers_that_are_no() {
    let reset = Rule::new(Action::RejectReset).transport(Transport::Tcp);
    let unreachable = Rule::new(Action::RejectUnreachable).port(80);
    let all = [
        ("nobody listens", None, false, ErrorKind::ConnectionRefused, 40),
        ("a firewall resets", Some(reset), true, ErrorKind::ConnectionRefused, 40),
        ("a firewall says no", Some(unreachable), true, ErrorKind::HostUnreachable, 40),
        ("a firewall drops", Some(Rule::new(Action::Drop)), true, ErrorKind::TimedOut, 131_000),
    ];
    for (what, rule, listens, kind, after) in all {
        let pair = Pair::new(Link::delay(ms(20)));
        if let Some(rule) = rule {
            pair.net.rule(rule);
        }
        let done = pair.net.run(async {
            let _listening = if listens { Some(pair.listen().await) } else { None };
            pair.connect().await.map(drop)
        });
        assert_eq!(done.unwrap().unwrap_err().kind(), kind, "{what}");
        assert_eq!(pair.now_ms(), after, "{what}");
    }
}

#[test]
fn a_full_backlog_drops_syns() {
    let pair = Pair::new(Link::delay(ms(20)));
    pair.net.stack(&pair.server, Stack { backlog: 1, ..Stack::default() });
    let done = pair.net.run(async {
        let mut listening = pair.listen().await;
        let _one = pair.connect().await.unwrap();
        let _two = pair.connect().await.unwrap();
        pair.client.sleep(ms(20)).await;
        let start = pair.now_ms();
        let server = pair.server.clone();
        let third = pair.client.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        pair.client.spawn(async move {
            let third = third.connect(Address::Ip(at(SERVER, 80))).await.unwrap();
            sender.send(third).unwrap();
        });
        server.sleep(ms(1_500)).await;
        assert!(receiver.try_recv().is_err(), "two wait, and the backlog is 1");
        for _ in 0..2 {
            poll_fn(|cx| listening.poll_accept(cx)).await.unwrap();
        }
        poll_fn(|cx| listening.poll_accept(cx)).await.unwrap();
        pair.now_ms() - start
    });
    // SYNs after 0, 1,000 and 2,000 ms; the third is taken, and acknowledged after 60 ms.
    assert_eq!(done.unwrap(), 2_060);
}

#[test]
fn a_refused_port_opens_again() {
    let pair = Pair::new(Link::delay(ms(5)));
    let host = pair.server.id();
    pair.net.apply(Fault::RefusePort { host, port: 80, time: ms(100) });
    let done = pair.net.run(async {
        let _listening = pair.listen().await;
        let refused = pair.connect().await.unwrap_err().kind();
        pair.client.sleep(ms(90)).await;
        (refused, pair.connect().await.is_ok())
    });
    assert_eq!(done.unwrap(), (ErrorKind::ConnectionRefused, true));
}
