//! The words of every enum that a journal names. One row is a variant's word, from which it is
//! written and read; `word:inner` where it holds something.

use super::text::Value;
use crate::altsvc::Source;
use crate::eyeballs::{Family, Success};
use crate::types::{
    BodyState, Cause, Limit, MethodClass, Outcome, Phase, Priority, Protocol, ProtocolFault,
    Refusal, RetrySafe, Scheme, TlsFault, Transport,
};
use crate::upstream::Protocols;

macro_rules! words {
    ($($type:ident { $($word:literal => $variant:ident $(($inner:ident))?,)* })*) => {$(
        impl Value for $type {
            fn expected() -> String {
                let all = [$(words!(@shown $word $($inner)?)),*];
                format!("one of {}", all.join(", "))
            }

            fn write(&self, out: &mut String) {
                match self {
                    $(Self::$variant $(($inner))? => {
                        out.push_str($word);
                        $(out.push(':');
                        $inner.write(out);)?
                    })*
                }
            }

            fn read(text: &str) -> Option<Self> {
                $(words!(@read text, $word, $variant $($inner)?);)*
                None
            }

            #[cfg(test)]
            fn samples() -> Vec<Self> {
                let all: &[Vec<Self>] = &[$(words!(@samples $variant $($inner)?)),*];
                all.concat()
            }
        }
    )*};
    (@shown $word:literal) => { $word };
    (@shown $word:literal $inner:ident) => { concat!($word, ":", stringify!($inner)) };
    (@read $text:ident, $word:literal, $variant:ident) => {
        if $text == $word {
            return Some(Self::$variant);
        }
    };
    (@read $text:ident, $word:literal, $variant:ident $inner:ident) => {
        if let Some($inner) = $text.strip_prefix(concat!($word, ":")) {
            return Value::read($inner).map(Self::$variant);
        }
    };
    (@samples $variant:ident) => { vec![Self::$variant] };
    (@samples $variant:ident $inner:ident) => {
        Value::samples().into_iter().map(Self::$variant).collect()
    };
}

words! {
    Scheme {
        "http" => Http,
        "https" => Https,
    }
    Priority {
        "default" => Default,
        "high" => High,
    }
    Transport {
        "tcp" => Tcp,
        "quic" => Quic,
    }
    Protocol {
        "http1" => Http1,
        "http2" => Http2,
        "http3" => Http3,
    }
    Protocols {
        "auto" => Auto,
        "http1" => Http1,
        "http2" => Http2,
        "http2-prior-knowledge" => Http2PriorKnowledge,
        "http3" => Http3,
        "auto-http3" => AutoHttp3,
    }
    Source {
        "prepopulated" => Prepopulated,
        "hint" => Hint,
        "dns" => Dns,
        "field" => Field,
        "frame" => Frame,
        "file" => File,
    }
    Family {
        "v4" => V4,
        "v6" => V6,
    }
    Success {
        "transport" => Transport,
        "handshake" => Handshake,
    }
    MethodClass {
        "early" => Early,
        "safe" => Safe,
        "idempotent" => Idempotent,
        "other" => Other,
        "connect" => Connect,
    }
    RetrySafe {
        "unsent" => Unsent,
        "unprocessed" => Unprocessed,
        "unknown" => Unknown,
        "answered" => Answered,
    }
    BodyState {
        "untouched" => Untouched,
        "replayable" => Replayable,
        "spent" => Spent,
    }
    Limit {
        "concurrent" => Concurrent(streams),
        "total" => Total(streams),
    }
    Outcome {
        "complete" => Complete,
        "failed" => Failed(cause),
        "reset" => Reset,
    }
    Phase {
        "resolving" => Resolving,
        "connecting" => Connecting,
        "queued" => Queued,
        "answering" => Answering,
    }
    Refusal {
        "pending-overflow" => PendingOverflow,
        "active-overflow" => ActiveOverflow,
        "pool-overflow" => PoolOverflow,
        "socket-overflow" => SocketOverflow,
        "connect-failed" => ConnectFailed(cause),
        "stream-failed" => StreamFailed(cause),
        "deadline" => Deadline(phase),
        "draining" => Draining,
        "closed" => Closed,
        "unknown-key" => UnknownKey,
    }
    Cause {
        "name-not-found" => NameNotFound,
        "resolve-failed" => ResolveFailed,
        "resolve-timeout" => ResolveTimeout,
        "no-address" => NoAddress,
        "refused" => Refused,
        "unreachable" => Unreachable,
        "connect-timeout" => ConnectTimeout,
        "connection-reset" => ConnectionReset,
        "closed" => Closed,
        "os" => Os(number),
        "tls" => Tls(fault),
        "protocol" => Protocol(fault),
        "stream-reset" => StreamReset(code),
        "go-away" => GoAway(code),
        "quic" => Quic(code),
        "incomplete" => Incomplete,
        "tunnel-refused" => TunnelRefused(status),
        "keep-alive-timeout" => KeepAliveTimeout,
        "shut-down" => ShutDown,
        "cancelled" => Cancelled,
        "early-data-refused" => EarlyDataRefused,
    }
    TlsFault {
        "name-mismatch" => NameMismatch,
        "unknown-issuer" => UnknownIssuer,
        "expired" => Expired,
        "bad-certificate" => BadCertificate,
        "alert" => Alert(number),
        "nothing-in-common" => NothingInCommon,
        "not-tls" => NotTls,
        "other" => Other,
    }
    ProtocolFault {
        "start-line" => StartLine,
        "field" => Field,
        "conflicting-length" => ConflictingLength,
        "chunk" => Chunk,
        "head-too-large" => HeadTooLarge,
        "version" => Version,
        "unsolicited-bytes" => UnsolicitedBytes,
        "excessive" => Excessive,
        "body-too-large" => BodyTooLarge,
        "too-slow" => TooSlow,
        "upgrade" => Upgrade,
        "connection" => Connection(code),
        "stream" => Stream(code),
        "quic" => Quic(code),
    }
}
