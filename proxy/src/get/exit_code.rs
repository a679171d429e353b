//! curl's exit codes, so that scripts written for curl understand `regatta get`.

use std::fmt;

use regatta_core::types::{Cause, Protocol, ProtocolFault, Refusal, TlsFault};
use regatta_tokio::{AttemptOutcome, AttemptTrace, Error, ErrorKind as Kind, Timeline};

use super::next;

/// How `regatta get` ends when something failed. The numbers are curl's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Neither http nor https.
    UnsupportedProtocol = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Not a URL.
    MalformedUrl = 3,
    /// The proxy's name could not be looked up, or is none.
    CouldNotResolveProxy = 5,
    /// The name could not be looked up.
    CouldNotResolve = 6,
    /// No transport connection.
    CouldNotConnect = 7,
    /// What came is not HTTP as it should be.
    WeirdReply = 8,
    /// HTTP/2 failed on the connection.
    Http2 = 16,
    /// The body ended early.
    Partial = 18,
    /// `--fail` and a status of 400 or more.
    Status = 22,
    /// The output could not be written.
    Write = 23,
    /// The body to send could not be read.
    Read = 26,
    /// A time limit passed.
    Timeout = 28,
    /// The TLS handshake failed.
    TlsHandshake = 35,
    /// The body cannot be gone on with where it ended.
    Range = 33,
    /// The request cannot be sent as it is.
    BadArgument = 43,
    /// More redirects than allowed.
    TooManyRedirects = 47,
    /// The connection closed without an answer.
    EmptyReply = 52,
    /// The network failed while sending.
    Send = 55,
    /// The network failed while receiving.
    Receive = 56,
    /// Our own certificate or its key cannot be used.
    ClientCertificate = 58,
    /// The server's certificate cannot be trusted.
    Certificate = 60,
    /// The body is packed in a way that is not known, or cannot be unpacked.
    BadEncoding = 61,
    /// The body is larger than `--max-filesize`.
    TooLarge = 63,
    /// A body that went out once would have to go out again.
    SendAgain = 65,
    /// Credentials where they may not be.
    Login = 67,
    /// The file of `--cacert` cannot be used.
    CaFile = 77,
    /// A limit of this client allows no connection.
    NoConnection = 89,
    /// HTTP/2 failed on the stream.
    Http2Stream = 92,
    /// HTTP/3 or QUIC failed.
    Http3 = 95,
}

/// Why a transfer failed: what the exit code says, and one sentence.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// For scripts.
    pub(crate) exit: Exit,
    /// For people.
    pub(crate) message: String,
    /// Nobody listened where a connection was asked for.
    pub(crate) refused: bool,
    /// What may be done about it.
    pub(crate) next: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), refused: false, next: None }
    }

    /// The failure that `error` tells.
    pub(crate) fn of(error: &Error) -> Self {
        let exit = match exit_of(error.kind(), error.timeline()) {
            // With a proxy only its name is looked up.
            Exit::CouldNotResolve if error.proxy().is_some() => Exit::CouldNotResolveProxy,
            exit => exit,
        };
        let mut failure = Self::new(exit, error.to_string());
        let refused = Kind::Refused(Refusal::ConnectFailed(Cause::Refused));
        failure.refused = *error.kind() == refused;
        failure.next = next::step(error.kind());
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "regatta: ({}) {}", self.exit as u8, self.message)?;
        match self.next {
            Some(next) => write!(f, "\nregatta: next: {next}"),
            None => Ok(()),
        }
    }
}

/// curl's code for a failure of the client.
fn exit_of(kind: &Kind, timeline: Option<&Timeline>) -> Exit {
    match kind {
        Kind::Request(_) => Exit::BadArgument,
        Kind::Body(_) => Exit::Read,
        Kind::Config(_) => Exit::Usage,
        Kind::Refused(reason) => of_refusal(*reason, timeline),
        _ => Exit::Receive,
    }
}

fn of_refusal(reason: Refusal, timeline: Option<&Timeline>) -> Exit {
    match reason {
        Refusal::ConnectFailed(cause) => {
            let failed = timeline.and_then(|timeline| {
                let failed = |one: &&AttemptTrace| matches!(one.outcome, AttemptOutcome::Failed(_));
                timeline.attempts.iter().rev().find(failed)
            });
            let tunnel = failed.and_then(|attempt| attempt.tunnel);
            match cause {
                // The proxy was asked for a tunnel and opened none.
                Cause::ConnectTimeout | Cause::ResolveTimeout => Exit::Timeout,
                _ if tunnel.is_some_and(|tunnel| tunnel.answered.is_none()) => Exit::Receive,
                _ => of_connecting(cause, failed.is_some_and(|one| one.connected.is_some())),
            }
        }
        // Too many frames, not interim responses; a body's error has no timeline, and HTTP/1.1
        // no such limit there.
        Refusal::StreamFailed(Cause::Protocol(ProtocolFault::Excessive))
            if timeline.is_none_or(spoke_http2) =>
        {
            Exit::Http2
        }
        Refusal::StreamFailed(cause) => of_stream(cause),
        Refusal::Deadline(_) => Exit::Timeout,
        _ => Exit::NoConnection,
    }
}

fn spoke_http2(timeline: &Timeline) -> bool {
    timeline.connection.as_ref().is_some_and(|connection| connection.protocol == Protocol::Http2)
}

