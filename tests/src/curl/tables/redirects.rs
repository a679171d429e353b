//! Redirects: methods, bodies, secrets.

use crate::curl::lab::{Lab, row};

/// curl says nothing.
const EMPTY: &str = "RFC 9110 8.6: a POST or PUT without content says so";

#[test]
fn redirects() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("{o}/redirect/1"),
        row("-L {o}/redirect/3 -A x"),
        row("-L -i {o}/redirect/1 -A x"),
        row("-L -I {o}/redirect/2 -A x"),
        row("-L --max-redirs 1 {o}/redirect/3"),
        row("-L --max-redirs 0 {o}/redirect/1"),
        row("-L --max-redirs -1 {o}/redirect/5 -A x"),
        row("-L -i --max-redirs 1 {o}/redirect/3"),
        row("-L -d x '{o}/status/301?location=/echo'"),
        row("-L -d x '{o}/status/302?location=/echo'"),
        row("-L -d x '{o}/status/303?location=/echo'"),
        row("-L -d x '{o}/status/307?location=/echo'"),
        row("-L -d x '{o}/status/308?location=/echo'"),
        row("-L --post301 -d x '{o}/status/301?location=/echo'"),
        row("-L --post302 -d x '{o}/status/302?location=/echo'"),
        row("-L --post303 -d x '{o}/status/303?location=/echo'"),
        row("-L -X POST -d x '{o}/status/302?location=/echo'").but(EMPTY),
        row("-L -X PUT -d x '{o}/status/302?location=/echo'").but(EMPTY),
        row("-L -T in.txt '{o}/status/302?location=/echo'"),
        row("-L -T in.txt '{o}/status/303?location=/echo'"),
        row("-L -T in.txt '{o}/status/307?location=/echo'"),
        row("-L -F a=b '{o}/status/302?location=/echo'"),
        row("-L -F a=b '{o}/status/307?location=/echo'"),
        row("-L -d x -H 'Content-Type: mine' -A x '{o}/status/302?location=/headers'"),
        row("-L {o}/raw/to-nowhere"),
        row("-L {o}/raw/to-ftp").but("only http and https are spoken"),
        row("-L {o}/raw/to-bad"),
        row("-L '{o}/status/302?location=../headers' -A x"),
        row("-L '{o}/status/302?location=?query' -A x"),
        row("-L '{o}/status/302?location=//127.0.0.1:{port}/headers' -A x"),
        row("-L '{o}/status/304?location=/headers' -A x"),
        row("-L '{o}/status/300?location=/headers' -A x"),
        row("-L -f '{o}/status/302?location=/status/404'"),
    ]);
}

#[test]
fn secrets() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-L -u me:x {o}/redirect/1 -A x"),
        row("-L -u me:x -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L --location-trusted -u me:x -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("--location-trusted -u me:x -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -H 'Authorization: x' -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -H 'Cookie: a=b' -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -H 'X-Own: a' -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -H 'Host: a.test' -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -H 'Host: a.test' -A x '{o}/status/302?location=/headers'"),
        row("-L --oauth2-bearer t -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -b a=b -A x '{o}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -A x 'http://me:x@127.0.0.1:{port}/status/302?location=/headers'"),
        row("-L -A x 'http://me:x@127.0.0.1:{port}/status/302?location=http://127.0.0.1:{port}/headers'"),
        row("-L -A x 'http://me:x@127.0.0.1:{port}/status/302?location=http://localhost:{port}/headers'"),
        row("-L -A x '{o}/status/302?location=http://me:x@127.0.0.1:{port}/headers'"),
    ]);
}
