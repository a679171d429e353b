//! A client's own certificate, which openssl's server asks for.

use std::process::{Command, Stdio};

use super::lab::{Lab, row};
use crate::peers::program::{Folder, Running, find, free_port};

#[test]
fn client_certificates() {
    let (Some(lab), Some(openssl)) = (Lab::new(), find("openssl")) else { return };
    let folder = Folder::new();
    let (ca, certificate, key) = folder.certificates();
    let both = [&certificate, &key].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    folder.file("both.pem", both);
    folder.file("no.pem", "nothing");
    let port = free_port();
    let mut server = Command::new(openssl);
    server.args(["s_server", "-www", "-Verify", "1", "-verify_return_error", "-quiet"]);
    server.args(["-accept", &format!("127.0.0.1:{port}"), "-CAfile", &ca]);
    server.args(["-cert", &certificate, "-key", &key]).stdin(Stdio::null());
    let _running = Running::start(&mut server, &[port]);
    lab.check_at(
        &folder,
        port,
        &[
            row("--http1.1 --cacert {f}/ca.pem --cert {f}/cert.pem --key {f}/key.pem -o /dev/null -w '%{http_code}' {s}/"),
            row("--http1.1 --cacert {f}/ca.pem -E {f}/both.pem -o /dev/null -w '%{http_code}' {s}/"),
            row("--http1.1 --cacert {f}/ca.pem --cert {f}/no.pem {s}/"),
            row("--http1.1 --cacert {f}/ca.pem --cert {f}/cert.pem --key {f}/missing {s}/"),
            row("--http1.1 --tls-max 1.2 --cacert {f}/ca.pem {s}/"),
        ],
    );
}
