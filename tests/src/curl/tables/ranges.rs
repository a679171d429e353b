//! Parts of bodies, and packed ones.

use crate::curl::lab::{Lab, row};

#[test]
fn ranges() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-r 0-4 {o}/range/26"),
        row("-r 5- {o}/range/26"),
        row("-r -5 {o}/range/26"),
        row("-r 5 {o}/range/26"),
        row("-r 0-1,3-4 {o}/range/26"),
        row("-r 30-40 {o}/range/26"),
        row("-r 0-4 -I {o}/range/26"),
        row("-r 0-4 {o}/bytes/26"),
        row("-C 5 {o}/range/26"),
        row("-C 5 -o out {o}/range/26"),
        row("-C 5 -o old.txt {o}/range/26"),
        row("-C - -o old.txt {o}/range/26"),
        row("-C - -o old.txt {o}/range/5"),
        row("-C - -o new {o}/range/26"),
        row("-C - -o old.txt {o}/raw/no-range"),
        row("-C - {o}/range/26"),
        row("-C 26 -o out {o}/range/26"),
        row("-C x {o}/range/26"),
        row("-C 5 -r 0-4 {o}/range/26"),
        row("-C 0 -o old.txt {o}/range/26"),
        row("-C - -f -o old.txt {o}/range/5"),
    ]);
}

#[test]
fn packed_bodies() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("--compressed {o}/gzip"),
        row("--compressed {o}/deflate"),
        row("--compressed {o}/brotli"),
        row("--compressed {o}/zstd"),
        row("--compressed {o}/bytes/5"),
        row("--compressed -A x {o}/headers"),
        row("--compressed -I {o}/gzip"),
        row("{o}/gzip -o out"),
        row("--compressed -i {o}/gzip"),
        row("--compressed {o}/raw/gzip-broken"),
        row("--compressed {o}/raw/encoded-oddly"),
        row("{o}/raw/encoded-oddly"),
        row("--compressed -H 'Accept-Encoding: gzip' -A x {o}/headers"),
        row("-H 'Accept-Encoding: gzip' {o}/gzip -o out"),
        row("--compressed -w '%{size_download}' -o out {o}/gzip"),
    ]);
}
