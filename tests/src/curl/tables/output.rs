//! Where bodies and heads go.

use crate::curl::lab::{Lab, row};

#[test]
fn outputs() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-o out {o}/bytes/5"),
        row("-o - {o}/bytes/5"),
        row("-o out {o}/bytes/0"),
        row("-o out -I {o}/bytes/5"),
        row("-o old.txt {o}/bytes/3"),
        row("-o a -o b {o}/bytes/1 {o}/bytes/2"),
        row("-o a {o}/bytes/1 {o}/bytes/2"),
        row("-o a -o b {o}/bytes/1"),
        row("-O {o}/bytes/5"),
        row("-O {o}/bytes/5?x=y"),
        row("-O {o}/"),
        row("-O {o}/bytes/5 {o}/bytes/6"),
        row("-O -O {o}/bytes/5 {o}/bytes/6"),
        row("--remote-name-all {o}/bytes/5 {o}/bytes/6"),
        row("--output-dir sub -o out {o}/bytes/5"),
        row("--output-dir sub --create-dirs -o out {o}/bytes/5"),
        row("--create-dirs -o a/b/c {o}/bytes/5"),
        row("-o a/b/c {o}/bytes/5"),
        row("-O -J '{o}/response-headers?Content-Disposition=attachment%3B%20filename%3Dnamed.txt'"),
        row("-O -J '{o}/response-headers?Content-Disposition=attachment%3B%20filename%3D%22/etc/x%20y%22'"),
        row("-O -J '{o}/response-headers?Content-Disposition=attachment%3B%20filename%3Dold.txt'"),
        row("-O -J {o}/bytes/5"),
        row("-O -J -i {o}/bytes/5"),
        row("-o out -R '{o}/response-headers?Last-Modified=Sun,%2006%20Nov%201994%2008:49:37%20GMT'"),
        row("-o out -R {o}/bytes/5"),
        row("--no-clobber -o old.txt {o}/bytes/3"),
        row("--remove-on-error -o out {o}/raw/short"),
        row("-o out {o}/raw/short"),
        row("-D heads {o}/bytes/5"),
        row("-D heads -o out {o}/status/404"),
        row("-D - -o out {o}/bytes/5"),
        row("-D - {o}/trailers"),
        row("-D - {o}/bytes/5"),
        row("-D heads -i -o out {o}/trailers"),
        row("-D heads -L {o}/redirect/2 -A x"),
        row("-D heads {o}/bytes/1 {o}/bytes/2"),
        row("-i {o}/bytes/5"),
        row("-i {o}/status/204"),
        row("-i {o}/raw/hints"),
        row("-o /dev/full {o}/bytes/100000"),
        row("-N {o}/bytes/100000 -o out"),
        row("--stderr err {o}/bytes/5").but("standard error is redirected by the shell"),
    ]);
}

#[test]
fn failures_by_status() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-f {o}/status/404"),
        row("-f {o}/status/399"),
        row("-f -o out {o}/status/500"),
        row("-f -i {o}/status/404"),
        row("--fail-with-body {o}/status/404"),
        row("--fail-with-body -o out {o}/status/404"),
        row("-f --fail-with-body {o}/status/404"),
        row("-f {o}/status/404 {o}/bytes/3"),
        row("-f {o}/bytes/3 {o}/status/404"),
        row("-f --fail-early {o}/status/404 {o}/bytes/3"),
        row("--max-filesize 4 {o}/bytes/5"),
        row("--max-filesize 5 {o}/bytes/5"),
        row("--max-filesize 1K {o}/bytes/1025"),
        row("--etag-save tag {o}/etag/x"),
        row("--etag-save tag {o}/bytes/1"),
        row("--etag-compare empty {o}/etag/x"),
        row("--etag-compare missing {o}/etag/x"),
    ]);
}
