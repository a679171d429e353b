//! `regatta get --record` and `regatta-sim replay`: a real run, had again.

use std::fs;

use super::program::{Folder, Origin, Said, get, say, simulator};

fn replay(file: &str) -> Said {
    say(simulator(), &["replay", file])
}

/// A run with many requests, connections that end under them, and TLS.
#[test]
fn what_was_recorded_is_decided_again() {
    let folder = Folder::new();
    let (ca, journal) = (folder.at("ca.pem"), folder.at("journal"));
    let plain = Origin::start(&[]);
    let tls = Origin::start(&["--tls", "self-signed", "--tls-ca-out", &ca]);
    let load = [
        "--repeat",
        "40",
        "-Z",
        "--parallel-max",
        "8",
        "-s",
        "-o",
        "/dev/null",
        "--record",
        &journal,
    ];
    let runs: [(&[&str], String, u8); 5] = [
        (&[], plain.http("/goaway"), 0),
        (&["--http2-prior-knowledge"], plain.http("/goaway"), 0),
        (&["--cacert", &ca], tls.https("/limits?streams=2"), 0),
        (&["--http2-prior-knowledge"], plain.http("/reset"), 92),
        // Plain text where TLS is spoken.
        (&[], plain.https("/"), 35),
    ];
    for (options, url, code) in runs {
        let said = get(&[options, &load, &[&url]].concat());
        assert_eq!(said.code, i32::from(code), "{url}: {}", said.err);
        let said = replay(&journal);
        assert_eq!(said.code, 0, "{url}: {}{}", said.out, said.err);
        assert!(said.out.ends_with("all the same\n"), "{url}: {}", said.out);
        let text = fs::read_to_string(&journal).unwrap();
        assert_eq!(text.matches(" requested ").count(), 40, "{url}");
        let path = url.split('/').next_back().unwrap();
        let path = format!("/{path}");
        assert!(path == "/" || !text.contains(&path), "{path} is in the journal");
    }
}

/// The line of what was changed by hand is named.
#[test]
fn a_changed_journal_names_its_line() {
    let (folder, origin) = (Folder::new(), Origin::start(&[]));
    let file = folder.at("journal");
    get(&["--record", &file, "--repeat", "3", &origin.http("/bytes/1")]).well();
    let journal = fs::read_to_string(&file).unwrap();
    let at = journal.lines().position(|line| line.starts_with("> finished request=r0.1")).unwrap();
    let changed = |old: &str, new: &str| {
        let lines = journal.lines().enumerate();
        let lines = lines.map(|(number, line)| match number == at {
            true => line.replace(old, new) + "\n",
            false => line.to_owned() + "\n",
        });
        replay(&folder.file("changed", lines.collect::<String>()))
    };
    let line = at + 1;

    let said = changed("outcome=complete", "outcome=reset");
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(said.out.contains(&format!(": line {line} differs: at ")), "{}", said.out);
    assert!(said.out.contains("- finished request=r0.1 outcome=reset\n"), "{}", said.out);
    assert!(said.out.ends_with("+ finished request=r0.1 outcome=complete\n"), "{}", said.out);

    let said = changed("outcome=complete", "outcome=good");
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    let expected = format!("line {line}: in the field outcome expected one of complete, ");
    assert!(said.err.contains(&expected), "{}", said.err);

    let said = replay(&folder.at("none"));
    assert_eq!((said.code, said.out.as_str()), (2, ""));
}

#[test]
fn a_journal_that_cannot_be_written_is_an_error() {
    let (folder, origin) = (Folder::new(), Origin::start(&[]));
    let said = get(&["--record", &folder.at("no/folder"), &origin.http("/")]);
    assert_eq!((said.code, said.out.as_str()), (23, ""));
    assert!(said.err.starts_with("regatta: (23) cannot write the journal "), "{}", said.err);
    let said = get(&["--record", "/dev/full", &origin.http("/bytes/1")]);
    assert_eq!((said.code, said.out.len()), (23, 1), "{}", said.err);
}
