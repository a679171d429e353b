//! Multipart forms.

use crate::curl::lab::{Lab, row};

#[test]
fn forms() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-F a=b {o}/echo"),
        row("-F a=b -F 'c=d e' {o}/echo"),
        row("-F f=@in.txt {o}/echo"),
        row("-F f=@page.html {o}/echo"),
        row("-F f=@blob.bin {o}/echo"),
        row("-F 'f=@in.txt;type=text/x' {o}/echo"),
        row("-F 'f=@in.txt;filename=other' {o}/echo"),
        row("-F 'f=@in.txt;filename=\"a;b\";type=t/u' {o}/echo"),
        row("-F 'f=<in.txt' {o}/echo"),
        row("-F 'f=<in.txt;type=text/x' {o}/echo"),
        row("-F 'a=b;type=text/x; charset=y' {o}/echo"),
        row("-F 'a=\"b;c\"' {o}/echo"),
        row("-F 'a\"b=c' {o}/echo"),
        row("-F 'a\"b=c' --form-escape {o}/echo"),
        row("-F 'a=b;headers=\"X-A: 1\"' {o}/echo"),
        row("-F 'f=@-' {o}/echo").stdin("from stdin"),
        row("--form-string 'a=@b;type=x' {o}/echo"),
        row("-F a=b -X PUT {o}/echo"),
        row("-F a=b -H 'Content-Type: multipart/form-data; x=y' {o}/headers -A x"),
        row("-F f=@missing {o}/echo"),
        row("-F nonsense {o}/echo"),
        row("-F a=b -d c {o}/echo"),
        row("-F 'f=@in.txt,old.txt' {o}/echo").but("one file in one field, as RFC 7578 wants it"),
    ]);
}
