//! Who is trusted, when and for which name, and what is told of a certificate.

use super::*;

#[test]
fn a_certificate_for_other_names_is_refused() {
    let authority = Authority::new();
    let server = authority.server(&["other.example", "*.other.example", "192.0.2.1"]);
    let server = ServerConfig::new(&clock(), server).unwrap();
    let client = ClientConfig::new(&clock(), trusting(&authority)).unwrap();
    let mut pair = Pair::new(&client, &server, "example.com");
    let (client, server) = pair.run();
    let (cause, words) = cause_of(client);
    assert_eq!(cause, Cause::Tls(TlsFault::NameMismatch));
    let expected = "the certificate is not for example.com but for \
                    other.example, *.other.example and 192.0.2.1";
    assert_eq!(words, expected);
    // The alert went out: bad_certificate.
    assert_eq!(cause_of(server).0, Cause::Tls(TlsFault::Alert(42)));
}

#[test]
fn an_ip_address_is_a_name_too() {
    let authority = Authority::new();
    let server = ServerConfig::new(&clock(), authority.server(&["127.0.0.1", "::1"])).unwrap();
    let client = ClientConfig::new(&clock(), trusting(&authority)).unwrap();
    for name in ["127.0.0.1", "::1"] {
        Pair::new(&client, &server, name).run_ok();
    }
    let error = Tls::client(&client, "not a name", T0).unwrap_err();
    assert_eq!(error.to_string(), "`not a name` is neither a DNS name nor an IP address");
}

#[test]
fn certificates_are_checked_by_the_time_of_the_call() {
    let (client, server) = configs();
    let year = 365 * DAY;
    for (now, fault, words) in [
        (
            T0 + year,
            Cause::Tls(TlsFault::Expired),
            "the certificate of example.com expired on 2026-12-31; today is 2027-06-01",
        ),
        (T0, Cause::Cancelled, ""),
    ] {
        let mut pair = Pair::new(&client, &server, "example.com");
        pair.now = now;
        let (result, _) = pair.run();
        match result {
            Ok(()) => assert_eq!(fault, Cause::Cancelled),
            failed => assert_eq!(cause_of(failed), (fault, words.into())),
        }
    }
    let early = Clock::new(JUNE - year);
    let authority = Authority::new();
    let server = ServerConfig::new(&early, authority.server(&["example.com"])).unwrap();
    let client = ClientConfig::new(&early, trusting(&authority)).unwrap();
    let (cause, words) = cause_of(Pair::new(&client, &server, "example.com").run().0);
    assert_eq!(cause, Cause::Tls(TlsFault::BadCertificate));
    let expected = "the certificate of example.com is valid from 2026-01-01; today is 2025-06-01";
    assert_eq!(words, expected);
}

#[test]
fn an_unknown_issuer_is_refused_unless_nothing_is_verified() {
    let (_, server) = configs();
    let options = trusting(&Authority::named("another"));
    let client = ClientConfig::new(&clock(), options.clone()).unwrap();
    let (cause, words) = cause_of(Pair::new(&client, &server, "example.com").run().0);
    assert_eq!(cause, Cause::Tls(TlsFault::UnknownIssuer));
    assert!(words.contains("example.com"), "{words}");

    let none = ClientConfig::new(&clock(), ClientOptions::default()).unwrap();
    let (cause, _) = cause_of(Pair::new(&none, &server, "example.com").run().0);
    assert_eq!(cause, Cause::Tls(TlsFault::UnknownIssuer));

    for versions in [Versions::Tls12, Versions::Tls13] {
        let options = ClientOptions { danger_no_verify: true, versions, ..options.clone() };
        let client = ClientConfig::new(&clock(), options).unwrap();
        Pair::new(&client, &server, "any.name.at.all").run_ok();
    }
}

#[test]
fn a_certificate_is_told_in_words() {
    let authority = Authority::named("The \x1b[1mauthority");
    let names = ["example.com", "*.example.com", "192.0.2.1", "2001:db8::1"];
    let server = ServerConfig::new(&clock(), authority.server(&names)).unwrap();
    let client = ClientConfig::new(&clock(), trusting(&authority)).unwrap();
    let mut pair = Pair::new(&client, &server, "example.com");
    assert_eq!(pair.client.peer_certificate(), None);
    pair.run_ok();
    let certificate = pair.client.peer_certificate().unwrap();
    assert_eq!(certificate.subject, "CN=rcgen self signed cert");
    assert_eq!(certificate.issuer, "CN=The \u{fffd}[1mauthority");
    assert_eq!(certificate.names, names);
    assert_eq!(certificate.not_before, "2026-01-01 00:00:00Z");
    assert_eq!(certificate.not_after, "2026-12-31 00:00:00Z");
    let words = "CN=rcgen self signed cert; \
                 for example.com, *.example.com, 192.0.2.1, 2001:db8::1; \
                 issued by CN=The \u{fffd}[1mauthority; \
                 valid from 2026-01-01 00:00:00Z until 2026-12-31 00:00:00Z";
    assert_eq!(certificate.to_string(), words);

    // Cut off or bent anywhere, it is never a panic.
    let der = pair.client.peer_certificates().next().unwrap().to_vec();
    for at in 0..der.len() {
        Certificate::parse(&der[..at]);
        for bit in 0..8 {
            let mut bent = der.clone();
            bent[at] ^= 1 << bit;
            Certificate::parse(&bent);
        }
    }
    assert_eq!(Certificate::parse(&der[..der.len() / 2]), None);
}

#[test]
fn days_are_of_the_gregorian_calendar() {
    for (seconds, day) in [
        (0, "1970-01-01"),
        (951_782_399, "2000-02-28"),
        (951_782_400, "2000-02-29"),
        (951_868_800, "2000-03-01"),
        (1_780_272_000, "2026-06-01"),
        (4_107_542_399, "2100-02-28"),
        (4_107_542_400, "2100-03-01"),
        (4_133_980_799, "2100-12-31"),
    ] {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        assert_eq!(error::Day(time).to_string(), day);
    }
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let options = ClientOptions { roots: vec![b"junk".to_vec()], ..ClientOptions::default() };
    let error = ClientConfig::new(&clock(), options).unwrap_err();
    let words = "none of the 1 trusted certificates could be read as X.509 in DER";
    assert_eq!(error.to_string(), words);
    let authority = Authority::new();
    let good = authority.server(&["example.com"]);
    let junk = ServerOptions { key: b"junk".to_vec(), ..good.clone() };
    let error = ServerConfig::new(&clock(), junk).unwrap_err();
    assert_eq!(error.to_string(), "the private key is not PKCS#8, PKCS#1 or SEC1 in DER");
    let other = ServerOptions { key: authority.server(&["example.com"]).key, ..good };
    assert!(ServerConfig::new(&clock(), other).is_err(), "certificate and key differ");
}

/// What a server makes of it is tested with real servers, in tests/.
#[test]
fn a_client_has_a_certificate_only_with_its_key() {
    let authority = Authority::new();
    let ServerOptions { certificates, key, .. } = authority.server(&["client.test"]);
    let of = |key: Vec<u8>| {
        let identity = Some(Identity { certificates: certificates.clone(), key });
        let roots = vec![authority.root()];
        ClientConfig::new(&clock(), ClientOptions { roots, identity, ..ClientOptions::default() })
    };
    assert!(of(key).is_ok());
    let error = of(vec![1, 2, 3]).unwrap_err();
    assert!(error.to_string().contains("the private key is not PKCS#8"), "{error}");
    let other = authority.server(&["other.test"]).key;
    assert!(of(other).is_err(), "the key of another certificate");
}
