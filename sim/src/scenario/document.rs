//! The text of a scenario: parsed, changed by sweeps, and told what is wrong with it by file,
//! line and field.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::format::File;
use super::nearest;

/// A sentence about what is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, and its line where there is one: `a.toml:12`.
    pub place: String,
    /// The field: `link.access.delay`; empty for the whole.
    pub field: String,
    /// What is wrong, and what was expected.
    pub says: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, field, says } = self;
        match field.as_str() {
            "" => write!(f, "{place}: {says}"),
            field => write!(f, "{place}: {field}: {says}"),
        }
    }
}

impl std::error::Error for Mistake {}

/// One setting of a sweep: a field's path and its value.
pub type Setting = (String, String);

/// A scenario's text, parsed but not understood.
#[derive(Clone, Debug)]
pub(super) struct Document<'a> {
    name: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
    settings: &'a [Setting],
}

impl<'a> Document<'a> {
    /// Parses `text`, which is the file `name`, and makes the changes of `settings`.
    pub(super) fn parse(
        name: &'a str,
        text: &'a str,
        settings: &'a [Setting],
    ) -> Result<Self, Mistake> {
        let root = DeTable::parse(text).map_err(|error| Mistake {
            place: place(name, text, error.span().map(|span| span.start)),
            field: String::new(),
            says: error.message().replace('\n', ", "),
        })?;
        let mut document = Self { name, text, root, settings };
        for (number, (path, value)) in settings.iter().enumerate() {
            document.set(number, path, value)?;
        }
        Ok(document)
    }

    /// Understands it.
    pub(super) fn file(&self) -> Result<File, Mistake> {
        let from = Deserializer::from(self.root.clone());
        File::deserialize(from).map_err(|error| {
            let (field, says) = self.explain(error.message(), error.span());
            let start = error.span().map(|span| span.start);
            Mistake { place: self.place(start), field, says }
        })
    }

    /// A mistake in the field at `path`.
    pub(super) fn mistake(&self, path: &str, says: String) -> Mistake {
        let mut here = self.root.get_ref();
        let mut start = None;
        for part in path.split('.') {
            let Some((key, value)) = here.get_key_value(part) else { break };
            start = Some(key.span().start);
            let DeValue::Table(table) = value.get_ref() else { break };
            here = table;
        }
        Mistake { place: self.place(start), field: path.to_owned(), says }
    }

    fn set(&mut self, number: usize, path: &'a str, value: &'a str) -> Result<(), Mistake> {
        let span = marker(number);
        let parsed = DeValue::parse(value)
            .map_or(DeValue::String(Cow::Borrowed(value)), |value| value.into_inner());
        let mut here = self.root.get_mut();
        let mut parts: Vec<&str> = path.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let key = Spanned::new(span.clone(), Cow::Borrowed(part));
            let fresh = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
            let next = here.entry(key).or_insert(fresh);
            let DeValue::Table(table) = next.get_mut() else {
                return Err(Mistake {
                    place: format!("{path}={value}"),
                    field: path.to_owned(),
                    says: format!("`{part}` is no table, so nothing in it can be set"),
                });
            };
            here = table;
        }
        // The map keeps the key that it has, with the place in the file.
        here.remove(last);
        let key = Spanned::new(span.clone(), Cow::Borrowed(last));
        here.insert(key, Spanned::new(span, parsed));
        Ok(())
    }

    fn place(&self, start: Option<usize>) -> String {
        match start.and_then(setting_of).and_then(|number| self.settings.get(number)) {
            Some((path, value)) => format!("{path}={value}"),
            None => place(self.name, self.text, start),
        }
    }

    /// The field and a sentence, from what serde says.
    fn explain(&self, message: &str, span: Option<Range<usize>>) -> (String, String) {
        let mut path = Vec::new();
        if let Some(span) = span {
            find(self.root.get_ref(), &span, &mut path);
        }
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        if let (Some(kind), [name, known @ ..]) = (unknown(message), quoted.as_slice()) {
            let near = nearest::name(name, known.iter().copied());
            return (path.join("."), format!("`{name}` is not known {kind}: {near}"));
        }
        if let (true, [name]) = (message.starts_with("missing field"), quoted.as_slice()) {
            path.push(name);
            return (path.join("."), "it is missing and has no default".to_owned());
        }
        (path.join("."), message.replace('\n', ", "))
    }
}

fn unknown(message: &str) -> Option<&'static str> {
    match message {
        _ if message.starts_with("unknown field") => Some("here"),
        _ if message.starts_with("unknown variant") => Some("as a value"),
        _ => None,
    }
}

/// The deepest key whose place, or whose value's place, holds `span`.
fn find<'t>(table: &'t DeTable<'_>, span: &Range<usize>, path: &mut Vec<&'t str>) -> bool {
    for (key, value) in table {
        path.push(key.get_ref());
        let holds = |place: Range<usize>| place.start <= span.start && span.end <= place.end;
        let below = match value.get_ref() {
            DeValue::Table(inner) => find(inner, span, path),
            DeValue::Array(items) => items.iter().any(|item| match item.get_ref() {
                DeValue::Table(inner) => find(inner, span, path),
                _ => false,
            }),
            _ => false,
        };
        if below || key.span() == *span || holds(value.span()) {
            return true;
        }
        path.pop();
    }
    false
}

/// Where in no file a setting of a sweep stands.
fn marker(number: usize) -> Range<usize> {
    let at = usize::MAX - 1 - number;
    at..at + 1
}

fn setting_of(start: usize) -> Option<usize> {
    (start > usize::MAX / 2).then(|| usize::MAX - 1 - start)
}

fn place(name: &str, text: &str, start: Option<usize>) -> String {
    match start.and_then(|start| text.get(..start)) {
        Some(before) => format!("{name}:{}", before.matches('\n').count() + 1),
        None => name.to_owned(),
    }
}