fn of_connecting(cause: Cause, transport_was_up: bool) -> Exit {
    match cause {
        Cause::NameNotFound | Cause::ResolveFailed | Cause::NoAddress => Exit::CouldNotResolve,
        Cause::ConnectTimeout | Cause::ResolveTimeout => Exit::Timeout,
        Cause::Tls(fault) => of_tls(fault),
        Cause::TunnelRefused(_) => Exit::Receive,
        Cause::Protocol(_) => Exit::Http2,
        // Over QUIC a server can be there and say so.
        Cause::Refused => Exit::CouldNotConnect,
        _ if transport_was_up => Exit::TlsHandshake,
        _ => Exit::CouldNotConnect,
    }
}

fn of_tls(fault: TlsFault) -> Exit {
    match fault {
        TlsFault::NameMismatch
        | TlsFault::UnknownIssuer
        | TlsFault::Expired
        | TlsFault::BadCertificate => Exit::Certificate,
        _ => Exit::TlsHandshake,
    }
}

/// EPIPE of Linux, macOS and the BSDs: the peer reads no more of what is sent.
const BROKEN_PIPE: i32 = 32;

fn of_stream(cause: Cause) -> Exit {
    match cause {
        Cause::Closed => Exit::EmptyReply,
        Cause::Incomplete => Exit::Partial,
        Cause::Quic(_) | Cause::Protocol(ProtocolFault::Quic(_)) => Exit::Http3,
        // HTTP/2 has no codes so high.
        Cause::StreamReset(0x33..) | Cause::GoAway(0x33..) => Exit::Http3,
        Cause::Protocol(ProtocolFault::Stream(0x33..) | ProtocolFault::Connection(0x33..)) => {
            Exit::Http3
        }
        Cause::StreamReset(_) | Cause::Protocol(ProtocolFault::Stream(_)) => Exit::Http2Stream,
        Cause::GoAway(_) | Cause::Protocol(ProtocolFault::Connection(_)) => Exit::Http2,
        Cause::Protocol(ProtocolFault::Chunk | ProtocolFault::HeadTooLarge) => Exit::Receive,
        Cause::Protocol(_) => Exit::WeirdReply,
        Cause::Tls(fault) => of_tls(fault),
        Cause::KeepAliveTimeout => Exit::Timeout,
        Cause::Os(BROKEN_PIPE) => Exit::Send,
        _ => Exit::Receive,
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::types::Phase;

    use super::*;

    #[test]
    fn codes_are_curls() {
        use ProtocolFault as Fault;
        use Refusal::{ConnectFailed, StreamFailed};
        for (reason, code) in [
            (ConnectFailed(Cause::NameNotFound), 6),
            (ConnectFailed(Cause::NoAddress), 6),
            (ConnectFailed(Cause::Refused), 7),
            (ConnectFailed(Cause::Unreachable), 7),
            (ConnectFailed(Cause::Os(13)), 7),
            (ConnectFailed(Cause::ConnectTimeout), 28),
            (ConnectFailed(Cause::ResolveTimeout), 28),
            (ConnectFailed(Cause::Tls(TlsFault::NotTls)), 35),
            (ConnectFailed(Cause::Tls(TlsFault::Alert(40))), 35),
            (ConnectFailed(Cause::Tls(TlsFault::UnknownIssuer)), 60),
            (ConnectFailed(Cause::Tls(TlsFault::NameMismatch)), 60),
            (ConnectFailed(Cause::TunnelRefused(407)), 56),
            (StreamFailed(Cause::Closed), 52),
            (StreamFailed(Cause::ConnectionReset), 56),
            (StreamFailed(Cause::Os(32)), 55),
            (StreamFailed(Cause::Incomplete), 18),
            (StreamFailed(Cause::StreamReset(8)), 92),
            (StreamFailed(Cause::Protocol(Fault::Stream(1))), 92),
            (StreamFailed(Cause::GoAway(0)), 16),
            (StreamFailed(Cause::GoAway(0x107)), 95),
            (StreamFailed(Cause::Quic(0xa)), 95),
            (StreamFailed(Cause::StreamReset(0x10c)), 95),
            (StreamFailed(Cause::Protocol(Fault::Connection(1))), 16),
            (StreamFailed(Cause::Protocol(Fault::StartLine)), 8),
            (StreamFailed(Cause::Protocol(Fault::ConflictingLength)), 8),
            (StreamFailed(Cause::Protocol(Fault::Chunk)), 56),
            (Refusal::Deadline(Phase::Answering), 28),
            (Refusal::Deadline(Phase::Resolving), 28),
            (Refusal::PendingOverflow, 89),
        ] {
            assert_eq!(exit_of(&Kind::Refused(reason), None) as u8, code, "{reason:?}");
        }
        assert_eq!(exit_of(&Kind::Body("gone".to_owned()), None), Exit::Read);
        assert_eq!(exit_of(&Kind::Config("roots".to_owned()), None), Exit::Usage);
    }

    #[test]
    fn a_reset_before_tls_was_done_is_a_failed_handshake() {
        assert_eq!(of_connecting(Cause::ConnectionReset, true), Exit::TlsHandshake);
        assert_eq!(of_connecting(Cause::ConnectionReset, false), Exit::CouldNotConnect);
    }

    #[test]
    fn a_failure_is_one_sentence_with_its_code() {
        let failure = Failure::new(Exit::CouldNotConnect, "cannot connect to http://a:80");
        assert_eq!(failure.to_string(), "regatta: (7) cannot connect to http://a:80");
        let failure = Failure { next: Some("look"), ..failure };
        let said = "regatta: (7) cannot connect to http://a:80\nregatta: next: look";
        assert_eq!(failure.to_string(), said);
    }
}
