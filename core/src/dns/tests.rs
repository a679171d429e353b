//! Questions as they are sent, answers as they come, and who is asked when.

use core::net::SocketAddr;

use super::{Answer, Heard, Lookup, RecordType, Servers, Turn};
use crate::harvest;
use crate::time::Duration;

const ID: u16 = 0x1234;

fn servers(count: u8) -> Servers {
    Servers::of((1..=count).map(|last| SocketAddr::from(([192, 0, 2, last], 53))))
}

fn lookup(name: &str, kind: RecordType) -> Lookup {
    Lookup::new(&servers(2), ID, name, kind).unwrap()
}

/// Labels up to the root.
fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// A record: owner in its wire form, type, time to live, data.
type Rr<'a> = (&'a [u8], u16, u32, &'a [u8]);

/// Points at the question's name.
const SAME: &[u8] = &[0xc0, 12];

/// An answer to `www.example.org` with these flags, answers and authorities.
fn message(flags: u16, kind: u16, answers: &[Rr<'_>], authorities: &[Rr<'_>]) -> Vec<u8> {
    let counts = [ID, flags, 1, answers.len() as u16, authorities.len() as u16, 0];
    let mut message: Vec<u8> = counts.into_iter().flat_map(u16::to_be_bytes).collect();
    message.extend(name("www.Example.org"));
    message.extend([kind, 1].into_iter().flat_map(u16::to_be_bytes));
    for (owner, kind, ttl, data) in answers.iter().chain(authorities) {
        message.extend_from_slice(owner);
        message.extend([*kind, 1].into_iter().flat_map(u16::to_be_bytes));
        message.extend(ttl.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend_from_slice(data);
    }
    message
}

fn hear(kind: RecordType, message: &[u8]) -> Heard {
    let what =
        [RecordType::A, RecordType::Aaaa, RecordType::Https].iter().position(|it| *it == kind);
    harvest::keep("dns", &[&[what.unwrap() as u8], message].concat());
    hear_only(kind, message)
}

fn hear_only(kind: RecordType, message: &[u8]) -> Heard {
    lookup("www.example.org.", kind).hear(message)
}

const OK: u16 = 0x8180;
const V4: &[u8] = &[192, 0, 2, 1];

#[test]
fn a_question_is_one_name_with_edns() {
    let asked = lookup("WWW.example.org", RecordType::Https);
    let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x03www\x07example\x03org\0\0\x41\0\x01\
        \0\0\x29\x04\xd0\0\0\0\0\0\0";
    assert_eq!(asked.message(), expected);
    let long = "a".repeat(64);
    for bad in ["", ".", "a..b", &long, &"a.".repeat(130)] {
        assert!(Lookup::new(&servers(1), 0, bad, RecordType::A).is_none(), "{bad}");
    }
}

#[test]
fn answers_say_what_they_say() {
    let seconds = |many| Some(Duration::from_secs(many));
    let found = |addresses: &[&str], ttl| {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Answer { addresses, ttl, ..Answer::default() }
    };
    let (cdn, soa) =
        (name("cdn.test"), [&name("ns.test")[..], &name("me.test"), &[0; 16]].concat());
    let soa = [&soa[..], &7_u32.to_be_bytes()].concat();
    let twice: [Rr<'_>; 2] = [(SAME, 1, 60, V4), (SAME, 1, 30, &[192, 0, 2, 2])];
    let aliased: [Rr<'_>; 2] = [(SAME, 5, 20, &cdn), (&cdn, 1, 60, V4)];
    let rows: [(&str, Vec<u8>, Heard); 9] = [
        (
            "the least time to live",
            message(OK, 1, &twice, &[]),
            Heard::Answer(found(&["192.0.2.1", "192.0.2.2"], seconds(30))),
        ),
        (
            "an alias",
            message(OK, 1, &aliased, &[]),
            Heard::Answer(Answer {
                owner: Some("cdn.test".into()),
                ..found(&["192.0.2.1"], seconds(20))
            }),
        ),
        ("none", message(OK, 1, &[], &[]), Heard::Answer(Answer::default())),
        (
            "none, for so long",
            message(OK, 1, &[], &[(SAME, 6, 9, &soa)]),
            Heard::Answer(found(&[], seconds(7))),
        ),
        (
            "no such name",
            message(OK | 3, 1, &[], &[(SAME, 6, 5, &soa)]),
            Heard::NoSuchName { ttl: seconds(5) },
        ),
        ("SERVFAIL", message(OK | 2, 1, &[], &[]), Heard::Failed),
        ("cut off", message(OK | 0x200, 1, &twice, &[]), Heard::CutOff),
        (
            "an address of three bytes",
            message(OK, 1, &[(SAME, 1, 60, &V4[1..])], &[]),
            Heard::Failed,
        ),
        (
            "others' records and types",
            message(OK, 1, &[(&cdn, 1, 60, V4), (SAME, 16, 60, b"text")], &[]),
            Heard::Answer(Answer::default()),
        ),
    ];
    for (what, message, expected) in rows {
        assert_eq!(hear(RecordType::A, &message), expected, "{what}");
    }
    let six = "2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap().octets();
    let aaaa = message(OK, 28, &[(SAME, 28, 60, &six)], &[]);
    let expected = Heard::Answer(found(&["2001:db8::1"], seconds(60)));
    assert_eq!(hear(RecordType::Aaaa, &aaaa), expected);
    let https = message(OK, 65, &[(SAME, 65, 60, b"\0\x01\0")], &[]);
    let Heard::Answer(answer) = hear(RecordType::Https, &https) else { panic!() };
    assert_eq!(answer.https, [Box::from(&b"\0\x01\0"[..])]);
}

#[test]
fn what_answers_something_else_is_not_heard() {
    let good = message(OK, 1, &[(SAME, 1, 60, V4)], &[]);
    assert!(matches!(hear(RecordType::A, &good), Heard::Answer(_)));
    let changed = |at: usize, to: u8| {
        let mut message = good.clone();
        message[at] = to;
        hear(RecordType::A, &message)
    };
    let others = [(0, 9), (2, 1), (2, 0x99), (5, 0), (5, 2), (13, b'x'), (30, 28), (32, 3)];
    for (at, to) in others {
        assert_eq!(changed(at, to), Heard::Nothing, "byte {at} is {to}");
    }
    assert_eq!(hear(RecordType::Aaaa, &good), Heard::Nothing, "another type");
    // Cut anywhere it is nothing, or of no use; never an answer.
    for end in 0..good.len() {
        let heard = hear(RecordType::A, &good[..end]);
        assert!(matches!(heard, Heard::Nothing | Heard::Failed), "{end}: {heard:?}");
    }
}

/// Whatever a byte is changed to: nothing panics, and no other name's address is believed.
#[test]
fn no_byte_breaks_it() {
    let cdn = name("cdn.test");
    let good = message(OK, 1, &[(SAME, 5, 20, &cdn), (&cdn, 1, 60, V4)], &[(SAME, 6, 9, &cdn)]);
    for at in 0..good.len() {
        for to in 0..=u8::MAX {
            let mut message = good.clone();
            message[at] = to;
            if let Heard::Answer(answer) = hear_only(RecordType::A, &message) {
                assert!(answer.addresses.len() <= 1, "byte {at} is {to}: {answer:?}");
            }
        }
    }
}

#[test]
fn names_without_end_end() {
    // At 33 the answer's owner: it points to itself, forward, in a circle.
    for owner in [&[0xc0, 33][..], &[0xc0, 40], &[1, b'a', 0xc0, 33], &[0xc0], &[0x80, 0]] {
        let bad = message(OK, 1, &[(owner, 1, 60, V4)], &[]);
        assert_eq!(hear(RecordType::A, &bad), Heard::Failed, "{owner:?}");
    }
    let long = [&[63; 64][..]; 4].concat();
    let bad = message(OK, 1, &[(&[&long[..], &[0]].concat(), 1, 60, V4)], &[]);
    assert_eq!(hear(RecordType::A, &bad), Heard::Failed, "longer than a name may be");
    // Aliases that lead to each other.
    let (one, same) = (name("one.test"), name("www.example.org"));
    let circle = message(OK, 1, &[(SAME, 5, 60, &one), (&one, 5, 60, &same)], &[]);
    assert_eq!(hear(RecordType::A, &circle), Heard::Failed);
    // Nine are one too many.
    for (many, holds) in [(8, true), (9, false)] {
        let names: Vec<_> = (0..many).map(|at| name(&format!("alias{at}.test"))).collect();
        let mut all: Vec<Rr<'_>> = vec![(SAME, 5, 60, &names[0])];
        all.extend(names.windows(2).map(|two| (&two[0][..], 5, 60, &two[1][..])));
        all.push((&names[many - 1], 1, 60, V4));
        let heard = hear(RecordType::A, &message(OK, 1, &all, &[]));
        assert_eq!(matches!(heard, Heard::Answer(_)), holds, "{many}: {heard:?}");
    }
}

#[test]
fn servers_are_asked_in_rounds_and_over_tcp_where_an_answer_was_cut_off() {
    let mut asked = lookup("www.example.org", RecordType::A);
    let cut_off = message(OK | 0x200, 1, &[], &[]);
    let told = |turn: Option<Turn>| turn.map(|turn| (turn.server.to_string(), turn.over_tcp));
    let at = |last: u8, over_tcp| Some((format!("192.0.2.{last}:53"), over_tcp));
    assert_eq!(told(asked.turn()), at(1, false));
    assert_eq!(asked.hear(&cut_off), Heard::CutOff);
    assert_eq!(told(asked.turn()), at(1, true));
    assert_eq!(told(asked.turn()), at(2, false));
    assert_eq!(asked.turn().unwrap().patience, Duration::from_secs(5));
    assert_eq!(told(asked.turn()), at(2, false));
    assert_eq!(asked.turn(), None);
    assert_eq!(Lookup::new(&servers(0), 0, "a.test", RecordType::A).unwrap().turn(), None);
    let mut asked = Lookup::new(&servers(3), 0, "a.test", RecordType::A).unwrap();
    for last in [1, 2, 3, 1, 2, 3] {
        assert_eq!(told(asked.turn()), at(last, false));
    }
    assert_eq!(asked.turn(), None);
}

#[test]
fn servers_are_read_from_resolv_conf() {
    let text = "# nameserver 192.0.2.9\n\nsearch example.org\nnameserver 192.0.2.1 \n\
        nameserver nonsense\nnameserver 2001:db8::1\nnameserver 192.0.2.3\n\
        nameserver 192.0.2.4\noptions ndots:1 timeout:99 attempts:x\noptions attempts:3\n";
    let read = Servers::parse(text);
    let all: Vec<_> = read.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(all, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
    assert_eq!((read.timeout, read.attempts), (Duration::from_secs(30), 3));
    assert_eq!(Servers::parse("").addresses, [SocketAddr::from(([127, 0, 0, 1], 53))]);
}
