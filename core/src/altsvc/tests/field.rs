use crate::altsvc::{FieldError, Said, parse};
use crate::time::Duration;

/// What is read of one value: the field written anew, then what was passed over.
fn read(value: &str) -> String {
    match parse([value.as_bytes()], 4_096) {
        Ok(field) => {
            let mut text = field.said.to_string();
            for (count, what) in [(field.malformed, "malformed"), (field.unknown, "unknown")] {
                if count > 0 {
                    text.push_str(&format!(" | {count} {what}"));
                }
            }
            text
        }
        Err(error) => error.to_string(),
    }
}

// rule: AS-6 AS-7a
#[test]
fn a_field_is_read() {
    let day = r#"h3=":443"; ma=86400"#;
    let rows = [
        // RFC 7838 3: the examples' forms.
        (
            r#"h2="alt.example.com:8000", h2=":443""#,
            r#"h2="alt.example.com:8000"; ma=86400, h2=":443"; ma=86400"#,
        ),
        (r#"h2=":443"; ma=3600"#, r#"h2=":443"; ma=3600"#),
        (r#"h3=":443"; ma=2592000; persist=1"#, r#"h3=":443"; ma=2592000; persist=1"#),
        ("clear", "clear"),
        // clear counts wherever it stands, and only as it is written.
        (r#"h3=":443", clear"#, "clear"),
        ("Clear", "Alt-Svc: expected `=` behind the protocol's name at byte 5"),
        (r#"clear=":443""#, " | 1 unknown"),
        // Each protocol has one form.
        (r#"http%2F1.1=":443""#, r#"http%2F1.1=":443"; ma=86400"#),
        (r#"http%2f1.1=":443", h%33=":443", H3=":443", h3-29=":443", h2c=":80""#, " | 5 unknown"),
        // Lists may have holes, parameters spaces around them.
        (r#", ,h3=":443" ;ma=86400 , "#, day),
        (r#"h3=":443";"#, day),
        (r#"h3=":443"; v="a b""#, day),
        (r#"h3=":443"; ma="60""#, r#"h3=":443"; ma=60"#),
        // Unknown parameters, and all but the first of a kind, mean nothing.
        (r#"h3=":443"; v="46,43"; ma=60; x; y=1; ma=70"#, r#"h3=":443"; ma=60"#),
        (r#"h3=":443"; persist=0; persist=1"#, day),
        (
            r#"h3=":443"; persist=0, h3=":444"; persist=2, h3=":445"; persist=1"#,
            r#"h3=":443"; ma=86400, h3=":444"; ma=86400, h3=":445"; ma=86400; persist=1"#,
        ),
        (r#"h3=":443"; ma=99999999999999999999"#, r#"h3=":443"; ma=4294967295"#),
        // Authorities are in quotes, which may hold escapes.
        (r#"h3="\a\.Example:443""#, r#"h3="a.example:443"; ma=86400"#),
        (r#"h3="[2001:DB8:0::1]:443""#, r#"h3="[2001:db8::1]:443"; ma=86400"#),
        // A port has at most five digits, and fits.
        (r#"h3=":65535""#, r#"h3=":65535"; ma=86400"#),
        (r#"h3=":000443", h3=":443""#, r#"h3=":443"; ma=86400 | 1 malformed"#),
        // What is malformed is passed over, quotes and all.
        (r#"h3=":443", h3=:443"#, r#"h3=":443"; ma=86400 | 1 malformed"#),
        (r#"h3=:443, h3=":443""#, r#"h3=":443"; ma=86400 | 1 malformed"#),
        (r#"h3="a,b:443", h3=":443""#, r#"h3=":443"; ma=86400 | 1 malformed"#),
        (r#"h3=:1; v="a\",b", h3=":443""#, r#"h3=":443"; ma=86400 | 1 malformed"#),
        (r#"h3=:1\, h3=":443""#, r#"h3=":443"; ma=86400 | 1 malformed"#),
        (
            r#"h3=":0", h3=":65536", h3=":", h3="a", h3=":443""#,
            r#"h3=":443"; ma=86400 | 4 malformed"#,
        ),
        (
            r#"h3=":+1", h3="a b:1", h3="[::1:1", h3="[1.2.3.4]:1""#,
            "Alt-Svc: expected `host:port` or `:port` in quotes at byte 3",
        ),
        (r#"h3=":443"; ma=soon"#, "Alt-Svc: expected a number of seconds as `ma` at byte 18"),
        (r#"h3=":443" ma=1"#, "Alt-Svc: expected `;`, a comma or the end at byte 10"),
        (r#"h3=":443""#, day),
        (r#"h3=":443"#, "Alt-Svc: expected an authority in quotes at byte 8"),
        (r#"h3=":443"; a=""#, "Alt-Svc: expected the end of a parameter's quotes at byte 14"),
        ("h3=\":4\x0143\"", "Alt-Svc: expected an authority in quotes at byte 7"),
        ("", "Alt-Svc: expected an alternative or `clear` at byte 0"),
        (" ,, ", "Alt-Svc: expected an alternative or `clear` at byte 4"),
        ("=", "Alt-Svc: expected a protocol's name at byte 0"),
    ];
    for (value, expected) in rows {
        assert_eq!(read(value), expected, "{value}");
    }
}

/// RFC 1035 2.3.4: 253 characters as text.
#[test]
fn a_name_is_as_long_as_a_name_may_be() {
    for (length, fits) in [(252, true), (253, true), (254, false)] {
        let name = "a.".repeat(127);
        let field = format!(r#"h3="{}:443""#, &name[..length]);
        assert_eq!(parse([field.as_bytes()], 4_096).is_ok(), fits, "{length}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let text = r#"h3="[2001:db8::1]:443"; ma=60; persist=1, http%2F1.1=":1"; ma=0"#;
    let said = super::said(text);
    assert_eq!(said.to_string(), text);
    let Said::Offers(offers) = said else { panic!("offers") };
    assert_eq!(offers.iter().map(|offer| offer.max_age).max(), Some(Duration::from_secs(60)));
}

/// Quotes that are open at the end of one value do not reach into the next.
#[test]
fn values_are_read_one_by_one() {
    let values = [&br#"h3=":1", h3=":2"#[..], br#"h3=":3""#];
    let field = parse(values, 4_096).unwrap();
    assert_eq!(field.said.to_string(), r#"h3=":1"; ma=86400, h3=":3"; ma=86400"#);
    let error = parse([&b"ab"[..], b"="], 4_096).unwrap_err();
    assert_eq!(error, FieldError { at: 2, expected: "`=` behind the protocol's name" });
}

// rule: AS-12b
#[test]
fn junk_costs_no_more_than_the_limit() {
    let long = |text: &str, times| text.repeat(times).into_bytes();
    // 10,000 entries, and a megabyte of several kinds.
    let many = parse([&long(r#"h3=":443", "#, 10_000)[..]], usize::MAX).unwrap();
    let Said::Offers(offers) = &many.said else { panic!("offers") };
    assert!(offers.len() == 64 && many.cut, "{}", offers.len());
    for junk in ["\"", "h3=", "\\", "h3=\"", ",", "h3=\":443\";", ";", "\u{0}"] {
        let bytes = long(junk, (1 << 20) / junk.len());
        if let Ok(field) = parse([&bytes[..]], 4_096) {
            assert!(field.cut, "{junk}");
        }
        // Without a limit it ends as well, in time that grows as the bytes do.
        let _ = parse([&bytes[..]], usize::MAX);
    }
}

/// What the limit cuts in two is not taken for what it begins with.
#[test]
fn a_cut_element_says_nothing() {
    let rows = [
        ("clearance", 5, None),
        (r#"h3=":44", h3=":443""#, 17, Some(r#"h3=":44"; ma=86400"#)),
        (r#"h3=":44", h3=":443""#, 18, Some(r#"h3=":44"; ma=86400"#)),
        (r#"h3=":44", h3=":443""#, 19, Some(r#"h3=":44"; ma=86400, h3=":443"; ma=86400"#)),
        (r#"h3=":443"; ma=3600"#, 16, None),
    ];
    for (value, most, expected) in rows {
        let read = parse([value.as_bytes()], most).ok();
        let cut = read.as_ref().is_some_and(|field| field.cut);
        assert_eq!(cut, read.is_some() && most < value.len(), "{value} up to {most}");
        let said = read.map(|field| field.said.to_string());
        assert_eq!(said.as_deref(), expected, "{value} up to {most}");
    }
    // One of two values.
    for (most, cut) in [(17, true), (18, false)] {
        let values = [&br#"h3=":443""#[..], br#"h2=":443""#];
        assert_eq!(parse(values, most).unwrap().cut, cut, "{most}");
    }
}
