//! Proxies: options and the environment, what is forwarded, and tunnels.

use crate::curl::lab::{Lab, row};

#[test]
fn forwarded() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-x 127.0.0.1:{port} http://a.test/bytes/3"),
        row("-x http://127.0.0.1:{port}/ http://a.test:81/bytes/3 -A x"),
        row("-x 127.0.0.1:{port} http://a.test/headers -A x")
            .but("RFC 9112 C.2.2: Proxy-Connection is not sent"),
        row("--proxy HTTP://127.0.0.1:{port} http://a.test/bytes/3?b=c"),
        row("-x 127.0.0.1:{port} -U u:p http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -U u http://a.test/bytes/3 --proxy-basic")
            .stdin("p\n")
            .but("a password that is missing is empty, and not asked for"),
        row("-x u:p@127.0.0.1:{port} http://a.test/bytes/3"),
        row("-x http://u%20v:p%3a@127.0.0.1:{port} http://a.test/bytes/3"),
        row("-x u:p@127.0.0.1:{port} -U x:y http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -U u:p -u me:secret http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} --proxy-header 'X-P: 1' -H 'X-O: 2' http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} --proxy-header @fields http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -d x http://a.test/echo"),
        row("-x 127.0.0.1:{port} -T blob.bin http://a.test/echo"),
        row("-x 127.0.0.1:{port} -I http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -i http://a.test/status/407"),
        row("-x 127.0.0.1:{port} -f http://a.test/status/502"),
        row("-x 127.0.0.1:{port} -H 'Host: b.test' http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -0 http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} --http2-prior-knowledge http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -r 0-1 http://a.test/range/9"),
        row("-x 127.0.0.1:{port} http://a.test/bytes/3 http://b.test/bytes/4"),
        row("-x 127.0.0.1:{port} http://u:p@a.test/bytes/3"),
        row("-x 127.0.0.1:{port} 'http://[2001:db8::1]:81/bytes/3'"),
        row("-x 127.0.0.1:{port} -w '%{http_code} %{http_connect}' http://a.test/bytes/3"),
        row("-x p.test:{port} --resolve p.test:{port}:127.0.0.1 http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -U u:p -u me:x -L {o}/status/302?location=http://b.test/bytes/3"),
        row(
            "-x 127.0.0.1:{port} -b a=b -L http://a.test/status/302?location=http://b.test/bytes/3",
        ),
        row("-x https://127.0.0.1:{tlsport} --proxy-cacert {ca} http://a.test/bytes/3"),
        row("-x https://127.0.0.1:{tlsport} --proxy-insecure http://a.test/bytes/3"),
        row("-x https://127.0.0.1:{tlsport} http://a.test/bytes/3"),
        row("-x https://127.0.0.1:{tlsport} -k http://a.test/bytes/3"),
        row("-x https://127.0.0.1:{port} http://a.test/bytes/3"),
    ]);
}

// rule: H-1c
#[test]
fn tunnels() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-x 127.0.0.1:{port} --cacert {ca} {tls}/bytes/3"),
        row("-x 127.0.0.1:{port} -k --http1.1 {tls}/bytes/3"),
        row("-x 127.0.0.1:{port} -k -U u:p {tls}/headers -A x"),
        row("-x u:p@127.0.0.1:{port} -k {tls}/headers -A x"),
        row("-x 127.0.0.1:{port} -k -u me:secret -H 'X-O: 1' --proxy-header 'X-P: 2' {tls}/headers -A x"),
        row("-x 127.0.0.1:{port} -k -i --suppress-connect-headers {tls}/bytes/3"),
        row("-x 127.0.0.1:{port} -k -i {tls}/bytes/3").but("CONNECT's answer is never shown"),
        row("-x 127.0.0.1:{port} -k -d x {tls}/echo"),
        row("-x 127.0.0.1:{port} -k -T blob.bin {tls}/echo"),
        row("-x 127.0.0.1:{port} -k {tls}/bytes/3 {tls}/bytes/4"),
        row("-x 127.0.0.1:{port} -k -w '%{http_code} %{http_connect}' {tls}/bytes/3"),
        row("-x 127.0.0.1:{port} {tls}/bytes/3"),
        row("-x 127.0.0.1:{port} -p {o}/bytes/3"),
        row("-x 127.0.0.1:{port} --connect-to a.test:80:127.0.0.1:{port} http://a.test/bytes/3")
            .but("no way leads both elsewhere and through a proxy"),
        row("-x 127.0.0.1:1 --noproxy a.test --connect-to ::127.0.0.1:{port} http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} -p -U u:p -u me:x {o}/bytes/3"),
        row("-x 127.0.0.1:{port} -p --http2-prior-knowledge {o}/bytes/3"),
        row("-x 127.0.0.1:{port} -k -L {tls}/status/302?location={o}/bytes/3"),
        row("-x 127.0.0.1:{port} -k -L {o}/status/302?location={tls}/bytes/3"),
        row("-x 127.0.0.1:{port} https://127.0.0.1:1/"),
        row("-x 127.0.0.1:{port} https://127.0.0.1:{port}/"),
        row("-x 127.0.0.1:{port} https://407.answers/"),
        row("-x 127.0.0.1:{port} -U u:p https://407.answers/"),
        row("-x 127.0.0.1:{port} https://403.answers:444/"),
        row("-x 127.0.0.1:{port} -f https://502.answers/"),
        row("-x 127.0.0.1:{port} -f https://301.answers/"),
        row("-x 127.0.0.1:{port} --fail-with-body https://502.answers/"),
        row("-x 127.0.0.1:{port} -w '%{http_code} %{http_connect}' https://407.answers/"),
        row("-x 127.0.0.1:{port} https://chunked.answers/"),
        row("-x 127.0.0.1:{port} https://short.answers/"),
        row("-x 127.0.0.1:{port} https://nothing.answers/"),
        row("-x 127.0.0.1:{port} https://nonsense.answers/"),
        row("-x 127.0.0.1:{port} https://half.answers/"),
        row("-x 127.0.0.1:{port} https://closed.answers/"),
        row("-x 127.0.0.1:{port} --connect-timeout 0.4 https://hang.answers/"),
        row("-x 127.0.0.1:{port} -m 0.4 https://hang.answers/"),
    ]);
}

