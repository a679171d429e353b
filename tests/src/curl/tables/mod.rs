//! The command lines, by what they are about.

mod bodies;
mod cookies;
mod failures;
mod forms;
mod load;
mod output;
mod proxies;
mod ranges;
mod redirects;
mod requests;
mod retries;
mod urls;
mod way;
mod write_out;
