//! `--compressed`: bodies unpacked as they come.

use std::io::{self, Write as _};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use ruzstd::decoding::FrameDecoder;

/// What `--compressed` asks for, in curl's order.
pub(crate) const ACCEPTED: &str = "deflate, gzip, br, zstd";

/// Most encodings on top of each other (curl's own limit).
const DEEPEST: usize = 5;

/// Room for what brotli unpacks at once.
const ROOM: usize = 16 << 10;

/// Unpacks a body piece by piece.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The outermost first.
    layers: Vec<Layer>,
}

enum Layer {
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(Deflate),
    Brotli(Box<DecompressorWriter<Vec<u8>>>),
    Zstd(Box<Zstd>),
}

/// zlib's format, or the bare one that some servers send under the same name.
enum Deflate {
    Unknown,
    Zlib(ZlibDecoder<Vec<u8>>),
    Bare(DeflateDecoder<Vec<u8>>),
}

struct Zstd {
    frames: FrameDecoder,
    /// Came, but is not a whole block yet.
    pending: Vec<u8>,
    begun: bool,
}

impl Decoder {
    /// What `headers` say about the body; an unknown encoding is the error.
    pub(crate) fn new(headers: &HeaderMap) -> Result<Self, String> {
        let mut layers = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                layers.extend(Layer::of(name)?);
            }
        }
        if layers.len() > DEEPEST {
            return Err(format!("{} encodings on top of each other", layers.len()));
        }
        layers.reverse();
        Ok(Self { layers })
    }

    /// Unpacks one piece.
    pub(crate) fn push(&mut self, piece: Bytes) -> io::Result<Bytes> {
        let mut piece = piece;
        for layer in &mut self.layers {
            if piece.is_empty() {
                break;
            }
            piece = layer.push(&piece)?.into();
        }
        Ok(piece)
    }
}

impl Layer {
    fn of(name: &str) -> Result<Option<Self>, String> {
        Ok(Some(match name {
            "identity" | "none" => return Ok(None),
            "gzip" | "x-gzip" => Self::Gzip(GzDecoder::new(Vec::new())),
            "deflate" => Self::Deflate(Deflate::Unknown),
            "br" => Self::Brotli(Box::new(DecompressorWriter::new(Vec::new(), ROOM))),
            "zstd" => Self::Zstd(Box::new(Zstd {
                frames: FrameDecoder::new(),
                pending: Vec::new(),
                begun: false,
            })),
            other => return Err(format!("the encoding \"{other}\"")),
        }))
    }

    fn push(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(gzip) => {
                gzip.write_all(piece)?;
                gzip.flush()?;
                Ok(std::mem::take(gzip.get_mut()))
            }
            Self::Deflate(deflate) => deflate.push(piece),
            Self::Brotli(brotli) => {
                brotli.write_all(piece)?;
                Ok(std::mem::take(brotli.get_mut()))
            }
            Self::Zstd(zstd) => zstd.push(piece),
        }
    }
}

impl Deflate {
    fn push(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        if matches!(self, Self::Unknown) {
            // A zlib header says 8 in its low half (RFC 1950 2.2).
            *self = match piece.first() {
                Some(first) if first & 0x0f == 8 => Self::Zlib(ZlibDecoder::new(Vec::new())),
                _ => Self::Bare(DeflateDecoder::new(Vec::new())),
            };
        }
        match self {
            Self::Zlib(zlib) => {
                zlib.write_all(piece)?;
                zlib.flush()?;
                Ok(std::mem::take(zlib.get_mut()))
            }
            Self::Bare(bare) => {
                bare.write_all(piece)?;
                bare.flush()?;
                Ok(std::mem::take(bare.get_mut()))
            }
            Self::Unknown => Ok(Vec::new()),
        }
    }
}

/// Most bytes of a zstd frame's header: 4 magic, 14 at most of the rest (RFC 8878 3.1.1).
const ZSTD_HEADER: usize = 18;

impl Zstd {
    fn push(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        self.pending.extend_from_slice(piece);
        let mut out = Vec::new();
        let mut room = vec![0; ROOM];
        loop {
            let decoded = self.frames.decode_from_to(&self.pending, &mut room);
            let (read, written) = match decoded {
                Ok(counts) => counts,
                // The header may not be whole yet.
                Err(_) if !self.begun && self.pending.len() < ZSTD_HEADER => return Ok(out),
                Err(error) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string()));
                }
            };
            self.begun = true;
            if read > self.pending.len() {
                // It asks for a checksum that is not whole yet.
                return Ok(out);
            }
            self.pending.drain(..read);
            out.extend_from_slice(room.get(..written).unwrap_or_default());
            if read == 0 && written == 0 {
                return Ok(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    fn decoder(encoding: &'static str) -> Result<Decoder, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        Decoder::new(&headers)
    }

    /// Unpacked whole, and byte by byte.
    fn unpacked(encoding: &'static str, packed: &[u8]) -> Vec<u8> {
        let whole = decoder(encoding).unwrap().push(Bytes::copy_from_slice(packed)).unwrap();
        let mut slow = decoder(encoding).unwrap();
        let mut bytes = Vec::new();
        for byte in packed {
            bytes.extend_from_slice(&slow.push(Bytes::copy_from_slice(&[*byte])).unwrap());
        }
        assert!(
            whole == bytes,
            "{encoding}: {} bytes whole, {} by bytes",
            whole.len(),
            bytes.len()
        );
        bytes
    }

    fn text() -> Vec<u8> {
        (0..3_000_u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let text = text();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(unpacked("gzip", &gzip) == text);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        assert!(unpacked("deflate", &zlib.finish().unwrap()) == text);
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(&text).unwrap();
        assert!(unpacked("deflate", &bare.finish().unwrap()) == text);
        let zstd = ruzstd::encoding::compress_to_vec(
            &text[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        assert!(unpacked("zstd", &zstd) == text);
        let mut twice = GzEncoder::new(Vec::new(), Compression::default());
        twice.write_all(&gzip).unwrap();
        assert!(unpacked("gzip, gzip", &twice.finish().unwrap()) == text);
    }

    #[test]
    fn a_short_zstd_frame() {
        let zstd = ruzstd::encoding::compress_to_vec(
            &b"ab"[..],
            ruzstd::encoding::CompressionLevel::Uncompressed,
        );
        assert_eq!(unpacked("zstd", &zstd), b"ab");
    }

    #[test]
    fn brotli_is_unpacked() {
        // "hello", from the brotli program.
        let packed = [0x0b, 0x02, 0x80, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03];
        assert_eq!(unpacked("br", &packed), b"hello");
    }

    #[test]
    fn names_are_known_or_an_error() {
        assert!(decoder("identity").unwrap().layers.is_empty());
        assert_eq!(decoder("X-GZIP").unwrap().layers.len(), 1);
        assert!(decoder("compress").is_err());
        assert!(decoder("gzip,gzip,gzip,gzip,gzip,gzip").is_err());
        assert!(decoder("gzip").unwrap().push(Bytes::from_static(b"not gzip at all")).is_err());
    }
}
