//! Scripts of calls on three UDP sockets, played on the system's loopback and elsewhere: both
//! must show the same, call by call.
#![cfg(target_os = "linux")]

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::Poll;
use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};

use regatta_models::tape::Tape;
use regatta_runtime::{Datagrams, Ecn, Received, Runtime, Transmit};
use regatta_tokio::Tokio;

use super::scripts::pause;
use crate::dsl;

/// How many scripts are played.
const SCRIPTS: u64 = 60;
/// How many calls a script makes.
const CALLS: usize = 15;
/// Which socket is connected, and to which.
const CONNECTED: (usize, usize) = (0, 1);

/// One call, on one of three sockets.
#[derive(Clone, Copy, Debug)]
enum Call {
    Send {
        from: usize,
        to: usize,
        length: usize,
        segment: Option<usize>,
        ecn: Option<Ecn>,
    },
    /// Receives all that has come.
    Receive(usize),
    /// Drops a socket; it is bound again to the same port by the next call on it.
    Drop(usize),
}

/// What a call showed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Sent,
    /// Who sent it, its bytes and its mark; and the error behind them.
    Received(Vec<(usize, Vec<u8>, Option<Ecn>)>, Option<io::ErrorKind>),
    Failed(io::ErrorKind),
    Done,
}

fn script(tape: &mut Tape) -> Vec<Call> {
    let call = |tape: &mut Tape| {
        let socket = tape.draw("socket", 3) as usize;
        match tape.weighted("call", &[8, 6, 1]) {
            0 => Call::Send {
                from: socket,
                // To itself, too.
                to: if socket == CONNECTED.0 && !tape.one_in("elsewhere", 8) {
                    CONNECTED.1
                } else {
                    tape.draw("to", 3) as usize
                },
                length: tape.pick("length", &[0, 1, 600, 1_200, 3_000, 65_507, 65_508]),
                segment: tape.pick("segment", &[None, None, None, Some(500), Some(1_200)]),
                ecn: tape.pick("ecn", &[None, Some(Ecn::Ect0), Some(Ecn::Ect1), Some(Ecn::Ce)]),
            },
            1 => Call::Receive(socket),
            _ => Call::Drop(socket),
        }
    };
    (0..CALLS).map(|_| call(tape)).collect()
}

/// The sockets, of which some are dropped, and where they are or were.
struct Sockets<R: Runtime> {
    runtime: R,
    open: [Option<R::Datagrams>; 3],
    at: [SocketAddr; 3],
}

impl<R: Runtime> Sockets<R> {
    async fn new(runtime: R) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut open = [None, None, None];
        let mut at = [any; 3];
        // The one that is connected comes last.
        for which in [2, 1, 0] {
            let remote = (which == CONNECTED.0).then_some(at[CONNECTED.1]);
            let socket = runtime.bind(any, remote).await.unwrap();
            at[which] = socket.local_address().unwrap();
            open[which] = Some(socket);
        }
        Self { runtime, open, at }
    }

    async fn socket(&mut self, which: usize) -> &mut R::Datagrams {
        if self.open[which].is_none() {
            let remote = (which == CONNECTED.0).then_some(self.at[CONNECTED.1]);
            self.open[which] = Some(self.runtime.bind(self.at[which], remote).await.unwrap());
            // A new socket is not writable at once everywhere.
            pause(&self.runtime).await;
        }
        self.open[which].as_mut().unwrap()
    }

    async fn call(&mut self, call: Call, number: u8) -> Seen {
        match call {
            Call::Send { from, to, length, segment, ecn } => {
                let contents: Vec<u8> = (0..length).map(|n| number ^ n as u8).collect();
                let transmit = Transmit {
                    segment_size: segment.filter(|_| length > 0),
                    ecn,
                    ..Transmit::new(self.at[to], &contents)
                };
                match self.socket(from).await.try_send(&transmit) {
                    Ok(()) => Seen::Sent,
                    Err(error) => Seen::Failed(error.kind()),
                }
            }
            Call::Receive(which) => {
                let at = self.at;
                receive(self.socket(which).await, at).await
            }
            Call::Drop(which) => {
                self.open[which] = None;
                Seen::Done
            }
        }
    }
}

async fn receive<D: Datagrams>(socket: &mut D, at: [SocketAddr; 3]) -> Seen {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    let mut received = [Received::default()];
    loop {
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        let done = poll_fn(|cx| Poll::Ready(socket.poll_receive(cx, buffers, &mut received)));
        match done.await {
            Poll::Pending => return Seen::Received(all, None),
            Poll::Ready(Err(error)) => return Seen::Received(all, Some(error.kind())),
            Poll::Ready(Ok(_)) => {}
        }
        let [one] = received;
        let from = at.iter().position(|&at| at == one.source).unwrap();
        all.extend(one.datagrams(&buffer).map(|bytes| (from, bytes.to_vec(), one.ecn)));
    }
}

/// Makes the calls one by one, and says what each showed.
async fn play<R: Runtime>(runtime: R, script: &[Call]) -> Vec<Seen> {
    let mut sockets = Sockets::new(runtime.clone()).await;
    let mut all = Vec::new();
    for (number, &call) in script.iter().enumerate() {
        pause(&runtime).await;
        all.push(sockets.call(call, number as u8).await);
    }
    all
}

#[test]
fn datagrams_show_the_same_on_both_flavours() {
    let mut different = Vec::new();
    let mut reached = BTreeMap::new();
    for seed in 0..SCRIPTS {
        let script = script(&mut Tape::seeded(seed));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        dsl::run(async { one = play(Tokio::new(), &script).await });
        dsl::run_on_two(async { other = play(Tokio::new(), &script).await });
        one.iter().for_each(|seen| *reached.entry(kind(seen)).or_insert(0) += 1);
        if let Some(at) = (0..one.len()).find(|&at| one[at] != other[at]) {
            let calls = &script[..=at];
            different.push(format!(
                "seed {seed}: of the calls {calls:?} the last showed {} and {}",
                short(&one[at]),
                short(&other[at])
            ));
        }
    }
    different.sort_by_key(String::len);
    assert!(different.is_empty(), "{} differ\n{}", different.len(), different.join("\n"));
    assert!(!reached.contains_key("another error"), "{reached:?}");
    for kind in ["sent", "received", "nothing", "refused", "invalid"] {
        assert!(reached.contains_key(kind), "no call was {kind}: {reached:?}");
    }
}

/// What scripts must come to.
const fn kind(seen: &Seen) -> &'static str {
    use io::ErrorKind::{ConnectionRefused, InvalidInput};
    match seen {
        Seen::Sent => "sent",
        Seen::Received(_, Some(ConnectionRefused)) | Seen::Failed(ConnectionRefused) => "refused",
        Seen::Received(_, Some(_)) => "another error",
        Seen::Received(all, None) if all.is_empty() => "nothing",
        Seen::Received(_, None) => "received",
        Seen::Failed(InvalidInput) => "invalid",
        Seen::Failed(_) => "another error",
        Seen::Done => "done",
    }
}

/// Lengths in place of bytes.
fn short(seen: &Seen) -> String {
    match seen {
        Seen::Received(all, error) => {
            let all: Vec<_> = all.iter().map(|(from, all, ecn)| (from, all.len(), ecn)).collect();
            format!("{all:?} {error:?}")
        }
        seen => format!("{seen:?}"),
    }
}
