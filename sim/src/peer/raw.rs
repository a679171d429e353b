//! Scripts: servers that do what no library does.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use bytes::BytesMut;
use regatta_core::engine::tls::{Clock, ServerConfig, Tls};
use regatta_runtime::{Address, Listener as _, Runtime as _};

use super::honest::{first, options};
use super::plan::{RawKind, ServerPlan};
use super::raw_http::{self, Said};
use super::scene::Scene;
use super::wire::Wire;
use crate::host::{Host, Socket};

/// Accepts until the address is healed or the scene is over.
pub(super) async fn listen(
    host: &Host,
    at: SocketAddr,
    tls: bool,
    kind: RawKind,
    scene: &Arc<Scene>,
) {
    let Ok(mut listener) = host.listen(Address::Ip(at)).await else {
        return scene.complain(format!("{at} cannot be listened at from the beginning"));
    };
    let config = tls.then(|| server_config(host)).flatten();
    loop {
        let mut accepted = None;
        let accept = poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Ready(Ok((socket, _))) => {
                accepted = Some(socket);
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        });
        first(pin!(accept), scene.changed(at.ip())).await;
        let Some(socket) = accepted else { return };
        scene.meet("script", kind.name());
        let work = connection(host.clone(), socket, config.clone(), kind, Arc::clone(scene));
        let scene = Arc::clone(scene);
        host.spawn(async move { first(pin!(work), scene.changed(at.ip())).await });
    }
}

fn server_config(host: &Host) -> Option<ServerConfig> {
    let mut options = options(&ServerPlan::default());
    options.provider = Some(host.tls_provider());
    ServerConfig::new(&Clock::new(host.unix_at_epoch()), options).ok()
}

async fn connection(
    host: Host,
    socket: Socket,
    config: Option<ServerConfig>,
    kind: RawKind,
    scene: Arc<Scene>,
) {
    let tls = config.and_then(|config| Tls::server(&config, host.now()).ok());
    let mut wire = Wire { host, socket, tls, plain: BytesMut::new() };
    let mut buffer = [0; 2_048];
    match kind {
        RawKind::Silent => while wire.read_raw(&mut buffer).await.is_some() {},
        RawKind::CloseAfter(most) | RawKind::ResetAfter(most) => {
            close_after(&mut wire, most as usize, kind).await;
        }
        RawKind::SlowReader => {
            if wire.greet().await.is_some() {
                while wire.read_raw(&mut buffer[..64]).await.is_some() {
                    wire.host.sleep(Duration::from_millis(20)).await;
                }
            }
        }
        RawKind::Mute => {
            if wire.greet().await.is_some() {
                while wire.read().await.is_some() {}
            }
        }
        RawKind::Garbage => {
            if wire.greet().await.is_some() {
                let _ = wire.write(b"SSH-2.0-OpenSSH_9.6\r\n\x00\x01\x02").await;
                while wire.read().await.is_some() {}
            }
        }
        RawKind::HalfAnswer
        | RawKind::RefuseFirstStream
        | RawKind::GoAwayZero
        | RawKind::CloseAtReuse
        | RawKind::Unsolicited => {
            if wire.greet().await.is_some() {
                let processed = |n| scene.note(n, |fate| fate.processed += 1);
                raw_http::serve(&mut wire, |number| says(kind, number), processed).await;
            }
        }
    }
}

/// What a script says to the request of this number on its connection, from 0.
const fn says(kind: RawKind, number: u32) -> Said {
    match (kind, number) {
        (RawKind::HalfAnswer, _) => Said::Half,
        (RawKind::RefuseFirstStream, 0) => Said::Refused,
        (RawKind::GoAwayZero, _) => Said::GoAwayZero,
        (RawKind::CloseAtReuse, 1..) => Said::Close,
        (RawKind::Unsolicited, _) => Said::TooMuch,
        _ => Said::Answer,
    }
}

/// Reads so many bytes, then closes; with more unread the peer hears a reset.
async fn close_after(wire: &mut Wire, most: usize, kind: RawKind) {
    let mut left = most;
    let mut buffer = [0; 2_048];
    while left > 0 {
        let size = left.min(buffer.len());
        let Some(count) = wire.read_raw(&mut buffer[..size]).await else { return };
        left -= count;
    }
    if matches!(kind, RawKind::ResetAfter(_)) {
        // Gives what is still to come a moment to arrive, so that it is left unread.
        wire.host.sleep(Duration::from_millis(5)).await;
    }
}
