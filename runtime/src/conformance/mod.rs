//! What every [`Runtime`](crate::Runtime) must do, as facts that anyone who writes one can run.
//!
//! Each fact is one async function of a runtime; it ends with `Ok`, or with one sentence that
//! says what was expected and what came. [`conformance_tests!`](crate::conformance_tests) makes
//! a test of each. It wants one function, which runs a fact on a new runtime:
//!
//! ```
//! # use core::{convert::Infallible, future::Future, net::SocketAddr, time::Duration};
//! # use core::{pin::pin, task::{Context, Poll, Waker}};
//! # use std::{io, sync::OnceLock, time};
//! # use regatta_core::{Instant, types::Cause};
//! # use regatta_runtime::{Address, Answer, Listener, Runtime, Stream, Timer};
//! use regatta_runtime::conformance::{self, Fact};
//!
//! # /// A clock, and nothing that can be waited for.
//! # #[derive(Clone)]
//! # struct Mine { epoch: time::Instant }
//! # impl Mine {
//! #     fn new() -> Self { Self { epoch: time::Instant::now() } }
//! #     fn block_on<F: Future>(&self, future: F) -> F::Output {
//! #         let mut future = pin!(future);
//! #         loop {
//! #             let cx = &mut Context::from_waker(Waker::noop());
//! #             if let Poll::Ready(said) = future.as_mut().poll(cx) { return said; }
//! #         }
//! #     }
//! # }
//! # fn none<T>() -> io::Result<T> { Err(io::ErrorKind::Unsupported.into()) }
//! # struct Never(Infallible);
//! # impl Stream for Never {
//! #     fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
//! #         match self.0 {}
//! #     }
//! #     fn poll_write(
//! #         &mut self, _: &mut Context<'_>, _: &[io::IoSlice<'_>],
//! #     ) -> Poll<io::Result<usize>> { match self.0 {} }
//! #     fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
//! #         match self.0 {}
//! #     }
//! # }
//! # impl Listener for Never {
//! #     type Stream = Never;
//! #     fn poll_accept(
//! #         &mut self, _: &mut Context<'_>,
//! #     ) -> Poll<io::Result<(Never, Option<SocketAddr>)>> { match self.0 {} }
//! #     fn local_address(&self) -> io::Result<SocketAddr> { match self.0 {} }
//! # }
//! # struct Spin(Mine, Instant);
//! # impl Timer for Spin {
//! #     fn reset(&mut self, at: Instant) { self.1 = at; }
//! #     fn poll_expired(&mut self, _: &mut Context<'_>) -> Poll<()> {
//! #         if self.0.now() < self.1 { Poll::Pending } else { Poll::Ready(()) }
//! #     }
//! # }
//! # impl Runtime for Mine {
//! #     type Stream = Never;
//! #     type Listener = Never;
//! #     type Datagrams = Infallible;
//! #     type Timer = Spin;
//! #     type Resolution = Option<core::future::Ready<Result<Answer, Cause>>>;
//! #     fn now(&self) -> Instant { Instant::EPOCH + self.epoch.elapsed() }
//! #     fn unix_at_epoch(&self) -> Duration { Duration::from_secs(1_800_000_000) }
//! #     fn seed(&self) -> u64 { 4 }
//! #     fn timer(&self, at: Instant) -> Spin { Spin(self.clone(), at) }
//! #     fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {}
//! #     async fn connect(&self, _: Address) -> io::Result<Never> { none() }
//! #     async fn listen(&self, _: Address) -> io::Result<Never> { none() }
//! #     async fn bind(
//! #         &self, _: SocketAddr, _: Option<SocketAddr>,
//! #     ) -> io::Result<Infallible> { none() }
//! #     fn resolve(&self, _: &str) -> Self::Resolution { None }
//! # }
//! fn on_mine<F: Future<Output = Fact>>(fact: impl Fn(Mine) -> F) -> Fact {
//!     let runtime = Mine::new();
//!     runtime.block_on(fact(runtime.clone()))
//! }
//!
//! mod tests {
//!     regatta_runtime::conformance_tests!(super::on_mine, without datagrams);
//! }
//!
//! // Or one by one.
//! assert_eq!(on_mine(conformance::clock_never_goes_back), Ok(()));
//! assert_eq!(on_mine(conformance::timer_is_never_early), Ok(()));
//! # assert!(on_mine(conformance::bytes_go_both_ways).is_err());
//! ```

