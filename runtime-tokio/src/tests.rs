use core::future::poll_fn;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_timer_wakes_also_a_task_that_had_used_its_budget_up() {
    let runtime = Tokio::new();
    let at = runtime.now() + Duration::from_secs(1);
    let mut timer = runtime.timer(at);
    let (send, mut full) = tokio::sync::mpsc::unbounded_channel();
    (0..1_000).for_each(|n| send.send(n).unwrap());
    let mut asked = false;
    // As a connection does: the timer is asked once, then its wake-up is trusted.
    let task = poll_fn(|cx| {
        while full.poll_recv(cx).is_ready() {}
        if !asked {
            asked = true;
            assert!(timer.poll_expired(cx).is_pending());
        }
        if runtime.now() < at { Poll::Pending } else { Poll::Ready(()) }
    });
    let late = Duration::from_secs(60);
    assert!(tokio::time::timeout(late, task).await.is_ok());
    assert!(runtime.now() < at + late / 2, "it was the other timer that woke the task");
}

#[tokio::test]
async fn a_udp_socket_can_what_the_system_can() {
    let at = SocketAddr::from(([127, 0, 0, 1], 0));
    let other = std::net::UdpSocket::bind(at).unwrap();
    let system = quinn_udp::UdpSocketState::new((&other).into()).unwrap();
    let socket = Tokio::new().bind(at, None).await.unwrap();
    assert_eq!(socket.max_segments(), system.max_gso_segments());
    assert_eq!(socket.max_received_segments(), system.gro_segments());
    assert_eq!(socket.may_fragment(), system.may_fragment());
}

/// The README's example is true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
