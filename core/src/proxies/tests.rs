use super::*;

fn origin(uri: &str) -> Origin {
    Origin::of(&uri.parse().unwrap()).unwrap()
}

#[test]
fn a_proxy_is_read_from_a_text() {
    let rows = [
        ("p.test", Ok("http://p.test:80")),
        ("p.test:3128", Ok("http://p.test:3128")),
        (" HTTP://P.test:3128/ ", Ok("http://p.test:3128")),
        ("http://p.test/path?query", Ok("http://p.test:80")),
        ("https://p.test", Ok("https://p.test:443")),
        ("https://p.test:8443", Ok("https://p.test:8443")),
        ("192.0.2.1:3128", Ok("http://192.0.2.1:3128")),
        ("http://[2001:db8::1]:3128", Ok("http://[2001:db8::1]:3128")),
        ("[2001:db8::1]", Ok("http://[2001:db8::1]:80")),
        ("u:p@p.test:1", Ok("http://p.test:1")),
        ("u:p@q@p.test:1", Ok("http://p.test:1")),
        ("socks5://p.test:1080", Err("the proxy's scheme is socks5, expected http or https")),
        ("ftp://u:secret@p.test", Err("the proxy's scheme is ftp, expected http or https")),
        ("", Err("expected a proxy like [http://][user[:password]@]host[:port]")),
        ("http://", Err("expected a proxy like [http://][user[:password]@]host[:port]")),
        ("u:secret@:1", Err("expected a proxy like [http://][user[:password]@]host[:port]")),
        ("p.test:0", Err("expected a proxy like [http://][user[:password]@]host[:port]")),
        ("p.test:70000", Err("expected a proxy like [http://][user[:password]@]host[:port]")),
        ("a b", Err("expected a proxy like [http://][user[:password]@]host[:port]")),
    ];
    for (text, expected) in rows {
        let read = Proxy::parse(text);
        let said = read.map(|proxy| proxy.to_string()).map_err(|error| error.to_string());
        assert_eq!(said.as_deref().map_err(|error| &**error), expected, "{text}");
    }
}

