//! Links and what they do to packets, and which one is taken.

use super::*;
use crate::choice::Choices;
use crate::net::HostId;
use crate::net::link::{Burst, Jitter};
use crate::net::routes::{Ends, Routes};
use regatta_models::tape::Tape;

const ENDS: Ends = Ends {
    from: HostId(0),
    source: IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)),
    to: HostId(1),
    destination: IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2)),
};

/// What becomes of packets of 1,000 bytes that are sent every `every`.
fn arrivals(link: Link, count: u64, every: Duration) -> Vec<(Instant, Vec<Instant>)> {
    let mut routes = Routes::default();
    let mut choices = Choices::quiet(Tape::seeded(7));
    routes.link(ENDS.from, ENDS.to, link);
    let path = routes.find(ENDS);
    let mut now = Instant::EPOCH;
    let mut all = Vec::new();
    for _ in 0..count {
        let came = routes.carry(&mut choices, now, path, 1_000);
        all.push((now, came.first.into_iter().chain(came.second).collect()));
        now = now + every;
    }
    all
}

#[test]
fn loss_is_as_often_as_it_says() {
    let lost = |link| {
        let all = arrivals(link, 100_000, ms(1));
        all.iter().filter(|(_, came)| came.is_empty()).count()
    };
    assert_eq!(lost(Link::delay(ms(5))), 0);
    assert!((900..1_100).contains(&lost(Link::delay(ms(5)).loss_ppm(10_000))));
    assert_eq!(lost(Link::cut()), 100_000);
}

#[test]
fn bursts_have_their_length_and_frequency() {
    let burst = Burst {
        enter_ppm: 10_000,
        recover_ppm: 250_000,
        good_loss_ppm: 0,
        bad_loss_ppm: 1_000_000,
    };
    let all = arrivals(Link::delay(ms(5)).burst(burst), 200_000, ms(1));
    let lost: Vec<bool> = all.iter().map(|(_, came)| came.is_empty()).collect();
    let count = lost.iter().filter(|lost| **lost).count();
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    // 1 % of 26 % of the packets, in bursts of four.
    let (part, length) = (count as f64 / 200_000.0, count as f64 / bursts as f64);
    assert!((0.036..0.041).contains(&part), "{part} of the packets are lost");
    assert!((3.7..4.3).contains(&length), "a burst has {length} packets");
}

#[test]
fn jitter_has_its_distribution_and_keeps_the_order() {
    let delays = |jitter| {
        let all = arrivals(Link::delay(ms(50)).jitter(jitter), 20_000, ms(1_000));
        let mut delays: Vec<f64> = all
            .iter()
            .map(|(sent, came)| came[0].saturating_since(*sent).as_secs_f64() * 1e3)
            .collect();
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        let square = delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>();
        let deviation = (square / delays.len() as f64).sqrt();
        delays.sort_by(f64::total_cmp);
        (mean, deviation, delays[10_000], delays[0], delays[19_999])
    };
    let (mean, _, _, least, most) = delays(Jitter::Uniform(ms(10)));
    assert!((54.9..55.1).contains(&mean) && least >= 50.0 && most <= 60.0, "{mean}");
    let (mean, deviation, ..) = delays(Jitter::Normal(ms(5)));
    assert!((49.8..50.2).contains(&mean), "{mean}");
    assert!((4.9..5.1).contains(&deviation), "{deviation}");
    let (mean, _, median, least, most) = delays(Jitter::Pareto(ms(10)));
    assert!((53.9..54.4).contains(&median) && least >= 50.0, "{median}");
    assert!((58.0..62.0).contains(&mean) && most > 200.0, "{mean} {most}");
    // Sent much closer together than the jitter is long, they come in their order.
    let all = arrivals(Link::delay(ms(50)).jitter(Jitter::Uniform(ms(40))), 5_000, ms(1));
    assert!(all.windows(2).all(|pair| pair[0].1[0] <= pair[1].1[0]));
}

#[test]
fn others_overtake_and_some_come_twice() {
    let link = Link::delay(ms(5)).reorder(50_000, ms(3)).duplicate_ppm(20_000);
    let all = arrivals(link, 50_000, ms(1));
    let overtaken = all.windows(2).filter(|pair| pair[1].1[0] < pair[0].1[0]).count();
    let twice = all.iter().filter(|(_, came)| came.len() == 2).count();
    assert!((2_200..2_700).contains(&overtaken), "{overtaken}");
    assert!((900..1_100).contains(&twice), "{twice}");
}

#[test]
fn a_full_queue_loses_what_comes() {
    // A packet takes 1 ms to go in; ten wait behind the one that goes.
    let all = arrivals(Link::delay(ms(5)).bandwidth(8_000_000).queue(10_000), 20, Duration::ZERO);
    let came: Vec<Option<u64>> =
        all.iter().map(|(_, came)| came.first().map(|at| at.as_nanos() / 1_000_000)).collect();
    let expected: Vec<Option<u64>> = (0..20).map(|n| (n < 10).then_some(6 + n)).collect();
    assert_eq!(came, expected);
}

#[test]
fn ways_are_chosen_by_host_and_refined_by_address() {
    let net = Net::seeded(1);
    let client = net.host("client", [address(CLIENT), address("2001:db8::9")]);
    let server = net.host("server", [address(SERVER), address("2001:db8::1")]);
    net.link(&client, &server, Link::delay(ms(20)));
    net.link_address(&client, address("2001:db8::1"), Link::delay(ms(50)));
    net.link_one_way(&server, &client, Link::delay(ms(10)));
    for (to, taken) in [(SERVER, 30), ("2001:db8::1", 100)] {
        let start = net.now();
        let done = net.run(async {
            let _listening = server.listen(Address::Ip(at(to, 80))).await.unwrap();
            client.connect(Address::Ip(at(to, 80))).await.map(drop)
        });
        done.unwrap().unwrap();
        assert_eq!(net.now().saturating_since(start), ms(taken), "to {to}");
    }
}
