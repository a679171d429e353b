//! Timelines as JSON, for programs. docs/observing.md describes the format.

use std::fmt::Write as _;

use regatta_core::Instant;
use regatta_core::types::Transport;
use regatta_tokio::{AttemptOutcome, AttemptTrace, ConnectionTrace, Timeline};

use super::file::Drawn;

/// The format's version: it grows when a field changes its meaning or goes away, not when one
/// is added.
pub(super) const VERSION: u32 = 1;

/// All of a file. Times are milliseconds since the first request was made.
pub(super) fn write(drawn: &[Drawn], left_out: usize) -> String {
    let zero = drawn.iter().map(|one| one.timeline.requested).min().unwrap_or_default();
    let requests: Vec<_> = drawn.iter().map(|one| request(one, zero)).collect();
    format!(
        "{{\"format\":\"regatta-timeline\",\"version\":{VERSION},\"left_out\":{left_out},\
         \"requests\":[{}\n]}}\n",
        requests.iter().map(|text| format!("\n{text}")).collect::<Vec<_>>().join(","),
    )
}

fn request(one: &Drawn, zero: Instant) -> String {
    let Timeline { requested, resolve, attempts, connection, assigned, .. } = &one.timeline;
    let time = |at: Option<Instant>| time(at, zero);
    let resolve = resolve.map_or_else(
        || "null".to_owned(),
        |span| {
            let (start, end) = (time(Some(span.started)), time(span.ended));
            format!("{{\"start_ms\":{start},\"end_ms\":{end}}}")
        },
    );
    let proxy = one.timeline.proxy.as_ref();
    let proxy = proxy.map_or_else(|| "null".to_owned(), |proxy| string(&proxy.to_string()));
    let attempts: Vec<_> = attempts.iter().map(|one| attempt(one, zero)).collect();
    let connection =
        connection.as_ref().map_or_else(|| "null".to_owned(), |used| connected(used, zero));
    format!(
        "{{\"method\":{},\"url\":{},\"outcome\":{},\"requested_ms\":{},\"resolve\":{resolve},\
         \"proxy\":{proxy},\"attempts\":[{}],\"connection\":{connection},\"assigned_ms\":{},\
         \"first_byte_ms\":{},\"ended_ms\":{},\"resends\":{}}}",
        string(&one.method),
        string(&one.url),
        string(&one.outcome),
        time(Some(*requested)),
        attempts.join(","),
        time(*assigned),
        time(one.timeline.first_byte),
        time(one.timeline.ended),
        one.timeline.resends,
    )
}

fn attempt(attempt: &AttemptTrace, zero: Instant) -> String {
    let (outcome, cause) = match attempt.outcome {
        AttemptOutcome::UnderWay => ("under_way", None),
        AttemptOutcome::Won => ("won", None),
        AttemptOutcome::Failed(cause) => ("failed", Some(cause.to_string())),
        AttemptOutcome::Aborted => ("given_up", None),
    };
    let transport = match attempt.transport {
        Transport::Tcp => "tcp",
        Transport::Quic => "quic",
    };
    let tunnel = attempt.tunnel.map_or_else(
        || "null".to_owned(),
        |tunnel| {
            let status = tunnel.status.map_or_else(|| "null".to_owned(), |code| code.to_string());
            let (asked, answered) = (time(Some(tunnel.asked), zero), time(tunnel.answered, zero));
            format!("{{\"asked_ms\":{asked},\"answered_ms\":{answered},\"status\":{status}}}")
        },
    );
    format!(
        "{{\"transport\":\"{transport}\",\"address\":{},\"start_ms\":{},\"connected_ms\":{},\
         \"tunnel\":{tunnel},\"end_ms\":{},\"outcome\":\"{outcome}\",\"cause\":{}}}",
        string(&attempt.address.to_string()),
        time(Some(attempt.started), zero),
        time(attempt.connected, zero),
        time(attempt.ended, zero),
        cause.map_or_else(|| "null".to_owned(), |cause| string(&cause)),
    )
}

fn connected(used: &ConnectionTrace, zero: Instant) -> String {
    let tls = used.tls.as_ref().map_or_else(
        || "null".to_owned(),
        |tls| {
            let alpn = tls.alpn.map_or_else(|| "null".to_owned(), |alpn| string(&alpn.to_string()));
            format!(
                "{{\"version\":{},\"cipher\":{},\"alpn\":{alpn},\"resumed\":{}}}",
                string(&tls.version),
                string(&tls.cipher),
                tls.resumed,
            )
        },
    );
    format!(
        "{{\"id\":{},\"address\":{},\"protocol\":{},\"reused\":{},\"established_ms\":{},\
         \"tls\":{tls}}}",
        string(&format!("{:?}", used.connection)),
        string(&used.address.to_string()),
        string(&used.protocol.to_string()),
        used.reused,
        time(Some(used.established), zero),
    )
}

/// Milliseconds to the microsecond; what came before the first request is negative.
fn time(at: Option<Instant>, zero: Instant) -> String {
    let Some(at) = at else { return "null".to_owned() };
    let (sign, since) = match at < zero {
        true => ("-", zero.saturating_since(at)),
        false => ("", at.saturating_since(zero)),
    };
    let micros = since.as_micros();
    format!("{sign}{}.{:03}", micros / 1_000, micros % 1_000)
}

fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
