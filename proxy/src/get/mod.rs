//! `regatta get`: curl's words on the pool.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use regatta_tokio::Recording;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};

use self::batch::{Batch, Shared};
use self::exit_code::{Exit, Failure};
use self::glob::Glob;
use self::progress::{Board, Progress};
use self::transfer::Transfer;
use self::wire::Wire;
use crate::cli::GetArgs;
use crate::waterfall::file::Album;
use crate::{say, waterfall};

mod alt_svc;
mod batch;
mod body;
pub(crate) mod cookies;
mod data;
pub(crate) mod date;
mod decisions;
mod decode;
pub(crate) mod disposition;
pub(crate) mod exit_code;
pub(crate) mod form;
mod glob;
mod hop;
mod journal;
mod key_log;
mod netrc;
mod next;
mod output;
pub(crate) mod payload;
mod progress;
mod proxies;
mod rate;
mod redirect;
pub(crate) mod report;
mod request;
mod retry;
#[cfg(test)]
mod tests;
mod transfer;
pub(crate) mod url;
mod verbose;
mod wire;
pub(crate) mod write_out;

/// Fetches all URLs; the exit code is that of the last one, or of the first failure with
/// `--fail-early`.
pub(crate) async fn run(parts: Vec<GetArgs>) -> ExitCode {
    let speaks = parts.iter().all(|part| !part.output.silent || part.output.show_error);
    match fetch_all(parts, speaks).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}

/// How the line ends: what counts of many outcomes.
struct Outcome {
    speaks: bool,
    /// One after another, the last transfer decides; at the same time, the last failure.
    last_decides: bool,
    result: Result<(), Exit>,
}

impl Outcome {
    fn note(&mut self, ended: Result<(), Failure>) {
        match ended {
            Ok(()) if self.last_decides => self.result = Ok(()),
            Ok(()) => {}
            Err(failure) => {
                if self.speaks {
                    say::err(&format!("{failure}\n"));
                }
                self.result = Err(failure.exit);
            }
        }
    }

