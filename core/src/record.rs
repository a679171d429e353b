//! Records: what happened inside a machine, as numbers. Waterfalls, statistics and replays are
//! made from them; nothing depends on whether anyone reads them.

use crate::time::Instant;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $kind:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$each])* $kind,)* }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $text,)* }
            }
        }
    };
}

kinds! {
    /// What a record tells, and what is counted. Where Envoy has a statistic for it, its name.
    Kind {
        /// A request was made (a: request).
        Requested = "upstream_rq",
        /// A request joined the queue (a: request).
        Queued = "upstream_rq_pending_total",
        /// A request was given to a connection (a: request, b: connection).
        Assigned = "upstream_rq_total",
        /// A request went in early data (a: request, b: connection).
        EarlyDataSent = "upstream_rq_0rtt",
        /// What went in early data goes again over a full handshake (a: request).
        EarlyDataRefused = "upstream_rq_0rtt_refused",
        /// A request was cancelled while it waited or was under way (a: request).
        Cancelled = "upstream_rq_cancelled",
        /// A waiting request failed with its connection (a: request).
        PendingFailed = "upstream_rq_pending_failure_eject",
        /// A request found `max_pending_requests` open (a: request).
        PendingOverflow = "upstream_rq_pending_overflow",
        /// A request found `max_requests` open (a: request).
        ActiveOverflow = "upstream_rq_active_overflow",
        /// A request is queued again by itself (a: request).
        Resent = "upstream_rq_retry",
        /// A resend was wanted and `max_retries` was open (a: request).
        ResendOverflow = "upstream_rq_retry_overflow",
        /// A resend was wanted and the request had used its own up (a: request).
        ResendLimit = "upstream_rq_retry_limit_exceeded",
        /// A request's deadline passed (a: request, value: phase).
        Deadline = "upstream_rq_timeout",
        /// A stream ended complete (a: request, b: connection).
        Completed = "upstream_rq_completed",
        /// The peer reset a stream (a: request, b: connection).
        ResetByPeer = "upstream_rq_rx_reset",
        /// This side reset a stream (a: request, b: connection).
        ResetByUs = "upstream_rq_tx_reset",
        /// A connection was begun (a: connection).
        ConnectionMade = "upstream_cx_total",
        /// A connection changed its state (a: connection; from and to: states).
        ConnectionState = "connection_state",
        /// A connection is established and speaks this (a: connection).
        Http1 = "upstream_cx_http1_total",
        /// As above, HTTP/2.
        Http2 = "upstream_cx_http2_total",
        /// As above, HTTP/3.
        Http3 = "upstream_cx_http3_total",
        /// A connection took requests before its handshake was complete (a: connection).
        EarlyData = "upstream_cx_connect_with_0_rtt",
        /// The peer of an established connection has stopped answering (a: connection).
        Mute = "upstream_cx_mute",
        /// A connection could not be established (a: connection).
        ConnectFailed = "upstream_cx_connect_fail",
        /// A connection was not established in time (a: connection).
        ConnectTimeout = "upstream_cx_connect_timeout",
        /// A connection was wanted and `max_connections` was open (a: pool).
        ConnectionOverflow = "upstream_cx_overflow",
        /// A connection was wanted and had to wait: `max_sockets` was reached (a: pool).
        SocketOverflow = "upstream_cx_socket_overflow",
        /// A connection was wanted and had to wait: `max_handshakes` were under way (a: pool).
        HandshakeOverflow = "upstream_cx_handshake_overflow",
        /// An idle connection was closed so that a pool that waits has its socket
        /// (a: connection).
        MadeRoom = "upstream_cx_made_room",
        /// A pool was wanted and `max_connection_pools` was open.
        PoolOverflow = "upstream_cx_pool_overflow",
        /// A connection had carried all it may (a: connection).
        MaxRequests = "upstream_cx_max_requests",
        /// A connection had lived as long as it may (a: connection).
        MaxDuration = "upstream_cx_max_duration_reached",
        /// A connection was idle as long as it may be (a: connection).
        IdleTimeout = "upstream_cx_idle_timeout",
        /// The peer announced the connection's end (a: connection).
        CloseNotify = "upstream_cx_close_notify",
        /// A connection was made ahead of need (a: connection).
        Preconnected = "upstream_cx_preconnect_started",
        /// A connection is gone (a: connection).
        Destroyed = "upstream_cx_destroy",
        /// As above, by the peer.
        DestroyedRemote = "upstream_cx_destroy_remote",
        /// As above, by this side.
        DestroyedLocal = "upstream_cx_destroy_local",
        /// As above, with streams under way.
        DestroyedWithStreams = "upstream_cx_destroy_with_active_rq",
        /// The peer changed a connection's limit (a: connection, value: the limit).
        LimitChanged = "connection_limit",
        /// A name was looked up (a: host).
        Resolving = "host_resolve",
        /// Addresses came (a: host, value: how many).
        Resolved = "host_resolved",
        /// The resolver failed (a: host).
        ResolveFailed = "host_resolve_failed",
        /// Addresses over the limit were dropped (a: host, value: how many).
        AddressesDropped = "host_addresses_dropped",
        /// An attempt was begun (a: attempt, b: connection).
        AttemptStarted = "attempt_started",
        /// An attempt won (a: attempt, b: connection).
        AttemptWon = "attempt_won",
        /// An attempt failed (a: attempt, b: connection).
        AttemptFailed = "attempt_failed",
        /// An attempt was given up because another won or nobody needs it (a: attempt).
        AttemptAborted = "attempt_aborted",
        /// HTTP/3 does not work for an origin, where TCP does (a: pool).
        Http3Broken = "upstream_http3_broken",
        /// HTTP/3 failed lately for an origin (a: pool).
        Http3Suspect = "upstream_http3_suspect",
        /// HTTP/3 works for an origin (a: pool).
        Http3Confirmed = "upstream_http3_confirmed",
        /// HTTPS records were asked for, an alias's too (a: pool).
        ServicesAsked = "upstream_https_rr_asked",
        /// HTTPS records offered something (a: pool, value: how many alternatives).
        ServicesOffered = "upstream_https_rr_offered",
        /// Nothing came of HTTPS records: there were none, or none that counts (a: pool).
        ServicesAbsent = "upstream_https_rr_absent",
        /// A connection over TCP waits for what HTTPS records say (a: connection).
        HeldBack = "upstream_cx_held_back",
        /// A pool was made (a: pool).
        PoolMade = "pool_made",
        /// A pool was dropped (a: pool).
        PoolDropped = "pool_dropped",
        /// A connection's task used the budget of one wake up and yielded (a: connection).
        BudgetSpent = "budget_spent",
        /// An event named a stale or unknown id.
        Stale = "stale_event",
        /// A call stopped at its burst and left work for the next.
        Burst = "burst_exhausted",
    }
}

