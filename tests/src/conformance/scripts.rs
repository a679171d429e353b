//! Scripts of calls on two ends of a connection, played on the system's loopback and on a
//! simulated host: both must show the same, call by call.
//!
//! Linux is what the simulator models, so that only Linux is compared with.
#![cfg(target_os = "linux")]

use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, IoSlice};

use regatta_models::tape::Tape;
use regatta_runtime::{Address, Listener, Runtime, Stream, Timer};
use regatta_sim::Net;
use regatta_tokio::Tokio;

use crate::dsl;

/// How many scripts are played.
const SCRIPTS: u64 = 150;
/// How many calls a script makes.
const CALLS: usize = 12;
/// Time for what a call has sent to come to the other end.
const SETTLE: Duration = Duration::from_millis(1);

/// One call, on the end that connected (0) or the one that was accepted (1).
#[derive(Clone, Copy)]
struct Call {
    end: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// Writes so many bytes: few, so that there is always room.
    Write(usize),
    /// Reads at most so many.
    Read(usize),
    /// Sends FIN.
    Finish,
    /// Drops the stream.
    Drop,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = ["near", "far"][self.end];
        write!(f, "{end} {:?}", self.what)
    }
}

/// What a call showed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Wrote(usize),
    /// These bytes; none are the end.
    Read(Vec<u8>),
    Done,
    NotYet,
    Failed(io::ErrorKind),
}

fn script(tape: &mut Tape) -> Vec<Call> {
    let mut alive = [true; 2];
    let mut calls = Vec::new();
    while calls.len() < CALLS && alive != [false; 2] {
        let end = tape.draw("end", 2) as usize;
        if !alive[end] {
            continue;
        }
        let what = match tape.weighted("call", &[6, 8, 2, 1]) {
            0 => What::Write(1 + tape.draw("bytes", 1_000) as usize),
            1 => What::Read(tape.pick("room", &[1, 10, 4_096])),
            2 => What::Finish,
            _ => What::Drop,
        };
        alive[end] = !matches!(what, What::Drop);
        calls.push(Call { end, what });
    }
    calls
}

pub(super) async fn pause<R: Runtime>(runtime: &R) {
    let mut timer = runtime.timer(runtime.now() + SETTLE);
    poll_fn(|cx| timer.poll_expired(cx)).await;
}

/// Makes the calls one by one, and says what each showed.
async fn play<R: Runtime>(runtime: R, script: &[Call]) -> Vec<Seen> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut listener = runtime.listen(Address::Ip(any)).await.unwrap();
    let at = listener.local_address().unwrap();
    let near = runtime.connect(Address::Ip(at)).await.unwrap();
    let (far, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
    let mut ends = [Some(near), Some(far)];
    let mut written = 0_u8;
    let mut all = Vec::new();
    for call in script {
        pause(&runtime).await;
        let Some(stream) = &mut ends[call.end] else { continue };
        let seen = match call.what {
            What::Write(count) => {
                // Every byte differs from its neighbours.
                let bytes: Vec<u8> = (0..count).map(|n| written.wrapping_add(n as u8)).collect();
                written = written.wrapping_add(count as u8);
                let slices = [IoSlice::new(&bytes)];
                let done = poll_fn(|cx| Poll::Ready(stream.poll_write(cx, &slices))).await;
                seen(done, Seen::Wrote)
            }
            What::Read(most) => {
                let mut buffer = vec![0; most];
                let done = poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut buffer))).await;
                seen(done, |count| Seen::Read(buffer[..count].to_vec()))
            }
            What::Finish => {
                let done = poll_fn(|cx| Poll::Ready(stream.poll_shutdown(cx))).await;
                match seen(done, |()| Seen::Done) {
                    // What Linux says after a reset; tokio passes over it.
                    Seen::Failed(io::ErrorKind::NotConnected) => Seen::Done,
                    seen => seen,
                }
            }
            What::Drop => {
                ends[call.end] = None;
                Seen::Done
            }
        };
        all.push(seen);
    }
    all
}

fn seen<T>(done: Poll<io::Result<T>>, said: impl FnOnce(T) -> Seen) -> Seen {
    match done {
        Poll::Pending => Seen::NotYet,
        Poll::Ready(Ok(value)) => said(value),
        Poll::Ready(Err(error)) => Seen::Failed(error.kind()),
    }
}

#[test]
fn simulated_streams_show_what_linux_shows() {
    let mut different = Vec::new();
    for seed in 0..SCRIPTS {
        let script = script(&mut Tape::seeded(seed));
        let mut real = Vec::new();
        dsl::run(async { real = play(Tokio::new(), &script).await });
        let net = Net::seeded(seed);
        let simulated = net.run(play(net.host("host", []), &script)).unwrap();
        if let Some(at) = (0..real.len()).find(|&at| real[at] != simulated[at]) {
            let calls = &script[..=at];
            different.push(format!(
                "seed {seed}: of the calls {calls:?} the last showed {:?} on Linux, {:?} simulated",
                real[at], simulated[at]
            ));
        }
    }
    different.sort_by_key(String::len);
    assert!(different.is_empty(), "{} differ\n{}", different.len(), different.join("\n"));
}
