//! How often and how many at once: retries, parallel transfers, repetition.

use std::num::NonZeroUsize;

use clap::Args;

use super::get::LOAD;

/// Transfers at once with `-Z` (curl's own).
const PARALLEL: usize = 50;

#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of curl")]
pub(crate) struct LoadArgs {
    /// Try again so often when the failure may pass: time is up, 408, 429, 500, 502, 503, 504
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = LOAD)]
    pub(crate) retry: u32,

    /// Seconds between tries instead of 1, 2, 4 and so on to 600
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = LOAD)]
    pub(crate) retry_delay: u32,

    /// Begin no further try after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, help_heading = LOAD)]
    pub(crate) retry_max_time: u32,

    /// Try again after every failure
    #[arg(long, help_heading = LOAD)]
    pub(crate) retry_all_errors: bool,

    /// Try again when the connection is refused, too
    #[arg(long, help_heading = LOAD)]
    pub(crate) retry_connrefused: bool,

    /// Run transfers at the same time
    #[arg(short = 'Z', long, help_heading = LOAD)]
    pub(crate) parallel: bool,

    /// Most transfers at the same time with -Z
    #[arg(long, value_name = "N", help_heading = LOAD)]
    pub(crate) parallel_max: Option<NonZeroUsize>,

    /// Connections are shared as the pool decides, with or without this
    #[arg(long, help_heading = LOAD)]
    pub(crate) parallel_immediate: bool,

    /// How often to fetch every URL
    #[arg(long, value_name = "N", default_value = "1", help_heading = LOAD)]
    pub(crate) repeat: NonZeroUsize,

    /// Read more options from this file, one a line; - is standard input
    #[arg(short = 'K', long, value_name = "FILE", help_heading = LOAD)]
    config: Vec<String>,

    /// What follows is a line of its own: other options for other URLs
    #[arg(short = ':', long, help_heading = LOAD)]
    next: bool,

    /// Options stand on the line only, which is the default here
    #[arg(short = 'q', long, help_heading = LOAD)]
    disable: bool,
}

impl LoadArgs {
    /// How many transfers run at once.
    pub(crate) fn at_once(&self) -> usize {
        let most = self.parallel_max.map_or(PARALLEL, NonZeroUsize::get);
        if self.parallel { most } else { 1 }
    }
}
