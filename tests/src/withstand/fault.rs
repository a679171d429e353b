//! A fault, and how it is played on any runtime.

use core::future::poll_fn;
use core::time::Duration;
use std::sync::Arc;

use regatta_core::upstream::Protocols;
use regatta_runtime::{Listener as _, Runtime, Stream};

use super::http2;
use super::line::Line;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Http1,
    /// By prior knowledge.
    Http2,
}

impl Way {
    pub(super) const fn protocols(self) -> Protocols {
        match self {
            Self::Http1 => Protocols::Http1,
            Self::Http2 => Protocols::Http2PriorKnowledge,
        }
    }
}

/// One step of a server that does wrong. Behind the last it
/// serves well.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Reads the head of a request.
    Request,
    Say(Vec<u8>),
    /// Says one piece after the other, at most so many, until the client goes.
    Flood(u32, fn(u32) -> Vec<u8>),
    /// Ends its side.
    Finish,
    /// Ends the connection while a byte is unread, which makes it a reset.
    Reset,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// It is answered all the same.
    Well,
    /// curl's exit code, and the sentence behind the origin's name.
    Fails(i32, &'static str),
}

/// What a server does wrong.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) way: Way,
    /// What happens on each connection that goes badly.
    pub(super) script: Vec<Step>,
    /// So many connections go badly: more than one where a request goes again by itself.
    pub(super) bad: u32,
    /// So many requests are answered before.
    pub(super) before: u32,
    /// The request has a body: one that may not go again.
    pub(super) posts: bool,
    /// How long the request may take.
    pub(super) limit: Option<Duration>,
    pub(super) comes: Comes,
}

impl Fault {
    /// A request that is sent once and fails.
    pub(super) fn new(way: Way, name: &'static str, script: Vec<Step>, comes: Comes) -> Self {
        let mut whole = vec![Step::Request];
        if way == Way::Http2 {
            whole.push(Step::Say(http2::SETTINGS.to_vec()));
        }
        whole.extend(script);
        let (bad, before, posts, limit) = (1, 0, false, None);
        Self { name, way, script: whole, bad, before, posts, limit, comes }
    }

    /// A request that goes again by itself, once.
    pub(super) const fn twice(mut self) -> Self {
        self.bad = 2;
        self
    }

    pub(super) const fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) const fn posts(mut self) -> Self {
        self.posts = true;
        self
    }

    pub(super) const fn before(mut self, before: u32) -> Self {
        self.before = before;
        self
    }
}

/// Serves connections one beside the other: the first ones badly, all others well. `on_good` is
/// called before each good answer.
pub(super) async fn serve<R: Runtime>(
    runtime: R,
    listener: R::Listener,
    fault: Fault,
    on_good: impl Fn() + Send + Sync + 'static,
) {
    let scripts = vec![fault.script; fault.bad as usize];
    serve_each(runtime, listener, fault.way, scripts, on_good).await;
}

/// As [`serve`], with a script for each connection that goes badly.
pub(super) async fn serve_each<R: Runtime>(
    runtime: R,
    mut listener: R::Listener,
    way: Way,
    scripts: Vec<Vec<Step>>,
    on_good: impl Fn() + Send + Sync + 'static,
) {
    let (on_good, mut scripts) = (Arc::new(on_good), scripts.into_iter());
    while let Ok((stream, _)) = poll_fn(|cx| listener.poll_accept(cx)).await {
        let (line, on_good) = (Line::new(stream, way), Arc::clone(&on_good));
        if let Some(script) = scripts.next() {
            runtime.spawn(async move { badly(line, script, &*on_good).await });
        } else {
            let greeting = if way == Way::Http2 { http2::SETTINGS } else { &[] };
            runtime.spawn(async move { well(line, greeting, &*on_good).await });
        }
    }
}

/// Plays the script, then serves well who is still there.
async fn badly<S: Stream>(mut line: Line<S>, script: Vec<Step>, on_good: &(impl Fn() + Sync)) {
    for step in script {
        let goes_on = match step {
            Step::Request => line.request().await.is_some(),
            Step::Say(bytes) => line.say(&bytes).await,
            Step::Flood(most, piece) => flood(&mut line, most, piece).await,
            Step::Finish => {
                line.finish().await;
                line.drain().await;
                false
            }
            Step::Reset => {
                let _ = line.read(&mut [0]).await;
                false
            }
        };
        if !goes_on {
            return;
        }
    }
    well(line, &[], on_good).await;
}

async fn flood<S: Stream>(line: &mut Line<S>, most: u32, piece: fn(u32) -> Vec<u8>) -> bool {
    for begin in (0..most).step_by(64) {
        let bytes: Vec<u8> = (begin..most.min(begin + 64)).flat_map(piece).collect();
        if !line.say(&bytes).await {
            return false;
        }
    }
    true
}

async fn well<S: Stream>(mut line: Line<S>, mut greeting: &[u8], on_good: &(impl Fn() + Sync)) {
    while let Some(stream) = line.request().await {
        on_good();
        let answer = match line.way() {
            Way::Http1 => super::http1::OK.to_vec(),
            Way::Http2 => http2::ok(stream),
        };
        line.say(&[greeting, &answer].concat()).await;
        greeting = &[];
    }
}
