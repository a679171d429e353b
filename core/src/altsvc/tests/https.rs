use super::origin;
use crate::altsvc::{HttpsRecords, Said, https_records};
use crate::harvest;
use crate::time::Duration;

/// The data of a record: priority, target, parameters by key.
fn record(priority: u16, target: &str, parameters: &[(u16, &[u8])]) -> Vec<u8> {
    let mut data = priority.to_be_bytes().to_vec();
    for label in target.split('.').filter(|label| !label.is_empty()) {
        data.push(label.len() as u8);
        data.extend_from_slice(label.as_bytes());
    }
    data.push(0);
    for (key, value) in parameters {
        data.extend_from_slice(&key.to_be_bytes());
        data.extend_from_slice(&(value.len() as u16).to_be_bytes());
        data.extend_from_slice(value);
    }
    data
}

fn read(records: &[Vec<u8>]) -> String {
    read_of("example.org", records)
}

fn read_of(owner: &str, records: &[Vec<u8>]) -> String {
    let piece = |data: &Vec<u8>| [&[data.len() as u8][..], data].concat();
    let input = records.iter().flat_map(piece).collect::<Vec<u8>>();
    harvest::keep("dns", &[&[6][..], &input].concat());
    match https_records(records, &origin("example.org"), owner, Duration::from_secs(60)) {
        Ok(HttpsRecords::Alias(name)) => format!("ask {name}"),
        Ok(HttpsRecords::Unavailable) => "unavailable".to_owned(),
        Ok(HttpsRecords::Offers(offers)) => Said::Offers(offers).to_string().replace("; ma=60", ""),
        Err(error) => error.to_string(),
    }
}

const H3: &[u8] = b"\x02h3";
const H2_H3: &[u8] = b"\x02h2\x02h3";