kinds! {
    /// The rule by which something was decided.
    Rule {
        /// No rule worth a name.
        None = "-",
        /// Addresses are sorted and the families interleaved (RFC 8305 section 4).
        He2Sort = "HE2-SORT",
        /// A came first: AAAA is waited for (RFC 8305 section 3).
        He2ResolutionDelay = "HE2-RESOLUTION-DELAY",
        /// The attempt delay passed: the next address starts (RFC 8305 section 5).
        He2AttemptDelay = "HE2-ATTEMPT-DELAY",
        /// An attempt failed: the next starts at once (RFC 8305 section 5).
        He2NextOnFailure = "HE2-NEXT-ON-FAILURE",
        /// The first success wins and the others are given up (RFC 8305 section 5).
        He2FirstWins = "HE2-FIRST-WINS",
        /// TLS decides, and progress puts the next attempt off (HEv3, our HE3-10).
        He3Progress = "HE3-10",
        /// Late answers join the race (HEv3, our HE3-14).
        He3LateAnswers = "HE3-14",
        /// QUIC is offered and goes first.
        RaceQuicFirst = "RACE-QUIC-FIRST",
        /// Nothing offers QUIC.
        RaceTcpOnly = "RACE-TCP-ONLY",
        /// QUIC has run alone for its delay: the second family starts, and TCP.
        RaceDelay = "RACE-DELAY",
        /// QUIC has failed: the next starts at once.
        RaceQuicFailed = "RACE-QUIC-FAILED",
        /// QUIC failed lately: TCP starts together with it.
        RaceSuspect = "RACE-SUSPECT",
        /// QUIC is behind: another connection over TCP.
        RaceBehind = "RACE-BEHIND",
        /// QUIC is offered while TCP serves: it starts beside it.
        RaceLearnt = "RACE-LEARNT",
        /// The second family has won last: it starts with the first.
        RaceSecondKnown = "RACE-SECOND-KNOWN",
        /// TCP connected and every QUIC leg failed.
        RaceBroken = "RACE-BROKEN",
        /// An established QUIC connection fell silent or died of it, or early data failed.
        RaceSuspectDead = "RACE-SUSPECT-DEAD",
        /// The QUIC handshake is complete.
        RaceConfirmed = "RACE-CONFIRMED",
        /// The last attempt failed: everyone who waited hears it.
        LastConnectFailed = "POOL-LAST-CONNECT-FAILED",
        /// A pool without a connection may always make one.
        FirstConnection = "POOL-FIRST-CONNECTION",
        /// Waiting requests exceed what is connecting.
        Demand = "POOL-DEMAND",
        /// A connection ahead of need.
        Preconnect = "POOL-PRECONNECT",
        /// The connection that has been idle for the longest, of all pools, makes room.
        LongestIdle = "POOL-LONGEST-IDLE",
        /// Nothing of the request was sent.
        ResendUnsent = "RESEND-UNSENT",
        /// GOAWAY or REFUSED_STREAM proves it was not processed (RFC 9113 8.7).
        ResendUnprocessed = "RESEND-UNPROCESSED",
        /// Its fate is unknown and the method is idempotent (RFC 9110 9.2.2).
        ResendIdempotent = "RESEND-IDEMPOTENT",
        /// It went in early data, and that came to nothing (RFC 8470 5.2).
        ResendEarly = "RESEND-EARLY",
        /// Another connection was ready before the handshake that early data went with.
        EarlyOvertaken = "EARLY-OVERTAKEN",
        /// Another connection was ready before a peer that had stopped answering did so again.
        MuteOvertaken = "MUTE-OVERTAKEN",
    }
}

