//! Methods, fields, credentials.

use crate::curl::lab::{Lab, row};

#[test]
fn methods_and_fields() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-A x {o}/headers?q"),
        row("-A me {o}/headers"),
        row("-A '' {o}/headers"),
        row("-I {o}/bytes/10"),
        row("-I {o}/status/404"),
        row("--head {o}/status/204"),
        row("-X DELETE {o}/echo"),
        row("-X POST {o}/echo").but("RFC 9110 8.6: a POST without content says so"),
        row("-X PATCH -d x {o}/echo"),
        row("-X OPTIONS -i {o}/echo"),
        row("-H 'X-A: b' -H 'X-A: c' -A x {o}/headers"),
        row("-H 'Accept:' -A x {o}/headers"),
        row("-H 'X-Empty;' -A x {o}/headers"),
        row("-H 'Accept: text/html' -A x {o}/headers"),
        row("-H 'Host: other.test' -A x {o}/headers"),
        row("-H @fields -A x {o}/headers"),
        row("-H 'User-Agent: mine' {o}/headers"),
        row("-e http://a.test/ -A x {o}/headers"),
        row("-e 'http://a.test/;auto' -A x -L {o}/redirect/2"),
        row("-e ';auto' -A x -L {o}/redirect/2"),
        row("-e http://a.test/ -A x -L {o}/redirect/1"),
        row("--request-target /headers -A x {o}/nowhere"),
        row("--http1.1 -A x {o}/headers"),
        row("-0 -i {o}/bytes/3"),
        row("-0 -d x {o}/echo"),
        row("-H 'Connection: close' -A x {o}/headers"),
        row("-H 'X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' -A x {o}/headers"),
        row("-H nonsense {o}/headers").but("a field without a colon is a mistake, and said"),
    ]);
}

#[test]
fn credentials() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-u me:secret {o}/basic-auth/me/secret"),
        row("-u me:wrong {o}/basic-auth/me/secret"),
        row("-u me:a:b {o}/basic-auth/me/a:b"),
        row("-u me: -A x {o}/headers"),
        row("--basic -u me:secret {o}/basic-auth/me/secret"),
        row("-u me:wrong -f {o}/basic-auth/me/secret"),
        row("http://me:secret@127.0.0.1:{port}/basic-auth/me/secret"),
        row("http://m%65:secret@127.0.0.1:{port}/basic-auth/me/secret"),
        row("-u other:x http://me:secret@127.0.0.1:{port}/basic-auth/me/secret"),
        row("http://me@127.0.0.1:{port}/headers -A x"),
        row("--oauth2-bearer token {o}/bearer/token"),
        row("--oauth2-bearer wrong {o}/bearer/token"),
        row("-H 'Authorization: Bearer token' {o}/bearer/token"),
        row("--disallow-username-in-url http://me:x@127.0.0.1:{port}/headers"),
    ]);
}
