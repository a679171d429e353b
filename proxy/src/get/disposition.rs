//! `-J`: the file name in Content-Disposition (RFC 6266), without any folder.

/// The name, if there is a usable one.
pub(crate) fn file_name(value: &str) -> Option<String> {
    let mut rest = value;
    loop {
        let start = rest.find(|c: char| c.is_ascii_alphabetic())?;
        rest = &rest[start..];
        let name = rest.get(..9).filter(|name| name.eq_ignore_ascii_case("filename="));
        if name.is_some() {
            return safe(&text(&rest[9..]));
        }
        rest = &rest[rest.find(';')?..];
    }
}

/// A quoted text, or a token.
fn text(value: &str) -> String {
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find([';', '\r', '\n']).unwrap_or(value.len());
        return value[..end].trim_end().to_owned();
    };
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

/// What stands behind the last slash of either kind.
fn safe(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let bad = name.is_empty() || name == "." || name == ".." || name.contains('\0');
    (!bad).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_folders_are_not() {
        for (value, name) in [
            ("attachment; filename=a.txt", Some("a.txt")),
            ("attachment; FileName=\"a b.txt\"", Some("a b.txt")),
            ("attachment; filename=\"a\\\"b\"", Some("a\"b")),
            ("attachment; filename=a.txt; size=3", Some("a.txt")),
            ("inline; x=y; filename=\"/etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"..\\\\evil\"", Some("evil")),
            ("attachment; filename=..", None),
            ("attachment; filename=\"\"", None),
            ("attachment", None),
            ("attachment; filename*=UTF-8''x", None),
        ] {
            assert_eq!(file_name(value).as_deref(), name, "{value}");
        }
    }
}
