//! The resolver.

use regatta_core::types::Cause;
use regatta_runtime::Resolution as _;

use super::*;
use crate::net::fault::Fault;
use crate::net::names::{Record, Records, Reply};

/// What a look-up says, with the milliseconds that it took to say so.
fn answers(net: &Net, host: &Host, name: &str) -> Vec<(u64, Result<Vec<String>, Cause>)> {
    let start = net.now();
    let done = net.run(async {
        let mut resolution = host.resolve(name);
        let mut all = Vec::new();
        while let Some(answer) = poll_fn(|cx| resolution.poll_answer(cx)).await {
            let after = net.now().saturating_since(start).as_millis() as u64;
            let text = |answer: regatta_runtime::Answer| {
                answer.addresses.iter().map(ToString::to_string).collect()
            };
            all.push((after, answer.map(text)));
        }
        all
    });
    done.unwrap()
}

fn four() -> Record {
    Record::addresses([address("192.0.2.1")])
}

fn six() -> Record {
    Record::addresses([address("2001:db8::1")])
}

#[test]
fn answers_come_when_they_come() {
    let never = Record::new(Reply::Silence);
    let failure = Record::new(Reply::Failure).delay(ms(5));
    let (v4, v6) = (vec!["192.0.2.1".to_owned()], vec!["2001:db8::1".to_owned()]);
    let records = Records::new;
    let table = [
        (
            "both at once",
            records().a(four()).aaaa(six()),
            vec![(0, Ok(v6.clone())), (0, Ok(v4.clone()))],
        ),
        (
            "AAAA late",
            records().a(four().delay(ms(10))).aaaa(six().delay(ms(60))),
            vec![(10, Ok(v4.clone())), (60, Ok(v6.clone()))],
        ),
        ("A never", records().a(never.clone()).aaaa(six().delay(ms(7))), vec![(7, Ok(v6.clone()))]),
        ("one fails", records().a(four()).aaaa(failure.clone()), vec![(0, Ok(v4.clone()))]),
        (
            "both fail",
            records().a(failure.clone()).aaaa(failure),
            vec![(5, Err(Cause::ResolveFailed))],
        ),
        (
            "nobody answers",
            records().a(never.clone()).aaaa(never),
            vec![(10_000, Err(Cause::ResolveFailed))],
        ),
        ("no such name", Records::no_such_name(), vec![(0, Err(Cause::NameNotFound))]),
        ("no address", records(), vec![(0, Err(Cause::NoAddress))]),
    ];
    for (what, records, expected) in table {
        let pair = Pair::new(Link::default());
        pair.net.records("www.test", records);
        assert_eq!(answers(&pair.net, &pair.client, "WWW.test."), expected, "{what}");
    }
    let pair = Pair::new(Link::default());
    let expected = vec![(0, Err(Cause::NameNotFound))];
    assert_eq!(answers(&pair.net, &pair.client, "other.test"), expected);
}

#[test]
fn answers_can_come_together() {
    let pair = Pair::new(Link::default());
    let mut records = Records::new().a(four().delay(ms(10))).aaaa(six().delay(ms(60)));
    records.together = true;
    pair.net.records("www.test", records);
    let all = vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()];
    assert_eq!(answers(&pair.net, &pair.client, "www.test"), [(60, Ok(all))]);
    pair.net.name("www.test", [address("2001:db8::7"), address("192.0.2.7")]);
    let all = vec!["2001:db8::7".to_owned(), "192.0.2.7".to_owned()];
    assert_eq!(answers(&pair.net, &pair.client, "www.test"), [(0, Ok(all))]);
}

#[test]
fn answers_change_by_turns_and_over_time() {
    let pair = Pair::new(Link::default());
    let reply = |last: u8| Reply::Addresses(vec![IpAddr::from([192, 0, 2, last])]);
    let turns = Record::by_turns(vec![reply(1), Reply::Failure, reply(2)]);
    let gone = Record::from(vec![
        (Instant::from_millis(10), reply(3)),
        (Instant::from_millis(20), Reply::NoSuchName),
    ]);
    pair.net.records("turns.test", Records::new().a(turns));
    pair.net.records("gone.test", Records::new().a(gone));
    let ask = |name| answers(&pair.net, &pair.client, name).pop().unwrap().1;
    let one = |last: u8| Ok(vec![format!("192.0.2.{last}")]);
    assert_eq!(ask("turns.test"), one(1));
    assert_eq!(ask("turns.test"), Err(Cause::ResolveFailed));
    assert_eq!([ask("turns.test"), ask("turns.test")], [one(2), one(1)]);
    assert_eq!(ask("gone.test"), Err(Cause::NoAddress));
    pair.net.run(pair.client.sleep(ms(10))).unwrap();
    assert_eq!(ask("gone.test"), one(3));
    pair.net.run(pair.client.sleep(ms(10))).unwrap();
    assert_eq!(ask("gone.test"), Err(Cause::NameNotFound));
    pair.net.apply(Fault::Name("gone.test".to_owned(), Records::new().a(Record::new(reply(9)))));
    assert_eq!(ask("gone.test"), one(9));
}
