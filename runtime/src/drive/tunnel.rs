//! A proxy on the way: TLS with it where it wants that, then CONNECT.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use regatta_core::engine::connect::{Answer, Connect};
use regatta_core::proxies::Proxy;
use regatta_core::types::{Cause, Scheme};

use super::attempt::{Failed, Job, secure};
use super::wire::{Early, Flushed, Heard, Wire};
use crate::hub::Hub;
use crate::runtime::Runtime;

/// Bytes of CONNECT that are written in one go: all of it.
const ROOM: usize = 64 << 10;

/// Opens a tunnel on `wire`, on which nothing was said; what came behind the proxy's answer.
pub(super) async fn open<R: Runtime>(
    hub: &Arc<Hub<R>>,
    job: &Job,
    wire: &mut Wire<R::Stream>,
    proxy: &Proxy,
) -> Result<Bytes, Failed> {
    if proxy.origin().scheme == Scheme::Https {
        let profile = hub.settings.roads.to_proxy();
        // Nothing comes behind the handshake: a proxy speaks when it is spoken to.
        let early = secure(hub, job, wire, profile, proxy.origin(), &[]).await;
        let early = early.map_err(|failed| failed.at("the proxy's TLS"))?;
        if !early.is_empty() {
            return Err(Failed::from(Cause::Closed).at("the proxy spoke before it was asked"));
        }
    }
    hub.tunnel(job.attempt, None);
    let config = &hub.settings.engine;
    let mut asking = Asking {
        connect: Connect::new(hub.runtime.now(), config, &job.origin, &proxy.connect_fields()),
        came: Early::default(),
    };
    let answer = poll_fn(|cx| poll_answer(hub, wire, &mut asking, cx)).await;
    match answer {
        Answer::Opened(head) => {
            hub.tunnel(job.attempt, Some(head.status().as_u16()));
            wire.begin_tunnel();
            Ok(asking.connect.into_early())
        }
        Answer::Refused(head) => {
            let status = head.status().as_u16();
            hub.tunnel(job.attempt, Some(status));
            Err(Cause::TunnelRefused(status).into())
        }
        Answer::Failed(cause) => Err(Failed::from(cause).at("the proxy gave no answer to CONNECT")),
    }
}

struct Asking {
    connect: Connect,
    came: Early,
}

fn poll_answer<R: Runtime>(
    hub: &Arc<Hub<R>>,
    wire: &mut Wire<R::Stream>,
    asking: &mut Asking,
    cx: &mut Context<'_>,
) -> Poll<Answer> {
    loop {
        let now = hub.runtime.now();
        let Asking { connect, came } = asking;
        connect.transmit(now, &mut wire.plain, ROOM);
        let flushed = wire.poll_flush(cx, now);
        if let Some(answer) = connect.poll_answer() {
            return Poll::Ready(answer);
        }
        match wire.poll_read(cx, now, came) {
            Poll::Pending if flushed == Poll::Ready(Flushed::Some) => continue,
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Heard::Bytes) => connect.receive(now, &came.bytes),
            Poll::Ready(Heard::End { clean, cause, .. }) => {
                connect.receive(now, &came.bytes);
                connect.receive_end(now, clean, cause);
            }
        }
        came.bytes.clear();
    }
}
