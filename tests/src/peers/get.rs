//! `regatta get` with `regatta origin`: both ends are ours, all the way from the command line.

use std::path::Path;
use std::process::{Command, Stdio};

use super::program::{Folder, Origin, find, get, regatta};

#[test]
fn both_ends() {
    let folder = Folder::new();
    let ca = folder.at("ca.pem");
    let plain = Origin::start(&[]);
    let tls = Origin::start(&["--tls", "self-signed", "--tls-ca-out", &ca]);
    let ways: [(&[&str], String); 4] = [
        (&[], plain.http("")),
        (&["--http2-prior-knowledge"], plain.http("")),
        (&["--cacert", &ca], tls.https("")),
        (&["--cacert", &ca, "--http1.1"], tls.https("")),
    ];
    for (options, at) in ways {
        let is_http2 = options == ["--http2-prior-knowledge"] || options == ["--cacert", &ca];
        let ask = |words: &[&str], path: &str| {
            let url = format!("{at}{path}");
            get(&[options, words, &[&url]].concat())
        };
        assert_eq!(ask(&[], "/bytes/100000").well().len(), 100_000);
        assert_eq!(ask(&["-d", "a", "-d", "b"], "/echo").well(), "a&b");
        assert_eq!(
            ask(&["--repeat", "20", "-Z", "--parallel-max", "5"], "/bytes/7").well().len(),
            140
        );
        assert_eq!(ask(&["--fail"], "/status/404").code, 22);
        assert_eq!(ask(&[], "/reset").code, if is_http2 { 92 } else { 18 });
        let head = ask(&["-i"], "/trailers").well();
        assert!(head.starts_with(if is_http2 { "HTTP/2 200" } else { "HTTP/1.1 200" }), "{head}");
        // Drained connections and lowered limits lose nothing.
        let many = ask(&["--repeat", "50", "-Z", "--parallel-max", "10", "-s"], "/goaway");
        assert_eq!(many.code, 0, "{}", many.err);
        let many =
            ask(&["--repeat", "50", "-Z", "--parallel-max", "10", "-s"], "/limits?streams=1");
        assert_eq!(many.code, 0, "{}", many.err);
        let drawn = ask(&["--timeline", "-o", "/dev/null"], "/bytes/1");
        assert!(drawn.err.contains("wait for the answer"), "{}", drawn.err);
    }
}

/// A file for each URL, named by -o or by the URL.
#[test]
fn writes_files() {
    let (folder, origin) = (Folder::new(), Origin::start(&[]));
    let one = folder.at("one");
    let urls = [origin.http("/bytes/1"), origin.http("/bytes/2")];
    get(&["-o", &one, &urls[0]]).well();
    assert_eq!(std::fs::read(&one).unwrap().len(), 1);
    let mut command = Command::new(regatta());
    command.args(["get", "-O", &urls[1]]).current_dir(folder.path());
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read(folder.at("2")).unwrap().len(), 2);
}

/// What `regatta get` writes to a terminal that is all it has.
fn on_terminal(script: &Path, words: &str) -> String {
    let line = format!("{} get {words}", regatta().display());
    let mut command = Command::new(script);
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
    let said = command.output().unwrap();
    assert!(said.status.success(), "{line}: {said:?}");
    String::from_utf8(said.stdout).unwrap()
}

/// One line for whoever looks, gone at the end; never beside a body on the same terminal.
#[test]
fn a_terminal_sees_how_far_a_transfer_has_come() {
    let Some(script) = find("script") else { return };
    let (folder, origin) = (Folder::new(), Origin::start(&[]));
    let (out, url) = (folder.at("out"), origin.http("/bytes/400000"));
    let slow = format!("--limit-rate 400K {url}");
    let said = on_terminal(&script, &format!("-o {out} {slow}"));
    assert!(said.contains("% ") && said.contains(" of 390.6 KiB  "), "{said:?}");
    assert!(said.ends_with("\r\u{1b}[K"), "{said:?}");
    assert_eq!(std::fs::read(&out).unwrap().len(), 400_000);
    let said = on_terminal(&script, &format!("-# -o {out} {slow}"));
    assert!(said.contains("####") && said.ends_with("\r\u{1b}[K"), "{said:?}");
    for silent in ["-s", "--no-progress-meter"] {
        assert_eq!(on_terminal(&script, &format!("{silent} -o {out} {slow}")), "");
    }
    let said = on_terminal(&script, &slow);
    assert!(said.len() == 400_000 && !said.contains('\r'), "{} bytes", said.len());
}
