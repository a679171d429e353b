//! What the books hold every machine to, by name.

pub(crate) const IDS: &str = "an id is given out once";
pub(crate) const CONNECTION_LIMIT: &str =
    "max_connections is never exceeded but by a pool's first connection";
pub(crate) const NEEDED: &str = "a connection is made only where one is needed";
pub(crate) const SHUTDOWN: &str = "a connection is shut down without streams and for a reason";
pub(crate) const ABORT: &str = "a connection is aborted once and for a reason";
pub(crate) const PROBE: &str = "one connection is probed at a time, and needs it";
pub(crate) const PROBED_FIRST: &str = "what was idle for long is asked before it is used";
pub(crate) const DRAIN_TIMEOUT: &str = "no connection drains for longer than it may";
pub(crate) const NOTHING_NEEDLESS: &str =
    "a connection that carries many streams ends the making of needless ones";
pub(crate) const FAIR: &str = "first come, first served";
pub(crate) const DRAINING: &str = "a draining connection gets no new stream";
pub(crate) const CAPACITY: &str = "no connection carries more streams than it grants";
pub(crate) const ACTIVE_LIMIT: &str = "max_requests is never exceeded";
pub(crate) const BEST: &str = "no other connection would have been the better choice";
pub(crate) const AVOIDS: &str = "what failed a request is the last to carry it again";
pub(crate) const RESET: &str = "a stream is reset once and for a reason";
pub(crate) const RESEND: &str = "only what may go again is sent again";
pub(crate) const RETRY_LIMIT: &str = "max_retries is never exceeded";
pub(crate) const FINISH: &str = "a request ends once, as its stream did";
pub(crate) const REFUSAL: &str = "a request is refused once, for a reason that holds";
pub(crate) const MUST_RESEND: &str = "what may go again does";
pub(crate) const VERDICT: &str = "every stream that ended has its verdict";
pub(crate) const IN_TIME: &str = "nothing outlives its deadline, age or idle time";
pub(crate) const NOBODY_FORGOTTEN: &str = "nobody waits beside room, or for nothing";

pub(crate) const EARLY: &str = "who goes early may, and goes so once";
pub(crate) const EARLY_AGAIN: &str = "early data that came to nothing goes again once";

/// Those of early data.
pub(crate) const INVARIANTS_OF_EARLY_DATA: [&str; 2] = [EARLY, EARLY_AGAIN];

pub(crate) const CALLED_BACK: &str = "who is called back from a mute peer may go elsewhere, once";
pub(crate) const CALLED_AGAIN: &str = "who was called back in time goes again";

/// Those of peers that have stopped answering.
pub(crate) const INVARIANTS_OF_SILENCE: [&str; 2] = [CALLED_BACK, CALLED_AGAIN];

/// Those that ask for connections being made in sight, and not behind a race.
pub(crate) const INVARIANTS_IN_SIGHT: [&str; 4] =
    [CONNECTION_LIMIT, NEEDED, AVOIDS, NOTHING_NEEDLESS];

/// All others.
pub(crate) const INVARIANTS: [&str; 20] = [
    IDS,
    SHUTDOWN,
    ABORT,
    PROBE,
    PROBED_FIRST,
    DRAIN_TIMEOUT,
    FAIR,
    DRAINING,
    CAPACITY,
    ACTIVE_LIMIT,
    BEST,
    RESET,
    RESEND,
    RETRY_LIMIT,
    FINISH,
    REFUSAL,
    MUST_RESEND,
    VERDICT,
    IN_TIME,
    NOBODY_FORGOTTEN,
];
