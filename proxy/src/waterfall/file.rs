//! `--timeline=FILE`: timelines are kept until the end, and written as SVG or JSON.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use regatta_tokio::Timeline;

use super::{json, svg};

/// Most requests that a file has; the first ones. One takes about 500 bytes until it is written.
const MOST: usize = 1_000;

/// One request to be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) method: String,
    pub(crate) url: String,
    /// A status, or that it failed.
    pub(crate) outcome: String,
    pub(crate) timeline: Timeline,
}

/// What a file's name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Svg,
    Json,
}

impl Form {
    /// `None` where the name ends in neither `.svg` nor `.json`.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "svg" => Some(Self::Svg),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Timelines on their way to a file.
#[derive(Debug, Default)]
pub(crate) struct Album {
    kept: Mutex<(Vec<Drawn>, usize)>,
}

impl Album {
    /// Keeps one, if there is room.
    pub(crate) fn add(&self, drawn: Drawn) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0.len() < MOST {
            kept.0.push(drawn);
        } else {
            kept.1 += 1;
        }
    }

    /// Writes all of them, in the order in which the requests were made.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.text(Form::of(path).unwrap_or(Form::Json)))
    }

    pub(super) fn text(&self, form: Form) -> String {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.sort_by_key(|one| one.timeline.requested);
        match form {
            Form::Svg => svg::write(&kept.0, kept.1),
            Form::Json => json::write(&kept.0, kept.1),
        }
    }
}
