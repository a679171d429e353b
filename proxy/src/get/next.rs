//! What to do next when something failed: one step, for people.

use regatta_core::types::{Cause, Phase, ProtocolFault, Refusal, TlsFault};
use regatta_tokio::ErrorKind as Kind;

/// The step after a failure of the client, where there is one worth the words.
pub(crate) const fn step(kind: &Kind) -> Option<&'static str> {
    let Kind::Refused(reason) = kind else { return None };
    Some(match reason {
        Refusal::ConnectFailed(cause) => return connecting(*cause),
        Refusal::StreamFailed(cause) => return answering(*cause),
        Refusal::Deadline(Phase::Resolving) => "see whether the name can be looked up at all",
        Refusal::Deadline(Phase::Connecting) => "see whether a firewall swallows what is sent",
        Refusal::Deadline(_) => "give it more time with -m",
        _ => return None,
    })
}

const fn connecting(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::NameNotFound => "check how it is written, or give its address with --resolve",
        Cause::ResolveFailed => "see whether this machine has a resolver that answers",
        Cause::ResolveTimeout => {
            "see whether this machine has a resolver that answers; --connect-timeout waits longer"
        }
        Cause::NoAddress => "leave -4 or -6 out, or give its address with --resolve",
        Cause::Refused => "see whether the server runs, and whether the port is right",
        Cause::Unreachable => "see whether this machine has a route there: is the network up?",
        Cause::ConnectTimeout => {
            "see whether a firewall swallows what is sent; --connect-timeout waits longer"
        }
        Cause::ConnectionReset | Cause::Closed => {
            "see whether the server speaks this protocol on this port"
        }
        Cause::Tls(fault) => return handshake(fault),
        _ => return None,
    })
}

const fn handshake(fault: TlsFault) -> Option<&'static str> {
    Some(match fault {
        TlsFault::NameMismatch => {
            "ask for a name that the certificate is for; --connect-to leads it here"
        }
        TlsFault::UnknownIssuer => "if you know its issuer, trust it with --cacert FILE",
        TlsFault::Expired => "check this machine's clock; -k -v shows the certificate's dates",
        TlsFault::BadCertificate => "look at the certificate with -k -v",
        TlsFault::Alert(_) => "see whether the server wants a certificate of ours (--cert)",
        TlsFault::NothingInCommon => {
            "leave --http2-prior-knowledge, --tlsv1.3 and --tls-max out: both sides then choose"
        }
        TlsFault::NotTls => "see whether this port speaks plain http://",
        _ => return None,
    })
}

const fn answering(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::Closed => "see the server's log; --retry with --retry-all-errors asks again",
        Cause::ConnectionReset => "see the server's log; a proxy between may have cut it, too",
        Cause::Incomplete => "go on where it ended with -C - and -o FILE",
        Cause::Protocol(ProtocolFault::HeadTooLarge) => {
            "see which fields the server sends so many of: cookies, most often"
        }
        Cause::Protocol(ProtocolFault::StartLine) => {
            "see whether this port speaks HTTP, or https:// instead"
        }
        Cause::Protocol(ProtocolFault::Connection(_)) | Cause::StreamReset(_) => {
            "try --http1.1; the server's log may say more"
        }
        Cause::GoAway(_) => "wait, or ask for fewer at once with --parallel-max",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each failure that a person meets has a step, and no two of them the same by mistake.
    #[test]
    fn every_common_failure_has_one_step() {
        use Refusal::{ConnectFailed, StreamFailed};
        let rows = [
            (ConnectFailed(Cause::NameNotFound), "--resolve"),
            (ConnectFailed(Cause::ResolveFailed), "resolver"),
            (ConnectFailed(Cause::ResolveTimeout), "--connect-timeout"),
            (ConnectFailed(Cause::NoAddress), "-4 or -6"),
            (ConnectFailed(Cause::Refused), "port"),
            (ConnectFailed(Cause::Unreachable), "route"),
            (ConnectFailed(Cause::ConnectTimeout), "--connect-timeout"),
            (ConnectFailed(Cause::Tls(TlsFault::Expired)), "clock"),
            (ConnectFailed(Cause::Tls(TlsFault::UnknownIssuer)), "--cacert"),
            (ConnectFailed(Cause::Tls(TlsFault::NameMismatch)), "--connect-to"),
            (ConnectFailed(Cause::Tls(TlsFault::NothingInCommon)), "--http2-prior-knowledge"),
            (ConnectFailed(Cause::Tls(TlsFault::Alert(40))), "--cert"),
            (ConnectFailed(Cause::Tls(TlsFault::NotTls)), "http://"),
            (StreamFailed(Cause::Protocol(ProtocolFault::HeadTooLarge)), "cookies"),
            (StreamFailed(Cause::ConnectionReset), "log"),
            (StreamFailed(Cause::Closed), "--retry"),
            (StreamFailed(Cause::Incomplete), "-C -"),
            (StreamFailed(Cause::StreamReset(8)), "--http1.1"),
            (Refusal::Deadline(Phase::Answering), "-m"),
        ];
        for (reason, word) in rows {
            let said = step(&Kind::Refused(reason)).unwrap_or_else(|| panic!("{reason:?}"));
            assert!(said.contains(word), "{reason:?}: {said}");
            assert!(!said.ends_with('.') && said.len() < 90, "{said}");
        }
        assert_eq!(step(&Kind::Gone), None);
    }
}
