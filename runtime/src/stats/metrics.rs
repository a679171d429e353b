//! The list of numbers: names, what they count, units, and words for people.

use regatta_core::record::Kind;

use super::Gauge;

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MetricType {
    /// How often something happened since the client was built.
    Counter,
    /// How many there are now.
    Gauge,
}

impl MetricType {
    /// `counter` or `gauge`, as Prometheus writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// One number that a client has: its name and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    pub(super) words: &'static str,
    pub(super) source: Source,
}

impl Metric {
    /// Its stable name; Envoy's, where Envoy has the same number.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it counts: one sentence.
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// What one of it is: `requests`, `connections`.
    pub const fn unit(&self) -> &'static str {
        self.unit
    }

    /// What stands behind the number where people read it.
    pub const fn words(&self) -> &'static str {
        self.words
    }

    /// Whether it only grows.
    pub const fn metric_type(&self) -> MetricType {
        match self.source {
            Source::Count(_) => MetricType::Counter,
            Source::Now(_) => MetricType::Gauge,
        }
    }
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Count(Kind),
    Now(Gauge),
}

macro_rules! metrics {
    (
        count { $($kind:ident($unit:literal): $words:literal, $what:literal;)* }
        now { $($gauge:ident($name:literal, $of:literal): $now:literal, $is:literal;)* }
    ) => {
        /// Every number of [`Stats`](super::Stats). A name is never changed, nor used again for
        /// another number; new ones are added.
        pub const METRICS: &[Metric] = &[
            $(Metric {
                name: counter(Kind::$kind),
                what: $what,
                unit: $unit,
                words: $words,
                source: Source::Count(Kind::$kind),
            },)*
            $(Metric {
                name: $name,
                what: $is,
                unit: $of,
                words: $now,
                source: Source::Now(Gauge::$gauge),
            },)*
        ];
    };
}

/// A counter's name is its record's, but for one that is another's without its `_total`.
const fn counter(kind: Kind) -> &'static str {
    match kind {
        Kind::Requested => "upstream_rq_made",
        kind => kind.name(),
    }
}