#[test]
fn curls_port_is_for_http_proxies_without_one() {
    for (text, expected) in [
        ("p.test", "http://p.test:1080"),
        ("p.test:80", "http://p.test:80"),
        ("[::1]", "http://[::1]:1080"),
        ("https://p.test", "https://p.test:443"),
    ] {
        assert_eq!(Proxy::parse_with_port(text, 1080).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn credentials_are_said_as_rfc_7617_says_them_and_never_shown() {
    let aladdin = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    for (text, expected) in [
        ("p.test", None),
        ("Aladdin:open%20sesame@p.test", Some(aladdin)),
        ("Aladdin:open sesame@p.test", Some(aladdin)),
        ("a@p.test", Some("Basic YTo=")),
        ("%zz:@p.test", Some("Basic JXp6Og==")),
    ] {
        let proxy = Proxy::parse(text).unwrap();
        let value = proxy.fields().get("proxy-authorization");
        assert_eq!(value.map(|value| value.to_str().unwrap()), expected, "{text}");
        assert_eq!(proxy.has_credentials(), expected.is_some());
        assert!(!format!("{proxy:?} {proxy}").contains("QWxh"), "{proxy:?}");
    }
    let given = Proxy::parse("x:y@p.test").unwrap().with_credentials("Aladdin", "open sesame");
    assert_eq!(given.fields().get("proxy-authorization").unwrap(), aladdin);
}

/// A list, what it covers and what it does not.
#[test]
fn who_goes_without_a_proxy() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("", &[], &["http://a.test"]),
        ("*", &["http://a.test", "https://192.0.2.1", "http://[2001:db8::1]"], &[]),
        ("b.test, *", &["http://a.test"], &[]),
        (
            "a.test",
            &["http://a.test", "https://A.Test:81", "http://b.a.test", "http://a.test."],
            &["http://ba.test", "http://a.test.b", "http://test"],
        ),
        (".a.test", &["http://a.test", "http://b.a.test"], &["http://ba.test"]),
        ("A.TEST.", &["http://a.test", "http://b.a.test."], &[]),
        ("*.a.test", &["http://b.a.test", "http://c.b.a.test"], &["http://a.test"]),
        ("a.test:81", &["http://a.test:81", "http://b.a.test:81"], &["http://a.test"]),
        ("a.test:443", &["https://a.test"], &["http://a.test"]),
        (
            "a.test,b.test c.test\td.test",
            &["http://a.test", "http://b.test", "http://c.test", "http://d.test"],
            &["http://e.test"],
        ),
        ("192.0.2.1", &["http://192.0.2.1", "http://192.0.2.1:81"], &["http://192.0.2.11"]),
        ("192.0.2.1:81", &["http://192.0.2.1:81"], &["http://192.0.2.1"]),
        (
            "192.0.2.0/25",
            &["http://192.0.2.0", "http://192.0.2.127"],
            &["http://192.0.2.128", "http://[2001:db8::1]", "http://192.0.2.1.test"],
        ),
        ("0.0.0.0/0", &["http://192.0.2.1"], &["http://[2001:db8::1]", "http://a.test"]),
        ("2001:db8::1", &["http://[2001:db8::1]", "http://[2001:db8::1]:81"], &["http://[::1]"]),
        ("[2001:db8::1]", &["http://[2001:db8::1]"], &["http://[2001:db8::2]"]),
        ("[2001:db8::1]:81", &["http://[2001:db8::1]:81"], &["http://[2001:db8::1]"]),
        ("2001:db8::/32", &["http://[2001:db8:ff::1]"], &["http://[2001:db9::1]"]),
        ("192.0.2.1", &["http://[::ffff:192.0.2.1]"], &["http://[::ffff:192.0.2.2]"]),
        ("::ffff:192.0.2.0/120", &["http://192.0.2.77"], &["http://192.0.3.1"]),
        // What is no word covers nothing.
        ("192.0.2.0/33", &[], &["http://192.0.2.0"]),
        ("192.0.2.0/x, a.test:x, :81, ., *a.test", &[], &["http://192.0.2.0", "http://a.test:81"]),
        // A name is not an address, and an address has nothing below it.
        ("2.1", &[], &["http://192.0.2.1"]),
        ("localhost", &["http://localhost:8080"], &["http://127.0.0.1"]),
    ];
    for (list, covered, others) in rows {
        let bypass = Bypass::parse(list);
        for (uris, expected) in [(covered, true), (others, false)] {
            for uri in *uris {
                assert_eq!(bypass.covers(&origin(uri)), expected, "{list:?} covers {uri}");
            }
        }
    }
}

#[test]
fn the_route_is_the_schemes() {
    let (one, other) = (Proxy::parse("one.test").unwrap(), Proxy::parse("other.test").unwrap());
    let show = |proxies: &Proxies, uri: &str| match proxies.route(&origin(uri)) {
        Route::Direct => "direct".to_owned(),
        Route::Forward(proxy) => format!("forward {}", proxy.origin().host),
        Route::Tunnel(proxy) => format!("tunnel {}", proxy.origin().host),
    };
    let none = Proxies::new();
    let all = Proxies::new().all(one.clone()).except(Bypass::parse("b.test"));
    let both = Proxies::new().http(one.clone()).https(other);
    let only = Proxies::new().http(one.clone());
    let tunnels = Proxies::new().all(one).tunnels_all(true);
    for (proxies, uri, expected) in [
        (&none, "http://a.test", "direct"),
        (&all, "http://a.test", "forward one.test"),
        (&all, "https://a.test", "tunnel one.test"),
        (&all, "https://b.test", "direct"),
        (&both, "http://a.test", "forward one.test"),
        (&both, "https://a.test", "tunnel other.test"),
        (&only, "https://a.test", "direct"),
        (&tunnels, "http://a.test", "tunnel one.test"),
    ] {
        assert_eq!(show(proxies, uri), expected, "{uri}");
    }
    assert_eq!([&none, &all, &both].map(|proxies| proxies.each().len()), [0, 1, 2]);
}

#[test]
fn variables_are_read_as_curl_reads_them() {
    let http = "http://a.test";
    let https = "https://a.test";
    type Variables = &'static [(&'static str, &'static str)];
    let rows: &[(Variables, &str, &str)] = &[
        (&[], http, "direct"),
        (&[("http_proxy", "p.test:1")], http, "http://p.test:1"),
        (&[("http_proxy", "p.test")], http, "http://p.test:1080"),
        (&[("HTTP_PROXY", "p.test:1")], http, "direct"),
        (&[("http_proxy", "p.test:1")], https, "direct"),
        (&[("https_proxy", "p.test:1"), ("HTTPS_PROXY", "q.test:1")], https, "http://p.test:1"),
        (&[("HTTPS_PROXY", "q.test:1")], https, "http://q.test:1"),
        (&[("https_proxy", ""), ("HTTPS_PROXY", "q.test:1")], https, "http://q.test:1"),
        (&[("all_proxy", "p.test:1")], http, "http://p.test:1"),
        (&[("ALL_PROXY", "p.test:1")], https, "http://p.test:1"),
        (&[("http_proxy", "p.test:1"), ("all_proxy", "q.test:1")], http, "http://p.test:1"),
        (&[("http_proxy", " "), ("all_proxy", "q.test:1")], http, "http://q.test:1"),
        (&[("http_proxy", "p.test:1"), ("no_proxy", "a.test")], http, "direct"),
        (&[("http_proxy", "p.test:1"), ("NO_PROXY", "a.test")], http, "direct"),
        (
            &[("http_proxy", "p.test:1"), ("no_proxy", "b.test"), ("NO_PROXY", "a.test")],
            http,
            "http://p.test:1",
        ),
        (
            &[("all_proxy", "socks5://p.test")],
            http,
            "all_proxy: the proxy's scheme is socks5, expected http or https",
        ),
        (&[("all_proxy", "socks5://p.test"), ("no_proxy", "*")], http, "direct"),
        (
            &[("http_proxy", "p.test:1"), ("https_proxy", "p.test:1"), ("all_proxy", "socks5://x")],
            http,
            "http://p.test:1",
        ),
    ];
    for (variables, uri, expected) in rows {
        let read = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let said = match Proxies::of_variables(read, 1080) {
            Ok(proxies) => match proxies.route(&origin(uri)) {
                Route::Direct => "direct".to_owned(),
                Route::Forward(proxy) | Route::Tunnel(proxy) => proxy.to_string(),
            },
            Err(error) => error.to_string(),
        };
        assert_eq!(said, *expected, "{variables:?}");
    }
}
