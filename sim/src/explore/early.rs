//! Worlds with early data: clients that send it, servers that take it, refuse it, or find it too
//! early.
//!
//! It is drawn behind everything else, and only where the seed says so: a tape that is older than
//! this means what it meant.

use core::num::NonZeroU32;
use core::time::Duration;

use super::case::{Case, Dice};
use crate::peer::Conduct;

/// What a sweep must have seen of early data.
pub(super) const EARLY_DATA: [&str; 2] = ["came", "too early"];

/// Whether the world of this seed has early data: half of those with HTTP/3.
pub(super) const fn is_drawn(seed: u64) -> bool {
    seed % 8 > 4
}

/// Draws what a world with early data has more.
pub(super) fn draw(dice: &mut Dice<'_>, case: &mut Case) {
    case.client.early_data = dice.tape.draw("sends early data", 4) > 0;
    // Who never loses a connection never resumes one.
    let pool = &mut case.client.pool;
    match dice.tape.draw("connections end", 4) {
        0 => pool.idle_timeout = Some(Duration::from_millis(20)),
        1 | 2 => pool.max_requests_per_connection = Some(NonZeroU32::MIN),
        _ => {}
    }
    let conducts = case.hosts.iter_mut().flat_map(|host| &mut host.addresses);
    for (_, conduct) in conducts {
        if let Conduct::Honest(plan) = conduct
            && let Some(http3) = &mut plan.http3
        {
            http3.early_data = dice.tape.draw("takes early data", 4) > 0;
            plan.finds_it_too_early = dice.tape.draw("finds it too early", 3) == 0;
        }
    }
}
