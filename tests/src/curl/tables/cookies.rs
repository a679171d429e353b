//! Cookies: sent, kept, read and written.

use crate::curl::lab::{Lab, row};

#[test]
fn cookies() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-b a=b {o}/cookies"),
        row("-b 'a=b; c=d' {o}/cookies"),
        row("-b a=b -b c=d {o}/cookies"),
        row("-b jar {o}/cookies"),
        row("-b jar {o}/cookies/deeper"),
        row("-b jar {o}/headers -A x"),
        row("-b jar -j {o}/cookies"),
        row("-b jar -b a=b {o}/cookies"),
        row("-b missing {o}/cookies"),
        row("-b jar -H 'Cookie: own=1' {o}/cookies"),
        row("-L {o}/cookies/set?a=b"),
        row("-L -b '' {o}/cookies/set?a=b"),
        row("-L -b missing '{o}/cookies/set?a=b&c=d'"),
        row("-L -c out {o}/cookies/set?a=b"),
        row("-c out {o}/raw/cookies"),
        row("-c - {o}/raw/cookies"),
        row("-b jar -c out {o}/raw/cookies"),
        row("-b jar -c out -j {o}/raw/cookies"),
        row("-b '' {o}/raw/cookies {o}/cookies"),
        row("-c out {o}/raw/cookies {o}/cookies"),
        row("-c out {o}/raw/cookies --next {o}/cookies"),
        row("-b '' {o}/raw/cookies --next -b '' {o}/cookies"),
        row("-c no/where {o}/cookies"),
        row("-b '' -L '{o}/cookies/set?a=b' '{o}/status/302?location=http://localhost:{port}/cookies'"),
    ]);
}
