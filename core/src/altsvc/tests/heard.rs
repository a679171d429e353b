//! What of a response, or of a frame, is to be learnt.

use http::{Response, Uri};

use super::*;
use crate::altsvc::{heard, heard_frame};

/// What is learnt of a response with these fields to a request for `asked`, over a connection of
/// `https://a.test`, and how old it was.
fn of(asked: &str, status: u16, fields: &[(&str, &str)]) -> String {
    of_connection(Scheme::Https, asked, status, fields)
}

fn of_connection(scheme: Scheme, asked: &str, status: u16, fields: &[(&str, &str)]) -> String {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    let asked = asked.parse::<Uri>().unwrap();
    let origin = Origin { scheme, host: "a.test".into(), port: 443 };
    match heard(&origin, &asked, &response.body(()).unwrap()) {
        Some((said, heard)) => {
            format!("{said} {} {}", heard.source.name(), heard.age.as_secs())
        }
        None => "nothing".to_owned(),
    }
}

#[test]
// rule: AS-9
fn what_is_learnt_of_a_response() {
    const H3: (&str, &str) = ("alt-svc", r#"h3=":443"; ma=60"#);
    const KNOWN: &str = r#"h3=":443"; ma=60 field 0"#;
    let asked = "https://a.test/x";
    for (status, fields, expected) in [
        (200, &[H3][..], KNOWN),
        (404, &[H3], KNOWN),
        (503, &[H3], KNOWN),
        (421, &[H3], "nothing"),
        (200, &[], "nothing"),
        (200, &[("alt-svc", "clear")], "clear field 0"),
        (200, &[("alt-svc", "nonsense")], "nothing"),
        (
            200,
            &[H3, ("alt-svc", r#"h2=":8443"; ma=5"#)],
            r#"h3=":443"; ma=60, h2=":8443"; ma=5 field 0"#,
        ),
        (200, &[H3, ("age", "7")], r#"h3=":443"; ma=60 field 7"#),
        (200, &[H3, ("age", " 7 , 9")], r#"h3=":443"; ma=60 field 7"#),
        (200, &[H3, ("age", "-7")], KNOWN),
        (200, &[H3, ("age", "99999999999")], r#"h3=":443"; ma=60 field 4294967295"#),
    ] {
        assert_eq!(of(asked, status, fields), expected, "{status} {fields:?}");
    }
}

#[test]
fn nothing_is_learnt_where_nothing_proves_it() {
    let fields = &[("alt-svc", r#"h3=":443""#)];
    assert_eq!(of("https://a.test:443/", 200, fields), r#"h3=":443"; ma=86400 field 0"#);
    for asked in ["https://b.test/", "https://a.test:444/", "http://a.test:443/", "/x"] {
        assert_eq!(of(asked, 200, fields), "nothing", "{asked}");
    }
    let plain = of_connection(Scheme::Http, "http://a.test:443/", 200, fields);
    assert_eq!(plain, "nothing");
}

#[test]
// rule: AS-10
fn what_is_learnt_of_a_frame() {
    let frame = |name: &str, value: &str| {
        let mut payload = u16::try_from(name.len()).unwrap().to_be_bytes().to_vec();
        payload.extend_from_slice(name.as_bytes());
        payload.extend_from_slice(value.as_bytes());
        payload
    };
    let field = r#"h3=":443"; ma=60"#;
    for (stream, name, value, learnt) in [
        (0, "https://a.test", field, true),
        (0, "https://a.test:443", field, true),
        (0, "https://b.test", field, false),
        (0, "http://a.test", field, false),
        (0, "", field, false),
        (1, "", field, true),
        (1, "https://a.test", field, false),
        (1, "", "nonsense", false),
    ] {
        let found = heard_frame(&origin("a.test"), stream, &frame(name, value));
        assert_eq!(found.is_some(), learnt, "{stream} {name} {value}");
        if let Some((said, heard)) = found {
            assert_eq!((said.to_string(), heard), (field.to_owned(), Source::Frame.into()));
        }
    }
    let plain = Origin { scheme: Scheme::Http, ..origin("a.test") };
    assert!(heard_frame(&plain, 1, &frame("", field)).is_none());
    assert!(heard_frame(&origin("a.test"), 1, &[0]).is_none());
}
