//! A gigabyte down, and one up and down at once: how much memory `regatta get` and `regatta
//! origin` take for it at most.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::measure::table;

/// Megabytes each way, unless the command says how many.
const MEGABYTES: u64 = 1_000;

/// How often a process is looked at; its greatest need is what the system keeps.
const LOOK: Duration = Duration::from_millis(2);

/// Prints the table; the words behind `stream` are none, or a number of megabytes.
pub(crate) fn run(words: &[String]) {
    let megabytes = words.first().map_or(MEGABYTES, |n| n.parse().expect("megabytes"));
    let program = program();
    let length = megabytes * 1_000_000;
    let file = std::env::temp_dir().join(format!("regatta-stream-{}", std::process::id()));
    // A file of nothing but a length: reading it costs no disk.
    fs::File::create(&file).and_then(|file| file.set_len(length)).expect("a file");
    let mut rows = Vec::new();
    for (way, tls, words) in [
        ("HTTP/1.1", false, &["--http1.1"][..]),
        ("HTTP/1.1, TLS", true, &["--http1.1", "-k"]),
        ("HTTP/2", false, &["--http2-prior-knowledge"]),
        ("HTTP/2, TLS", true, &["--http2", "-k"]),
    ] {
        let down = format!("/bytes/{length}");
        let up = ["-T", file.to_str().expect("a path in UTF-8")];
        rows.push(row(&program, way, "down", tls, &[words, &[]].concat(), &down, length));
        rows.push(row(&program, way, "up and down", tls, &[words, &up].concat(), "/echo", length));
    }
    fs::remove_file(&file).ok();
    table(
        "Streams",
        &format!(
            "The most memory (VmHWM, MiB) that `regatta get` and `regatta origin` ever held, each \
             a process of its own, while {megabytes} MB went down, and while as many went up and \
             came back; over loopback, to /dev/null. The goal is 32."
        ),
        &["way", "direction", "client", "server", "seconds"],
        &rows,
    );
}

fn row(
    program: &Path,
    way: &str,
    direction: &str,
    tls: bool,
    words: &[&str],
    path: &str,
    length: u64,
) -> Vec<String> {
    let mut origin = Command::new(program);
    origin.args(["origin", "--listen", "127.0.0.1:0"]);
    origin.args(if tls { &["--tls", "self-signed"][..] } else { &[] });
    let mut origin = origin.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("origin");
    let mut line = String::new();
    let out = origin.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let at = line.trim().strip_prefix("listening on ").expect("an address");
    let scheme = if tls { "https" } else { "http" };
    let begun = Instant::now();
    let mut get = Command::new(program);
    get.args(["get", "-sS", "-o", "/dev/null", "-w", "%{size_download}"]).args(words);
    let get = get.arg(format!("{scheme}://{at}{path}")).stdout(Stdio::piped()).spawn();
    let mut get = get.expect("get");
    let client = watch(&mut get);
    let took = begun.elapsed().as_secs_f64();
    let said = get.wait_with_output().expect("its end");
    assert!(said.status.success(), "regatta get: {}", said.status);
    assert_eq!(String::from_utf8_lossy(&said.stdout), length.to_string());
    let server = most_memory(origin.id());
    origin.kill().ok();
    origin.wait().ok();
    let cell = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    vec![way.to_owned(), direction.to_owned(), cell(client), cell(server), format!("{took:.1}")]
}

/// Waits for a process's end: the most memory that it was seen to have held, in KiB.
fn watch(child: &mut Child) -> u64 {
    let mut most = 0;
    while matches!(child.try_wait(), Ok(None)) {
        most = most.max(most_memory(child.id()));
        thread::sleep(LOOK);
    }
    most
}

/// The most memory that a process has held so far, in KiB.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// The release binary of `regatta`, built for it.
fn program() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--release", "--package", "regatta"]);
    assert!(build.status().expect("cargo").success(), "regatta cannot be built");
    let here = std::env::current_exe().expect("this program");
    // The profiles `bench` and `release` share a folder.
    here.with_file_name("regatta")
}
