//! Heads and trailers that are larger than the limit on the wire already: h2 fails their stream,
//! or the connection, by a code that says nothing of it, and cuts trailers off without a word.

use std::collections::VecDeque;

use http::HeaderMap;

/// Most streams of which it is known before they are asked for; the newest count.
const WAITING: usize = 64;

/// Those of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    most: usize,
    stream: u32,
    /// How long the section that comes is, as far as its frames have begun.
    len: usize,
    large: VecDeque<u32>,
}

impl Heads {
    /// With a limit in bytes.
    pub(super) const fn new(most: u32) -> Self {
        Self { most: most as usize, stream: 0, len: 0, large: VecDeque::new() }
    }

    /// HEADERS of so many bytes begin.
    pub(super) fn begin(&mut self, stream: u32, len: usize) {
        (self.stream, self.len) = (stream, 0);
        self.go_on(len);
    }

    /// CONTINUATION of so many bytes follows.
    pub(super) fn go_on(&mut self, len: usize) {
        let before = self.len;
        self.len = self.len.saturating_add(len);
        if before <= self.most && self.len > self.most {
            if self.large.len() == WAITING {
                self.large.pop_front();
            }
            self.large.push_back(self.stream);
        }
    }

    /// A stream whose section was too large, once.
    pub(super) fn take(&mut self) -> Option<u32> {
        self.large.pop_front()
    }
}

/// The size of a section of fields as peers count it (RFC 9113 6.5.2), a response's with its
/// status.
pub(super) fn size(fields: &HeaderMap, has_status: bool) -> usize {
    const EACH: usize = 32;
    const STATUS: usize = ":status".len() + "200".len() + EACH;
    let of_fields = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + EACH);
    of_fields.sum::<usize>() + if has_status { STATUS } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_too_large_above_the_limit_and_told_once() {
        let mut heads = Heads::new(100);
        heads.begin(1, 100);
        heads.begin(3, 60);
        heads.go_on(40);
        assert_eq!(heads.take(), None);
        heads.begin(5, 101);
        heads.go_on(1);
        heads.begin(7, 60);
        heads.go_on(41);
        assert_eq!([heads.take(), heads.take(), heads.take()], [Some(5), Some(7), None]);
        (1..=1_000).for_each(|n| heads.begin(n, 101));
        assert_eq!(heads.take(), Some(1_001 - WAITING as u32), "bounded");
    }

    #[test]
    fn a_size_counts_what_each_field_costs() {
        let mut fields = HeaderMap::new();
        assert_eq!((size(&fields, false), size(&fields, true)), (0, 42));
        fields.append("ab", "cde".parse().unwrap());
        fields.append("ab", "".parse().unwrap());
        assert_eq!(size(&fields, true), 42 + 37 + 34);
    }
}
