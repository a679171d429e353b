//! Servers of a simulated world: the production one with drawn behaviours, and scripted ones
//! that do to a connection what no library does.
//!
//! An endpoint is one address and port. It behaves as its [`Conduct`] says until its path is
//! healed; from then on an honest server with default settings listens there.

mod body;
mod honest;
mod plan;
mod raw;
mod raw_http;
mod scene;
mod wire;

pub use body::{BrokenOff, Pattern, byte_at};
pub use honest::endpoint;
pub(crate) use honest::first;
pub use plan::{AltSvc, Answer, Certificate, Conduct, Deed, RawKind, ServerPlan, Start};
pub(crate) use plan::{DEEDS, SCRIPTS};
pub use scene::{Fate, Scene, Script};
