//! The resolver.

use core::future::poll_fn;
use core::task::Poll;

use regatta_core::types::Cause;

use super::{Fact, ensure};
use crate::runtime::{Resolution as _, Runtime};

/// RFC 6761 6.3: `localhost` is a loopback address; and the look-up ends.
pub async fn localhost_is_loopback<R: Runtime>(runtime: R) -> Fact {
    let mut resolution = runtime.resolve("localhost");
    let mut found = Vec::new();
    while let Some(answer) = poll_fn(|cx| resolution.poll_answer(cx)).await {
        let answer = answer.map_err(|cause| format!("localhost was not found: {cause:?}"))?;
        found.extend(answer.addresses);
    }
    ensure!(!found.is_empty(), "localhost has no address");
    ensure!(found.iter().all(|address| address.is_loopback()), "localhost is at {found:?}");
    Ok(())
}

/// RFC 6761 6.4: a name under `invalid` does not exist; the look-up fails once and ends.
pub async fn a_name_that_does_not_exist_fails<R: Runtime>(runtime: R) -> Fact {
    let mut resolution = runtime.resolve("no-such-name.invalid");
    let first = poll_fn(|cx| resolution.poll_answer(cx)).await;
    // Without any resolver at hand, the system cannot know that it does not exist.
    ensure!(
        matches!(first, Some(Err(Cause::NameNotFound | Cause::ResolveFailed))),
        "expected a failed look-up, came {first:?}"
    );
    let second = poll_fn(|cx| resolution.poll_answer(cx)).await;
    ensure!(second.is_none(), "expected no more answers, came {second:?}");
    Ok(())
}

/// A look-up that is dropped, before it is asked or while it runs, harms no later one.
pub async fn look_up_can_be_dropped<R: Runtime>(runtime: R) -> Fact {
    for asked in [false, true].repeat(10) {
        let mut resolution = runtime.resolve("localhost");
        if asked {
            poll_fn(|cx| Poll::Ready(resolution.poll_answer(cx).is_ready())).await;
        }
    }
    let mut resolution = runtime.resolve("localhost");
    let answer = poll_fn(|cx| resolution.poll_answer(cx)).await;
    ensure!(matches!(answer, Some(Ok(_))), "localhost was to be found, came {answer:?}");
    Ok(())
}
