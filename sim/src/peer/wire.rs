//! A byte stream for scripts: plain, or behind TLS as a server.

use core::future::poll_fn;
use std::io::{self, IoSlice};

use bytes::BytesMut;
use regatta_core::engine::Output;
use regatta_core::engine::tls::Tls;
use regatta_runtime::{Runtime as _, Stream as _};

use crate::host::{Host, Socket};

/// A socket with or without TLS.
pub(super) struct Wire {
    pub(super) host: Host,
    pub(super) socket: Socket,
    pub(super) tls: Option<Tls>,
    /// What has come and was not used.
    pub(super) plain: BytesMut,
}

impl Wire {
    /// Reads some bytes of the socket; `None` at its end.
    pub(super) async fn read_raw(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let read = poll_fn(|cx| self.socket.poll_read(cx, buffer)).await;
        read.ok().filter(|count| *count > 0)
    }

    /// Reads until more plain text is there; `None` when no more will come.
    pub(super) async fn read(&mut self) -> Option<()> {
        let before = self.plain.len();
        let mut buffer = [0; 4_096];
        while self.plain.len() == before {
            let count = self.read_raw(&mut buffer).await?;
            let bytes = &buffer[..count];
            let Some(tls) = &mut self.tls else {
                self.plain.extend_from_slice(bytes);
                continue;
            };
            let taken = tls.receive(self.host.now(), bytes, &mut self.plain);
            self.write(&[]).await.ok()?;
            taken.ok()?;
        }
        Some(())
    }

    /// Shakes hands; `None` when that fails. Nothing to do without TLS.
    pub(super) async fn greet(&mut self) -> Option<()> {
        while self.tls.as_ref().is_some_and(Tls::is_handshaking) {
            let mut buffer = [0; 4_096];
            let count = self.read_raw(&mut buffer).await?;
            let tls = self.tls.as_mut()?;
            let taken = tls.receive(self.host.now(), &buffer[..count], &mut self.plain);
            self.write(&[]).await.ok()?;
            taken.ok()?;
        }
        Some(())
    }

    /// Writes all of `bytes`.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = Output::new();
        let mut plain = Output::new();
        plain.put(bytes);
        match &mut self.tls {
            Some(tls) => tls.send(self.host.now(), &mut plain, &mut out),
            None => out = plain,
        }
        while !out.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = out.slices(&mut slices);
            let written = poll_fn(|cx| self.socket.poll_write(cx, &slices[..count])).await?;
            out.advance(written);
        }
        Ok(())
    }
}
