//! Just enough of Rust's grammar: what is code, what is a comment or a literal, where a block
//! ends.

use std::ops::Range;

/// Blanks comments and the insides of string and character literals, byte for byte: offsets and
/// line numbers stay.
pub(crate) fn blank(text: &str) -> String {
    let mut scan = Scan { text: text.as_bytes(), out: text.as_bytes().to_vec(), at: 0 };
    while scan.at < scan.text.len() {
        scan.step();
    }
    String::from_utf8_lossy(&scan.out).into_owned()
}

struct Scan<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    at: usize,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (b'/', b'/') => self.line_comment(),
            (b'/', b'*') => self.block_comment(),
            (b'"', _) => self.string(),
            (b'\'', _) => self.quote(),
            (byte, _) if is_word(byte) => self.word(),
            _ => self.at += 1,
        }
    }

    fn blank(&mut self, range: Range<usize>) {
        let end = range.end.min(self.out.len());
        for byte in &mut self.out[range.start.min(end)..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }

    fn line_comment(&mut self) {
        let start = self.at;
        while self.at < self.text.len() && self.peek(0) != b'\n' {
            self.at += 1;
        }
        self.blank(start..self.at);
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let mut depth = 0;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.blank(start..self.at);
    }

    fn string(&mut self) {
        let start = self.at + 1;
        self.at = start;
        while self.at < self.text.len() && self.peek(0) != b'"' {
            self.at += if self.peek(0) == b'\\' { 2 } else { 1 };
        }
        self.blank(start..self.at);
        self.at += 1;
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self) {
        let start = self.at + 1;
        let rest = std::str::from_utf8(&self.text[start..]).unwrap_or("");
        let width = rest.chars().next().map_or(0, char::len_utf8);
        if self.peek(1) == b'\\' {
            self.at += 3;
            while self.at < self.text.len() && self.peek(0) != b'\'' {
                self.at += 1;
            }
            self.blank(start..self.at);
            self.at += 1;
        } else if self.peek(1 + width) == b'\'' {
            self.blank(start..start + width);
            self.at = start + width + 1;
        } else {
            self.at += 1;
        }
    }

    /// An identifier, a number, or the prefix of a raw string.
    fn word(&mut self) {
        let start = self.at;
        while is_word(self.peek(0)) {
            self.at += 1;
        }
        let raw = matches!(&self.text[start..self.at], b"r" | b"br" | b"cr");
        let mut hashes = 0;
        while raw && self.peek(hashes) == b'#' {
            hashes += 1;
        }
        if raw && self.peek(hashes) == b'"' {
            self.raw_string(hashes);
        }
    }

    fn raw_string(&mut self, hashes: usize) {
        let start = self.at + hashes + 1;
        let mut end = vec![b'"'];
        end.resize(hashes + 1, b'#');
        let rest = self.text.get(start..).unwrap_or_default();
        let length = rest.windows(end.len()).position(|window| window == end);
        self.at = length.map_or(self.text.len(), |length| start + length);
        self.blank(start..self.at);
        self.at += end.len();
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Offsets where `word` stands in `code` as a whole word.
pub(crate) fn find_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
        let after = bytes.get(at + word.len()).copied().unwrap_or(b' ');
        !is_word(before) && !is_word(after)
    })
}

/// The offset behind the `}` that closes the block whose `{` is at `open`.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The 1-based line of an offset.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

/// The `#[cfg(test)] mod name { .. }` blocks, as ranges of offsets.
pub(crate) fn test_blocks(code: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    for (start, attribute) in code.match_indices("#[cfg(test)]") {
        let rest = &code[start + attribute.len()..];
        let Some(open) = rest.find(['{', ';']) else { continue };
        if rest[open..].starts_with('{') {
            let open = start + attribute.len() + open;
            blocks.push(start..block_end(code, open));
        }
    }
    blocks
}