    fn joined(&mut self, ended: Result<Result<(), Failure>, JoinError>) {
        match ended {
            Ok(ended) => self.note(ended),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// Runs every transfer of every part.
async fn fetch_all(parts: Vec<GetArgs>, speaks: bool) -> Result<(), Exit> {
    let Some(first) = parts.first() else { return Ok(()) };
    let (at_once, fails_early) = (first.load.at_once(), first.output.fail_early);
    let draws = first.output.timeline.is_some();
    let shown = first.output.clone();
    let drawing = first.output.timeline_file().map(PathBuf::from);
    let album = Arc::new(Album::default());
    let mut outcome = Outcome { speaks, last_decides: at_once == 1, result: Ok(()) };
    let record = parts.iter().find_map(|part| part.output.record.clone());
    let recording = match record.as_deref().map(journal::create).transpose() {
        Ok(recording) => recording,
        Err(failure) => {
            outcome.note(Err(failure));
            return outcome.result;
        }
    };
    let transfers = match transfers(parts, recording.as_ref(), speaks, &album) {
        Ok(transfers) => transfers,
        Err(failure) => {
            outcome.note(Err(failure));
            return outcome.result;
        }
    };
    let board = transfers.first().map(|first| Arc::clone(&first.batch.shared.board));
    let progress = board.map(|board| Progress::start(&board, &shown, &transfers));
    let mut under_way = JoinSet::new();
    for transfer in &transfers {
        if under_way.len() == at_once
            && let Some(ended) = under_way.join_next().await
        {
            outcome.joined(ended);
        }
        if fails_early && outcome.result.is_err() {
            break;
        }
        let transfer = transfer.clone();
        under_way.spawn(async move { transfer.run().await });
    }
    while let Some(ended) = under_way.join_next().await {
        outcome.joined(ended);
    }
    if let Some(progress) = progress {
        progress.end().await;
    }
    let mut written: Option<&Arc<Batch>> = None;
    for Transfer { batch, .. } in &transfers {
        if !written.is_some_and(|last| Arc::ptr_eq(last, batch)) {
            batch.write_cookies();
            batch.write_alternatives();
        }
        written = Some(batch);
    }
    if let (Some(recording), Some(path)) = (&recording, &record)
        && let Err(failure) = journal::finish(recording, path)
    {
        outcome.note(Err(failure));
    }
    if let Some(path) = &drawing {
        if let Err(error) = album.write(path) {
            let text = format!("cannot write the timeline {}: {error}", path.display());
            outcome.note(Err(Failure::new(Exit::Write, text)));
        }
    } else if draws {
        say::err(&format!("\n{}\n", waterfall::LEGEND));
    }
    outcome.result
}

/// The URLs that one word of the line stands for, with what its sets and ranges were; or what is
/// wrong with it.
fn globbed(word: &str, is_literal: bool) -> Vec<(String, Vec<String>, Option<Failure>)> {
    let glob = if is_literal { Ok(Glob::literal(word)) } else { Glob::parse(word) };
    match glob {
        Ok(glob) => glob.urls().map(|(url, globbed)| (url, globbed, None)).collect(),
        Err(text) => {
            let mut failure = Failure::new(Exit::MalformedUrl, text);
            failure.next = Some("-g takes braces and brackets as they are");
            vec![(word.to_owned(), Vec::new(), Some(failure))]
        }
    }
}

/// All transfers in order; parts that reach servers in the same way share a client.
fn transfers(
    parts: Vec<GetArgs>,
    recording: Option<&Recording>,
    speaks: bool,
    album: &Arc<Album>,
) -> Result<Vec<Transfer>, Failure> {
    let shared = Arc::new(Shared {
        stdout: Arc::new(Mutex::new(tokio::io::stdout())),
        cookies: std::sync::Mutex::default(),
        speaks,
        album: Arc::clone(album),
        board: Arc::new(Board::default()),
    });
    let mut batches: Vec<Arc<Batch>> = Vec::new();
    let mut transfers = Vec::new();
    let mut number = 0;
    for args in parts {
        let proxies = proxies::of(&args, |name| std::env::var(name).ok())?;
        let same = batches.iter().find(|known| {
            known.args.way == args.way
                && known.args.tls == args.tls
                && known.args.proxy == args.proxy
                && known.proxies == proxies
                && known.args.content.expect100_timeout == args.content.expect100_timeout
        });
        let (wire, client, decisions) = match same {
            Some(known) => (known.wire.clone(), known.client.clone(), Arc::clone(&known.decisions)),
            None => {
                let wire = Wire::new(&args.way);
                // A journal is of one client.
                let recording = recording.filter(|_| batches.is_empty());
                let client = batch::client(&wire, &args, &proxies, recording)?;
                if let Some(path) = &args.way.alt_svc
                    && let Err(why) = alt_svc::load(&client, path)
                    && speaks
                {
                    say::err(&format!("regatta: {why}\n"));
                }
                (wire, client, Arc::default())
            }
        };
        let write_out = match args.output.write_out.as_deref() {
            Some(text) => match text.strip_prefix('@') {
                Some(file) => Some(String::from_utf8_lossy(&data::read(file)?).into_owned()),
                None => Some(text.to_owned()),
            },
            None => None,
        };
        let (shared, heads) = (Arc::clone(&shared), Mutex::default());
        let batch = Batch { args, client, wire, proxies, decisions, shared, heads, write_out };
        let batch = Arc::new(batch);
        batch.read_cookies()?;
        batches.push(Arc::clone(&batch));
        for _ in 0..batch.args.load.repeat.get() {
            for (place, url) in batch.args.urls.iter().enumerate() {
                for (url, globbed, wrong) in globbed(url, batch.args.request.globoff) {
                    let batch = Arc::clone(&batch);
                    transfers.push(Transfer { batch, url, place, number, globbed, wrong });
                    number += 1;
                }
            }
        }
    }
    Ok(transfers)
}
