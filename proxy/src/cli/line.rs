//! curl's grammar of a command line, in front of clap: options may be abbreviated and taken back
//! (`--no-`), `--next` begins anew, and the order of some options matters.

use clap::{Arg, Command};

use super::{Unasked, config_file};

/// One option with its value, or one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The option's long name; [`URL`] for a bare word.
    pub(crate) name: String,
    /// What follows it, where it takes a value.
    pub(crate) value: Option<String>,
}

/// The name of a bare word.
pub(crate) const URL: &str = "url";

/// Deepest nesting of `--config` files.
const DEEPEST: u32 = 16;

/// Options that count for the whole line, wherever they stand.
const GLOBAL: [&str; 8] = [
    "fail-early",
    "parallel",
    "parallel-immediate",
    "parallel-max",
    "progress-bar",
    "show-error",
    "timeline",
    "verbose",
];

/// Reads `words` as options of `command`; one list for each part between `--next`.
pub(crate) fn read(command: &Command, words: &[String]) -> Result<Vec<Vec<Token>>, Unasked> {
    let mut reader = Reader { command, parts: vec![Vec::new()], depth: 0 };
    reader.words(words)?;
    let mut parts = reader.parts;
    let is_global = |token: &&Token| GLOBAL.contains(&token.name.as_str());
    let global: Vec<Token> = parts.iter().flatten().filter(is_global).cloned().collect();
    for part in &mut parts {
        part.retain(|token| !is_global(&token));
        part.extend(global.iter().cloned());
    }
    Ok(parts)
}

struct Reader<'a> {
    command: &'a Command,
    parts: Vec<Vec<Token>>,
    depth: u32,
}

impl<'a> Reader<'a> {
    fn words(&mut self, words: &[String]) -> Result<(), Unasked> {
        let mut words = words.iter();
        let mut only_urls = false;
        while let Some(word) = words.next() {
            let mut next = || words.next().cloned();
            match word.strip_prefix('-') {
                Some(rest) if !rest.is_empty() && !only_urls => match rest.strip_prefix('-') {
                    Some("") => only_urls = true,
                    Some(long) => self.long(long, next)?,
                    None => self.shorts(rest, &mut next)?,
                },
                _ => self.push(URL, Some(word.clone()))?,
            }
        }
        Ok(())
    }

    /// `--name`, `--name value`, `--name=value`, `--no-name`.
    fn long(&mut self, text: &str, next: impl FnOnce() -> Option<String>) -> Result<(), Unasked> {
        let (name, given) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if let Some(arg) = self.find(name)? {
            let name = long_of(arg);
            return match (takes_value(arg), given) {
                (Takes::Always, given) => {
                    let value = given.or_else(next);
                    let value =
                        value.ok_or_else(|| format!("the option --{name} requires a value"))?;
                    self.push(name, Some(value))
                }
                (Takes::Behind, given) => self.push(name, given),
                (Takes::Never, Some(_)) => {
                    Err(format!("the option --{name} takes no value").into())
                }
                (Takes::Never, None) => self.push(name, None),
            };
        }
        let positive = name.strip_prefix("no-").map(|name| self.find(name)).transpose()?.flatten();
        match positive {
            Some(arg) if takes_value(arg) != Takes::Always => {
                let name = long_of(arg);
                self.last().retain(|token| token.name != name);
                Ok(())
            }
            _ => Err(format!("there is no option --{name}").into()),
        }
    }

    /// `-abc`, `-ovalue`, `-o value`.
    fn shorts(
        &mut self,
        text: &str,
        next: &mut impl FnMut() -> Option<String>,
    ) -> Result<(), Unasked> {
        for (at, letter) in text.char_indices() {
            let command = self.command;
            let found = command.get_arguments().find(|arg| arg.get_short() == Some(letter));
            let arg = found.ok_or_else(|| format!("there is no option -{letter}"))?;
            let name = long_of(arg);
            if takes_value(arg) != Takes::Always {
                self.push(name, None)?;
                continue;
            }
            let rest = &text[at + letter.len_utf8()..];
            let value = if rest.is_empty() { next() } else { Some(rest.to_owned()) };
            let value = value.ok_or_else(|| format!("the option -{letter} requires a value"))?;
            return self.push(name, Some(value));
        }
        Ok(())
    }

    fn push(&mut self, name: &str, value: Option<String>) -> Result<(), Unasked> {
        match (name, value) {
            ("next", _) => {
                if self.last().iter().any(|token| token.name == URL) {
                    self.parts.push(Vec::new());
                }
                Ok(())
            }
            ("config", Some(file)) => self.config(&file),
            (name, value) => {
                self.last().push(Token { name: name.to_owned(), value });
                Ok(())
            }
        }
    }

    fn config(&mut self, file: &str) -> Result<(), Unasked> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("--config {file} is nested more than {DEEPEST} deep").into());
        }
        let text = config_file::read(file).map_err(|error| {
            Unasked::File(format!("cannot read the options of {file}: {error}"))
        })?;
        for (n, line) in config_file::lines(&text) {
            self.config_line(line).map_err(|error| match error {
                Unasked::Line(text) => Unasked::Line(format!("{file}:{n}: {text}")),
                error => error,
            })?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn config_line(&mut self, line: config_file::Line) -> Result<(), Unasked> {
        let mut value = line.value;
        let given = value.is_some();
        match line.option.strip_prefix('-') {
            Some(short) if !short.starts_with('-') => self.shorts(short, &mut || value.take())?,
            _ => self.long(line.option.trim_start_matches('-'), || value.take())?,
        }
        // An empty value behind an option that takes none is no contradiction.
        match value {
            Some(text) if given && !text.is_empty() => {
                Err(format!("the option {} takes no value", line.option).into())
            }
            _ => Ok(()),
        }
    }

    fn last(&mut self) -> &mut Vec<Token> {
        if self.parts.is_empty() {
            self.parts.push(Vec::new());
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    /// The option of that name, or the only one that begins so.
    fn find(&self, name: &str) -> Result<Option<&'a Arg>, String> {
        let command = self.command;
        let long = |arg: &&Arg| arg.get_long().is_some();
        if let Some(exact) = command.get_arguments().find(|arg| arg.get_long() == Some(name)) {
            return Ok(Some(exact));
        }
        let begins = |arg: &&Arg| arg.get_long().is_some_and(|long| long.starts_with(name));
        let mut found = command.get_arguments().filter(long).filter(begins);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(Some(one)),
            (Some(one), Some(other)) => Err(format!(
                "--{name} may mean --{} or --{}",
                one.get_long().unwrap_or_default(),
                other.get_long().unwrap_or_default(),
            )),
            _ => Ok(None),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Never,
    /// Only behind `=`.
    Behind,
    Always,
}

fn takes_value(arg: &Arg) -> Takes {
    match () {
        () if !arg.get_action().takes_values() => Takes::Never,
        () if arg.is_require_equals_set() => Takes::Behind,
        () => Takes::Always,
    }
}

fn long_of(arg: &Arg) -> &str {
    arg.get_long().unwrap_or(URL)
}
