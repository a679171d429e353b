//! What goes wrong at the other end, and on the line itself.

use crate::curl::lab::{Lab, row};

#[test]
fn servers_that_do_wrong() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("{o}/raw/nothing").but("a GET without an answer is asked once more"),
        row("{o}/raw/nonsense").but("nobody speaks HTTP/0.9"),
        row("{o}/raw/half-line").but("half an answer is not an empty one"),
        row("{o}/raw/half-head").but("half a head is no answer"),
        row("{o}/raw/short"),
        row("{o}/raw/two-lengths").but("RFC 9112 6.3: two lengths are none"),
        row("{o}/raw/bad-length"),
        row("{o}/raw/bad-chunk"),
        row("{o}/raw/half-chunk"),
        row("{o}/raw/no-last-chunk"),
        row("{o}/raw/until-close"),
        row("{o}/raw/old"),
        row("{o}/raw/hints"),
        row("{o}/raw/large-head -o out"),
        row("-m 0.3 {o}/raw/hang"),
        row("-m 1 {o}/raw/hang-in-body"),
        row("-m 0.3 {o}/delay/60000"),
        row("-y 1 -Y 100 {o}/raw/hang-in-body"),
        row("{o}/reset"),
        row("-d x {o}/raw/nothing"),
        row("-i {o}/trailers"),
        row("{closed}/"),
        row("http://a.invalid/"),
        row("--connect-timeout 0.2 http://192.0.2.1/"),
    ]);
}

#[test]
fn lines_that_are_wrong() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row(""),
        row("-o"),
        row("--no-such-option {o}/"),
        row("-I -d x {o}/"),
        row("-m x {o}/"),
        row("--max-redirs x {o}/"),
        row("--max-redirs -2 {o}/"),
        row("--limit-rate x {o}/"),
        row("-K missing {o}/"),
        row("--cacert missing {tls}/bytes/3"),
        row("--cert missing -k {tls}/bytes/3"),
        row("--tls-max 0.9 -k {tls}/bytes/3"),
    ]);
}
