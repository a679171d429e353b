//! `-F`: multipart/form-data (RFC 7578) with curl's ways to say what goes into it.

use std::path::Path;

use bytes::Bytes;

use super::data;
use super::exit_code::{Exit, Failure};
use super::payload::{Part, Payload};

/// A body and the Content-Type that tells how to take it apart.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) content_type: String,
    pub(crate) payload: Payload,
}

/// What one `-F` says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    content: Content,
    content_type: Option<String>,
    filename: Option<String>,
    headers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    /// `@file`: a file with a name; one or more.
    Upload(String),
    /// `<file`: the file's content as text.
    Inline(String),
}

/// The form of these fields; `true` takes a field's text as it is (`--form-string`).
pub(crate) fn build(fields: &[(String, bool)], escapes: bool, seed: u64) -> Result<Form, Failure> {
    let boundary = format!("------------------------{seed:016x}");
    let mut parts = Vec::new();
    for (text, is_plain) in fields {
        for field in parse(text, *is_plain)? {
            add(&field, &boundary, escapes, &mut parts)?;
        }
    }
    parts.push(Part::Bytes(format!("--{boundary}--\r\n").into()));
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Ok(Form { content_type, payload: Payload(parts) })
}

fn add(field: &Field, boundary: &str, escapes: bool, parts: &mut Vec<Part>) -> Result<(), Failure> {
    let (content, name, default_type) = match &field.content {
        Content::Text(text) => (Part::Bytes(Bytes::from(text.clone())), None, None),
        Content::Inline(file) => (part_of(file)?, None, None),
        Content::Upload(file) => {
            // Standard input has no type, because its name has no extension.
            let default_type = (file != "-").then(|| type_of(file));
            (part_of(file)?, Some(base_name(file).to_owned()), default_type)
        }
    };
    let mut head = format!("--{boundary}\r\nContent-Disposition: form-data");
    if !field.name.is_empty() {
        head.push_str(&format!("; name=\"{}\"", escaped(&field.name, escapes)));
    }
    if let Some(name) = field.filename.as_ref().or(name.as_ref()) {
        head.push_str(&format!("; filename=\"{}\"", escaped(name, escapes)));
    }
    head.push_str("\r\n");
    if let Some(kind) = field.content_type.as_deref().or(default_type) {
        head.push_str(&format!("Content-Type: {kind}\r\n"));
    }
    for line in &field.headers {
        head.push_str(&format!("{line}\r\n"));
    }
    head.push_str("\r\n");
    parts.extend([Part::Bytes(head.into()), content, Part::Bytes("\r\n".into())]);
    Ok(())
}

fn part_of(file: &str) -> Result<Part, Failure> {
    if file == "-" {
        return Ok(Part::Bytes(data::read(file)?.into()));
    }
    Part::file(Path::new(file), 0)
        .map_err(|error| Failure::new(Exit::Read, format!("cannot read {file} for -F: {error}")))
}

fn parse(text: &str, is_plain: bool) -> Result<Vec<Field>, Failure> {
    let wrong = |why: &str| Failure::new(Exit::Usage, format!("-F {text}: {why}"));
    let (name, rest) = text.split_once('=').ok_or_else(|| wrong("expected name=content"))?;
    let field = |content| Field {
        name: name.to_owned(),
        content,
        content_type: None,
        filename: None,
        headers: Vec::new(),
    };
    if is_plain {
        return Ok(vec![field(Content::Text(rest.to_owned()))]);
    }
    if rest.starts_with('(') || (name.is_empty() && rest == ")") {
        return Err(wrong("parts in parts are not supported"));
    }
    if let Some(files) = rest.strip_prefix('@') {
        let mut all = Vec::new();
        let mut left = files;
        loop {
            let (file, behind) = word(left, &[';', ',']);
            let mut field = field(Content::Upload(file));
            left = parameters(&mut field, behind, &[';', ','])?;
            all.push(field);
            match left.strip_prefix(',') {
                Some(more) => left = more,
                None => break,
            }
        }
        if all.len() > 1 {
            return Err(wrong("several files in one field are not supported, give each its own"));
        }
        return Ok(all);
    }
    let (content, behind) = match rest.strip_prefix('<') {
        Some(file) => {
            let (file, behind) = word(file, &[';']);
            (Content::Inline(file), behind)
        }
        None => {
            let (text, behind) = word(rest, &[';']);
            (Content::Text(text), behind)
        }
    };
    let mut field = field(content);
    parameters(&mut field, behind, &[';'])?;
    Ok(vec![field])
}

/// A word up to one of `ends`, in quotes if it begins with one; and the rest.
fn word<'a>(text: &'a str, ends: &[char]) -> (String, &'a str) {
    if let Some(quoted) = text.strip_prefix('"')
        && let Some(found) = quoted_word(quoted, ends)
    {
        return found;
    }
    let end = text.find(ends).unwrap_or(text.len());
    (text[..end].to_owned(), &text[end..])
}

/// `None` where the quotes do not end before one of `ends`: then they are part of the word.
fn quoted_word<'a>(text: &'a str, ends: &[char]) -> Option<(String, &'a str)> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = text[at + 1..].trim_start();
                let ended = rest.is_empty() || rest.starts_with(ends);
                return ended.then_some((word, rest));
            }
            '\\' => match chars.clone().next() {
                Some((_, escaped @ ('"' | '\\'))) => {
                    word.push(escaped);
                    chars.next();
                }
                _ => word.push('\\'),
            },
            c => word.push(c),
        }
    }
    None
}

