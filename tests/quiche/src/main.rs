//! Asks what standard input says, a line each, by quiche; prints a line of what came for each.
//!
//! usage: asks-quiche BASE-URL CA 3
//!        asks-quiche bench 1|64|bulk CERTIFICATE KEY
//!
//! The second is one run of quiche at both ends, and what each end spent on a request, or on a
//! megabyte.

use std::io;

mod asker;
mod bench;
mod link;
mod port;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, load, certificate, key] = words.as_slice()
        && word == "bench"
    {
        return bench::run(load, certificate, key);
    }
    let [base, ca, ..] = words.as_slice() else {
        return Err(io::Error::other("usage: asks-quiche BASE-URL CA 3"));
    };
    let mut asker = asker::Asker::new(base, ca)?;
    let mut line = String::new();
    // Not held in between: a request that pauses reads a line of its own.
    while io::stdin().read_line(&mut line)? > 0 {
        println!("{}", asker.ask(line.trim_end())?);
        line.clear();
    }
    Ok(())
}
