//! Journals of production, as a person or a disk may have left them.

use regatta_core::journal::{End, Failure, Replay, Summary, replay};

/// Whatever is in it, there is one answer, and it hangs neither on how the bytes are cut nor on
/// how often they are read. What is the same stays the same where the journal is cut off.
pub fn journal(bytes: &[u8]) {
    let answer = replay(bytes);
    for size in [1, 7, bytes.len().div_ceil(2)] {
        assert_eq!(in_pieces(bytes, size), answer, "in pieces of {size}");
    }
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    match answer {
        Err(Failure::Unreadable(error)) => {
            assert!((1..=lines + 1).contains(&error.line), "{error}");
        }
        Err(Failure::Different(difference)) => {
            assert!(difference.line <= lines && difference.input_line < difference.line);
            assert!(difference.same <= difference.expected.len().min(difference.actual.len()));
            assert_ne!(difference.expected, difference.actual);
        }
        Ok(whole) => cut(bytes, &whole),
    }
}

fn in_pieces(bytes: &[u8], size: usize) -> Result<Summary, Failure> {
    let mut replay = Replay::new();
    for piece in bytes.chunks(size.max(1)) {
        // The first failure is also the last word.
        let _ = replay.push(piece);
    }
    replay.finish()
}

/// Without its last line there is no more of it than before.
fn cut(bytes: &[u8], whole: &Summary) {
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let before = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if let Ok(part) = replay(&bytes[..before]) {
        assert!(part.steps <= whole.steps && part.actions <= whole.actions);
        assert!(whole.end != End::Cut || part.end == End::Cut);
    }
}
