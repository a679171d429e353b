//! Every request as a line (RFC 4180).

use std::fmt::Write as _;

use crate::scenario::{End, Outcome, Setting};

/// The columns.
const HEAD: &str = "settings,seed,load,request,requested_ms,assigned_ms,first_byte_ms,ended_ms,\
result,sent_bytes,received_bytes,connection,address,protocol,reused,attempts,resends";

/// One line for each request of these runs; times are since the run's beginning.
pub fn lines(rows: &[(Vec<Setting>, Vec<Outcome>)]) -> String {
    let mut text = format!("{HEAD}\n");
    for (settings, runs) in rows {
        let all: Vec<String> = settings.iter().map(|(path, to)| format!("{path}={to}")).collect();
        let settings = quoted(&all.join(" "));
        for run in runs {
            for asked in &run.asked {
                line(&settings, run.seed, asked, &mut text);
            }
        }
    }
    text
}

fn line(settings: &str, seed: u64, asked: &crate::scenario::Asked, text: &mut String) {
    let millis = |at: Option<regatta_core::Instant>| match at {
        None => String::new(),
        Some(at) => {
            format!("{}.{:06}", at.as_nanos() / 1_000_000, at.as_nanos() % 1_000_000)
        }
    };
    let timeline = &asked.timeline;
    let result = match &asked.end {
        End::UnderWay => "under-way".to_owned(),
        End::Answered(status) => status.to_string(),
        End::Failed(cause) => quoted(cause),
    };
    let (connection, address, protocol, reused) = match &timeline.connection {
        None => Default::default(),
        Some(made) => (
            format!("{:?}", made.connection),
            made.address.to_string(),
            made.protocol.to_string(),
            made.reused.to_string(),
        ),
    };
    let _ = writeln!(
        text,
        "{settings},{seed},{},{},{},{},{},{},{result},{},{},{connection},{address},{protocol},\
         {reused},{},{}",
        asked.load,
        quoted(&asked.what),
        millis(Some(asked.requested)),
        millis(timeline.assigned),
        millis(timeline.first_byte),
        millis(asked.ended),
        asked.sent,
        asked.received,
        timeline.attempts.len(),
        timeline.resends,
    );
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
