//! What a peer does with its connections: limits, idle ones closed, a new configuration and a
//! graceful end in the middle of everything. Nothing that may be sent again is lost.

use core::time::Duration;
use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use regatta_tokio::Client;

use super::Peer;
use super::site::{AGAIN, HUGE, Served, Settings, Way};
use crate::ask;
use crate::dsl::run_for;
use crate::peers::program::{find, get};

const STREAMS: &str = "few streams at once";
const REQUESTS1: &str = "few requests on a connection, HTTP/1.1";
const REQUESTS2: &str = "few requests on a connection, HTTP/2";
const REQUESTS3: &str = "few requests on a connection, HTTP/3";
const DEATH: &str = "an end in the middle of a body";
const IDLE: &str = "idle connections closed";
const RELOAD: &str = "a new configuration under load";
const RELOAD_PLAIN_HTTP2: &str = "a new configuration under load, HTTP/2 without TLS";
const END: &str = "a graceful end";
const END_PLAIN_HTTP2: &str = "a graceful end, HTTP/2 without TLS";

/// On which ways something is.
pub(super) type On = fn(Way) -> bool;

/// Names of what is here, and on which ways it is.
pub(super) const NAMES: [(&str, On); 10] = [
    (STREAMS, |way| !way.is_http1()),
    (REQUESTS1, Way::is_http1),
    (REQUESTS2, Way::is_http2),
    (REQUESTS3, Way::is_http3),
    (DEATH, |_| true),
    (IDLE, |_| true),
    (RELOAD, |_| true),
    (RELOAD_PLAIN_HTTP2, |way| way == Way::Http2),
    (END, |_| true),
    (END_PLAIN_HTTP2, |way| way == Way::Http2),
];

/// The name of the limit of requests.
const fn requests(way: Way) -> &'static str {
    match way {
        Way::Http1 | Way::Tls1 => REQUESTS1,
        Way::Http2 | Way::Tls2 => REQUESTS2,
        Way::Quic => REQUESTS3,
    }
}

/// The peer grants 4 streams, which clients learn late, and 20 requests on each connection
/// (`Connection: close`, GOAWAY): of 200 requests, 16 at once, none is lost.
pub(super) fn keeps_its_limits(peer: &Peer) {
    let settings = Settings { streams: Some(4), requests: Some(20), ..Settings::default() };
    let limits = peer.ways.iter().map(|way| requests(*way)).chain([STREAMS]);
    if !limits.fold(false, |any, name| peer.shows(name) | any) {
        return;
    }
    let Some(served) = Served::start(peer, &settings) else { return };
    for way in peer.ways {
        let words = ["-Z", "--parallel-max", "16", "--repeat", "200"];
        let words = [&words[..], &AGAIN, &["-w", "made %{num_connects}\n"]].concat();
        let said = served.ask(*way).path(&words, "/hello").well();
        assert_eq!(said.matches("hello\n").count(), 200, "{way}: {said}");
        let made = said.lines().filter_map(|line| line.strip_prefix("made ")?.parse::<u32>().ok());
        let made: u32 = made.sum();
        // Several streams may be under way when the twentieth comes.
        let least = if way.is_http1() { 200 / 20 } else { 200 / 40 };
        let lacks = peer.lacks(requests(*way)).is_some();
        assert!(made >= least || lacks, "{way}: {made} connections");
    }
}

/// The peer closes what was idle for a second. Between two requests another origin is asked for
/// something that takes a while: once long enough, and several times about as long as the peer
/// waits, when its end and our request may cross.
pub(super) fn closes_idle_connections(peer: &Peer) {
    if !peer.shows(IDLE) {
        return;
    }
    let settings = Settings { idle: Some(1), ..Settings::default() };
    let Some(served) = Served::start(peer, &settings) else { return };
    let ask = |way, ms: u32| {
        let ask = served.ask(way);
        let peer = format!("{}/hello", ask.at);
        let pause = served.site.origin.http(&format!("/delay/{ms}"));
        let version = ["-sS", "-w", "\nmade %{num_connects}\n"];
        // Each URL has its own options: the one between is asked in plain HTTP/1.1.
        let again = [&["--next"], &version[..], &["--http1.1", &pause, "--next"]].concat();
        let [first, last] = [(); 2].map(|()| [&version[..], &ask.options, &[&peer]].concat());
        let said = get(&[first, again, last].concat()).well();
        let made: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("made ")).collect();
        assert_eq!(said.matches("hello\n").count(), 2, "{way} {ms} ms: {said}");
        assert_eq!((made.len(), made[0]), (3, "1"), "{said}");
        assert!(ms < 2_000 || made[2] == "1", "{way} {ms} ms: the connection was not closed");
    };
    thread::scope(|scope| {
        for way in peer.ways {
            for ms in [996, 998, 1_000, 1_002, 3_000] {
                scope.spawn(move || ask(*way, ms));
            }
        }
    });
}

