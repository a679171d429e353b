//! The request's body: bytes, files and standard input, read while they are sent.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf, Stdin};

use super::rate::Pace;

/// Most bytes of one frame.
const PIECE: usize = 16 << 10;

/// A piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Bytes(Bytes),
    /// So many bytes of a file, from this one on.
    File {
        path: PathBuf,
        from: u64,
        length: u64,
    },
    /// As long as it comes.
    Stdin,
}

impl Part {
    /// The file from `from` on.
    pub(crate) fn file(path: &Path, from: u64) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        // Whoever cannot be read is found out before a connection is made.
        fs::File::open(path)?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let length = meta.len().saturating_sub(from);
        Ok(Self::File { path: path.to_owned(), from, length })
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File { length, .. } => Some(*length),
            Self::Stdin => None,
        }
    }
}

/// A body that can be made again, standard input apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Vec<Part>);

impl Payload {
    /// How many bytes it has, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.0.iter().map(Part::length).sum()
    }

    /// Starts to send it.
    pub(crate) fn open(&self, sent: &Arc<AtomicU64>, pace: Option<Pace>) -> Upload {
        Upload {
            parts: self.0.iter().cloned().collect(),
            reading: None,
            left: self.length(),
            sent: Arc::clone(sent),
            pace,
        }
    }
}

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    parts: VecDeque<Part>,
    reading: Option<Reading>,
    left: Option<u64>,
    sent: Arc<AtomicU64>,
    pace: Option<Pace>,
}

#[derive(Debug)]
enum Reading {
    Bytes(Bytes),
    File { file: File, left: u64, seek: bool, path: PathBuf },
    Stdin(Stdin),
}

impl Reading {
    fn of(part: Part) -> io::Result<Self> {
        Ok(match part {
            Part::Bytes(bytes) => Self::Bytes(bytes),
            Part::Stdin => Self::Stdin(tokio::io::stdin()),
            Part::File { path, from, length } => {
                let mut file = File::from_std(fs::File::open(&path)?);
                if from > 0 {
                    AsyncSeek::start_seek(Pin::new(&mut file), io::SeekFrom::Start(from))?;
                }
                Self::File { file, left: length, seek: from > 0, path }
            }
        })
    }

    /// The next piece; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        match self {
            Self::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Poll::Ready(Ok((!piece.is_empty()).then_some(piece)))
            }
            Self::Stdin(stdin) => poll_read(Pin::new(stdin), PIECE, cx),
            Self::File { file, left, seek, path } => {
                if *seek {
                    ready!(AsyncSeek::poll_complete(Pin::new(file), cx))?;
                    *seek = false;
                }
                let most = usize::try_from(*left).unwrap_or(PIECE).min(PIECE);
                if most == 0 {
                    return Poll::Ready(Ok(None));
                }
                let piece = ready!(poll_read(Pin::new(file), most, cx))?;
                let Some(piece) = piece else {
                    let text = format!("{} became shorter while it was sent", path.display());
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
                };
                *left -= piece.len() as u64;
                Poll::Ready(Ok(Some(piece)))
            }
        }
    }
}

fn poll_read(
    from: Pin<&mut impl AsyncRead>,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Option<Bytes>>> {
    let mut buffer = BytesMut::zeroed(most);
    let mut read = ReadBuf::new(&mut buffer);
    ready!(from.poll_read(cx, &mut read))?;
    let count = read.filled().len();
    buffer.truncate(count);
    Poll::Ready(Ok((count > 0).then(|| buffer.freeze())))
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Some(pace) = &mut this.pace {
            ready!(pace.poll_ready(cx));
        }
        loop {
            let reading = match &mut this.reading {
                Some(reading) => reading,
                None => match this.parts.pop_front().map(Reading::of) {
                    Some(Ok(reading)) => this.reading.insert(reading),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                },
            };
            let Some(piece) = ready!(reading.poll_piece(cx))? else {
                this.reading = None;
                continue;
            };
            let count = piece.len() as u64;
            this.sent.fetch_add(count, Ordering::Relaxed);
            this.left = this.left.map(|left| left.saturating_sub(count));
            if let Some(pace) = &mut this.pace {
                pace.passed(count);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn parts_go_out_in_order() {
        let path = std::env::temp_dir().join(format!("regatta-payload-{}", std::process::id()));
        fs::write(&path, "0123456789").unwrap();
        let file = Part::file(&path, 4).unwrap();
        let payload = Payload(vec![Part::Bytes("a".into()), file, Part::Bytes("z".into())]);
        assert_eq!(payload.length(), Some(8));
        let sent = Arc::default();
        let body = payload.open(&sent, None).collect().await.unwrap().to_bytes();
        assert_eq!(body, "a456789z");
        assert_eq!(sent.load(Ordering::Relaxed), 8);
        fs::write(&path, "0123").unwrap();
        let error = payload.open(&sent, None).collect().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        fs::remove_file(&path).unwrap();
        assert!(Part::file(&path, 0).is_err());
    }
}
