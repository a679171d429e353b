use core::fmt::Debug;

use super::head::Head;
use super::lines::{Line, SAMPLES, sample};
use super::text::Fields;
use super::*;
use crate::Instant;
use crate::id::{ClusterId, ConnectionId, ProfileId, RequestId};
use crate::rng::Rng;
use crate::types::{Cause, Key, Limit, MethodClass, Origin, Priority, Protocol, Scheme};
use crate::upstream::{Action, Cluster, Config, Event, Upstream};

mod golden;

fn every_line_reads_back<L: Line + Debug + PartialEq>() {
    for line in L::samples() {
        let mut text = String::new();
        line.write(&mut text);
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
        let (word, mut fields) = Fields::of(&text);
        let read = L::read(word, &mut fields).unwrap_or_else(|wrong| panic!("{}", wrong.at(0)));
        assert_eq!(read.as_ref(), Some(&line), "{text}");
        fields.end().unwrap();
    }
}

#[test]
fn every_input_and_output_reads_back() {
    every_line_reads_back::<Input>();
    every_line_reads_back::<Output>();
}

fn settings(at: usize) -> Config {
    let cluster = |at| Cluster {
        name: "not written".to_owned(),
        limits: sample(at),
        limits_high: sample(at + 1),
        pool: sample(at),
        eyeballs: sample(at),
        race: sample(at),
    };
    Config {
        seed: sample(at),
        clusters: (0..at % 3).map(|many| cluster(at + many)).collect(),
        profiles: (0..at % 4).map(|many| sample(at + many)).collect(),
        max_sockets: sample(at),
        max_handshakes: sample(at),
        max_pools: sample(at + 1),
        pool_idle_timeout: sample(at),
        address_lifetime: sample(at + 1),
        burst: sample(at),
        alternatives: sample(at),
        records: 0,
    }
}

#[test]
fn settings_read_back() {
    for at in 0..SAMPLES {
        let mut text = String::new();
        head::write(&settings(at), &mut text);
        let (mut head, mut lines) = (Head::new(), text.lines());
        let read = loop {
            if let Some(config) = head.line(lines.next().unwrap()).unwrap() {
                break config;
            }
        };
        assert_eq!(lines.next(), None);
        let mut again = String::new();
        head::write(&read, &mut again);
        assert_eq!(again, text);
    }
}

/// A run of one request, and its journal.
fn journal() -> String {
    let mut upstream = Upstream::new(Config::default());
    let mut writer = Writer::new(&Config::default());
    let at = Instant::from_millis;
    let origin = Origin { scheme: Scheme::Http, host: "a.test".into(), port: 80 };
    let (profile, priority) = (ProfileId(0), Priority::Default);
    let key = Key { cluster: ClusterId::new(0, 0), origin, profile, priority };
    let minted = upstream.request(at(1), &key, MethodClass::Safe, None);
    writer.request(at(1), &key, MethodClass::Safe, None, minted);
    let mut actions = vec![];
    take(&mut upstream, &mut writer, &mut actions);
    let Some(Action::Resolve { host, .. }) = actions.pop() else { panic!("it resolves") };
    let addresses = vec!["192.0.2.1".parse().unwrap()];
    let mut tell = |event: Event| {
        writer.event(at(20), &event);
        upstream.handle_event(at(20), event);
        take(&mut upstream, &mut writer, &mut actions);
        actions.pop()
    };
    tell(Event::Resolved { host, addresses });
    let connect = tell(Event::ResolveFinished { host, failed: None });
    let Some(Action::Connect { attempt, .. }) = connect else { panic!("it connects") };
    let limit = Limit::Concurrent(1);
    tell(Event::Connected { attempt, protocol: Protocol::Http1, limit });
    writer.timeout(at(21));
    upstream.handle_timeout(at(21));
    take(&mut upstream, &mut writer, &mut actions);
    let mut journal = writer.text().to_owned();
    Writer::end(End::Complete, writer.steps(), &mut journal);
    journal
}

fn take(upstream: &mut Upstream, writer: &mut Writer, actions: &mut Vec<Action>) {
    while let Some(action) = upstream.poll_action() {
        writer.action(&action);
        actions.push(action);
    }
}

#[test]
fn the_same_inputs_give_the_same_actions() {
    let journal = journal();
    let summary = replay(journal.as_bytes()).unwrap();
    assert_eq!((summary.steps, summary.actions), (5, 3));
    assert_eq!(summary.end, End::Complete);
    assert_eq!(summary.to_string(), "5 inputs up to 21.000ms, 3 actions, all the same");
    // In whatever pieces it comes.
    let mut pieces = Replay::new();
    for byte in journal.as_bytes() {
        pieces.push(&[*byte]).unwrap();
    }
    assert_eq!(pieces.finish(), Ok(summary));
}

