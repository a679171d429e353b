//! Versions, addresses, TLS.

use crate::curl::lab::{Lab, row};

#[test]
fn ways() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-4 {o}/bytes/3"),
        row("-6 http://[::1]:1/"),
        row("--unix-socket {unix} http://a.test/headers -A x"),
        row("--unix-socket {unix} -d x http://a.test:81/echo"),
        row("--resolve a.test:{port}:127.0.0.1 http://a.test:{port}/headers -A x"),
        row("--resolve a.test:{port}:[127.0.0.1] http://a.test:{port}/bytes/3"),
        row("--resolve a.test:{port}:127.0.0.1 http://A.test:{port}/bytes/3")
            .but("a host is written in lower case"),
        row("--connect-to a.test:80:127.0.0.1:{port} http://a.test/headers -A x"),
        row("--connect-to ::127.0.0.1:{port} http://a.test/headers -A x"),
        row("--connect-to 127.0.0.1:1:127.0.0.1:{port} http://127.0.0.1:1/bytes/3"),
        row("--connect-to a.test:80:127.0.0.1:{port} http://b.invalid/"),
        row("--tcp-nodelay {o}/bytes/3"),
        row("--http2-prior-knowledge {o}/bytes/3 -i"),
        row("--http2-prior-knowledge -d x {o}/echo"),
        row("--http2-prior-knowledge -I {o}/bytes/3"),
        row("--http2-prior-knowledge {o}/reset").code_only(
            "what came before a reset is shown, by curl only where it came apart from it",
        ),
        row("--http2-prior-knowledge -T blob.bin {o}/echo"),
        row("--http2 {o}/bytes/3 -i").but("RFC 9113 knows no upgrade from plain HTTP/1.1"),
        row("--limit-rate 20K {o}/bytes/10000"),
        row("--happy-eyeballs-timeout-ms 100 {o}/bytes/3"),
        row("--connect-timeout 5 {o}/bytes/3"),
        row("--unix-socket missing {o}/bytes/3"),
    ]);
}

#[test]
fn tls() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("--cacert {ca} {tls}/bytes/3"),
        row("--cacert {ca} --http1.1 -i {tls}/bytes/3"),
        row("--cacert {ca} -i {tls}/bytes/3"),
        row("{tls}/bytes/3"),
        row("-k {tls}/bytes/3"),
        row("-k -d x {tls}/echo"),
        row("--cacert {ca} --tlsv1.2 {tls}/bytes/3"),
        row("--cacert {ca} --tlsv1.3 {tls}/bytes/3"),
        row("--cacert {ca} --tls-max 1.2 {tls}/bytes/3"),
        row("-k --tlsv1.3 --tls-max 1.2 {tls}/bytes/3"),
        row("--cacert {ca} --resolve a.test:{tlsport}:127.0.0.1 https://a.test:{tlsport}/"),
        row("--cacert {ca} --connect-to localhost:443:127.0.0.1:{tlsport} https://localhost/bytes/3"),
        row("https://127.0.0.1:{port}/"),
        row("--cacert {ca} -w '%{scheme} %{ssl_verify_result}' -o out {tls}/bytes/3"),
        row("-k -w '%{ssl_verify_result}' {tls}/bytes/3").but("with -k nothing is verified"),
        row("-k -L -A x '{o}/status/302?location={tls}/headers'"),
    ]);
}
