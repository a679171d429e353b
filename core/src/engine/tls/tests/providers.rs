//! The providers of cryptography: what they offer, that they understand each other, and a seeded
//! one.

use super::*;

/// Every provider that is compiled in.
fn providers() -> Vec<Provider> {
    vec![
        #[cfg(feature = "ring")]
        Provider::ring(),
        #[cfg(feature = "aws-lc-rs")]
        Provider::aws_lc_rs(),
    ]
}

/// Those that RFC 9113 forbids are the ones without a key of their own or without AEAD.
// rule: H2-8a
#[test]
fn every_suite_is_one_that_http2_allows() {
    for provider in providers() {
        let suites = &provider.get().cipher_suites;
        assert!(!suites.is_empty());
        for suite in suites {
            let name = suite.suite().as_str().unwrap();
            let is_aead = name.contains("_GCM_") || name.contains("_CHACHA20_POLY1305_");
            let is_new = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
            assert!(is_aead && is_new, "{name}");
        }
    }
    for versions in [Versions::Both, Versions::Tls12, Versions::Tls13] {
        let list = versions.list();
        let least = u16::from(ProtocolVersion::TLSv1_2);
        assert!(list.iter().all(|version| u16::from(version.version) >= least), "{versions:?}");
    }
}

#[test]
fn every_provider_talks_to_every_other() {
    let authority = Authority::new();
    for ours in providers() {
        for theirs in providers() {
            let mut server = authority.server(&["example.com"]);
            server.provider = Some(theirs);
            let server = ServerConfig::new(&clock(), server).unwrap();
            let options = ClientOptions { provider: Some(ours.clone()), ..trusting(&authority) };
            let client = ClientConfig::new(&clock(), options).unwrap();
            for resumed in [false, true] {
                let mut pair = Pair::new(&client, &server, "example.com");
                pair.client_plain.put(b"hello");
                pair.run_ok();
                assert_eq!(&pair.server_heard[..], b"hello");
                assert_eq!(pair.client.is_resumed(), resumed);
            }
        }
    }
}

#[test]
fn a_seeded_provider_gives_flights_of_the_same_shape() {
    let authority = Authority::new();
    let server = authority.server(&["example.com"]);
    let flights = || {
        let random = Box::leak(Box::new(Seeded(Mutex::new(Rng::new(1)))));
        let mut crypto = CryptoProvider::clone(&Provider::default().get());
        crypto.secure_random = random;
        crypto.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
        let provider = Some(Provider::custom(crypto));
        let server = ServerOptions { provider: provider.clone(), ..server.clone() };
        let server = ServerConfig::new(&clock(), server).unwrap();
        let options = ClientOptions { provider, ..trusting(&authority) };
        let client = ClientConfig::new(&clock(), options).unwrap();
        let mut lengths = Vec::new();
        let mut hello = Bytes::new();
        for _ in 0..2 {
            let mut pair = Pair::new(&client, &server, "example.com");
            let mut out = Output::new();
            pair.client.send(T0, &mut Output::new(), &mut out);
            hello = out.pop().unwrap();
            pair.server.receive(T0, &hello, &mut pair.server_heard).unwrap();
            pair.run_ok();
            lengths.push((hello.len(), pair.carried.clone()));
        }
        // Record, handshake and version come before the client's random.
        (lengths, hello.slice(11..43))
    };
    assert_eq!(flights(), flights());
}
