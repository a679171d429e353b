//! Whether the peer of a connection has stopped answering, long before the idle timeout says that
//! it is dead.
//!
//! What asks for an acknowledgement gets one within a round trip and the peer's delay, and where it
//! is lost it is asked for again after each probe timeout (RFC 9002 6.2). A peer of which nothing
//! comes for as long as four of those take has hardly lost them one by one: Chromium and Envoy call
//! such a path degrading. One that is asked nothing need say nothing, and is never mute.

use quinn_proto::FrameStats;

use crate::time::{Duration, Instant};

/// How many probe timeouts without an answer (QUICHE's `num_ptos_for_path_degrading`).
const TIMEOUTS: u32 = 4;

/// How much later than at once a peer acknowledges (RFC 9000 18.2, `max_ack_delay`).
const ACK_DELAY: Duration = Duration::from_millis(25);

/// The least time: a peer that does something else for a moment is not mute.
const LEAST: Duration = Duration::from_millis(500);

/// What one connection has asked, and whether it was answered.
#[derive(Debug, Default)]
pub(super) struct Silence {
    asked: u64,
    /// How many answers had come when it was asked.
    answers: u64,
    /// When the peer is mute, unless it answers before.
    until: Option<Instant>,
    /// It was, which is told once.
    is_told: bool,
}

impl Silence {
    /// Something may have been `sent`; what was `received` came before.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        sent: &FrameStats,
        received: &FrameStats,
        rtt: Duration,
    ) {
        let asked = questions(sent);
        let has_asked = asked > core::mem::replace(&mut self.asked, asked);
        if has_asked && self.until.is_none() && !self.is_told {
            (self.until, self.answers) = (Some(now + patience(rtt)), received.acks);
        }
    }

    /// Something may have come.
    pub(super) const fn heard(&mut self, received: &FrameStats) {
        if received.acks > self.answers {
            self.until = None;
        }
    }

    /// When [`Silence::is_mute`] is to be asked.
    pub(super) const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether the peer is mute: said once.
    pub(super) fn is_mute(&mut self, now: Instant) -> bool {
        let is_mute = self.until.take_if(|at| *at <= now).is_some();
        self.is_told |= is_mute;
        is_mute
    }
}

/// How long an answer is waited for. The deviation of the round trip is not known here: a probe
/// timeout is taken for as long as after the first sample (RFC 9002 5.3), which it rarely exceeds.
fn patience(rtt: Duration) -> Duration {
    let timeout = rtt.saturating_mul(3) + ACK_DELAY;
    timeout.saturating_mul(TIMEOUTS).max(LEAST)
}

/// How many frames were sent that ask for an acknowledgement (RFC 9002 2).
fn questions(sent: &FrameStats) -> u64 {
    [
        sent.ack_frequency,
        sent.crypto,
        sent.data_blocked,
        sent.datagram,
        sent.handshake_done.into(),
        sent.immediate_ack,
        sent.max_data,
        sent.max_stream_data,
        sent.max_streams_bidi,
        sent.max_streams_uni,
        sent.new_connection_id,
        sent.new_token,
        sent.path_challenge,
        sent.path_response,
        sent.ping,
        sent.reset_stream,
        sent.retire_connection_id,
        sent.stream_data_blocked,
        sent.streams_blocked_bidi,
        sent.streams_blocked_uni,
        sent.stop_sending,
        sent.stream,
    ]
    .into_iter()
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    fn sent(stream: u64, acks: u64) -> FrameStats {
        let mut frames = FrameStats::default();
        (frames.stream, frames.acks) = (stream, acks);
        frames
    }

    fn received(acks: u64) -> FrameStats {
        sent(0, acks)
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn four_probe_timeouts_and_no_less_than_half_a_second() {
        for (rtt, expected) in [(0, 500), (1, 500), (40, 580), (100, 1_300), (300, 3_700)] {
            let expected = Duration::from_millis(expected);
            assert_eq!(patience(Duration::from_millis(rtt)), expected, "{rtt} ms");
        }
    }

    #[test]
    fn who_is_asked_and_says_nothing_is_mute_once() {
        let mut silence = Silence::default();
        silence.sent(at(0), &sent(1, 0), &received(5), RTT);
        assert_eq!(silence.until(), Some(at(580)));
        // What is asked again meanwhile gives no more time.
        silence.sent(at(300), &sent(2, 0), &received(5), RTT);
        assert!(!silence.is_mute(at(579)));
        assert!(silence.is_mute(at(580)));
        silence.sent(at(600), &sent(3, 0), &received(5), RTT);
        assert_eq!(silence.until(), None);
        assert!(!silence.is_mute(at(9_000)));
    }

    #[test]
    fn an_acknowledgement_is_an_answer() {
        let mut silence = Silence::default();
        silence.sent(at(0), &sent(1, 0), &received(5), RTT);
        silence.heard(&received(5));
        assert_eq!(silence.until(), Some(at(580)), "what came acknowledges nothing");
        silence.heard(&received(6));
        assert_eq!(silence.until(), None);
        // The next question has its own time, and its own answer.
        silence.sent(at(1_000), &sent(2, 0), &received(9), RTT);
        assert_eq!(silence.until(), Some(at(1_580)));
        silence.heard(&received(9));
        assert_eq!(silence.until(), Some(at(1_580)));
    }

    #[test]
    fn who_is_asked_nothing_need_say_nothing() {
        let mut silence = Silence::default();
        // Acknowledgements of ours alone.
        silence.sent(at(0), &sent(0, 7), &received(9), RTT);
        assert_eq!(silence.until(), None);
    }
}
