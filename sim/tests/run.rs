//! `regatta-sim run` as a command: its exit codes, and that what it says hangs on the arguments
//! alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regatta-sim"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.arg("run").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A place of this test's own.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

const SCENARIO: &str = "scenarios/dns-slow-aaaa.toml";

#[test]
fn every_run_says_the_same() {
    let swept = [SCENARIO, "--sweep", "link.way.loss=0,5%", "--seeds", "5"];
    let first = run(&swept);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(said(&first), said(&run(&swept)));
    // Two rows, one for each value, and the digest.
    assert!(said(&first).contains("seeds 1 to 5, digest "), "{}", said(&first));
    let other = run(&[SCENARIO, "--sweep", "link.way.loss=0,5%", "--seed", "7"]);
    assert_ne!(said(&first), said(&other));
}

#[test]
fn exit_codes_tell_what_happened() {
    let wrong = place("wrong.toml");
    std::fs::write(&wrong, "about = 'x'\nduration = 'long'\n").unwrap();
    let wrong = wrong.to_str().unwrap();
    let all: [(&[&str], i32, &str); 7] = [
        (&[SCENARIO, "--expect", "--twice"], 0, ""),
        (&["scenarios/canary.toml"], 0, ""),
        (&["scenarios/canary.toml", "--expect"], 1, ""),
        (&["scenarios/none.toml"], 2, "scenarios/none.toml cannot be read: "),
        (&[wrong], 2, ":2: duration: invalid value: string \"long\", expected a time such as "),
        (&[SCENARIO, "--sweep", "link.way.los=1%"], 2, "did you mean `loss`?"),
        (&[SCENARIO, "--sweep", "link"], 2, "expected FIELD=V1,V2.."),
    ];
    for (arguments, code, says) in all {
        let output = run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

#[test]
fn a_file_may_sweep_by_itself() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/a-answer-never-comes.toml"),
    );
    let swept = place("swept.toml");
    let text = text.unwrap() + "\n[sweep]\n\"link.way.delay\" = [\"10ms\", \"30ms\"]\n";
    std::fs::write(&swept, text).unwrap();
    let swept = swept.to_str().unwrap();
    let rows = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{output:?}");
        let said = said(&output);
        // Behind the title, an empty line and two lines of heads.
        said.lines().skip(4).map(str::to_owned).collect::<Vec<_>>()
    };
    let both = rows(&[swept]);
    assert!(both[0].trim_start().starts_with("10ms ") && both[0].contains(" 70.0 "), "{both:?}");
    assert!(both[1].trim_start().starts_with("30ms ") && both[1].contains(" 190.0 "), "{both:?}");
    // What the command says takes the place of what the file says.
    let one = rows(&[swept, "--sweep", "link.way.delay=20ms"]);
    assert!(one[0].contains(" 130.0 ") && one[1].starts_with("seed 1"), "{one:?}");
}

#[test]
fn files_are_written() {
    let files = ["json", "csv", "cdf.svg", "waterfall.svg"].map(|name| place(&format!("a.{name}")));
    let [json, csv, cdf, waterfall] = files.each_ref().map(|file| file.to_str().unwrap());
    let pcap = place("a.pcap");
    let shark = pcap.to_str().unwrap();
    let output = run(&[
        SCENARIO,
        "--pcap",
        shark,
        "--json",
        json,
        "--csv",
        csv,
        "--cdf",
        cdf,
        "--waterfall",
        waterfall,
    ]);
    assert!(output.status.success(), "{output:?}");
    let text = |file: &str| std::fs::read_to_string(file).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text(json)).unwrap();
    assert_eq!(json["scenario"], "dns-slow-aaaa");
    assert_eq!(json["rows"][0]["figures"]["first_byte_max"], 180_000_000);
    assert_eq!(json["rows"][0]["figures"]["winner"], "ipv4");
    let csv = text(csv);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    assert!(lines[1].contains("GET https://www.test/0"), "{}", lines[1]);
    for picture in [cdf, waterfall] {
        let picture = text(picture);
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    }
    let packets = std::fs::read(&pcap).unwrap();
    // The magic of nanoseconds, little-endian, and more than a handshake.
    assert_eq!(packets[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
    assert!(packets.len() > 1_000, "{} bytes", packets.len());
    assert!(text(waterfall).contains("try 192.0.2.1:443"));
}

/// The file of each side of each connection, whole, and the same each time.
#[test]
fn qlog_is_written_of_both_sides() {
    let written = |folder: &str| {
        let folder = place(folder);
        let _ = std::fs::remove_dir_all(&folder);
        let scenario = "scenarios/udp-dies-later.toml";
        let output = run(&[scenario, "--qlog", folder.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let read = |file: PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&file).unwrap())
        };
        files.map(read).collect::<std::collections::BTreeMap<_, _>>()
    };
    let files = written("qlog.first");
    assert_eq!(files, written("qlog.second"));
    // One connection that both sides know, and one that the server has not heard of.
    let sides = |side: &str| files.keys().filter(|name| name.ends_with(side)).count();
    assert_eq!((sides("_client.sqlog"), sides("_server.sqlog")), (2, 1), "{:?}", files.keys());
    for text in files.values() {
        // RFC 7464: a separator before each record.
        let records = text.strip_prefix('\u{1e}').unwrap().split('\u{1e}');
        let read = |record| serde_json::from_str::<serde_json::Value>(record).unwrap();
        assert!(records.map(read).filter(|record| record.get("name").is_some()).count() > 5);
    }
}
