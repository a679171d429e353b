//! regatta-fuzz: what is fuzzed, one function of bytes for each target.
//!
//! libFuzzer calls it (`fuzz_targets/`, by `cargo xtask fuzz`), the committed corpora are
//! replayed through it (`cargo xtask test corpora`), and the property tests here draw for it: all
//! three run the very same function. Each has an oracle beyond "no panic", and says it.
#![forbid(unsafe_code)]

pub mod altsvc;
mod body;
mod cuts;
pub mod dns;
pub mod h1;
pub mod h3;
pub mod journal;
mod log;
pub mod machines;
pub mod pair;
pub mod qpack;
pub mod quic;
#[cfg(test)]
mod tests;
pub mod text;
pub mod tls;
pub mod world;

/// One thing that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its file in `fuzz_targets/` and of its folder in `corpus/`.
    pub name: &'static str,
    /// What must be true of every input.
    pub oracle: &'static str,
    /// Runs one input; panics when it is not.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "eyeballs",
        oracle: "the machine keeps its contract and does what the model of RFC 8305 does",
        run: machines::eyeballs,
    },
    Target {
        name: "pool",
        oracle: "the pool loses nobody, serves in order and keeps every limit of the books",
        run: machines::pool,
    },
    Target {
        name: "upstream",
        oracle: "all machines together lose nobody and agree with the books of their world",
        run: machines::upstream,
    },
    Target {
        name: "anarchy",
        oracle: "events in no order at all break no part of the contract",
        run: machines::anarchy,
    },
    Target {
        name: "h1_requests",
        oracle: "a server hears the same however the bytes are cut, and the same as hyper",
        run: h1::requests,
    },
    Target {
        name: "h1_responses",
        oracle: "a client hears the same however the bytes are cut, and the same as hyper",
        run: h1::responses,
    },
    Target {
        name: "h1_pair",
        oracle: "what an HTTP/1 engine says its peer hears, whole, in order and once",
        run: pair::http1,
    },
    Target {
        name: "h2_pair",
        oracle: "what an HTTP/2 engine says its peer hears, whole, in order and once",
        run: pair::http2,
    },
    Target {
        name: "h3_requests",
        oracle: "a server of HTTP/3 hears what stands in the bytes, and no fault goes unsaid",
        run: h3::requests,
    },
    Target {
        name: "h3_responses",
        oracle: "a client of HTTP/3 hears what stands in the bytes, and no fault goes unsaid",
        run: h3::responses,
    },
    Target {
        name: "h3_pair",
        oracle: "what an HTTP/3 engine says its peer hears, whatever befalls the datagrams",
        run: pair::http3,
    },
    Target {
        name: "quic_datagrams",
        oracle: "forged datagrams change nothing, cost little, and get no more than thrice as much",
        run: quic::datagrams,
    },
    Target {
        name: "qpack_pair",
        oracle: "fields that are compressed are read again, whatever is late between both tables",
        run: qpack::pair,
    },
    Target {
        name: "qpack_sections",
        oracle: "a section is read in one way within its limits, and can be written again",
        run: qpack::sections,
    },
    Target {
        name: "tls",
        oracle: "what is heard was said, whatever befalls the records; an error is the last word",
        run: tls::records,
    },
    Target {
        name: "small_world",
        oracle: "every invariant of the explorer holds, and everything comes to its end",
        run: world::small,
    },
    Target {
        name: "journaled",
        oracle: "the journal of any run gives the same actions again",
        run: machines::journaled,
    },
    Target {
        name: "journal",
        oracle: "a journal has one answer however it is cut, and names a line that there is",
        run: journal::journal,
    },
    Target {
        name: "scenario",
        oracle: "a scenario is read in one way, and what is wrong has its place",
        run: text::scenario,
    },
    Target {
        name: "certificate",
        oracle: "what is shown of a certificate is one line of text",
        run: text::certificate,
    },
    Target {
        name: "urls",
        oracle: "a URL means the same when it is written and read again, and keeps its credentials",
        run: text::urls,
    },
    Target {
        name: "cookies",
        oracle: "a cookie goes to whom it is for, and a file of them gives the same again",
        run: text::cookies,
    },
    Target {
        name: "command_line",
        oracle: "a line is understood in one way, and a file of options can be written anew",
        run: text::command_line,
    },
    Target {
        name: "fields",
        oracle: "dates agree with each other, and no name or text leaves its place",
        run: text::fields,
    },
    Target {
        name: "altsvc",
        oracle: "the ledger of alternatives says of every origin what its model says",
        run: altsvc::ledger,
    },
    Target {
        name: "altsvc_field",
        oracle: "a field means the same to a second reader, and when it is written and read again",
        run: altsvc::field,
    },
    Target {
        name: "altsvc_file",
        oracle: "a file is written as it was read, and what is damaged has its line",
        run: altsvc::file,
    },
    Target {
        name: "race",
        oracle: "QUIC races TCP as its model says, and HTTP/3 is broken only by its rule",
        run: altsvc::race,
    },
    Target {
        name: "raced",
        oracle: "nobody is lost or told of a failure while another leg of a race follows",
        run: machines::raced,
    },
    Target {
        name: "raced_journaled",
        oracle: "the journal of any run in which QUIC and TCP race gives the same actions again",
        run: machines::raced_journaled,
    },
    Target {
        name: "dns",
        oracle: "an answer means the same to a second reader, and when that has written it anew",
        run: dns::answer,
    },
];
