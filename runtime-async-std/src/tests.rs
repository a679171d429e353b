use core::future::poll_fn;

use super::*;

#[test]
fn a_timer_says_as_often_as_it_is_asked_that_it_has_expired() {
    let runtime = Chosen::new();
    let mut timer = runtime.timer(runtime.now() + Duration::from_millis(1));
    for _ in 0..3 {
        async_io::block_on(poll_fn(|cx| timer.poll_expired(cx)));
    }
    let at = runtime.now() + Duration::from_millis(1);
    timer.reset(at);
    async_io::block_on(poll_fn(|cx| timer.poll_expired(cx)));
    assert!(runtime.now() >= at, "it was asked before its time");
}

#[test]
fn a_look_up_that_is_dropped_is_forgotten() {
    let runtime = Chosen::new();
    for _ in 0..1_000 {
        drop(runtime.resolve("localhost"));
    }
    let mut asked = runtime.resolve("localhost");
    let answer = async_io::block_on(poll_fn(|cx| asked.poll_answer(cx)));
    assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
}
