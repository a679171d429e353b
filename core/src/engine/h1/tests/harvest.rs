//! What the tables feed their engines is where the fuzzer begins: with `REGATTA_HARVEST` set to a
//! folder, `cargo xtask corpus` collects it there, in the form that the targets of fuzz/ read.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use http::Method;

use super::Then;

/// Without tiny limits; one piece, and cut into pieces of 3, 0 and 5 bytes.
const FRONTS: [&[u8]; 2] = [&[0], &[3, 3, 0, 5]];

pub(super) fn request(then: Then, input: &[u8]) {
    keep("h1_requests", 0, then, input);
}

pub(super) fn response(request: &http::Request<()>, then: Then, input: &[u8]) {
    let question = match *request.method() {
        Method::HEAD => 1,
        Method::POST => 2,
        Method::CONNECT => 3,
        _ if request.headers().contains_key(http::header::UPGRADE) => 4,
        _ => 0,
    };
    keep("h1_responses", question << 1, then, input);
}

fn keep(target: &str, settings: u8, then: Then, input: &[u8]) {
    let Some(folder) = std::env::var_os("REGATTA_HARVEST") else { return };
    let folder = Path::new(&folder).join(target);
    std::fs::create_dir_all(&folder).unwrap();
    let then = match then {
        Then::Open => 0,
        Then::Clean => 1,
        Then::Broken => 2,
    };
    for front in FRONTS {
        let bytes = [&[settings, then], front, input].concat();
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        std::fs::write(folder.join(format!("{:016x}", hasher.finish())), bytes).unwrap();
    }
}
