//! What each request of the workload is and what must come of it: functions of its number alone.

use core::ops::Range;
use core::time::Duration;

use regatta_core::rng::Rng;

/// How many requests there are in all.
pub(crate) const REQUESTS: u32 = 10_000;
/// Requests from one drain of both servers and the client to the next.
pub(crate) const ROUND: u32 = 1_000;
/// The last requests of a round: so many are under way while all is drained, and one comes late.
const GATED: u32 = 8;
/// The most bytes of a body, either way.
pub(crate) const LONGEST: u32 = 200_000;
/// How long a request waits that nobody will answer.
pub(crate) const SHORT: Duration = Duration::from_millis(40);
const SEED: u64 = 5;

/// Over what a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Http1,
    Http2,
    TlsHttp1,
    TlsHttp2,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Http1, Self::Http2, Self::TlsHttp1, Self::TlsHttp2];

    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::TlsHttp1 | Self::TlsHttp2)
    }

    pub(crate) const fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::TlsHttp2)
    }
}

/// What a request does; lengths are bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Get(u32),
    Head(u32),
    /// A POST whose body comes back.
    Echo(u32),
    /// 204.
    Nothing,
    /// A body with trailers behind it.
    Trailers(u32),
    /// Answered, and its connection is drained: GOAWAY, `Connection: close`.
    GoAway,
    /// The body breaks off after so many bytes.
    Reset(u32),
    /// Nobody answers in time.
    TimeOut,
    /// Dropped before it was polled.
    Unasked,
    /// Dropped when it has been polled once.
    GivenUpAtOnce,
    /// Dropped when the service has it.
    GivenUpThere,
    /// Dropped when some of the response's body is there.
    GivenUpHalfRead,
    /// The port is nobody's.
    Refused,
    /// The certificate is for another name.
    WrongName,
    /// The certificate's issuer is not trusted.
    Untrusted,
    /// To a server that says this and closes.
    Raw(Raw),
    /// Under way while both servers and the client are drained.
    Gated,
    /// Asked when the client has been drained.
    Late,
}

/// What a bad server does when it has read a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Nothing but close, on a GET.
    Close,
    /// Nothing but close, on a POST.
    ClosePost,
    /// Close with unread bytes, which resets the connection.
    Abort,
    HalfHead,
    ShortBody,
    Garbage,
}

impl Raw {
    const ALL: [Self; 6] =
        [Self::Close, Self::ClosePost, Self::Abort, Self::HalfHead, Self::ShortBody, Self::Garbage];

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Close | Self::ClosePost => "/close",
            Self::Abort => "/abort",
            Self::HalfHead => "/half-head",
            Self::ShortBody => "/short-body",
            Self::Garbage => "/garbage",
        }
    }
}

/// The rounds of the first `requests` numbers.
pub(crate) fn rounds(requests: u32) -> impl Iterator<Item = Range<u32>> {
    (0..requests.div_ceil(ROUND)).map(|round| round * ROUND..(round + 1) * ROUND)
}

/// What of a round is asked side by side, and what comes when that is done: requests that are
/// under way at the drain, and the late one.
pub(crate) fn parts(round: Range<u32>) -> (Range<u32>, Range<u32>, u32) {
    let late = round.end - 1;
    (round.start..late - GATED, late - GATED..late, late)
}

/// What request `n` is.
pub(crate) fn of(n: u32) -> (Lane, Deed) {
    let mut rng = Rng::new(SEED ^ (u64::from(n) << 32));
    let mut below = |bound: u32| rng.below(u64::from(bound)) as u32;
    let lane = Lane::ALL[below(4) as usize];
    let (_, gated, late) = parts(n / ROUND * ROUND..(n / ROUND + 1) * ROUND);
    if gated.contains(&n) {
        return (Lane::ALL[(n - gated.start) as usize % 4], Deed::Gated);
    }
    if n == late {
        return (lane, Deed::Late);
    }
    let length = match below(100) {
        0 => below(LONGEST),
        1..=9 => below(20_000),
        _ => below(500),
    };
    let deed = match below(1_000) {
        0..400 => Deed::Get(length),
        400..650 => Deed::Echo(length),
        650..680 => Deed::Head(length),
        680..710 => Deed::Nothing,
        710..750 => Deed::Trailers(length),
        750..770 => Deed::GoAway,
        // At least one byte: h2 drops what it has not sent of a stream that is reset.
        770..820 => Deed::Reset(length + 1),
        820..840 => Deed::TimeOut,
        840..850 => Deed::Unasked,
        850..865 => Deed::GivenUpAtOnce,
        865..890 => Deed::GivenUpThere,
        890..910 => Deed::GivenUpHalfRead,
        910..935 => Deed::Refused,
        935..945 => Deed::WrongName,
        945..955 => Deed::Untrusted,
        _ => Deed::Raw(Raw::ALL[below(6) as usize]),
    };
    (lane, deed)
}

/// What must come of request `n`, in the words of the one who asks.
pub(crate) fn expected(n: u32) -> String {
    let (lane, deed) = of(n);
    let version = if lane.is_http2() { "HTTP/2.0" } else { "HTTP/1.1" };
    match deed {
        Deed::Get(length) | Deed::Echo(length) => format!("{version} 200, {length} bytes"),
        Deed::Head(_) | Deed::GoAway | Deed::Gated => format!("{version} 200, 0 bytes"),
        Deed::Nothing => format!("{version} 204, 0 bytes"),
        Deed::Trailers(length) => format!("{version} 200, {length} bytes, trailers of {n}"),
        Deed::Reset(_) if lane.is_http2() => {
            format!("{version} 200, then Refused(StreamFailed(StreamReset(2)))")
        }
        Deed::Reset(_) => format!("{version} 200, then Refused(StreamFailed(Incomplete))"),
        Deed::TimeOut => "timed out".to_owned(),
        Deed::Unasked | Deed::GivenUpAtOnce | Deed::GivenUpThere | Deed::GivenUpHalfRead => {
            "given up".to_owned()
        }
        Deed::Refused => "Refused(ConnectFailed(Refused))".to_owned(),
        Deed::WrongName => "Refused(ConnectFailed(Tls(NameMismatch)))".to_owned(),
        Deed::Untrusted => "Refused(ConnectFailed(Tls(UnknownIssuer)))".to_owned(),
        Deed::Raw(Raw::Close | Raw::ClosePost) => "Refused(StreamFailed(Closed))".to_owned(),
        Deed::Raw(Raw::Abort) => "Refused(StreamFailed(ConnectionReset))".to_owned(),
        Deed::Raw(Raw::HalfHead) => "Refused(StreamFailed(Incomplete))".to_owned(),
        Deed::Raw(Raw::ShortBody) => {
            "HTTP/1.1 200, then Refused(StreamFailed(Incomplete))".to_owned()
        }
        Deed::Raw(Raw::Garbage) => "Refused(StreamFailed(Protocol(StartLine)))".to_owned(),
        Deed::Late => "Refused(Draining)".to_owned(),
    }
}
