//! Chromium as a client of `regatta origin`: it loads `/page`, whose script asks for much of what
//! the origin has and writes down what came.

use crate::peers::program::{Folder, Origin, find, say};

/// What the page says of its requests, in their order.
pub(super) const SAID: [&str; 14] = [
    "GET /bytes/1000000: 200 1000000 letters",
    "HEAD /bytes/5: 200 0 letters",
    "POST /echo: 200 300000 letters",
    "GET /status/204: 204 0 letters",
    "GET /status/404: 404 14 404 Not Found",
    "GET /etag/x: 304 0 letters",
    "GET /range/26: 206 3 bcd",
    "GET /gzip: 200 9200 a packed body has the same line over and over",
    "GET /deflate: 200 9200 a packed body has the same line over and over",
    TRAILERS,
    "GET /etag/y: 200 10 this is y",
    "GET /reset: failed",
    GOAWAY,
    "GET /bytes/7: 200 7 letters",
];

const GOAWAY: &str = "GET /goaway: 200 41 this connection takes no further request";
const TRAILERS: &str = "GET /trailers: 200 24 a trailer field follows";

#[test]
fn a_page_comes_over_http1() {
    loads("http/1.1");
}

#[test]
fn a_page_comes_over_http2_and_tls() {
    loads("h2");
}

/// Without being told of it by Alt-Svc first.
#[test]
fn a_page_comes_over_http3() {
    loads("h3");
}

/// A page over HTTP/2 says by Alt-Svc that there is HTTP/3; what is fetched next comes over that,
/// at the latest when the browser has tried it beside the connection that it has.
#[test]
fn alt_svc_leads_to_http3() {
    let Some(chromium) = find("chromium") else { return };
    let Some(python) = find("python3") else { return };
    let folder = Folder::new();
    let (_, certificate, key) = folder.certificates();
    let origin = Origin::start(&["--tls", &format!("{certificate},{key}")]);
    let url = origin.https("/");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/clients/chromium.py");
    let (chromium, at) = (chromium.to_str().unwrap(), folder.path().to_str().unwrap());
    let said = say(python, &[script, chromium, &url, &fingerprint(&key), at]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let over: Vec<&str> = said.out.lines().collect();
    let (last, before) = over.split_last().unwrap();
    assert!(*last == "h3" && before.iter().all(|protocol| *protocol == "h2"), "{over:?}");
    assert_eq!(over[0], "h2", "nobody told of HTTP/3 before the first answer");
}

/// `protocol` is what the browser calls it.
fn loads(protocol: &str) {
    let tls = protocol != "http/1.1";
    let Some(chromium) = find("chromium") else { return };
    let folder = Folder::new();
    let (_, certificate, key) = folder.certificates();
    let identity = format!("{certificate},{key}");
    let options = ["--tls", &identity];
    let origin = Origin::start(if tls { &options } else { &[] });
    let url = if tls { origin.https("/page") } else { origin.http("/page") };
    let quic = format!("--origin-to-force-quic-on={}", origin.address);
    let pin = format!("--ignore-certificate-errors-spki-list={}", fingerprint(&key));
    let profile = format!("--user-data-dir={}", folder.at("profile"));
    let quiet = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                 --disable-background-networking --disable-component-update --disable-sync \
                 --no-proxy-server --dump-dom";
    let words = quiet.split(' ').filter(|word| !word.is_empty());
    let quic = Some(&*quic).filter(|_| protocol == "h3");
    let words: Vec<&str> = words.chain([&*profile, &*pin]).chain(quic).chain([&*url]).collect();
    let said = say(chromium, &words);
    let page = said.out.split_once("<pre id=\"said\">").and_then(|(_, rest)| rest.split_once("<"));
    let (page, _) = page.unwrap_or_else(|| panic!("{}\n{}", said.out, said.err));
    // Over HTTP/3 it fails an answer whose trailer fields come with the end of the stream, whoever
    // sends them, and now and then one that is here when the connection is closed behind it.
    let page = match protocol {
        "h3" => {
            page.replace("GET /trailers: failed", TRAILERS).replace("GET /goaway: failed", GOAWAY)
        }
        _ => page.to_owned(),
    };
    check(&page, protocol, &said.err);
}

/// What the page says of its requests, and over which protocol they went.
fn check(page: &str, protocol: &str, err: &str) {
    let lines: Vec<&str> = page.lines().collect();
    assert_eq!(lines.get(..SAID.len()), Some(&SAID[..]), "{page}\n{err}");
    // The request that failed has no protocol; the page, the twenty at once and the others have.
    let over = lines[SAID.len()..].iter().filter_map(|line| line.strip_prefix("over "));
    let over = over.filter(|line| !line.starts_with("nothing known"));
    let over: Vec<_> = over.filter_map(|line| line.split_once(": ")).collect();
    assert_eq!(over.len(), 1, "{page}");
    assert!(over[0].0 == protocol && over[0].1.parse::<u32>().unwrap() > 20, "{page}");
}

/// SHA-256 of a key's public half, in Base64.
fn fingerprint(key: &str) -> String {
    use rcgen::PublicKeyData as _;

    let key = rcgen::KeyPair::from_pem(&std::fs::read_to_string(key).unwrap()).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &key.subject_public_key_info());
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in digest.as_ref().chunks(3) {
        let bits = piece.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - piece.len()));
        for digit in 0..=piece.len() {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[value as usize]));
        }
    }
    text + "="
}