/// Eight loops ask for what the configuration says until each has seen the new one; it comes when
/// the load runs. Every answer is whole, and none is missing: a GET may be sent again.
pub(super) fn reloads_under_load(peer: &Peer) {
    if !peer.shows(RELOAD) {
        return;
    }
    let mut settings = Settings { generation: 1, ..Settings::default() };
    let Some(served) = Served::start(peer, &settings) else { return };
    let program = find(peer.program).unwrap();
    for way in peer.ways {
        if *way == Way::Http2 && !peer.shows(RELOAD_PLAIN_HTTP2) {
            continue;
        }
        println!("{} {way}: {RELOAD}", peer.name);
        let (tells, told) = mpsc::channel();
        settings.generation += 1;
        thread::scope(|scope| {
            let (program, served, settings) = (&program, &served, &settings);
            scope.spawn(move || {
                // Sixteen answers are here. A signal to a peer that has only begun may be lost.
                let mut loaded = (0..16).all(|_| told.recv().is_ok());
                while loaded {
                    (peer.reload)(program, served, settings);
                    loaded = !hears(&told, settings.generation);
                }
            });
            run_for(Duration::from_secs(100), async move {
                let client = served.site.client(*way);
                let url = format!("{}/generation", served.site.at(*way));
                let loops = (0..8).map(|_| {
                    let (client, url, tells) = (client.clone(), url.clone(), tells.clone());
                    let new = settings.generation;
                    tokio::spawn(async move { until_new(&client, &url, new, &tells).await })
                });
                for each in loops.collect::<Vec<_>>() {
                    each.await.unwrap();
                }
            });
        });
    }
}

/// Whether an answer of this generation comes within five seconds, or nobody asks any more.
fn hears(told: &mpsc::Receiver<u32>, new: u32) -> bool {
    let begun = Instant::now();
    while let Some(left) = Duration::from_secs(5).checked_sub(begun.elapsed()) {
        match told.recv_timeout(left) {
            Ok(generation) if generation != new => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
            _ => return true,
        }
    }
    false
}

/// Asks until ten answers are the new generation's.
async fn until_new(client: &Client, url: &str, new: u32, tells: &mpsc::Sender<u32>) {
    let mut seen = 0;
    while seen < 10 {
        let answer = ask::get(client, url).await;
        let answer = answer.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        let answer = std::str::from_utf8(&answer).unwrap().trim();
        let generation: u32 = answer.parse().unwrap_or_else(|_| panic!("{url} says {answer}"));
        assert!(generation == new || generation + 1 == new, "{url} says {generation}");
        seen += u32::from(generation == new);
        let _ = tells.send(generation);
    }
}

/// The peer ends when a body is half here: one clear sentence, and curl's code.
pub(super) fn dies_in_the_middle(peer: &Peer) {
    if !peer.shows(DEATH) {
        return;
    }
    for way in peer.ways {
        let Some(served) = Served::start(peer, &Settings::default()) else { return };
        println!("{} {way}: {DEATH}", peer.name);
        let ask = served.ask(*way);
        let file = ask.file("half");
        let said = thread::scope(|scope| {
            let (ask, words) = (&ask, ["--limit-rate", "4m", "-o", &file]);
            let download = scope.spawn(move || ask.path(&words, "/huge"));
            while fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
                assert!(!download.is_finished(), "{way}: the download ended before it began");
                thread::sleep(Duration::from_millis(2));
            }
            // Some have a process for each way.
            served.running.iter().for_each(|running| running.signal(peer.end));
            download.join().unwrap()
        });
        assert!(fs::metadata(&file).unwrap().len() < HUGE as u64, "{way}: all of it came");
        // 28: silence. QUIC has no more of one that is gone.
        assert!([18, 28, 56, 92, 95].contains(&said.code), "{way}: {}: {}", said.code, said.err);
        assert!(said.err.starts_with("regatta: ") && said.err.lines().count() <= 2, "{}", said.err);
    }
}

/// Slow downloads go on while the peer shuts down gracefully, come to their ends, and then it
/// ends.
pub(super) fn ends_what_is_under_way(peer: &Peer) {
    if !peer.shows(END) {
        return;
    }
    let Some(served) = Served::start(peer, &Settings::default()) else { return };
    thread::scope(|scope| {
        let ways = peer.ways.iter();
        let ways = ways.filter(|way| **way != Way::Http2 || peer.shows(END_PLAIN_HTTP2));
        let asked: Vec<_> = ways
            .enumerate()
            .map(|(n, way)| {
                let ask = served.ask(*way);
                let file = ask.file(&format!("slow{n}"));
                let download = scope.spawn({
                    let file = file.clone();
                    move || ask.path(&["--limit-rate", "16m", "-o", &file], "/huge")
                });
                (way, file, download)
            })
            .collect();
        for (way, file, download) in &asked {
            // The first bytes are here: the request is under way.
            while fs::metadata(file).map_or(0, |file| file.len()) == 0 {
                assert!(!download.is_finished(), "{way}: the download ended before it began");
                thread::sleep(Duration::from_millis(2));
            }
        }
        served.running[0].signal(peer.stop);
        for (_, file, download) in asked {
            download.join().unwrap().well();
            assert_eq!(fs::metadata(file).unwrap().len(), HUGE as u64);
        }
    });
    // What stands behind it was told nothing.
    served.running.into_iter().next().unwrap().wait();
}