// rule: SV-2 SV-3 SV-5 SV-6 SV-7 SV-8
#[test]
fn records_become_alternatives() {
    let rows: [(&[Vec<u8>], &str); 13] = [
        (&[], ""),
        (&[record(1, ".", &[(1, H3), (2, b"")])], r#"h3=":443""#),
        // http/1.1 goes without saying; what is not spoken here means nothing.
        (&[record(1, ".", &[(1, H2_H3)])], r#"h3=":443", h2=":443", http%2F1.1=":443""#),
        (&[record(1, ".", &[(1, b"\x05h3-29"), (2, b"")])], ""),
        (&[record(1, ".", &[])], r#"http%2F1.1=":443""#),
        (&[record(1, ".", &[(1, b"\x08http/1.1"), (2, b"")])], r#"http%2F1.1=":443""#),
        (
            &[record(1, "Alt.Example.Net", &[(1, H3), (2, b""), (3, b"\x20\xfb")])],
            r#"h3="alt.example.net:8443""#,
        ),
        // Priority is preference.
        (
            &[record(2, "b.test", &[(1, H3), (2, b"")]), record(1, "a.test", &[(1, H3), (2, b"")])],
            r#"h3="a.test:443", h3="b.test:443""#,
        ),
        // An alias leaves no service beside it; one to the root is the end.
        (&[record(1, ".", &[(1, H3)]), record(0, "other.test", &[])], "ask other.test"),
        (&[record(0, ".", &[])], "unavailable"),
        // What must be understood and is not makes its record count for nothing; ech is not.
        (
            &[
                record(1, ".", &[(0, b"\0\x05"), (1, H3), (5, b"x")]),
                record(2, ".", &[(1, H3), (2, b"")]),
            ],
            r#"h3=":443""#,
        ),
        (
            &[record(
                1,
                ".",
                &[(0, b"\0\x01\0\x03"), (1, H3), (2, b""), (3, b"\0\x51"), (65_280, b"?")],
            )],
            r#"h3=":81""#,
        ),
        (&[record(1, "a b.test", &[(1, H3)]), record(1, ".", &[(1, H3), (3, b"\0\0")])], ""),
    ];
    for (records, expected) in rows {
        assert_eq!(read(records), expected);
    }
}

/// Behind an alias the root stands for where that led.
// rule: SV-5
#[test]
fn the_owner_is_where_the_record_stands() {
    let records = [record(1, ".", &[(1, H3), (2, b"")])];
    assert_eq!(read_of("example.org", &records), r#"h3=":443""#);
    assert_eq!(read_of("svc.example.net", &records), r#"h3="svc.example.net:443""#);
    assert_eq!(read_of("_8443._https.a.test", &records), r#"h3="_8443._https.a.test:443""#);
}

/// RFC 9460 appendix D, in the bytes that stand there.
// rule: SV-5 SV-6 SV-8
#[test]
fn the_vectors_of_the_standard_are_read() {
    const FOO: &[u8] = b"\x03foo\x07example\x03com\0";
    const FOO_ORG: &[u8] = b"\x03foo\x07example\x03org\0";
    let rows: [(&[&[u8]], &str); 10] = [
        // D.1 Figure 2; D.2 Figures 3 to 10.
        (&[b"\0\0", FOO], "ask foo.example.com"),
        (&[b"\0\x01\0"], r#"http%2F1.1=":443""#),
        (&[b"\0\x10", FOO, b"\0\x03\0\x02\0\x35"], r#"http%2F1.1="foo.example.com:53""#),
        (&[b"\0\x01", FOO, b"\x02\x9b\0\x05hello"], r#"http%2F1.1="foo.example.com:443""#),
        (&[b"\0\x01", FOO, b"\x02\x9b\0\x09hello\xd2qoo"], r#"http%2F1.1="foo.example.com:443""#),
        (
            &[
                b"\0\x01",
                FOO,
                b"\0\x06\0\x20",
                b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01",
                b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\x53\0\x01",
            ],
            r#"http%2F1.1="foo.example.com:443""#,
        ),
        (
            &[
                b"\0\x01\x07example\x03com\0\0\x06\0\x10",
                b"\x20\x01\x0d\xb8\x01\x22\x03\x44\0\0\0\0\xc0\0\x02\x21",
            ],
            r#"http%2F1.1="example.com:443""#,
        ),
        (
            &[
                b"\0\x10",
                FOO_ORG,
                b"\0\0\0\x04\0\x01\0\x04\0\x01\0\x09\x02h2\x05h3-19",
                b"\0\x04\0\x04\xc0\0\x02\x01",
            ],
            r#"h2="foo.example.org:443", http%2F1.1="foo.example.org:443""#,
        ),
        (
            &[b"\0\x10", FOO_ORG, b"\0\x01\0\x0c\x08f\\oo,bar\x02h2"],
            r#"h2="foo.example.org:443", http%2F1.1="foo.example.org:443""#,
        ),
        // D.3: what must be refused and has bytes. `mandatory` names a key twice.
        (
            &[b"\0\x01", FOO, b"\0\0\0\x04\0\x7b\0\x7b\0\x7b\0\x01x"],
            "HTTPS record 0: expected keys in order as `mandatory`",
        ),
    ];
    for (parts, expected) in rows {
        assert_eq!(read(&[parts.concat()]), expected);
    }
}

// rule: SV-1
#[test]
fn one_malformed_record_spoils_all() {
    let good = record(1, ".", &[(1, H3)]);
    let rows: [(Vec<u8>, &str); 17] = [
        (vec![0], "a priority of two bytes"),
        (vec![0, 1, 5, b'a'], "a target name"),
        (vec![0, 1, 0xc0, 0], "a target name"),
        (vec![0, 1, 0, 0, 1, 0, 9, b'x'], "whole parameters in the order of their keys, each once"),
        (
            record(1, ".", &[(3, b"\0\x51"), (1, H3)]),
            "whole parameters in the order of their keys, each once",
        ),
        (
            record(1, ".", &[(1, H3), (1, H3)]),
            "whole parameters in the order of their keys, each once",
        ),
        (record(1, ".", &[(0, b"\0\x04"), (1, H3)]), "every parameter that is mandatory"),
        (record(1, ".", &[(0, b"\0\0"), (1, H3)]), "keys in order as `mandatory`"),
        (record(1, ".", &[(0, b""), (1, H3)]), "keys in order as `mandatory`"),
        (record(1, ".", &[(0, b"\0\x01\0"), (1, H3)]), "keys in order as `mandatory`"),
        (record(1, ".", &[(1, H3), (2, b"x")]), "nothing as `no-default-alpn`"),
        (record(1, ".", &[(1, b"\x03h3")]), "names of protocols as `alpn`"),
        (record(1, ".", &[(1, b"\0")]), "names of protocols as `alpn`"),
        (record(1, ".", &[(2, b"")]), "`alpn` beside `no-default-alpn`"),
        (record(1, ".", &[(3, b"\x01")]), "two bytes as `port`"),
        (record(1, ".", &[(4, b"abc")]), "addresses of four bytes as `ipv4hint`"),
        (record(1, ".", &[(6, b"")]), "addresses of sixteen bytes as `ipv6hint`"),
    ];
    for (bad, expected) in rows {
        assert_eq!(read(&[good.clone(), bad]), format!("HTTPS record 1: expected {expected}"));
    }
}

/// RFC 1035 2.3.4: labels of 63 bytes, names of 253 characters as text.
// rule: SV-1
#[test]
fn a_target_is_as_long_as_a_name_may_be() {
    let label = |length| "a".repeat(length);
    let name = |last| format!("{0}.{0}.{0}.{1}", label(63), label(last));
    for (target, fits) in
        [(label(63), true), (label(64), false), (name(61), true), (name(62), false)]
    {
        let read = read(&[record(1, &target, &[(1, H3), (2, b"")])]);
        let expected = match fits {
            true => format!("h3=\"{target}:443\""),
            false => "HTTPS record 0: expected a target name".to_owned(),
        };
        assert_eq!(read, expected);
    }
}

/// More are read, as one that is malformed spoils all, and not used.
#[test]
fn of_one_answer_sixteen_records_are_used() {
    let records: Vec<_> = (1..=17_u16)
        .map(|port| record(1, ".", &[(1, H3), (2, b""), (3, &port.to_be_bytes())]))
        .collect();
    let offers: Vec<_> = (1..=16).map(|port| format!("h3=\":{port}\"")).collect();
    assert_eq!(read(&records), offers.join(", "));
    let spoilt = [records, vec![vec![0]]].concat();
    assert_eq!(read(&spoilt), "HTTPS record 17: expected a priority of two bytes");
}
