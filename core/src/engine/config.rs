//! Settings of the engines, for both sides.

use core::num::NonZeroU32;

use super::Pace;
use crate::time::Duration;

/// Settings of one connection's engine. Limits are on what the peer controls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Largest head (start line and fields, or decoded field section), in bytes. Default 32 KiB.
    pub max_head_bytes: u32,
    /// Most fields of a head, each cookie crumb counted. Default 100.
    pub max_head_fields: u32,
    /// Server: longest request line, or path in HTTP/2, in bytes; a longer one is answered with
    /// 414. Default 8 KiB (nginx's `large_client_header_buffers`; RFC 9112 3 asks for 8,000).
    pub max_request_line: u32,
    /// Server: longest request body, in bytes; a longer one is answered with 413 where nothing
    /// was answered yet, or else reset. Default `None`: bodies are streamed, so that their length
    /// costs no memory, and what is too long is the service's to say.
    pub max_body_bytes: Option<u64>,
    /// Server: how many requests a connection carries before it is drained. Default `None`
    /// (Envoy's `max_requests_per_connection`).
    pub max_requests: Option<NonZeroU32>,
    /// Most interim responses of one exchange. Default 16.
    pub max_informational: u32,
    /// How long `Expect: 100-continue` is waited for before the body goes all the same.
    /// Default 1 s (curl's `--expect100-timeout`).
    pub expect_timeout: Duration,
    /// HTTP/2 client: how long a server that has answered completely may take none of what is
    /// left of the request's body; then the stream ends, and the answer stands. Default 10 s.
    /// Over HTTP/1 such a body ends at once, and the connection with it.
    pub linger_timeout: Duration,
    /// Bytes of one stream that were delivered and not yet allowed on; HTTP/1 stops reading
    /// there. Default 64 KiB.
    pub stream_buffer: u32,
    /// HTTP/2: the stream's receive window, in bytes. Default 1 MiB.
    pub stream_window: u32,
    /// HTTP/2: how far the streams' windows grow while a path holds more than a window, in bytes,
    /// which is then what a reader that stops may leave unread. No more than `stream_window`: they
    /// do not grow, and no PING measures the path. Default 16 MiB (1 Gbit/s at 130 ms).
    pub stream_window_max: u32,
    /// HTTP/2: the connection's receive window, in bytes, and at least 16 streams' windows once
    /// those have grown. Default 16 MiB (16 streams' worth).
    pub connection_window: u32,
    /// HTTP/2 server: most concurrent streams of the client. Default 100.
    pub max_concurrent_streams: NonZeroU32,
    /// HTTP/2 client: how many streams are opened before the server's SETTINGS say how many it
    /// grants. Default 100 (RFC 9113 6.5.2 recommends no less); a driver lowers it to what is
    /// known of the origin.
    pub initial_streams: NonZeroU32,
    /// HTTP/3: how many bytes the table of fields holds that the peer fills, and at most the one
    /// that this side fills (RFC 9204 3.2.3). Default 0: fields are compressed by the static table
    /// and Huffman's code alone, which costs no memory and no waiting.
    pub qpack_table: u32,
    /// HTTP/3: how many streams may wait for that table (RFC 9204 2.1.2). Default 0.
    pub qpack_blocked: u16,
    /// HTTP/3: how many bytes of datagrams (RFC 9297) wait in each direction, 64 counted with each;
    /// the oldest are lost first. QUIC must carry datagrams too, by an option of its own, which
    /// clients and servers of the runtime set by this one. Default `None`: the peer is told that
    /// none are understood.
    pub h3_datagrams: Option<NonZeroU32>,
    /// HTTP/2: largest frame that the peer may send, in bytes. Default 16 KiB (RFC 9113 6.5.2).
    pub max_frame_size: u32,
    /// HTTP/2: send PING when nothing was received for so long. Default `None`, never.
    pub keep_alive_interval: Option<Duration>,
    /// How long the answer to a PING may take before the connection is closed. Default 10 s.
    pub keep_alive_timeout: Duration,
    /// How long a server waits for a whole request head, from the connection's start or the
    /// first byte of a later head. Default 60 s.
    pub head_timeout: Duration,
    /// How long a server keeps an idle connection. Default 60 s; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a server waits for a client that takes none of what is written. Default 60 s
    /// (nginx's `send_timeout`).
    pub write_timeout: Duration,
    /// How long a peer that takes none of what is written is waited for where nobody misses it: a
    /// client whose last stream has ended and that takes nothing new, either side once it was
    /// broken off. Default 1 s (Envoy's `delayed_close_timeout`).
    pub close_timeout: Duration,
    /// Server: how slow a client may be, while its request's body is waited for, and while its
    /// response waits to be taken. Of several streams of one connection all together count; one
    /// that moves nothing in five windows ends by itself (Envoy's `stream_idle_timeout`, five
    /// minutes). A body in one direction lives as long as the other moves; tunnels are not
    /// measured. `None` waits for ever.
    pub pace: Option<Pace>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_head_bytes: 32 << 10,
            max_head_fields: 100,
            max_request_line: 8 << 10,
            max_body_bytes: None,
            max_requests: None,
            max_informational: 16,
            expect_timeout: Duration::from_secs(1),
            linger_timeout: Duration::from_secs(10),
            stream_buffer: 64 << 10,
            stream_window: 1 << 20,
            stream_window_max: 16 << 20,
            connection_window: 16 << 20,
            max_concurrent_streams: NonZeroU32::MIN.saturating_add(99),
            initial_streams: NonZeroU32::MIN.saturating_add(99),
            qpack_table: 0,
            qpack_blocked: 0,
            h3_datagrams: None,
            max_frame_size: 16 << 10,
            keep_alive_interval: None,
            keep_alive_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(60)),
            write_timeout: Duration::from_secs(60),
            close_timeout: Duration::from_secs(1),
            pace: Some(Pace::default()),
        }
    }
}
