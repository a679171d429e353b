use super::super::{Heard, parse};
use super::*;
use crate::machine::must_be_seen;

fn origin(host: &str) -> Origin {
    Origin { scheme: Scheme::Https, host: host.into(), port: 443 }
}

/// The ledger recounts itself; each row breaks one thing, which it must name.
#[test]
fn check_sees_each_lie() {
    let config = Config { canonical_suffixes: vec![".test".into()], ..Config::default() };
    let mut ledger = Ledger::new(config);
    let heard = [(r#"h3=":1", h3=":2""#, Source::Field), (r#"h3=":3", h3=":4""#, Source::Dns)];
    for (host, (field, source)) in ["a.test", "a.test", "b.other"]
        .iter()
        .zip(heard.into_iter().chain([(r#"h3=":5""#, Source::Field)]))
    {
        let said = parse([field.as_bytes()], 4_096).unwrap().said;
        ledger.learn(Instant::EPOCH, &origin(host), &said, Heard::from(source)).unwrap();
    }
    ledger.mark_suspect(Instant::EPOCH, &origin("a.test"), &Alternative::http3(6));
    fn first(ledger: &mut Ledger) -> &mut Entry {
        let place = ledger.find(&origin("a.test")).unwrap();
        ledger.entries.get_mut(place).unwrap()
    }
    must_be_seen(
        &ledger,
        Ledger::check,
        &[
            ("2 origins are too many", |ledger| ledger.config.max_origins = 1),
            ("the table has another number of origins", |ledger| {
                let hash = ledger.table.hash_origin(&origin("a.test"));
                ledger.table.remove(hash, ledger.find(&origin("a.test")).unwrap().slot);
            }),
            ("the order has another number of origins", |ledger| {
                ledger.order.remove(&mut ledger.entries, 0);
            }),
            ("is not found", |ledger| first(ledger).origin = origin("c.test")),
            ("not in the order of classes", |ledger| first(ledger).held.reverse()),
            ("2 alternatives are too many", |ledger| ledger.config.max_alternatives = 1),
            ("stands there twice", |ledger| first(ledger).held[1].alternative.port = 1),
            ("is held for nothing", |ledger| {
                first(ledger).held.last_mut().unwrap().health = Health::default();
            }),
            ("port 0", |ledger| first(ledger).held[0].alternative.port = 0),
            ("its own host has two forms", |ledger| {
                first(ledger).held[0].alternative.host = Some("a.test".into());
            }),
            ("is confirmed and waits", |ledger| {
                let held = &mut first(ledger).held[0];
                held.health.confirm();
                held.health.until = Instant::MAX;
            }),
            ("speaks for another suffix", |ledger| {
                let other = ledger.find(&origin("b.other")).unwrap();
                ledger.canonical.insert((0, 443), other);
            }),
        ],
    );
}
