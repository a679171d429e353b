//! The faults on real sockets, with a client of tokio.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use regatta_runtime::{Client, Error, Listener as _, RequestOptions, Runtime, Timer as _};
use regatta_tokio::Tokio;

use super::fault::{Comes, Fault, Way, serve};
use super::{http1, http2};
use crate::dsl::run_for;
use crate::serve::{ANY, memory};

/// How long all faults of a test may take; floods are many frames.
pub(super) const PATIENCE: Duration = Duration::from_secs(150);

/// More than one fault may cost, in bytes: what two connections hold at most.
const MOST: u64 = 8 << 20;

/// How often, and after how long each time, is looked whether all has ended.
const LOOKS: u32 = 200;
const LOOK: Duration = Duration::from_millis(100);

/// Asks once what this fault concerns.
pub(super) async fn ask<R: Runtime>(
    client: &Client<R>,
    at: SocketAddr,
    fault: &Fault,
) -> Result<Bytes, Error> {
    let request = if fault.posts { Request::post(url(at)) } else { Request::get(url(at)) };
    let mut options = RequestOptions::default();
    options.timeout = fault.limit;
    let body = if fault.posts { Bytes::from_static(b"x") } else { Bytes::new() };
    let request = request.extension(options).body(Full::new(body)).unwrap();
    Ok(client.request(request).await?.into_body().collect().await?.to_bytes())
}

fn url(at: SocketAddr) -> String {
    format!("http://{at}/")
}

/// Meets the fault, then asks again; what was not as it should be.
pub(super) async fn meet<R: Runtime>(
    runtime: &R,
    client: &Client<R>,
    at: SocketAddr,
    fault: &Fault,
) -> Result<(), String> {
    let name = format!("{:?}, {}", fault.way, fault.name);
    for _ in 0..fault.before {
        let said = ask(client, at, fault).await;
        said.map_err(|error| format!("{name}: before it came {error}"))?;
    }
    let said = ask(client, at, fault).await.map_err(|error| error.to_string());
    let expected = match fault.comes {
        Comes::Well => Ok(Bytes::from_static(b"ok")),
        Comes::Fails(_, says) => Err(format!("http://{at}: {says}")),
    };
    let next = ask(client, at, fault).await;
    client.check();
    let left = rests(client, runtime).await;
    if said != expected {
        return Err(format!("{name}: expected {expected:?}, came {said:?}"));
    }
    match next {
        Ok(next) if next == "ok" && left == 0 => Ok(()),
        next => Err(format!("{name}: the next came to {next:?}, and {left} requests are left")),
    }
}

/// Waits until no request is left: how many are left all the same. One whose answer came before
/// its body had left lingers.
async fn rests<R: Runtime>(client: &Client<R>, runtime: &R) -> usize {
    let left = || client.inspect(|upstream| upstream.requests());
    for _ in 0..LOOKS {
        if left() == 0 {
            break;
        }
        let mut timer = runtime.timer(runtime.now() + LOOK);
        poll_fn(|cx| timer.poll_expired(cx)).await;
    }
    left()
}

/// A client that speaks what the fault is about.
pub(super) fn client<R: Runtime>(runtime: R, fault: &Fault) -> Client<R> {
    let protocols = fault.way.protocols();
    let builder = Client::builder(runtime).profile(|profile| profile.protocols = protocols);
    builder.engine(|engine| engine.linger_timeout = LOOK).build().unwrap()
}

fn all(faults: Vec<Fault>) {
    run_for(PATIENCE, async {
        let quiet = Fault::new(Way::Http1, "nothing", Vec::new(), Comes::Well);
        // What the first client of a process loads is no fault's.
        play(&Fault { bad: 0, ..quiet }).await.0.unwrap();
        let mut wrong = Vec::new();
        for fault in faults {
            let (said, grown) = play(&fault).await;
            println!("{:?}, {}: {} KiB more", fault.way, fault.name, grown >> 10);
            assert!(grown < MOST, "{} costs {grown} bytes", fault.name);
            wrong.extend(said.err());
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Whether it was as it should be, and how many bytes of memory it cost.
async fn play(fault: &Fault) -> (Result<(), String>, u64) {
    let runtime = Tokio::new();
    let listener = runtime.listen(ANY.into()).await.unwrap();
    let at = listener.local_address().unwrap();
    tokio::spawn(serve(runtime.clone(), listener, fault.clone(), || {}));
    let client = client(runtime.clone(), fault);
    let before = memory();
    let said = meet(&runtime, &client, at, fault).await;
    (said, memory().saturating_sub(before))
}

#[test]
fn http1_faults() {
    all(http1::faults());
}

#[test]
fn http2_faults() {
    all(http2::faults());
}

#[test]
fn http1_silences() {
    all(http1::silences());
}

#[test]
fn http2_silences() {
    all(http2::silences());
}
