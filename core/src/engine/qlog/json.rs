//! One JSON object, written member by member.

use core::fmt::Write as _;

use crate::time::Duration;

/// An object under way.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Json {
    text: String,
}

impl Json {
    /// The whole object.
    pub(in crate::engine) fn finish(mut self) -> String {
        self.open();
        self.text.push('}');
        self.text
    }

    fn open(&mut self) {
        if self.text.is_empty() {
            self.text.push('{');
        }
    }

    fn name(&mut self, name: &str) {
        self.open();
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.string(name);
        self.text.push(':');
    }

    fn string(&mut self, value: &str) {
        self.text.push('"');
        for letter in value.chars() {
            match letter {
                '"' | '\\' => self.text.extend(['\\', letter]),
                letter if letter.is_control() => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(letter));
                }
                letter => self.text.push(letter),
            }
        }
        self.text.push('"');
    }

    pub(in crate::engine) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    pub(in crate::engine) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let _ = write!(self.text, "{value}");
    }

    pub(in crate::engine) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// A time in milliseconds, exact to the nanosecond.
    pub(in crate::engine) fn millis(&mut self, name: &str, value: Duration) {
        self.name(name);
        let (whole, rest) = (value.as_millis(), value.subsec_nanos() % 1_000_000);
        let _ = write!(self.text, "{whole}.{rest:06}");
    }

    pub(in crate::engine) fn hex(&mut self, name: &str, value: &[u8]) {
        self.text(name, &hex(value));
    }

    pub(in crate::engine) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.name(name);
        self.text.push_str(&inner.finish());
    }

    pub(in crate::engine) fn array(&mut self, name: &str, values: &[&str]) {
        self.name(name);
        for (at, value) in values.iter().enumerate() {
            self.text.push(if at == 0 { '[' } else { ',' });
            self.string(value);
        }
        self.text.push_str(if values.is_empty() { "[]" } else { "]" });
    }

    pub(in crate::engine) fn objects(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = Self>,
    ) {
        self.name(name);
        self.text.push('[');
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.text.push_str(&value.finish());
        }
        self.text.push(']');
    }
}

/// Bytes as qlog writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
