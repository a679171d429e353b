//! Several transfers, configuration files, `--next`.

use crate::curl::lab::{Lab, row};

/// curl only warns.
const MISTAKE: &str = "a mistake in a file is a mistake";

#[test]
fn several() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("{o}/bytes/1 {o}/bytes/2"),
        row("{closed}/ {o}/bytes/2"),
        row("{o}/bytes/2 {closed}/"),
        row("--fail-early {closed}/ {o}/bytes/2"),
        row("-Z -o a -o b {o}/bytes/1 {o}/bytes/2").unordered(),
        row("-Z --parallel-max 1 -o a -o b {o}/bytes/1 {o}/bytes/2"),
        row("-Z -f -o a -o b {o}/bytes/1 {o}/status/404").unordered(),
        row("-Z -f -o a -o b {o}/status/404 {o}/bytes/1").unordered(),
        row("-d x {o}/echo --next {o}/headers -A x"),
        row("-o a {o}/bytes/1 -: -o b {o}/bytes/2"),
        row("-A x {o}/headers --next -d y {o}/echo --next -I {o}/bytes/3"),
        row("--next {o}/bytes/1"),
    ]);
}

#[test]
fn files_of_options() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-K - {o}/headers").stdin("user-agent = \"from a file\"\n"),
        row("-K - {o}/headers -A later").stdin("-A earlier\n"),
        row("-K - -A x").stdin("url = {o}/headers\n"),
        row("-K - {o}/echo").stdin("# a comment\n\ndata = \"a\\tb\\\"c\"\n"),
        row("-K - {o}/echo").stdin("data: one\n--data two\ndata=three\n"),
        row("-K - {o}/headers").stdin("silent\nuser-agent x # why\n"),
        row("-K - {o}/bytes/1").stdin("no-such-option\n").but(MISTAKE),
        row("-K - {o}/bytes/1").stdin("fail = x\n").but(MISTAKE),
        row("-s -K - {o}/bytes/1").stdin("next\n"),
    ]);
}
