//! Every example is run as a stranger would run it, against real sockets: what it prints and how
//! it ends.
#![cfg(test)]

mod eyeballs_only;
mod nginx;
mod origin;
mod pool_only;
mod program;
