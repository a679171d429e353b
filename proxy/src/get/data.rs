//! `-d` and its kin: pieces of a form, read and joined.

use std::fs;
use std::io::{self, Read as _};

use super::exit_code::{Exit, Failure};
use crate::cli::Data;

/// All pieces in order, joined by `&`; those of `--json` are just put together.
pub(crate) fn join(pieces: &[Data]) -> Result<Vec<u8>, Failure> {
    let mut joined = Vec::new();
    for (n, piece) in pieces.iter().enumerate() {
        if n > 0 && !matches!(piece, Data::Json(_)) {
            joined.push(b'&');
        }
        joined.append(&mut one(piece)?);
    }
    Ok(joined)
}

fn one(piece: &Data) -> Result<Vec<u8>, Failure> {
    match piece {
        Data::Raw(text) => Ok(text.clone().into_bytes()),
        Data::Encoded(text) => encoded(text),
        Data::Ascii(text) => match text.strip_prefix('@') {
            None => Ok(text.clone().into_bytes()),
            Some(file) => {
                let mut bytes = read(file)?;
                bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                Ok(bytes)
            }
        },
        Data::Binary(text) | Data::Json(text) => match text.strip_prefix('@') {
            None => Ok(text.clone().into_bytes()),
            Some(file) => read(file),
        },
    }
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`, percent-encoded behind the name.
pub(crate) fn encoded(text: &str) -> Result<Vec<u8>, Failure> {
    let Some(at) = text.find(['=', '@']) else {
        return Ok(percent(text.as_bytes()));
    };
    let (name, rest) = text.split_at(at);
    let content = match rest.strip_prefix('@') {
        Some(file) => read(file)?,
        None => rest.as_bytes()[1..].to_vec(),
    };
    let mut bytes = name.as_bytes().to_vec();
    if !name.is_empty() {
        bytes.push(b'=');
    }
    bytes.append(&mut percent(&content));
    Ok(bytes)
}

/// A piece of `--url-query`: as by `--data-urlencode`, or as it is behind a `+`.
pub(crate) fn query(text: &str) -> Result<Vec<u8>, Failure> {
    match text.strip_prefix('+') {
        Some(raw) => Ok(raw.as_bytes().to_vec()),
        None => encoded(text),
    }
}

/// All but the unreserved characters of RFC 3986 2.3; blanks as forms have them.
fn percent(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else if *byte == b' ' {
            out.push(b'+');
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

/// A file, or standard input for `-`.
pub(crate) fn read(name: &str) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        if name != "-" {
            return fs::read(name);
        }
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| {
        Failure::new(Exit::Read, format!("cannot read the data from {name}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &[Data]) -> String {
        String::from_utf8(join(pieces).unwrap()).unwrap()
    }

    #[test]
    fn pieces_are_joined_in_order() {
        let pieces = [
            Data::Ascii("a=b".to_owned()),
            Data::Raw("@c".to_owned()),
            Data::Encoded("d= e".to_owned()),
        ];
        assert_eq!(text(&pieces), "a=b&@c&d=+e");
        assert_eq!(text(&[Data::Json("[1,".to_owned()), Data::Json("2]".to_owned())]), "[1,2]");
    }

    #[test]
    fn files_lose_their_line_ends_unless_told_otherwise() {
        let file = std::env::temp_dir().join(format!("regatta-data-{}", std::process::id()));
        fs::write(&file, "one\r\ntwo\n").unwrap();
        let name = file.display().to_string();
        assert_eq!(text(&[Data::Ascii(format!("@{name}"))]), "onetwo");
        assert_eq!(text(&[Data::Binary(format!("@{name}"))]), "one\r\ntwo\n");
        assert_eq!(text(&[Data::Encoded(format!("n@{name}"))]), "n=one%0D%0Atwo%0A");
        fs::remove_file(&file).unwrap();
        assert_eq!(join(&[Data::Ascii(format!("@{name}"))]).unwrap_err().exit, Exit::Read);
    }

    #[test]
    fn what_is_encoded() {
        for (given, meant) in [
            ("a b", "a+b"),
            ("=a=b", "a%3Db"),
            ("name=a&b", "name=a%26b"),
            ("a-._~z", "a-._~z"),
            ("ü", "%C3%BC"),
        ] {
            assert_eq!(encoded(given).unwrap(), meant.as_bytes(), "{given}");
        }
        assert_eq!(query("+a b").unwrap(), b"a b");
        assert_eq!(query("a b").unwrap(), b"a+b");
    }
}
