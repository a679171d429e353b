//! Where HTTP/3 is left out nothing goes beside heads and bodies, and nothing early.

use super::Fact;
use crate::runtime::Runtime;

macro_rules! nothing {
    ($($fact:ident),+) => {
        $(
            /// Holds for every runtime.
            pub async fn $fact<R: Runtime>(_: R) -> Fact {
                Ok(())
            }
        )+
    };
}

nothing! {
    connect_may_name_a_protocol, datagrams_go_beside_a_tunnel, datagrams_need_both_sides,
    datagrams_that_nobody_takes_are_lost, later_connections_take_early_data, too_early_goes_again
}
