//! Bodies whose every byte is known by its place, given out in pieces.

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use regatta_runtime::{Runtime as _, Timer as _};

use crate::host::{Host, SimTimer};

/// The byte at a place of request `n`'s body, the same in both directions.
pub const fn byte_at(n: usize, place: usize) -> u8 {
    (n * 31 + place * 7 + place / 251) as u8
}

/// A body of known bytes.
pub struct Pattern {
    host: Host,
    n: usize,
    place: usize,
    size: usize,
    /// Size of a piece and the pause before each further one.
    pace: Option<(usize, Duration)>,
    pause: Option<SimTimer>,
    trailers: bool,
    /// Breaks off after so many bytes.
    fails_at: Option<usize>,
    failed: bool,
}

/// The body broke off on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body broke off on purpose")
    }
}

impl core::error::Error for BrokenOff {}

impl From<Infallible> for BrokenOff {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Pattern {
    /// All `size` bytes of request `n`.
    pub fn new(host: &Host, n: usize, size: usize, pace: Option<(usize, Duration)>) -> Self {
        Self {
            host: host.clone(),
            n,
            place: 0,
            size,
            pace,
            pause: None,
            trailers: false,
            fails_at: None,
            failed: false,
        }
    }

    /// Trailers follow.
    #[must_use]
    pub const fn with_trailers(mut self, trailers: bool) -> Self {
        self.trailers = trailers;
        self
    }

    /// Breaks off in the middle.
    #[must_use]
    pub const fn broken(mut self) -> Self {
        self.fails_at = Some(self.size / 2);
        self
    }

    fn piece(&mut self, size: usize) -> Bytes {
        let places = self.place..self.place + size;
        self.place += size;
        places.map(|place| byte_at(self.n, place)).collect()
    }
}

impl Body for Pattern {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            core::task::ready!(pause.poll_expired(cx));
            this.pause = None;
        }
        if this.fails_at.is_some_and(|at| this.place >= at) {
            this.failed = true;
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        let left = this.fails_at.unwrap_or(this.size) - this.place;
        if left == 0 {
            let trailers = core::mem::take(&mut this.trailers).then(|| {
                let mut map = HeaderMap::new();
                map.insert("x-trailer", http::HeaderValue::from(this.n));
                Ok(Frame::trailers(map))
            });
            return Poll::Ready(trailers);
        }
        let size = this.pace.map_or(left, |(size, _)| size.clamp(1, left));
        if let Some((_, pause)) = this.pace
            && size < left
            && !pause.is_zero()
        {
            this.pause = Some(this.host.timer(this.host.now() + pause));
        }
        Poll::Ready(Some(Ok(Frame::data(this.piece(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.place == self.size && !self.trailers && self.fails_at.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.size - self.place) as u64)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("n", &self.n)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
