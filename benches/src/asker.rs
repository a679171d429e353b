//! Who asks a server for something, again and again.

use tokio::task::JoinSet;

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
