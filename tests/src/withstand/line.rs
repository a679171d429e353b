//! One connection of any runtime, as the far end of a fault has it.

use core::future::poll_fn;
use core::task::Poll;
use std::io::{self, IoSlice};

use regatta_runtime::Stream;

use super::fault::Way;

/// What every client of HTTP/2 says first (RFC 9113 3.4).
const PREFACE: usize = 24;
/// Length, type, flags and stream (RFC 9113 4.1).
const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;

/// A server's end of a connection.
#[derive(Debug)]
pub(super) struct Line<S> {
    stream: S,
    way: Way,
    heard: Vec<u8>,
    /// The preface was heard.
    greeted: bool,
}

impl<S: Stream> Line<S> {
    pub(super) const fn new(stream: S, way: Way) -> Self {
        Self { stream, way, heard: Vec::new(), greeted: false }
    }

    pub(super) const fn way(&self) -> Way {
        self.way
    }

    /// Reads up to the end of the next request's head: its stream (1 over HTTP/1), or `None` at
    /// the end of the connection.
    pub(super) async fn request(&mut self) -> Option<u32> {
        loop {
            let found = match self.way {
                Way::Http1 => self.take_head(),
                Way::Http2 => self.take_headers(),
            };
            if found.is_some() {
                return found;
            }
            let mut buffer = [0; 4_096];
            let count = self.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            self.heard.extend_from_slice(&buffer[..count]);
        }
    }

    fn take_head(&mut self) -> Option<u32> {
        let end = b"\r\n\r\n";
        let at = self.heard.windows(end.len()).position(|part| part == end)?;
        self.heard.drain(..at + end.len());
        Some(1)
    }

    fn take_headers(&mut self) -> Option<u32> {
        let (stream, length) = self.pass_over()?;
        self.heard.drain(..length);
        Some(stream)
    }

    /// Forgets all frames up to the next HEADERS, which lies in front then: its stream and how
    /// long it is.
    fn pass_over(&mut self) -> Option<(u32, usize)> {
        if !self.greeted {
            self.heard.get(..PREFACE)?;
            self.heard.drain(..PREFACE);
            self.greeted = true;
        }
        loop {
            let head = self.heard.get(..FRAME_HEAD)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, stream) = (head[3], [head[5], head[6], head[7], head[8]]);
            self.heard.get(..FRAME_HEAD + length)?;
            if kind == HEADERS {
                return Some((u32::from_be_bytes(stream), FRAME_HEAD + length));
            }
            self.heard.drain(..FRAME_HEAD + length);
        }
    }

    /// Reads some bytes; 0 at the end.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.stream.poll_read(cx, buffer)).await
    }

    /// Reads to the end, and forgets what came.
    pub(super) async fn drain(&mut self) {
        let mut buffer = [0; 4_096];
        while self.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    }

    /// Says all of it, and reads what comes meanwhile, of which requests are kept; false when the
    /// client has gone.
    pub(super) async fn say(&mut self, mut said: &[u8]) -> bool {
        let mut open = true;
        poll_fn(|cx| {
            let mut buffer = [0; 4_096];
            while let Poll::Ready(read) = self.stream.poll_read(cx, &mut buffer) {
                let Some(count) = read.ok().filter(|count| *count > 0) else {
                    open = false;
                    break;
                };
                self.heard.extend_from_slice(&buffer[..count]);
                if self.way == Way::Http2 {
                    self.pass_over();
                }
            }
            while open && !said.is_empty() {
                match self.stream.poll_write(cx, &[IoSlice::new(said)]) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(count)) if count > 0 => said = &said[count..],
                    Poll::Ready(_) => open = false,
                }
            }
            Poll::Ready(open)
        })
        .await
    }

    /// Ends this side.
    pub(super) async fn finish(&mut self) {
        let _ = poll_fn(|cx| self.stream.poll_shutdown(cx)).await;
    }
}