mod alternatives;
#[cfg(feature = "http3")]
mod beside;
mod bodies;
mod cancels;
mod clock;
mod crowds;
mod datagrams;
mod drains;
#[cfg(feature = "http3")]
mod early;
mod ends;
mod held;
mod hooks;
mod io;
mod names;
mod peers;
mod pressure;
mod proxies;
mod races;
mod scene;
mod shapes;
mod shutdowns;
mod signals;
mod sockets;
mod tasks;
mod timeouts;
mod tunnels;
mod wakers;
mod watched;
#[cfg(not(feature = "http3"))]
mod without_http3;

pub use alternatives::{
    known_http3_serves_the_first_request, learnt_http3_serves_later_requests,
    refused_udp_leaves_requests_to_tcp, swallowed_udp_leaves_requests_to_tcp,
};
#[cfg(feature = "http3")]
pub use beside::{
    connect_may_name_a_protocol, datagrams_go_beside_a_tunnel, datagrams_need_both_sides,
    datagrams_that_nobody_takes_are_lost,
};
pub use cancels::{
    dropped_request_ends_at_the_service, dropped_requests_harm_no_neighbour,
    dropped_response_ends_at_the_service, dropped_upload_is_not_complete,
    request_can_be_dropped_at_every_poll, request_that_is_never_polled_is_nothing,
    response_may_be_left_in_the_middle,
};
pub use clock::{
    clock_never_goes_back, timer_can_be_dropped, timer_can_be_moved_after_it_expired,
    timer_can_be_moved_away, timer_can_be_moved_closer, timer_is_never_early,
    timers_expire_in_order, wall_clock_is_after_2020,
};
pub use crowds::{
    many_at_once, many_tasks_share_a_client, requests_wait_for_a_connection,
    requests_wait_for_a_stream,
};
pub use datagrams::{
    answer_comes_from_the_address_that_was_asked, bound_port_is_in_use_until_the_drop,
    bound_port_zero_becomes_a_port, burst_is_neither_changed_nor_doubled,
    connected_socket_hears_of_a_closed_port, connected_socket_hears_only_its_remote,
    datagram_says_who_sent_it, datagrams_keep_their_boundaries, datagrams_over_ipv6,
    dropped_socket_forgets_what_came, ecn_marks_are_carried, impossible_transmits_are_invalid,
    segments_are_datagrams, send_tells_an_earlier_refusal, too_long_datagram_is_told_once,
    unconnected_socket_hears_of_no_closed_port,
};
pub use drains::{
    changed_network_replaces_connections, connections_carry_what_they_may,
    drained_connection_is_replaced, draining_client_finishes_what_is_under_way,
    draining_server_answers_what_is_under_way, idle_server_drains_at_once, requests_survive_drains,
};
#[cfg(feature = "http3")]
pub use early::{later_connections_take_early_data, too_early_goes_again};
pub use ends::{
    accepted_half_may_close_first, both_directions_can_be_full, both_ends_close_at_once,
    bytes_before_a_reset_are_read, connect_can_be_dropped, connections_wait_to_be_accepted,
    dropped_listener_resets_who_waits, dropped_listeners_port_is_free,
    dropping_unread_bytes_resets, end_outlives_a_reset, finishing_twice_is_finishing,
    reset_wakes_the_reader, reset_wakes_the_writer, writing_after_finishing_fails,
};
pub use hooks::server_tells_what_happens;
pub use names::{a_name_that_does_not_exist_fails, localhost_is_loopback, look_up_can_be_dropped};
pub use peers::{
    answer_may_come_byte_by_byte, connection_that_ends_unsaid_is_replaced, cut_answer_is_an_error,
    interim_responses_are_told, nonsense_is_an_error, pipelined_requests_are_answered_in_order,
    server_survives_nonsense, tls_failures_fail_the_request,
};
pub use pressure::{
    slow_readers_and_writers_lose_nothing, small_windows_let_much_through,
    stopped_reader_stops_nobody, unread_request_is_held_up, unread_response_is_held_up,
};
pub use proxies::{
    proxy_forwards_plain_requests, refused_tunnel_is_an_error, tunnel_leads_to_the_origin,
    tunnel_may_open_byte_by_byte, tunnel_that_never_opens_is_an_error,
};
pub use races::{
    all_addresses_refuse, one_of_two_good_addresses_serves, requests_by_name, requests_over_ipv6,
    second_address_serves_when_the_first_refuses, second_address_wins_when_the_first_is_silent,
    second_address_wins_when_the_first_stalls_in_tls,
};
pub use shapes::{
    bodies_of_unknown_length, both_bodies_at_once, early_answers_end_an_upload, empty_bodies,
    expected_continue_comes, head_has_no_body, large_heads_both_ways, megabytes_both_ways,
    no_content_and_not_modified_have_no_body, one_connection_serves_one_after_the_other,
    requests_without_a_body, small_bodies_both_ways, statuses_come_as_they_were_said,
    trailers_both_ways,
};
pub use shutdowns::{
    all_may_go_at_once, dropped_client_gives_its_attempts_up,
    dropped_server_answers_what_is_under_way, long_drain_is_cut, response_outlives_its_client,
};
pub use sockets::{
    accept_tells_the_peers_address, bytes_go_both_ways, dropped_listener_refuses,
    dropped_stream_is_the_end, each_half_closes_by_itself, end_is_told_again,
    listening_twice_fails, megabytes_arrive_whole_and_in_order, port_zero_becomes_a_port,
    refused_port_says_so, slices_are_written_in_order, write_waits_for_the_reader,
    writing_to_nobody_fails,
};
pub use tasks::{
    busy_task_stops_no_timer, many_tasks_end, task_is_woken_from_another, tasks_take_turns,
};
pub use timeouts::{
    client_closes_idle_connections, connect_timeout_counts_tls, connect_timeout_ends_a_request,
    server_closes_idle_connections, server_closes_who_says_nothing, silent_peer_fails_its_pings,
    timeout_ends_a_queued_request, timeout_ends_a_request_that_waits, timeout_ends_a_response,
    timeout_ends_an_unanswered_request,
};
pub use tunnels::{
    connect_makes_a_tunnel, dropped_tunnel_ends_at_the_other_end,
    far_half_of_a_tunnel_may_end_first, tunnel_carries_much, tunnels_live_side_by_side,
    upgrade_makes_a_tunnel,
};
pub use wakers::{
    listener_wakes_who_asked_last, reader_and_writer_are_both_woken,
    reader_that_asked_last_is_woken, timer_wakes_who_asked_last,
    timer_wakes_without_being_asked_again, unix_sockets_carry_bytes,
};
#[cfg(not(feature = "http3"))]
pub use without_http3::*;

