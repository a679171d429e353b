//! Error codes (RFC 9114 8.1).

/// Nothing is wrong.
pub const NO_ERROR: u64 = 0x100;
/// The peer broke a rule that has no code of its own.
pub const GENERAL_PROTOCOL_ERROR: u64 = 0x101;
/// This side failed.
pub const INTERNAL_ERROR: u64 = 0x102;
/// A stream that may not be.
pub const STREAM_CREATION_ERROR: u64 = 0x103;
/// A stream that the connection needs was ended.
pub const CLOSED_CRITICAL_STREAM: u64 = 0x104;
/// A frame where it may not stand.
pub const FRAME_UNEXPECTED: u64 = 0x105;
/// A frame whose size or layout is wrong.
pub const FRAME_ERROR: u64 = 0x106;
/// More work than is reasonable.
pub const EXCESSIVE_LOAD: u64 = 0x107;
/// A stream's or push's number that may not be.
pub const ID_ERROR: u64 = 0x108;
/// A setting that may not be.
pub const SETTINGS_ERROR: u64 = 0x109;
/// The control stream does not begin with SETTINGS.
pub const MISSING_SETTINGS: u64 = 0x10a;
/// The server has not acted on the request.
pub const REQUEST_REJECTED: u64 = 0x10b;
/// The request, or its answer, is not wanted any more.
pub const REQUEST_CANCELLED: u64 = 0x10c;
/// The request ends before it is complete.
pub const REQUEST_INCOMPLETE: u64 = 0x10d;
/// A malformed message.
pub const MESSAGE_ERROR: u64 = 0x10e;
/// The connection that CONNECT asked for was reset.
pub const CONNECT_ERROR: u64 = 0x10f;
/// It cannot be had over HTTP/3.
pub const VERSION_FALLBACK: u64 = 0x110;
/// A datagram that may not be (RFC 9297 5.2).
pub const DATAGRAM_ERROR: u64 = 0x33;
