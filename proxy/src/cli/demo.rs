//! Options of `regatta demo`.

use clap::Args;

const DEMO_EXAMPLES: &str = "\
It needs nothing but loopback, takes a few seconds, and exits with 0 only if all that it claims
has happened.

Examples:
  regatta demo
  regatta demo --only drain";

/// Options of `regatta demo`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Play only this scene
    #[arg(long, value_name = "SCENE", value_parser = crate::demo::SCENE_NAMES)]
    pub(crate) only: Vec<String>,
}
