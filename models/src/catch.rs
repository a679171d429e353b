//! Panics as values: what was said and where, and nothing printed.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// What went wrong, and which failures are the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Two failures of one class are taken for the same bug.
    pub class: String,
    /// What was said.
    pub message: String,
}

thread_local! {
    /// Inside of [`caught`]: the last panic of this thread.
    static LAST: RefCell<Option<Option<Failure>>> = const { RefCell::new(None) };
}

/// Runs `body`; a panic comes back as a [`Failure`] whose class is the place in the source that
/// panicked. Nothing is printed meanwhile, on this thread.
///
/// # Errors
/// When `body` panicked.
pub fn caught<T>(body: impl FnOnce() -> T) -> Result<T, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !keep(info) {
                usual(info);
            }
        }));
    });
    let outer = LAST.replace(Some(None));
    // What is left of the body's captures is not looked at after a panic, but for counters.
    let result = catch_unwind(AssertUnwindSafe(body));
    let last = LAST.replace(outer);
    result.map_err(|_| {
        let unknown = || Failure { class: "unknown".to_owned(), message: String::new() };
        last.flatten().unwrap_or_else(unknown)
    })
}

/// Notes a panic where [`caught`] waits for it. Whether it does.
fn keep(info: &PanicHookInfo<'_>) -> bool {
    LAST.with_borrow_mut(|last| {
        let Some(last) = last else { return false };
        let class = info
            .location()
            .map_or_else(String::new, |at| format!("{}:{}:{}", at.file(), at.line(), at.column()));
        let message = info.payload_as_str().unwrap_or("a panic without words").to_owned();
        *last = Some(Failure { class, message });
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_failure_of_its_place() {
        let fail = |number: u32| caught(|| assert_ne!(number, number, "{number} is itself"));
        let (one, two) = (fail(1).unwrap_err(), fail(2).unwrap_err());
        assert_eq!(one.class, two.class);
        assert!(one.class.contains("catch.rs"), "{}", one.class);
        assert!(one.message.contains("1 is itself"), "{}", one.message);
        let other = caught(|| panic!("elsewhere")).unwrap_err();
        assert_ne!(other.class, one.class);
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn one_inside_the_other_is_told_apart() {
        let outer = caught(|| {
            let inner = caught(|| panic!("inner")).unwrap_err();
            panic!("outer after {}", inner.message);
        });
        assert_eq!(outer.unwrap_err().message, "outer after inner");
    }
}