/// `;type=`, `;filename=` and `;headers=`; returns what is left behind them.
fn parameters<'a>(field: &mut Field, text: &'a str, ends: &[char]) -> Result<&'a str, Failure> {
    let mut left = text;
    while let Some(rest) = left.strip_prefix(';') {
        let rest = rest.trim_start();
        if let Some(kind) = rest.strip_prefix("type=") {
            // A media type has parameters of its own.
            let end = type_end(kind, ends);
            field.content_type = Some(kind[..end].trim_end().to_owned());
            left = &kind[end..];
        } else if let Some(name) = rest.strip_prefix("filename=") {
            let (name, behind) = word(name, ends);
            field.filename = Some(name);
            left = behind;
        } else if let Some(line) = rest.strip_prefix("headers=") {
            if line.starts_with(['@', '<']) {
                let text = "-F: a file of headers is not supported".to_owned();
                return Err(Failure::new(Exit::Usage, text));
            }
            let (line, behind) = word(line, ends);
            field.headers.push(line);
            left = behind;
        } else {
            // Unknown parameters are passed over, as curl does with a warning.
            let (_, behind) = word(rest, ends);
            left = behind;
        }
    }
    Ok(left)
}

/// Where a media type ends: behind its own parameters, before ours.
fn type_end(text: &str, ends: &[char]) -> usize {
    let mut end = text.find(ends).unwrap_or(text.len());
    while let Some(rest) = text[end..].strip_prefix(';') {
        let next = rest.trim_start();
        let is_ours = ["type=", "filename=", "headers=", "encoder="]
            .iter()
            .any(|name| next.starts_with(name));
        if is_ours {
            break;
        }
        end = rest.find(ends).map_or(text.len(), |more| end + 1 + more);
    }
    end
}

fn base_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// curl's short list of file name extensions.
fn type_of(file: &str) -> &'static str {
    const KNOWN: [(&str, &str); 10] = [
        (".gif", "image/gif"),
        (".jpg", "image/jpeg"),
        (".jpeg", "image/jpeg"),
        (".png", "image/png"),
        (".svg", "image/svg+xml"),
        (".txt", "text/plain"),
        (".htm", "text/html"),
        (".html", "text/html"),
        (".pdf", "application/pdf"),
        (".xml", "application/xml"),
    ];
    let name = file.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(extension, _)| name.ends_with(extension));
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

/// What may not stand in quotes: percent-encoded as browsers do, or behind backslashes.
fn escaped(name: &str, by_backslash: bool) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '"' | '\\' if by_backslash => out.extend(['\\', c]),
            '"' if !by_backslash => out.push_str("%22"),
            '\r' if !by_backslash => out.push_str("%0D"),
            '\n' if !by_backslash => out.push_str("%0A"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Field {
        parse(text, false).unwrap().remove(0)
    }

    fn field(content: Content) -> Field {
        let name = "a".to_owned();
        Field { name, content, content_type: None, filename: None, headers: Vec::new() }
    }

    fn text(text: &str) -> Content {
        Content::Text(text.to_owned())
    }

    #[test]
    fn fields_are_read_as_curl_reads_them() {
        assert_eq!(one("a=b c"), field(text("b c")));
        assert_eq!(one("a="), field(text("")));
        assert_eq!(one("a=\"b;c\""), field(text("b;c")));
        assert_eq!(one("a=\"b\\\"\\\\c\""), field(text("b\"\\c")));
        assert_eq!(one("a=\"b\"c"), field(text("\"b\"c")));
        assert_eq!(one("a=<f"), field(Content::Inline("f".to_owned())));
        let mut typed = field(text("b"));
        typed.content_type = Some("text/x; charset=y".to_owned());
        assert_eq!(one("a=b;type=text/x; charset=y"), typed);
        let mut named = field(Content::Upload("f".to_owned()));
        named.filename = Some("g;h".to_owned());
        named.content_type = Some("t/u".to_owned());
        assert_eq!(one("a=@f;filename=\"g;h\";type=t/u"), named);
        let mut headed = field(text("b"));
        headed.headers = vec!["X-A: 1".to_owned()];
        assert_eq!(one("a=b;headers=\"X-A: 1\""), headed);
        let plain = parse("a=@f;type=x", true).unwrap().remove(0);
        assert_eq!(plain, field(text("@f;type=x")));
        for wrong in ["a", "a=(;type=x", "a=@f,g"] {
            assert_eq!(parse(wrong, false).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_form_on_the_wire() {
        let form = build(&[("a\"=b".to_owned(), false)], false, 1).unwrap();
        let boundary = "------------------------0000000000000001";
        assert_eq!(form.content_type, format!("multipart/form-data; boundary={boundary}"));
        let bytes: Vec<u8> = form
            .payload
            .0
            .iter()
            .flat_map(|part| match part {
                Part::Bytes(bytes) => bytes.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"a%22\"\r\n\r\nb\r\n\
             --{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        assert_eq!(escaped("a\"\\", true), "a\\\"\\\\");
        assert_eq!(type_of("x/Y.PNG"), "image/png");
        assert_eq!(type_of("x"), "application/octet-stream");
    }
}