/// One thing that happened inside: ids and numbers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: Kind,
    /// By which rule.
    pub rule: Rule,
    /// The state before, where a state changed; else 0.
    pub from: u8,
    /// The state after.
    pub to: u8,
    /// First id, packed as `slot << 32 | generation`; which one, its [`Kind`] says.
    pub a: u64,
    /// Second id.
    pub b: u64,
    /// A number.
    pub value: u64,
}

/// Packs an id for a [`Record`].
pub fn pack(id: impl crate::id::Id) -> u64 {
    ((id.slot() as u64) << 32) | u64::from(id.generation())
}

/// Counters that are never wrong and a ring of records that may lose its oldest.
#[derive(Clone, Debug)]
pub struct Recorder {
    counters: [u64; Kind::ALL.len()],
    ring: Box<[Record]>,
    /// Where the next one goes.
    next: usize,
    /// How many were made.
    made: u64,
    /// How many of those were taken or found to be lost.
    gone: u64,
    lost: u64,
}

impl Recorder {
    /// Keeps the newest `capacity` records.
    pub fn new(capacity: u32) -> Self {
        let nothing = Record {
            at: Instant::EPOCH,
            kind: Kind::Requested,
            rule: Rule::None,
            from: 0,
            to: 0,
            a: 0,
            b: 0,
            value: 0,
        };
        Self {
            counters: [0; Kind::ALL.len()],
            ring: vec![nothing; capacity as usize].into(),
            next: 0,
            made: 0,
            gone: 0,
            lost: 0,
        }
    }

    /// Counts and keeps a record. Does not allocate.
    // Field by field: copied whole, a record would be read wider than it was just written, and
    // processors wait for that.
    #[inline(always)]
    pub fn record(&mut self, record: Record) {
        if let Some(counter) = self.counters.get_mut(record.kind as usize) {
            *counter += 1;
        }
        if let Some(slot) = self.ring.get_mut(self.next) {
            slot.at = record.at;
            slot.kind = record.kind;
            slot.rule = record.rule;
            slot.from = record.from;
            slot.to = record.to;
            slot.a = record.a;
            slot.b = record.b;
            slot.value = record.value;
            self.next += 1;
            if self.next == self.ring.len() {
                self.next = 0;
            }
        }
        self.made += 1;
    }

    /// How often `kind` was recorded since the beginning, lost records included.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counters.get(kind as usize).copied().unwrap_or(0)
    }

    /// The oldest record that was neither taken nor lost.
    pub fn poll_record(&mut self) -> Option<Record> {
        let over = self.overrun();
        self.gone += over;
        self.lost += over;
        let left = usize::try_from(self.made - self.gone).unwrap_or(usize::MAX);
        if left == 0 {
            return None;
        }
        self.gone += 1;
        let end = if self.next < left { self.next + self.ring.len() } else { self.next };
        let oldest = end.saturating_sub(left);
        self.ring.get(oldest).copied()
    }

    /// How many records were lost because nobody took them.
    pub const fn lost(&self) -> u64 {
        self.lost + self.overrun()
    }

    /// How many were written over since one was taken last.
    const fn overrun(&self) -> u64 {
        (self.made - self.gone).saturating_sub(self.ring.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: u64) -> Record {
        let (kind, rule) = (Kind::Requested, Rule::None);
        Record { at: Instant::EPOCH, kind, rule, from: 0, to: 0, a: 0, b: 0, value }
    }

    #[test]
    fn the_ring_loses_its_oldest_and_counts_everything() {
        for capacity in 0..4 {
            let mut recorder = Recorder::new(capacity);
            let (mut made, mut taken) = (0, 0);
            for round in 0..20_u64 {
                for _ in 0..round % 6 {
                    recorder.record(record(made));
                    made += 1;
                }
                for _ in 0..round % 3 {
                    let Some(oldest) = recorder.poll_record() else { break };
                    assert!(made - oldest.value <= u64::from(capacity), "of the newest");
                    taken += 1;
                    assert_eq!(oldest.value + 1, taken + recorder.lost(), "in order");
                }
            }
            assert_eq!(recorder.count(Kind::Requested), made);
            let left = core::iter::from_fn(|| recorder.poll_record()).count() as u64;
            assert_eq!(taken + left + recorder.lost(), made);
        }
    }
}