const HEAD: &str = "\
regatta-journal 2
upstream clusters=1 profiles=1 seed=0 max_sockets=16384 max_handshakes=1024 max_pools=65536 \
pool_idle_timeout=60s address_lifetime=60s burst=64
limits max_connections=1024 max_pending_requests=1024 max_requests=1024 max_retries=3 \
max_connection_pools=none
limits-high max_connections=1024 max_pending_requests=1024 max_requests=1024 max_retries=3 \
max_connection_pools=none
pool connect_timeout=5s idle_timeout=60s max_connection_duration=none \
max_requests_per_connection=none max_concurrent_streams=1024 assumed_streams=100 \
preconnect_permille=1000 max_resends=1 max_unprocessed_resends=1 probe_after_idle=10s \
drain_timeout=none
eyeballs attempt_delay=300ms resolution_delay=50ms first_family=v6 first_family_count=1 \
success=handshake max_addresses=32 max_parallel=4 max_attempts=12
profile protocols=auto
";

const STEPS: &str = "\
@1000000 requested cluster=k0.0 origin=http://a.test:80 profile=0 priority=default method=safe \
deadline=none
> minted request=r0.0
> resolve host=h0.0 name=a.test
@20000000 resolved host=h0.0 addresses=192.0.2.1
@20000000 resolve-finished host=h0.0 failed=none
> connect attempt=a0.0 connection=c0.0 transport=tcp address=192.0.2.1:80 \
origin=http://a.test:80 profile=0
@20000000 connected attempt=a0.0 protocol=http1 limit=concurrent:1
> assign request=r0.0 connection=c0.0
@21000000 timeout
end steps=5
";

/// The format, word by word: whatever changes here is another version.
#[test]
fn the_format() {
    assert_eq!(journal(), format!("{HEAD}{STEPS}"));
}

#[test]
fn comments_and_empty_lines_say_nothing() {
    let journal = format!("{HEAD}# the run\n\n{STEPS}# its end\n");
    assert_eq!(replay(journal.as_bytes()).unwrap().steps, 5);
}

/// What is said of the run above when `old` in it is `new`.
fn tampered(old: &str, new: &str) -> String {
    let journal = journal();
    assert!(journal.contains(old), "{old}");
    replay(journal.replacen(old, new, 1).as_bytes()).unwrap_err().to_string()
}

/// What stands there, what is put in its place, and what is said of it.
const UNREADABLE: &[(&str, &str, &str)] = &[
    (
        "regatta-journal 2",
        "regatta-journal 1",
        "line 1: expected regatta-journal 2, the version that is known here, \
             found \"regatta-journal 1\"",
    ),
    (
        "upstream clusters",
        "downstream clusters",
        "line 2: expected the settings of upstream, found \"downstream\"",
    ),
    (
        "burst=64",
        "burst=0",
        "line 2: in the field burst expected a number of 32 bits that is not 0, found \"0\"",
    ),
    (
        "drain_timeout=none",
        "drain_timeout=soon",
        "line 5: in the field drain_timeout expected none or a time like 5s, 300ms, 20us or \
             1ns, found \"soon\"",
    ),
    ("deadline=none", "deadline=none x=1", "line 8: expected the end of the line, found \"x=1\""),
    (" priority=default", "", "line 8: expected the field priority, found \"method=safe\""),
    (" method=safe deadline=none", "", "line 8: expected the field method, found nothing"),
    (
        "http://a.test:80 profile",
        "http://a b:80 profile",
        "line 8: in the field origin expected an origin like https://a.test:443, found \
             \"http://a\"",
    ),
    (
        "> resolve",
        "> dissolve",
        "line 10: expected an action that is known here, found \"dissolve\"",
    ),
    (
        "addresses=192.0.2.1",
        "addresses=192.0.2.1,",
        "line 11: in the field addresses expected IP addresses with commas between them, \
             found \"192.0.2.1,\"",
    ),
    (
        "limit=concurrent:1",
        "limit=concurrent",
        "line 14: in the field limit expected one of concurrent:streams, total:streams, found \
             \"concurrent\"",
    ),
    (
        "@21000000",
        "@soon",
        "line 16: expected @ and nanoseconds since the run's beginning, found \"@soon\"",
    ),
    ("timeout\nend", "timeout \nend", "line 16: expected the end of the line, found nothing"),
    (
        "end steps",
        "fin steps",
        "line 17: expected @ and an input, > and an action, gap or end, found \"fin steps=5\"",
    ),
    (
        "@21000000 timeout\n",
        "",
        "line 16: in the field steps expected 5 inputs before, found \"4\"",
    ),
    ("steps=5\n", "steps=5\n@1", "line 18: expected nothing after the journal's end, found \"@1\""),
];