/// `Ok`, or what was expected and what came, in one sentence.
pub type Fact = Result<(), String>;

/// Returns with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err(format!($($sentence)+));
        }
    };
}
use ensure;

/// Makes one `#[test]` of every fact. `$run` is a function that takes a fact, an
/// `Fn(R) -> impl Future<Output = Fact>`, runs it on a new runtime, and returns what it says.
///
/// A runtime that has no UDP says `conformance_tests!(run, without datagrams)`. The facts are in
/// three parts, which can be had one by one: `basics` (clock, tasks, sockets, names),
/// `datagrams`, and `exchanges` (the driver on the runtime).
#[macro_export]
macro_rules! conformance_tests {
    ($run:path) => {
        $crate::conformance_tests! { $run, without datagrams }
        $crate::conformance_tests! { $run, datagrams }
    };
    ($run:path, without datagrams) => {
        $crate::conformance_tests! { $run, basics }
        $crate::conformance_tests! { $run, exchanges }
    };
    ($run:path, basics) => {
        $crate::conformance_tests! { $run:
            clock_never_goes_back, wall_clock_is_after_2020, timer_is_never_early,
            timer_can_be_moved_closer, timer_can_be_moved_away,
            timer_can_be_moved_after_it_expired, timer_can_be_dropped,
            timers_expire_in_order,
            many_tasks_end, task_is_woken_from_another, tasks_take_turns,
            busy_task_stops_no_timer,
            port_zero_becomes_a_port, listening_twice_fails,
            accept_tells_the_peers_address, bytes_go_both_ways,
            slices_are_written_in_order, megabytes_arrive_whole_and_in_order,
            write_waits_for_the_reader, each_half_closes_by_itself, end_is_told_again,
            dropped_stream_is_the_end, writing_to_nobody_fails, refused_port_says_so,
            dropped_listener_refuses,
            accepted_half_may_close_first, both_ends_close_at_once,
            finishing_twice_is_finishing, writing_after_finishing_fails,
            dropping_unread_bytes_resets, bytes_before_a_reset_are_read,
            reset_wakes_the_reader, reset_wakes_the_writer, end_outlives_a_reset,
            both_directions_can_be_full, connections_wait_to_be_accepted,
            dropped_listener_resets_who_waits, dropped_listeners_port_is_free,
            connect_can_be_dropped,
            timer_wakes_without_being_asked_again, timer_wakes_who_asked_last,
            reader_that_asked_last_is_woken, listener_wakes_who_asked_last,
            reader_and_writer_are_both_woken, unix_sockets_carry_bytes,
            localhost_is_loopback, a_name_that_does_not_exist_fails,
            look_up_can_be_dropped,
        }
    };
    ($run:path, datagrams) => {
        $crate::conformance_tests! { $run:
            datagrams_keep_their_boundaries, datagram_says_who_sent_it,
            answer_comes_from_the_address_that_was_asked,
            connected_socket_hears_only_its_remote,
            connected_socket_hears_of_a_closed_port, send_tells_an_earlier_refusal,
            unconnected_socket_hears_of_no_closed_port, segments_are_datagrams,
            impossible_transmits_are_invalid, too_long_datagram_is_told_once,
            ecn_marks_are_carried, burst_is_neither_changed_nor_doubled,
            bound_port_zero_becomes_a_port, bound_port_is_in_use_until_the_drop,
            dropped_socket_forgets_what_came, datagrams_over_ipv6,
        }
    };
    ($run:path, exchanges) => {
        $crate::conformance_tests! { $run:
            requests_without_a_body, small_bodies_both_ways, megabytes_both_ways,
            bodies_of_unknown_length, empty_bodies, trailers_both_ways,
            head_has_no_body, no_content_and_not_modified_have_no_body,
            statuses_come_as_they_were_said, large_heads_both_ways,
            expected_continue_comes, early_answers_end_an_upload, both_bodies_at_once,
            one_connection_serves_one_after_the_other,
            many_at_once, requests_wait_for_a_connection, requests_wait_for_a_stream,
            many_tasks_share_a_client,
            connect_makes_a_tunnel, upgrade_makes_a_tunnel, tunnel_carries_much,
            far_half_of_a_tunnel_may_end_first, dropped_tunnel_ends_at_the_other_end,
            tunnels_live_side_by_side,
            connect_may_name_a_protocol, datagrams_go_beside_a_tunnel,
            datagrams_need_both_sides, datagrams_that_nobody_takes_are_lost,
            proxy_forwards_plain_requests, tunnel_leads_to_the_origin,
            refused_tunnel_is_an_error, tunnel_may_open_byte_by_byte,
            tunnel_that_never_opens_is_an_error,
            interim_responses_are_told, answer_may_come_byte_by_byte,
            connection_that_ends_unsaid_is_replaced, cut_answer_is_an_error,
            nonsense_is_an_error, pipelined_requests_are_answered_in_order,
            server_survives_nonsense, tls_failures_fail_the_request,
            second_address_serves_when_the_first_refuses,
            second_address_wins_when_the_first_is_silent,
            second_address_wins_when_the_first_stalls_in_tls,
            one_of_two_good_addresses_serves, all_addresses_refuse, requests_by_name,
            requests_over_ipv6,
            learnt_http3_serves_later_requests, known_http3_serves_the_first_request,
            swallowed_udp_leaves_requests_to_tcp, refused_udp_leaves_requests_to_tcp,
            later_connections_take_early_data, too_early_goes_again,
            draining_server_answers_what_is_under_way, idle_server_drains_at_once,
            drained_connection_is_replaced, requests_survive_drains,
            draining_client_finishes_what_is_under_way,
            changed_network_replaces_connections, connections_carry_what_they_may,
            timeout_ends_an_unanswered_request, timeout_ends_a_response,
            timeout_ends_a_request_that_waits, timeout_ends_a_queued_request,
            connect_timeout_ends_a_request, connect_timeout_counts_tls,
            client_closes_idle_connections, server_closes_idle_connections,
            server_closes_who_says_nothing, silent_peer_fails_its_pings,
            unread_response_is_held_up, unread_request_is_held_up,
            stopped_reader_stops_nobody, slow_readers_and_writers_lose_nothing,
            small_windows_let_much_through,
            request_can_be_dropped_at_every_poll, dropped_requests_harm_no_neighbour,
            dropped_request_ends_at_the_service, dropped_upload_is_not_complete,
            dropped_response_ends_at_the_service,
            request_that_is_never_polled_is_nothing, response_may_be_left_in_the_middle,
            dropped_server_answers_what_is_under_way, long_drain_is_cut,
            response_outlives_its_client, dropped_client_gives_its_attempts_up,
            all_may_go_at_once,
            server_tells_what_happens,
        }
    };
    ($run:path: $($fact:ident,)+) => {
        $(
            #[test]
            fn $fact() {
                if let Err(sentence) = $run($crate::conformance::$fact) {
                    panic!("{sentence}");
                }
            }
        )+
    };
}
