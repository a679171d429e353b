//! `.netrc`: names and passwords by host, as ftp had them first and curl has them still.

use std::path::PathBuf;

use regatta_core::basic::Credentials;

use super::url::Url;
use crate::cli::GetArgs;

/// A file of names and passwords, and what counts more: it, or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Netrc {
    entries: Vec<Entry>,
    /// `--netrc-optional`: what a URL says counts more.
    yields: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// `None` is `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

impl Netrc {
    /// The file that `args` ask for. One that cannot be read has no entries.
    pub(crate) fn of(args: &GetArgs) -> Option<Self> {
        let options = &args.request;
        let asked = options.netrc || options.netrc_optional || options.netrc_file.is_some();
        // -u counts more than any file.
        if !asked || options.user.is_some() {
            return None;
        }
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".netrc"));
        let path = options.netrc_file.clone().or_else(home);
        let text = path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let entries = parse(&String::from_utf8_lossy(&text));
        Some(Self { entries, yields: options.netrc_optional })
    }

    /// What is known for this URL.
    pub(crate) fn credentials(&self, url: &Url) -> Option<Credentials> {
        let own = url.credentials();
        if let Some(own) = own.filter(|own| self.yields && !own.password.is_empty()) {
            return Some(own.clone());
        }
        // The name of a URL says which entry is meant.
        let user = own.map(|own| String::from_utf8_lossy(&own.user).into_owned());
        self.find(url.host(), user.as_deref()).or_else(|| own.cloned())
    }

    /// The first entry for this host, and for this user where one is named.
    fn find(&self, host: &str, user: Option<&str>) -> Option<Credentials> {
        let found = self.entries.iter().find(|entry| {
            let is_its = entry.machine.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(host));
            let is_users = user.is_none() || entry.login.as_deref() == user;
            is_its && is_users
        })?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
        Some(Credentials { user: text(&found.login), password: text(&found.password) })
    }
}

/// The entries in order.
fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut words = Words { rest: text };
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" => entries.push(Entry { machine: words.next(), ..Entry::default() }),
            "default" => entries.push(Entry::default()),
            "login" | "password" | "account" => {
                let value = words.next();
                match (entries.last_mut(), word.as_str()) {
                    (Some(entry), "login") => entry.login = value,
                    (Some(entry), "password") => entry.password = value,
                    _ => {}
                }
            }
            "macdef" => words.skip_macro(),
            _ => {}
        }
    }
    entries
}

/// Words between blanks; `"` holds blanks together, and `#` begins a comment up to the line's end.
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<String> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return Some(self.quoted(quoted.len()));
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word.to_owned()).filter(|word| !word.is_empty())
    }

    /// The last `length` bytes begin behind the first quote.
    fn quoted(&mut self, length: usize) -> String {
        let mut chars = self.rest[self.rest.len() - length..].chars();
        let mut word = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => word.extend(chars.next().map(|escaped| match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                })),
                c => word.push(c),
            }
        }
        self.rest = chars.as_str();
        word
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        self.rest = self.rest.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# machine not login this
machine a.test login one password \"a \\\"b\\\"\"
machine a.test
  login two
  password second
macdef init
machine b.test login no password no

machine c.test account x login three
default login anybody password any
";

    fn find(yields: bool, url: &str) -> Option<String> {
        let netrc = Netrc { entries: parse(FILE), yields };
        let found = netrc.credentials(&Url::parse(url).unwrap())?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Some(format!("{}:{}", text(found.user), text(found.password)))
    }

    #[test]
    fn entries_are_found_by_host_and_user() {
        for (yields, url, found) in [
            (false, "http://a.test/", "one:a \"b\""),
            (false, "http://A.TEST/", "one:a \"b\""),
            (false, "http://two@a.test/", "two:second"),
            (false, "http://two:own@a.test/", "two:second"),
            (false, "http://three:own@a.test/", "three:own"),
            (true, "http://two@a.test/", "two:second"),
            (true, "http://two:own@a.test/", "two:own"),
            (true, "http://three@a.test/", "three:"),
            (false, "http://c.test/", "three:"),
            (false, "http://b.test/", "anybody:any"),
        ] {
            assert_eq!(find(yields, url).as_deref(), Some(found), "{yields} {url}");
        }
        let none = Netrc { entries: Vec::new(), yields: false };
        assert_eq!(none.credentials(&Url::parse("http://a.test/").unwrap()), None);
    }
}
