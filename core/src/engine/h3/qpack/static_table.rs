//! The static table (RFC 9204 appendix A).

/// Name and value of every entry.
pub(in crate::engine::h3) static ENTRIES: [(&str, &str); 99] = TABLE;

const TABLE: [(&str, &str); 99] = [
    (":authority", ""),
    (":path", "/"),
    ("age", "0"),
    ("content-disposition", ""),
    ("content-length", "0"),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("referer", ""),
    ("set-cookie", ""),
    (":method", "CONNECT"),
    (":method", "DELETE"),
    (":method", "GET"),
    (":method", "HEAD"),
    (":method", "OPTIONS"),
    (":method", "POST"),
    (":method", "PUT"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "103"),
    (":status", "200"),
    (":status", "304"),
    (":status", "404"),
    (":status", "503"),
    ("accept", "*/*"),
    ("accept", "application/dns-message"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-ranges", "bytes"),
    ("access-control-allow-headers", "cache-control"),
    ("access-control-allow-headers", "content-type"),
    ("access-control-allow-origin", "*"),
    ("cache-control", "max-age=0"),
    ("cache-control", "max-age=2592000"),
    ("cache-control", "max-age=604800"),
    ("cache-control", "no-cache"),
    ("cache-control", "no-store"),
    ("cache-control", "public, max-age=31536000"),
    ("content-encoding", "br"),
    ("content-encoding", "gzip"),
    ("content-type", "application/dns-message"),
    ("content-type", "application/javascript"),
    ("content-type", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "image/gif"),
    ("content-type", "image/jpeg"),
    ("content-type", "image/png"),
    ("content-type", "text/css"),
    ("content-type", "text/html; charset=utf-8"),
    ("content-type", "text/plain"),
    ("content-type", "text/plain;charset=utf-8"),
    ("range", "bytes=0-"),
    ("strict-transport-security", "max-age=31536000"),
    ("strict-transport-security", "max-age=31536000; includesubdomains"),
    ("strict-transport-security", "max-age=31536000; includesubdomains; preload"),
    ("vary", "accept-encoding"),
    ("vary", "origin"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
    (":status", "100"),
    (":status", "204"),
    (":status", "206"),
    (":status", "302"),
    (":status", "400"),
    (":status", "403"),
    (":status", "421"),
    (":status", "425"),
    (":status", "500"),
    ("accept-language", ""),
    ("access-control-allow-credentials", "FALSE"),
    ("access-control-allow-credentials", "TRUE"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "get"),
    ("access-control-allow-methods", "get, post, options"),
    ("access-control-allow-methods", "options"),
    ("access-control-expose-headers", "content-length"),
    ("access-control-request-headers", "content-type"),
    ("access-control-request-method", "get"),
    ("access-control-request-method", "post"),
    ("alt-svc", "clear"),
    ("authorization", ""),
    ("content-security-policy", "script-src 'none'; object-src 'none'; base-uri 'none'"),
    ("early-data", "1"),
    ("expect-ct", ""),
    ("forwarded", ""),
    ("if-range", ""),
    ("origin", ""),
    ("purpose", "prefetch"),
    ("server", ""),
    ("timing-allow-origin", "*"),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", ""),
    ("x-forwarded-for", ""),
    ("x-frame-options", "deny"),
    ("x-frame-options", "sameorigin"),
];

/// How many buckets the index of names has.
const BUCKETS: usize = 256;
/// No entry.
const NONE: u8 = u8::MAX;

/// Where names are found.
struct Index {
    /// The first entry of a name, at its hash or behind it.
    first: [u8; BUCKETS],
    /// The next entry with the same name.
    next: [u8; TABLE.len()],
}

static INDEX: Index = index();

/// The bucket where the search for a name begins.
const fn hash(name: &[u8]) -> usize {
    let (len, first, last) = match name {
        [first, .., last] => (name.len(), *first as usize, *last as usize),
        _ => (name.len(), 0, 0),
    };
    // Eight names in nine are then alone, or first, where they belong.
    (len * 17 + first * 7 + last * 29) % BUCKETS
}

#[expect(clippy::indexing_slicing, reason = "runs when this is compiled, over whole tables")]
const fn index() -> Index {
    let mut index = Index { first: [NONE; BUCKETS], next: [NONE; TABLE.len()] };
    let mut entry = 0;
    while entry < TABLE.len() {
        let name = TABLE[entry].0.as_bytes();
        let mut bucket = hash(name);
        loop {
            let first = index.first[bucket];
            if first == NONE {
                index.first[bucket] = entry as u8;
                break;
            }
            if is_same(TABLE[first as usize].0.as_bytes(), name) {
                let mut last = first as usize;
                while index.next[last] != NONE {
                    last = index.next[last] as usize;
                }
                index.next[last] = entry as u8;
                break;
            }
            bucket = (bucket + 1) % BUCKETS;
        }
        entry += 1;
    }
    index
}

#[expect(clippy::indexing_slicing, reason = "runs when this is compiled, over whole tables")]
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut n = 0;
    while n < one.len() {
        if one[n] != other[n] {
            return false;
        }
        n += 1;
    }
    true
}

/// What was found of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The whole field, here.
    Field(u8),
    /// Its name, here.
    Name(u8),
    /// Nothing.
    Nothing,
}

/// Looks a field up.
pub(super) fn find(name: &[u8], value: &[u8]) -> Found {
    let mut bucket = hash(name);
    let first = loop {
        let first = INDEX.first.get(bucket).copied().unwrap_or(NONE);
        match ENTRIES.get(usize::from(first)) {
            None => return Found::Nothing,
            Some((known, _)) if known.as_bytes() == name => break first,
            Some(_) => bucket = (bucket + 1) % BUCKETS,
        }
    };
    let mut entry = first;
    while let Some((_, known)) = ENTRIES.get(usize::from(entry)) {
        if known.as_bytes() == value {
            return Found::Field(entry);
        }
        entry = INDEX.next.get(usize::from(entry)).copied().unwrap_or(NONE);
    }
    Found::Name(first)
}
