//! Data and uploads.

use crate::curl::lab::{Lab, row};

#[test]
fn data() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-d a=b {o}/echo"),
        row("-d a=b -d c=d {o}/echo"),
        row("-d '' {o}/echo"),
        row("-d @in.txt {o}/echo"),
        row("-d @- {o}/echo").stdin("from\nstdin\n"),
        row("-d @missing {o}/echo").but("a file that cannot be read is a failure"),
        row("--data-ascii x {o}/echo"),
        row("--data-raw @in.txt {o}/echo"),
        row("--data-binary @in.txt {o}/echo"),
        row("--data-binary @blob.bin {o}/echo"),
        row("-d a -d @in.txt --data-raw @b {o}/echo"),
        row("--data-urlencode 'a b&c' {o}/echo"),
        row("--data-urlencode 'name=a b' {o}/echo"),
        row("--data-urlencode '=a=b' {o}/echo"),
        row("--data-urlencode name@in.txt {o}/echo"),
        row("--data-urlencode @in.txt {o}/echo"),
        row("-d x --data-urlencode 'y= z' --data-binary w {o}/echo"),
        row("-d x -H 'Content-Type: text/plain' -i {o}/echo"),
        row("-d x -H 'Content-Type:' {o}/headers -A x"),
        row("--json '{\"a\": 1}' {o}/echo"),
        row("--json @in.json -i {o}/echo"),
        row("--json '[1,' --json '2]' {o}/echo"),
        row("--json 1 -H 'Accept: x' -A x {o}/headers"),
        row("-G -d a=b -d 'c=d' -A x {o}/headers"),
        row("-G -d a=b -A x '{o}/headers?x=y'"),
        row("-G --data-urlencode 'q=a b' -A x {o}/headers"),
        row("-G -I -d a=b -A x {o}/headers"),
        row("--url-query 'a= b' -A x {o}/headers"),
        row("--url-query a=b --url-query +c=%d -A x '{o}/headers?x'"),
        row("-d abc -H 'Transfer-Encoding: chunked' {o}/echo"),
        row("-d x -I {o}/echo"),
        row("-X GET -d x {o}/echo"),
    ]);
}

#[test]
fn uploads() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-T in.txt {o}/echo"),
        row("-T in.txt {o}/headers/ -A x"),
        row("-T in.txt {o} -A x"),
        row("-T - {o}/echo").stdin("from stdin"),
        row("-T . {o}/echo").stdin("from stdin"),
        row("-T blob.bin {o}/echo"),
        row("-T empty {o}/echo"),
        row("-T missing {o}/echo"),
        row("-T in.txt -X POST {o}/echo"),
        row("-T in.txt -T old.txt {o}/echo {o}/echo"),
        row("-T in.txt -H 'Expect:' {o}/echo"),
        row("-T in.txt -d x {o}/echo"),
        row("-T old.txt -C 2 {o}/echo"),
        row("--limit-rate 100K -T blob.bin {o}/echo"),
    ]);
}
