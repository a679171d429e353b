//! URLs as people type them.

use crate::curl::lab::{Lab, row};

#[test]
fn urls() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("127.0.0.1:{port}/headers -A x"),
        row("HTTP://127.0.0.1:{port}/headers -A x"),
        row("http:/127.0.0.1:{port}/headers -A x"),
        row("http:///127.0.0.1:{port}/headers -A x"),
        row("{o} -o out"),
        row("'{o}?a=b' -o out"),
        row("{o}/a/../headers -A x"),
        row("{o}/a/./b/../../headers -A x"),
        row("--path-as-is {o}/a/../headers"),
        row("{o}/headers#fragment -A x"),
        row("'{o}/headers?a=b#fragment' -A x"),
        row("--url {o}/headers -A x"),
        row("--url {o}/bytes/1 {o}/bytes/2"),
        row("'{o}/a b'"),
        row("http://"),
        row("http://:80/"),
        row("http://127.0.0.1:99999/"),
        row("http://127.0.0.1:x/"),
        row("gopherx://a/"),
        row("ftps2://a/"),
        row("--proto-default http 127.0.0.1:{port}/bytes/3"),
        row("--proto-default nonsense 127.0.0.1:{port}/bytes/3"),
        row("http://127.0.0.1:{port}/%7Euser"),
        row("-g '{o}/headers?[1-2]' -A x"),
        row("'{o}/bytes/[1-2]'").but("no globbing: brackets and braces are themselves"),
        row("'{o}/headers?a|b' -A x").but("what RFC 3986 does not allow is percent-encoded"),
    ]);
}
