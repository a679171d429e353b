//! Who asks a server for something, again and again, and in which ways.

use tokio::task::JoinSet;

/// One column of a table: what is spoken, and how many ask at a time.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
    pub(crate) at_once: u64,
}

const fn case(name: &'static str, http2: bool, tls: bool, at_once: u64) -> Case {
    Case { name, http2, tls, at_once }
}

pub(crate) const HTTP1: [Case; 4] = [
    case("1 at once", false, false, 1),
    case("64 at once", false, false, 64),
    case("TLS, 1 at once", false, true, 1),
    case("TLS, 64 at once", false, true, 64),
];
pub(crate) const HTTP2: [Case; 4] = [
    case("1 at once", true, false, 1),
    case("64 at once", true, false, 64),
    case("TLS, 1 at once", true, true, 1),
    case("TLS, 64 at once", true, true, 64),
];

/// The way that a word names: `http1`, `http2`, `http1-tls` or `http2-tls`, so many at once.
pub(crate) fn way(word: &str, at_once: &str) -> Case {
    let at_once = at_once.parse().expect("how many at once");
    match word {
        "http1" => case("HTTP/1.1", false, false, at_once),
        "http2" => case("HTTP/2", true, false, at_once),
        "http1-tls" => case("HTTP/1.1, TLS", false, true, at_once),
        "http2-tls" => case("HTTP/2, TLS", true, true, at_once),
        other => panic!("{other} is no way: http1, http2, http1-tls and http2-tls are"),
    }
}

/// Sends a request, waits for the whole answer and checks it.
pub(crate) trait Asker: Send + 'static {
    fn ask(&mut self) -> impl Future<Output = ()> + Send;
}

/// All of them side by side, each in a task of its own, ask so often each.
pub(crate) async fn round<A: Asker>(askers: Vec<A>, each: u64) -> Vec<A> {
    let mut tasks = JoinSet::new();
    for mut asker in askers {
        tasks.spawn(async move {
            for _ in 0..each {
                asker.ask().await;
            }
            asker
        });
    }
    tasks.join_all().await
}
