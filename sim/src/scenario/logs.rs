//! The qlog of a run: what each QUIC connection of its client and servers did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use regatta_core::engine::qlog::Sink;

/// The text of each file, by its name. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs(Arc<Mutex<BTreeMap<String, String>>>);

impl Logs {
    /// Who the connections of a run give their records to.
    pub(super) fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.clone())
    }

    /// What there is now.
    pub(super) fn take(&self) -> BTreeMap<String, String> {
        core::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Logs {
    fn append(&self, name: &str, records: &str) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(name.to_owned()).or_default().push_str(records);
    }
}
