//! What a driver tells the upstream, and what the upstream tells a driver.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::altsvc::{HttpsRecords, Said, Source};
use crate::id::{AttemptId, ConnectionId, HostId, PoolId, ProfileId, RequestId};
use crate::time::{Duration, Instant};
use crate::types::{
    AllFailed, BodyState, Cause, Key, Limit, MethodClass, Origin, Outcome, Protocol, Refusal,
    RetrySafe, Timing, Transport,
};

/// What happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A caller asks. [`Upstream::request`](super::Upstream::request) does the same and returns
    /// the id; through this event the id is told by [`Upstream::last_request`](super::Upstream).
    Requested {
        /// Which pool.
        key: Key,
        /// How freely it may be repeated.
        method: MethodClass,
        /// When it must be over, resends included.
        deadline: Option<Instant>,
    },
    /// The caller gave up.
    Cancelled(RequestId),
    /// Some addresses of a host came; more may follow.
    Resolved {
        /// Whose.
        host: HostId,
        /// In the resolver's order; may be empty.
        addresses: Vec<IpAddr>,
    },
    /// The resolver has nothing more to say.
    ResolveFinished {
        /// Whose.
        host: HostId,
        /// Why it failed, where it did.
        failed: Option<Cause>,
    },
    /// The answer to [`Action::ResolveServices`]. Where the resolver failed, or a record was
    /// malformed, it is the one without offers: who asks goes on without (RFC 9460 3).
    ServicesResolved {
        /// For whom it was asked.
        pool: PoolId,
        /// What the records say together.
        records: HttpsRecords,
        /// How long that holds, where the resolver says it; else as long as addresses do.
        ttl: Option<Duration>,
    },
    /// TCP is up, or TLS has moved.
    AttemptProgress(AttemptId),
    /// An attempt's handshakes are all done.
    Connected {
        /// Which.
        attempt: AttemptId,
        /// What ALPN or the profile chose.
        protocol: Protocol,
        /// What the peer grants, as far as it is known by now.
        limit: Limit,
    },
    /// An attempt over QUIC would take early data (RFC 8470): requests that go with its first
    /// flight. Where [`Upstream::early_data`](super::Upstream::early_data) allows it and somebody
    /// would go so, it has won, its connection takes requests, and what comes of it is told of the
    /// connection: `Confirmed` or `Closed`, before which every request's `StreamEnded` came.
    /// [`Upstream::takes_early_data`](super::Upstream::takes_early_data) says whether that is so.
    EarlyData {
        /// Which.
        attempt: AttemptId,
        /// What the peer granted the last time.
        limit: Limit,
    },
    /// The handshake of a connection that takes early data is complete. Requests that it refused
    /// end by [`Cause::EarlyDataRefused`] and as unprocessed.
    Confirmed {
        /// Which.
        connection: ConnectionId,
        /// What the peer grants, as far as it is known by now.
        limit: Limit,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Which.
        attempt: AttemptId,
        /// Why.
        cause: Cause,
    },
    /// The peer changed how many streams it grants.
    Limit {
        /// On which connection.
        connection: ConnectionId,
        /// The new limit, absolute.
        limit: Limit,
    },
    /// The connection takes no new streams (GOAWAY, `Connection: close`, a take-over).
    Refusing(ConnectionId),
    /// The one end of an assigned request's stream; only this gives its capacity back.
    StreamEnded {
        /// On which connection.
        connection: ConnectionId,
        /// Whose stream.
        request: RequestId,
        /// How.
        outcome: Outcome,
        /// May it go again.
        retry: RetrySafe,
        /// What is left of its body.
        body: BodyState,
        /// When its stages happened.
        timing: Timing,
    },
    /// The answer to [`Action::Probe`] came.
    Probed(ConnectionId),
    /// The peer of an established connection has stopped answering; it is not known to be dead. The
    /// connection takes nothing new, and another one is made. HTTP/3 is suspect.
    Mute(ConnectionId),
    /// A connection is gone. Every assigned request's `StreamEnded` came before.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        cause: Cause,
    },
    /// What else serves an origin, as somebody whom that is to be believed has said it: a response
    /// or an ALTSVC frame on a connection that is the origin's by its certificate, the origin's
    /// HTTPS record, or who configures this client.
    Learnt {
        /// Whose.
        origin: Origin,
        /// What was said.
        said: Said,
        /// Where.
        source: Source,
        /// How old it was then: the response's Age.
        age: Duration,
    },
    /// What an earlier run knew of all origins, in the words of
    /// [`Ledger::text`](crate::altsvc::Ledger::text) or of curl's file. It takes the place of what
    /// is known; where it cannot be read, nothing changes.
    Restored {
        /// What time it is outside, in seconds since 1970, UTC.
        unix: u64,
        /// The file.
        text: Arc<str>,
    },
    /// A request on this connection was answered by 421: where it goes to an alternative, that does
    /// not speak for the origin. It is forgotten and takes no new streams (RFC 7838 6, AS-9).
    Misdirected(ConnectionId),
    /// A connection's task used its budget of one wake up and yielded. Recorded, nothing more.
    BudgetSpent(ConnectionId),
    /// The network changed: forget addresses, drain everything that is established.
    NetworkChanged,
    /// Take nothing new and close what is idle; the rest when its streams end.
    Drain,
    /// As `Drain`, and what is not over at this time is cut off: requests end with
    /// [`Refusal::Closed`], and a connection that is not gone 1 s later is aborted. The earliest
    /// of several deadlines holds.
    Close {
        /// The deadline.
        at: Instant,
    },
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look the host's addresses up and tell them by `Resolved` and `ResolveFinished`.
    Resolve {
        /// Whose.
        host: HostId,
        /// Name or IP literal.
        name: Arc<str>,
    },
    /// Look the HTTPS records (RFC 9460) of a name up, whose answer is read by
    /// [`https_records`](crate::altsvc::https_records), and tell them by `ServicesResolved`, once
    /// and in any case. Only for profiles whose
    /// [`https_records`](super::Profile::https_records) is true.
    ResolveServices {
        /// For whom.
        pool: PoolId,
        /// The origin that they are of.
        origin: Origin,
        /// The name that is asked for: the origin's host, `_8443._https.` before it where its port
        /// is another than 443, or where an alias led.
        name: Arc<str>,
    },
    /// Start one handshake; it ends with `Connected` or `AttemptFailed`.
    Connect {
        /// Its id.
        attempt: AttemptId,
        /// The connection that it becomes if it wins.
        connection: ConnectionId,
        /// TCP or QUIC.
        transport: Transport,
        /// Where to.
        address: SocketAddr,
        /// Whose: TLS name and scheme.
        origin: Origin,
        /// With which settings.
        profile: ProfileId,
    },
    /// Give an attempt up at once; nothing more is expected of it.
    AbortAttempt(AttemptId),
    /// Carry a request on a connection.
    Assign {
        /// Which request.
        request: RequestId,
        /// On which connection.
        connection: ConnectionId,
    },
    /// Reset an assigned request's stream; its `StreamEnded` is still expected.
    Reset {
        /// On which connection.
        connection: ConnectionId,
        /// Whose stream.
        request: RequestId,
    },
    /// Reset an assigned request's stream, unless its answer has begun or its body cannot be sent
    /// again: another connection would serve it sooner. Its `StreamEnded` is still expected.
    Recall {
        /// On which connection.
        connection: ConnectionId,
        /// Whose stream.
        request: RequestId,
    },
    /// The request is queued again: rewind its body. An `Assign` or `Refuse` follows.
    Resend(RequestId),
    /// Tell the caller no. The id is stale from now on.
    Refuse {
        /// Which request.
        request: RequestId,
        /// Why.
        reason: Refusal,
        /// The attempts of the connection that it waited for.
        failed: Option<Arc<AllFailed>>,
    },
    /// The request ended and was not sent again: nothing more comes of its id.
    Finished {
        /// Which request.
        request: RequestId,
        /// How.
        outcome: Outcome,
    },
    /// Ask the peer for a sign of life, and say `Probed` or `Closed`.
    Probe(ConnectionId),
    /// Close when the last stream has ended (at once if there is none): GOAWAY, close_notify.
    Shutdown(ConnectionId),
    /// Close now; streams under way fail.
    Abort(ConnectionId),
}
