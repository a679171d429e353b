//! Firefox as a client of `regatta origin`: the same page as Chromium's, over HTTP/3.

use super::chromium::SAID;
use crate::peers::program::{Folder, Origin, find, say};

#[test]
fn a_page_comes_over_http3() {
    let Some(firefox) = find("firefox-esr") else { return };
    let Some(certutil) = find("certutil") else { return };
    let Some(python) = find("python3") else { return };
    let folder = Folder::new();
    let ca = folder.at("ca.pem");
    let origin = Origin::start(&["--tls", "self-signed", "--tls-ca-out", &ca]);
    let (_, port) = origin.address.split_once(':').unwrap();
    // A mapping in place of Alt-Svc is of a name.
    let url = format!("https://localhost:{port}/page");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/clients/firefox.py");
    let [firefox, certutil] = [&firefox, &certutil].map(|program| program.to_str().unwrap());
    let at = folder.path().to_str().unwrap();
    let said = say(python, &[script, firefox, certutil, &url, &ca, at]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    // The connection that it already had may serve what the page begins with.
    let (page, over) = said.out.split_once("\nover ").unwrap();
    assert_eq!(page.lines().collect::<Vec<_>>(), SAID, "{page}");
    assert!(over.contains("h3: "), "{over}");
}