#[test]
fn which() {
    let Some(lab) = Lab::new() else { return };
    const P: &str = "127.0.0.1:{port}";
    const NOBODY: &str = "127.0.0.1:1";
    lab.check(&[
        row("http://a.test/bytes/3").env(&[("http_proxy", P)]),
        row("http://a.invalid/bytes/3").env(&[("HTTP_PROXY", P)]),
        row("http://a.test/bytes/3").env(&[("http_proxy", "http://u:p@127.0.0.1:{port}")]),
        row("http://a.test/bytes/3").env(&[("all_proxy", P)]),
        row("http://a.test/bytes/3").env(&[("ALL_PROXY", P)]),
        row("http://a.test/bytes/3").env(&[("http_proxy", P), ("all_proxy", NOBODY)]),
        row("http://a.test/bytes/3").env(&[("http_proxy", ""), ("all_proxy", P)]),
        row("-k {tls}/bytes/3").env(&[("https_proxy", P)]),
        row("-k {tls}/bytes/3").env(&[("HTTPS_PROXY", P)]),
        row("-k {tls}/bytes/3").env(&[("https_proxy", P), ("HTTPS_PROXY", NOBODY)]),
        row("-k {tls}/bytes/3").env(&[("all_proxy", P)]),
        row("-k {tls}/bytes/3").env(&[("http_proxy", NOBODY)]),
        row("{o}/bytes/3").env(&[("http_proxy", NOBODY), ("no_proxy", "127.0.0.1")]),
        row("{o}/bytes/3").env(&[("http_proxy", NOBODY), ("NO_PROXY", "b.test,127.0.0.0/8")]),
        row("{o}/bytes/3").env(&[("http_proxy", NOBODY), ("no_proxy", "*")]),
        row("{o}/bytes/3").env(&[("http_proxy", NOBODY), ("no_proxy", "127.0.0.1/33 b.test")]),
        row("{o}/bytes/3").env(&[("http_proxy", NOBODY), ("no_proxy", "127.0.0.1:{port}")])
            .but("a word may have a port, as in Go"),
        row("-x '' {o}/bytes/3").env(&[("http_proxy", NOBODY)]),
        row("-x 127.0.0.1:{port} http://a.test/bytes/3").env(&[("http_proxy", NOBODY)]),
        row("-x 127.0.0.1:{port} http://a.test/bytes/3").env(&[("no_proxy", "b.test")]),
        row("-x 127.0.0.1:1 {o}/bytes/3").env(&[("no_proxy", "127.0.0.1")]),
        row("-x 127.0.0.1:1 --noproxy 127.0.0.1 {o}/bytes/3"),
        row("-x 127.0.0.1:1 --noproxy '*' {o}/bytes/3"),
        row("-x 127.0.0.1:1 --noproxy 'b.test 127.0.0.1' {o}/bytes/3"),
        row("-x 127.0.0.1:{port} --noproxy .b.test http://a.test/bytes/3"),
        row("-x 127.0.0.1:{port} --noproxy '' http://a.test/bytes/3")
            .env(&[("no_proxy", "a.test")]),
        row("-x 127.0.0.1:1 --noproxy .a.test http://a.test:{port}/bytes/3 --resolve a.test:{port}:127.0.0.1"),
        row("-x 127.0.0.1:1 --noproxy test http://b.a.test:{port}/bytes/3 --resolve b.a.test:{port}:127.0.0.1"),
        row("-x 127.0.0.1:1 --noproxy a.test http://ba.test:{port}/bytes/3 --resolve ba.test:{port}:127.0.0.1"),
        row("-x 127.0.0.1:1 http://a.test/"),
        row("-x p.invalid:80 http://a.test/"),
        row("-x p.invalid:80 https://a.test/"),
        row("-x x://127.0.0.1:1 http://a.test/"),
        row("-x 127.0.0.1:port http://a.test/"),
        row("-x socks5://127.0.0.1:{port} http://127.0.0.1:1/").but("SOCKS is not spoken"),
    ]);
}
