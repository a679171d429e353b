//! What the tables feed their engines, as the fuzzer's targets read it.

use http::Method;

use super::Then;
use crate::harvest;

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
    let then = match then {
        Then::Open => 0,
        Then::Clean => 1,
        Then::Broken => 2,
    };
    for front in FRONTS {
        harvest::keep(target, &[&[settings, then], front, input].concat());
    }
}
