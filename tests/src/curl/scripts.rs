//! Answers that no honest server gives, and some that need every byte to be known.

/// What follows the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The connection ends.
    Close,
    /// Nothing more, until the client goes.
    Hang,
}

/// What `CONNECT <name>.answers:..` is answered with.
pub(super) fn find_connect(name: &str) -> (Vec<u8>, End) {
    let close = |text: &str| (text.as_bytes().to_vec(), End::Close);
    match name {
        "nothing" => close(""),
        "nonsense" => close("nonsense\r\n\r\n"),
        "half" => close("HTTP/1.1 200 OK\r\nvia: x"),
        "hang" => (b"HTTP/1.1 200 OK\r\n".to_vec(), End::Hang),
        "short" => close("HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\nab"),
        "chunked" => close(
            "HTTP/1.1 503 Unavailable\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        ),
        "closed" => close("HTTP/1.0 200 OK\r\n\r\n"),
        status => close(&format!("HTTP/1.1 {status} No\r\ncontent-length: 5\r\n\r\nsorry")),
    }
}

/// The answer of `/raw/<name>`; `earlier` requests for the same have been answered.
pub(super) fn find(name: &str, earlier: usize) -> (Vec<u8>, End) {
    let name = name.split('?').next().unwrap_or_default();
    let close = |text: &str| (text.as_bytes().to_vec(), End::Close);
    let ok = "HTTP/1.1 200 OK\r\n";
    match name {
        "nothing" => close(""),
        "nonsense" => close("nonsense\r\n\r\n"),
        "half-line" => close("HTTP/1.1 20"),
        "half-head" => close("HTTP/1.1 200 OK\r\nA: b\r\n"),
        "short" => close(&format!("{ok}content-length: 9\r\n\r\nab")),
        "two-lengths" => close(&format!("{ok}content-length: 1\r\ncontent-length: 2\r\n\r\nab")),
        "bad-length" => close(&format!("{ok}content-length: x\r\n\r\nab")),
        "bad-chunk" => close(&format!("{ok}transfer-encoding: chunked\r\n\r\nzz\r\n")),
        "half-chunk" => close(&format!("{ok}transfer-encoding: chunked\r\n\r\n5\r\nab")),
        "no-last-chunk" => close(&format!("{ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n")),
        "until-close" => close(&format!("{ok}\r\nuntil the end")),
        "old" => close("HTTP/1.0 200 OK\r\n\r\nold"),
        "hints" => close(&format!(
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{ok}content-length: 2\r\n\r\nab"
        )),
        "hang" => (Vec::new(), End::Hang),
        "hang-in-body" => (format!("{ok}content-length: 9\r\n\r\nab").into_bytes(), End::Hang),
        "flaky" if earlier < 1 => {
            close("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy")
        }
        "flaky" => close(&format!("{ok}content-length: 4\r\n\r\nback")),
        "later" if earlier < 1 => close(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy",
        ),
        "later" => close(&format!("{ok}content-length: 4\r\n\r\nback")),
        "torn" if earlier < 1 => close(&format!("{ok}content-length: 4\r\n\r\nto")),
        "torn" => close(&format!("{ok}content-length: 4\r\n\r\ntorn")),
        "gzip-broken" => {
            close(&format!("{ok}content-encoding: gzip\r\ncontent-length: 12\r\n\r\nnot gzip, ab"))
        }
        "encoded-oddly" => {
            close(&format!("{ok}content-encoding: odd\r\ncontent-length: 2\r\n\r\nab"))
        }
        "no-range" => close(&format!("{ok}content-length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz")),
        "to-ftp" => {
            close("HTTP/1.1 302 Found\r\nlocation: ftp://a.test/\r\ncontent-length: 0\r\n\r\n")
        }
        "to-bad" => {
            close("HTTP/1.1 302 Found\r\nlocation: http://a:b/\r\ncontent-length: 0\r\n\r\n")
        }
        "to-nowhere" => close("HTTP/1.1 302 Found\r\ncontent-length: 4\r\n\r\nhere"),
        "cookies" => close(&format!(
            "{ok}set-cookie: a=b; Path=/\r\nset-cookie: c=d; Path=/raw/deep; HttpOnly\r\n\
             set-cookie: e=f; Path=/; Expires=Mon, 01 Mar 2100 00:00:00 GMT\r\n\
             set-cookie: g=h; Domain=other.test\r\nset-cookie: i=j; Max-Age=0\r\n\
             set-cookie: s=t; Path=/; Secure\r\nset-cookie: __Host-k=l; Secure; Path=/\r\n\
             set-cookie: m=\"n o\"; path=/\r\ncontent-length: 2\r\n\r\nab"
        )),
        "large-head" => {
            close(&format!("{ok}a: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(20_000)))
        }
        other => panic!("there is no script {other}"),
    }
}