#[test]
fn what_cannot_be_read_is_named() {
    for (old, new, said) in UNREADABLE {
        assert_eq!(tampered(old, new), *said);
    }
    let said = replay(b"").unwrap_err().to_string();
    assert_eq!(said, "line 1: expected the settings of an upstream, found the end of the journal");
    let said = replay(b"\xff\n").unwrap_err().to_string();
    assert_eq!(said, "line 1: expected text in UTF-8, found \"\u{fffd}\"");
}

#[test]
fn what_differs_is_named() {
    let said = tampered("> assign request=r0.0", "> assign request=r1.0");
    let expected = "line 15 differs: at 20.000ms, after line 14, \
connected attempt=a0.0 protocol=http1 limit=concurrent:1
  (- is what the journal says, + is what came now)
  - assign request=r1.0 connection=c0.0
  + assign request=r0.0 connection=c0.0";
    assert_eq!(said, expected);
    // An action that did not come.
    let said = tampered("@20000000 resolved", "> resend request=r0.0\n@20000000 resolved");
    let expected = "line 11 differs: at 1.000ms, after line 8, requested cluster=k0.0 \
origin=http://a.test:80 profile=0 priority=default method=safe deadline=none
  (- is what the journal says, + is what came now)
    minted request=r0.0
    resolve host=h0.0 name=a.test
  - resend request=r0.0";
    assert_eq!(said, expected);
    // One that came though nothing says so.
    let said = tampered("> resolve host=h0.0 name=a.test\n", "");
    assert!(said.starts_with("line 10 differs: at 1.000ms, after line 8"), "{said}");
    assert!(said.ends_with("\n  + resolve host=h0.0 name=a.test"), "{said}");
}

/// Other settings, other decisions.
#[test]
fn a_changed_setting_shows() {
    let said = tampered("max_connection_pools=none", "max_connection_pools=0");
    assert!(said.starts_with("line 10 differs: at 1.000ms, after line 8"), "{said}");
    let refusal = "+ refuse request=r0.0 reason=pool-overflow failed=none";
    assert!(said.contains(refusal), "{said}");
}

#[test]
fn a_journal_that_was_cut_off_says_so() {
    let journal = journal();
    let whole = replay(journal.as_bytes()).unwrap();
    let mut steps = 0;
    for cut in HEAD.len()..journal.len() {
        let summary = replay(&journal.as_bytes()[..cut]).unwrap();
        assert_eq!(summary.end, End::Cut);
        assert!((steps..=whole.steps).contains(&summary.steps), "{cut}");
        steps = summary.steps;
    }
    assert_eq!(steps, whole.steps);
}

#[test]
fn a_gap_ends_a_journal() {
    let journal = journal().replace("end steps", "gap steps");
    let summary = replay(journal.as_bytes()).unwrap();
    assert_eq!(summary.end, End::Gap);
    assert!(summary.to_string().ends_with("has a gap, and what followed is lost"), "{summary}");
}

/// Names and numbers from outside cannot make a line of their own.
#[test]
fn names_are_escaped() {
    let name = "a\n> abort connection=c0.0 %[\u{e9}]".into();
    let resolve = Action::Resolve { host: sample(0), name };
    let line = Output::Action(resolve).to_string();
    let escaped = "a%0A>%20abort%20connection=c0.0%20%25%5B%C3%A9%5D";
    assert_eq!(line, format!("resolve host=h0.0 name={escaped}"));
}

#[test]
fn a_failure_is_the_last_word() {
    let mut replay = Replay::new();
    let first = replay.push(b"nonsense\n").unwrap_err();
    assert_eq!(replay.push(HEAD.as_bytes()), Err(first.clone()));
    assert_eq!(replay.finish(), Err(first));
}

/// Whatever is in a file: an answer, never a panic.
#[test]
fn anything_can_be_read() {
    let golden = golden::all().map(|(_, text)| text.to_owned());
    let mut rng = Rng::new(1);
    for journal in golden.chain([journal()]) {
        for _ in 0..100 {
            let mut bytes = journal.clone().into_bytes();
            for _ in 0..=rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                match rng.below(3) {
                    0 => bytes[at] = b"0123456789.:=,;/ >@\n%none"[rng.below(25) as usize],
                    1 => bytes[at] ^= 1 << rng.below(8),
                    _ => drop(bytes.remove(at)),
                }
            }
            let _ = replay(&bytes);
        }
    }
}

/// The memory of a writer is used again.
#[test]
fn a_writer_allocates_nothing_in_the_steady_state() {
    let mut writer = Writer::new(&Config::default());
    let memory = writer.text().as_ptr();
    for number in 0..10 {
        writer.clear();
        let (request, connection) = (RequestId::new(number, 0), ConnectionId::new(0, 0));
        writer.event(Instant::MAX, &Event::Closed { connection, cause: Cause::Closed });
        writer.action(&Action::Assign { request, connection });
        assert_eq!(writer.text().lines().count(), 2);
        assert_eq!(writer.text().as_ptr(), memory);
    }
    assert_eq!(writer.steps(), 10);
}
