//! rustls's errors as causes for machines and sentences for people.

use core::fmt;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::types::{Cause, TlsFault};

/// Why TLS failed, or could not be set up.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TlsError {
    /// For machines; always [`Cause::Tls`].
    pub cause: Cause,
    /// The peer's name as the client expects it; `None` on a server and for settings.
    pub name: Option<Arc<str>>,
    /// rustls's own error; `None` when the peer's name is not one.
    pub source: Option<Error>,
}

impl TlsError {
    /// Settings that cannot be used.
    pub(in crate::engine) const fn config(source: Error) -> Self {
        Self { cause: Cause::Tls(TlsFault::Other), name: None, source: Some(source) }
    }

    /// `name` is neither a DNS name nor an IP literal.
    pub(in crate::engine) fn bad_name(name: &str) -> Self {
        Self { cause: Cause::Tls(TlsFault::Other), name: Some(name.into()), source: None }
    }

    /// A connection failed; `first` says that not one TLS message was understood before.
    pub(super) fn connection(source: Error, name: Option<Arc<str>>, first: bool) -> Self {
        Self { cause: Cause::Tls(fault(&source, first)), name, source: Some(source) }
    }
}

impl From<TlsError> for Cause {
    fn from(error: TlsError) -> Self {
        error.cause
    }
}

fn fault(error: &Error, first: bool) -> TlsFault {
    match error {
        Error::InvalidCertificate(error) => certificate_fault(error),
        Error::NoCertificatesPresented | Error::UnsupportedNameType => TlsFault::BadCertificate,
        Error::AlertReceived(alert) => alert_fault(*alert),
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsFault::NothingInCommon,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) if first => TlsFault::NotTls,
        _ => TlsFault::Other,
    }
}

const fn certificate_fault(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::NameMismatch
        }
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        _ => TlsFault::BadCertificate,
    }
}

/// Alerts by which a peer says that the two have nothing in common; the others keep their
/// number (RFC 8446 6.2).
pub(in crate::engine) fn alert_fault(alert: AlertDescription) -> TlsFault {
    match alert {
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::NoApplicationProtocol => TlsFault::NothingInCommon,
        other => TlsFault::Alert(other.into()),
    }
}

impl core::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl fmt::Display for TlsError {
    /// One sentence without a full stop, to be put behind "what: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.name.as_deref().unwrap_or("the client");
        match (&self.source, &self.name) {
            (None, _) => write!(f, "`{peer}` is neither a DNS name nor an IP address"),
            (Some(Error::General(words)), _) => f.write_str(words),
            (Some(Error::InvalidCertificate(error)), _) => certificate(f, peer, error),
            (Some(Error::AlertReceived(alert)), _) => {
                let number = u8::from(*alert);
                match alert {
                    AlertDescription::NoApplicationProtocol => {
                        write!(f, "{peer} speaks none of the protocols offered to it by ALPN")
                    }
                    _ => write!(f, "{peer} ended TLS with the alert {alert:?} ({number})"),
                }
            }
            (Some(Error::NoApplicationProtocol), _) => {
                write!(f, "{peer} offers by ALPN no protocol that is spoken here")
            }
            (Some(Error::PeerIncompatible(why)), _) => {
                write!(f, "{peer} and this side have no TLS parameters in common ({why:?})")
            }
            (Some(_), _) if self.cause == Cause::Tls(TlsFault::NotTls) => {
                write!(f, "{peer} answered with bytes that are not TLS: is this port plain text?")
            }
            (Some(error), Some(_)) => write!(f, "TLS with {peer} failed: {error}"),
            (Some(error), None) => write!(f, "TLS failed: {error}"),
        }
    }
}

fn certificate(f: &mut fmt::Formatter<'_>, peer: &str, error: &CertificateError) -> fmt::Result {
    match error {
        CertificateError::NotValidForNameContext { presented, .. } => {
            write!(f, "the certificate is not for {peer} but for ")?;
            names(f, presented)
        }
        CertificateError::NotValidForName => write!(f, "the certificate is not for {peer}"),
        CertificateError::UnknownIssuer => {
            write!(f, "the certificate of {peer} was issued by no authority that is trusted here")
        }
        CertificateError::ExpiredContext { time, not_after } => {
            write!(f, "the certificate of {peer} expired on {}", Day(*not_after))?;
            write!(f, "; today is {}", Day(*time))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            write!(f, "the certificate of {peer} is valid from {}", Day(*not_before))?;
            write!(f, "; today is {}", Day(*time))
        }
        other => write!(f, "the certificate of {peer} is not acceptable: {other}"),
    }
}

fn names(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    let Some((last, others)) = names.split_last() else { return f.write_str("no name at all") };
    for (index, name) in others.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        f.write_str(plain(name))?;
    }
    if !others.is_empty() {
        f.write_str(" and ")?;
    }
    f.write_str(plain(last))
}

/// rustls writes a certificate's names as `DnsName("a.example")` and `IpAddress(192.0.2.1)`.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// A day of the Gregorian calendar, UTC, as `2026-02-28`.
pub(super) struct Day(pub(super) UnixTime);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Counted from 0000-03-01, so that the leap day ends each year: eras of 400 years.
        let days = self.0.as_secs() / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        write!(f, "{:04}-{month:02}-{day:02}", era * 400 + year + carry)
    }
}
