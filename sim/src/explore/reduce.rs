//! What is done with a failing tape: made small, kept as a regression, and asked from which step
//! on the failure was bound to come.

use core::fmt::Write as _;

use regatta_core::rng::Rng;
use regatta_models::catch::Failure;
use regatta_models::shrink::{Shrunk, shrink};
use regatta_models::tape::Tape;

use super::case::Profile;
use super::run::{Options, run};

/// Other endings that are tried from one point.
const ENDINGS: u64 = 8;
/// Bytes of an ending; a run that draws more goes on in a quiet world.
const ENDING_BYTES: usize = 20_000;

/// How a tape fails, if it does.
pub fn failure(bytes: &[u8], options: &Options) -> Option<Failure> {
    run(Tape::new(bytes), options).violation.map(|violation| violation.failure)
}

/// The smallest tape that fails as this one does, after at most `tries_max` runs.
pub fn smallest(bytes: &[u8], options: &Options, tries_max: u32) -> Option<Shrunk> {
    shrink(bytes, tries_max, |bytes| failure(bytes, options))
}

/// The point from which on a failure was bound to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// So many bytes of the tape were drawn.
    pub bytes: usize,
    /// So many steps had been made.
    pub step: u64,
    /// Of so many other endings from there.
    pub endings: u64,
    /// So many failed in the same way.
    pub failed: u64,
}

/// Finds the first point from which on most other endings of a failing tape fail in the same
/// way; by halves, as if a failure that is bound to come stayed so. `None` when the tape does
/// not fail.
pub fn turn(bytes: &[u8], options: &Options) -> Option<Turn> {
    let traced = Options { trace: true, ..options.clone() };
    let first = run(Tape::new(bytes), &traced);
    let class = first.violation?.failure.class;
    let failed = |length: usize| {
        let ends = (0..ENDINGS).filter(|ending| {
            let other = failure(&other_ending(&bytes[..length], *ending), options);
            other.is_some_and(|failure| failure.class == class)
        });
        ends.count() as u64
    };
    let (mut open, mut bound) = (0, bytes.len());
    while open < bound {
        let middle = open + (bound - open) / 2;
        if failed(middle) * 2 > ENDINGS {
            bound = middle;
        } else {
            open = middle + 1;
        }
    }
    let step = first.places.iter().find(|(_, place)| *place >= bound);
    let step = step.map_or(first.steps, |(step, _)| *step);
    Some(Turn { bytes: bound, step, endings: ENDINGS, failed: failed(bound) })
}

fn other_ending(beginning: &[u8], ending: u64) -> Vec<u8> {
    let mut rng = Rng::new(ending ^ 0x656e_6469_6e67);
    let more = core::iter::repeat_with(|| rng.next_u64().to_be_bytes()).flatten();
    beginning.iter().copied().chain(more.take(ENDING_BYTES)).collect()
}

/// A regression file: what was said, the profile, the tape.
pub fn to_file(profile: Profile, failure: &Failure, tape: &[u8]) -> String {
    let said = failure.message.lines().next().unwrap_or_default();
    let said: String = said.chars().take(300).collect();
    let mut text = format!("# {said}\nprofile {}\n", profile.name());
    for row in tape.chunks(20) {
        let numbers: Vec<_> = row.iter().map(u8::to_string).collect();
        let _ = writeln!(text, "{}", numbers.join(" "));
    }
    text
}

/// Reads a regression file.
///
/// # Errors
/// When a line is not what it should be; the text names it.
pub fn from_file(text: &str) -> Result<(Profile, Vec<u8>), String> {
    let mut profile = Profile::Flat;
    let mut tape = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match line.split_once(' ') {
            Some(("#", _)) => {}
            Some(("profile", name)) => {
                let found = [Profile::Flat, Profile::Realistic].into_iter();
                profile = found
                    .into_iter()
                    .find(|profile| profile.name() == name)
                    .ok_or_else(|| format!("line {number}: there is no profile `{name}`"))?;
            }
            _ => {
                for byte in line.split_whitespace() {
                    let byte = byte.parse().map_err(|_| {
                        format!("line {number}: `{byte}` is no byte; expected 0 to 255")
                    })?;
                    tape.push(byte);
                }
            }
        }
    }
    Ok((profile, tape))
}

/// A failing tape as a Rust test.
pub fn as_test(profile: Profile, seed: u64, shrunk: &Shrunk) -> String {
    let said = shrunk.failure.message.lines().next().unwrap_or_default();
    let said: String = said.chars().take(90).collect();
    let profile = match profile {
        Profile::Flat => "Flat",
        Profile::Realistic => "Realistic",
    };
    let mut text = format!("#[test]\nfn seed_{seed}() {{\n    // {said}\n    let tape = [\n");
    for row in shrunk.tape.chunks(18) {
        let numbers: Vec<_> = row.iter().map(u8::to_string).collect();
        let _ = writeln!(text, "        {},", numbers.join(", "));
    }
    let _ = write!(
        text,
        "    ];\n    let options = Options::new(Profile::{profile});\n    \
         assert_eq!(explore::failure(&tape, &options), None);\n}}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let failure = Failure { class: "here".to_owned(), message: "it broke\nbadly".to_owned() };
        let tape: Vec<u8> = (0..=255).collect();
        for profile in [Profile::Flat, Profile::Realistic] {
            let text = to_file(profile, &failure, &tape);
            assert!(text.starts_with("# it broke\nprofile "), "{text}");
            assert_eq!(from_file(&text), Ok((profile, tape.clone())));
        }
        for (wrong, says) in [
            ("1 2 256", "line 1: `256` is no byte; expected 0 to 255"),
            ("# a\nprofile odd", "line 2: there is no profile `odd`"),
        ] {
            assert_eq!(from_file(wrong).unwrap_err(), says);
        }
    }

    #[test]
    fn a_tape_that_does_not_fail_has_no_turn() {
        let options = Options::new(Profile::Flat);
        assert_eq!(turn(&[], &options), None);
        assert_eq!(smallest(&[], &options, 1), None);
    }
}