metrics! {
    count {
        Requested("requests"): "requests were made",
            "Requests that callers made.";
        Queued("requests"): "times a request joined the queue",
            "Requests that joined the queue for a connection, those that are sent again included.";
        Assigned("requests"): "times a request was given to a connection",
            "Requests that were given to a connection, those that are sent again included.";
        Completed("requests"): "requests were completed",
            "Requests whose response came to its end.";
        Cancelled("requests"): "requests were given up by their callers",
            "Requests given up by their callers, who dropped future or body before its end.";
        Deadline("requests"): "requests ran out of time",
            "Requests whose deadline passed.";
        PendingFailed("requests"): "waiting requests failed for want of a connection",
            "Requests that waited for a connection which then could not be established.";
        PendingOverflow("requests"): "requests were refused: too many waited",
            "Requests refused because `max_pending_requests` waited already.";
        ActiveOverflow("requests"): "times too many requests were under way",
            "Requests that found `max_requests` under way already.";
        Resent("requests"): "requests were sent again",
            "Requests that were queued again without their caller's doing.";
        ResendOverflow("requests"): "requests were not sent again: too many were",
            "Requests not sent again because `max_retries` were under way already.";
        ResendLimit("requests"): "requests were not sent again: it was tried enough",
            "Requests not sent again because they had been as often as they may.";
        ResetByPeer("streams"): "streams were reset by the peer",
            "Streams that the peer reset.";
        ResetByUs("streams"): "streams were reset by this side",
            "Streams that this side reset.";
        ConnectionMade("connections"): "connections were begun",
            "Connections that were begun.";
        Http1("connections"): "connections spoke HTTP/1.1",
            "Connections that were established and speak HTTP/1.1.";
        Http2("connections"): "connections spoke HTTP/2",
            "Connections that were established and speak HTTP/2.";
        Http3("connections"): "connections spoke HTTP/3",
            "Connections that were established and speak HTTP/3.";
        ConnectFailed("connections"): "connections could not be established",
            "Connections that could not be established, those that took too long included.";
        ConnectTimeout("connections"): "connections were not established in time",
            "Connections that were not established within `connect_timeout`.";
        ConnectionOverflow("connections"): "times one more connection was too many",
            "Connections that were wanted while `max_connections` existed already.";
        SocketOverflow("connections"): "times one more socket was too many",
            "Times a connection was wanted and had to wait: `max_sockets` existed already.";
        HandshakeOverflow("connections"): "times one more handshake was too many",
            "Times a connection was wanted and had to wait: `max_handshakes` were under way.";
        MadeRoom("connections"): "idle connections were closed to make room",
            "Idle connections closed because `max_sockets` existed and another was wanted.";
        PoolOverflow("requests"): "requests were refused: too many pools",
            "Requests refused because `max_connection_pools` existed already.";
        MaxRequests("connections"): "connections had carried all they may",
            "Connections that took nothing new because they had carried all they may.";
        MaxDuration("connections"): "connections had lived as long as they may",
            "Connections that took nothing new because they had lived as long as they may.";
        IdleTimeout("connections"): "connections were closed because they were idle",
            "Connections closed because they were idle for `idle_timeout`.";
        CloseNotify("connections"): "connections were announced to end by the peer",
            "Connections whose peer announced the end: GOAWAY, or `Connection: close`.";
        Preconnected("connections"): "connections were made ahead of need",
            "Connections begun before a request needed them.";
        Destroyed("connections"): "connections are gone",
            "Connections that are gone, those that were never established included.";
        DestroyedRemote("connections"): "connections were closed by the peer",
            "Connections that the peer closed.";
        DestroyedLocal("connections"): "connections were closed by this side",
            "Connections that this side closed.";
        DestroyedWithStreams("connections"): "connections ended with requests under way",
            "Connections that were gone while requests were under way on them.";
        ConnectionState("changes"): "times a connection changed its state",
            "Changes of connections' states.";
        LimitChanged("changes"): "times a peer changed its limit of streams",
            "Changes of how many streams peers grant.";
        Resolving("names"): "names were looked up",
            "Names that were looked up.";
        Resolved("answers"): "answers with addresses came",
            "Answers of the resolver that had addresses; one name may have several.";
        ResolveFailed("names"): "names could not be looked up",
            "Names whose look-up failed.";
        AddressesDropped("answers"): "answers had more addresses than are kept",
            "Answers of the resolver with more addresses than are kept.";
        AttemptStarted("attempts"): "attempts to connect were begun",
            "Attempts to connect to one address.";
        AttemptWon("attempts"): "attempts became a connection",
            "Attempts that became a connection.";
        AttemptFailed("attempts"): "attempts failed",
            "Attempts that failed.";
        AttemptAborted("attempts"): "attempts were given up",
            "Attempts given up because another won or nobody needed them any more.";
        Http3Broken("times"): "times HTTP/3 failed where TCP did not",
            "Times HTTP/3 was marked broken: TCP connected and every QUIC leg had failed.";
        Http3Suspect("times"): "times HTTP/3 fell silent",
            "Times HTTP/3 was marked suspect: an established connection died of silence.";
        Http3Confirmed("times"): "times HTTP/3 was shown to work",
            "Times an HTTP/3 handshake of a race was complete.";
        ServicesAsked("questions"): "times HTTPS records were asked for",
            "Questions for HTTPS records (RFC 9460), those for an alias's included.";
        ServicesOffered("answers"): "answers of them offered something",
            "Answers whose HTTPS records offered alternatives.";
        ServicesAbsent("answers"): "answers of them offered nothing",
            "Answers without an HTTPS record that counts, failures included.";
        HeldBack("connections"): "connections waited for HTTPS records",
            "Connections over TCP that waited for what HTTPS records say.";
        EarlyData("connections"): "connections took early data",
            "Connections that took requests before their handshake was complete (0-RTT).";
        EarlyDataSent("requests"): "requests went in early data",
            "Requests that went with the first flight of a handshake.";
        EarlyDataRefused("requests"): "requests in early data came to nothing",
            "Requests that went in early data and were sent again over a full handshake.";
        Mute("connections"): "connections fell silent",
            "Established connections over QUIC whose peer had stopped answering.";
        PoolMade("pools"): "pools were made",
            "Pools that were made: one for each origin, profile and priority.";
        PoolDropped("pools"): "pools were dropped",
            "Pools dropped because nothing was left in them.";
        BudgetSpent("turns"): "times a connection yielded to others",
            "Times a connection's task had used the budget of one wake-up and yielded.";
        Stale("events"): "events came too late to matter",
            "Events about something that had ended already; late events are normal.";
        Burst("calls"): "times work was left for the next call",
            "Times a call had done all it may at once and left the rest for the next.";
    }
    now {
        Connections("upstream_cx_active", "connections"): "connections exist now",
            "Connections that exist, those that are being established included.";
        Connecting("upstream_cx_connecting", "connections"): "of them are being established",
            "Connections that are being established.";
        Idle("upstream_cx_idle", "connections"): "of them are idle",
            "Established connections that carry nothing and have room.";
        Draining("upstream_cx_draining", "connections"): "of them take nothing new",
            "Connections that take nothing new and close when their last stream has ended.";
        Streams("upstream_rq_active", "requests"): "requests are on a connection now",
            "Requests that are on a connection.";
        Waiting("upstream_rq_pending_active", "requests"): "requests wait now",
            "Requests that wait for a connection.";
        Resending("upstream_rq_retry_active", "requests"): "requests are being sent again now",
            "Requests under way that were sent again although their fate was unknown.";
        Sockets("socket_active", "sockets"): "sockets are in use now",
            "Sockets of attempts and connections; one that is yet to be attempted counts for one.";
        Turns("pool_handshake_pending_active", "pools"): "pools wait to begin a connection now",
            "Pools that wait for their turn to begin a connection: `max_handshakes` are under way.";
        Pools("pool_active", "pools"): "pools exist now",
            "Pools that exist.";
    }
}
