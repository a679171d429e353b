use super::*;

const NOW: i64 = 1_000_000;

const A: Site<'_> = Site { host: "www.a.test", path: "/x/y", is_safe: false };

/// What the jar sends to `site` after one Set-Cookie from `A`.
fn after(line: &str, site: Site<'_>) -> Option<String> {
    let mut jar = Jar::default();
    jar.set(line, A, NOW);
    jar.field(site, NOW)
}

fn at(host: &'static str, path: &'static str) -> Site<'static> {
    Site { host, path, is_safe: false }
}

#[test]
fn a_cookie_goes_back_where_it_came_from() {
    let table = [
        ("a=b", at("www.a.test", "/x/z"), Some("a=b")),
        ("a=b", at("www.a.test", "/x"), Some("a=b")),
        ("a=b", at("www.a.test", "/xx"), None),
        ("a=b", at("WWW.A.test", "/x/z"), Some("a=b")),
        ("a=b", at("a.test", "/x/z"), None),
        ("a=b", at("w.www.a.test", "/x/z"), None),
        ("a=b; path=/", at("www.a.test", "/"), Some("a=b")),
        ("a=b; path=x", at("www.a.test", "/"), Some("a=b")),
        ("a=b; path=\"/p/\"", at("www.a.test", "/p/q"), Some("a=b")),
        ("a=b; domain=a.test; path=/", at("other.a.test", "/"), Some("a=b")),
        ("a=b; domain=.a.test; path=/", at("a.test", "/"), Some("a=b")),
        ("a=b; domain=a.test; path=/", at("ba.test", "/"), None),
        ("a=b; domain=b.test", at("b.test", "/x/y"), None),
        ("a=b; domain=test", at("www.a.test", "/x/y"), None),
        ("a=b; secure", at("www.a.test", "/x/y"), None),
        ("a = b ; x=y", at("www.a.test", "/x/y"), Some("a=b")),
        ("a=", at("www.a.test", "/x/y"), Some("a=")),
        ("a", at("www.a.test", "/x/y"), None),
        ("a=b\u{1}", at("www.a.test", "/x/y"), None),
        ("a=b; path=/x\ty", at("www.a.test", "/x\ty"), None),
        ("__Secure-a=b", at("www.a.test", "/x/y"), None),
        ("__Host-a=b", at("www.a.test", "/x/y"), None),
    ];
    for (line, site, meant) in table {
        assert_eq!(after(line, site).as_deref(), meant, "{line} {site:?}");
    }
}

#[test]
fn cookies_end_when_they_should() {
    let mut jar = Jar::default();
    jar.set("a=b; max-age=10", A, NOW);
    assert!(jar.field(A, NOW + 10).is_some());
    assert!(jar.field(A, NOW + 11).is_none());
    jar.set("a=b", A, NOW);
    jar.set("a=; max-age=0", A, NOW);
    assert!(jar.field(A, NOW).is_none());
    jar.set("a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT", A, NOW);
    assert!(jar.field(A, NOW).is_none());
    jar.set("a=b; expires=Mon, 01 Mar 2100 00:00:00 GMT", A, NOW);
    assert!(jar.field(A, NOW).is_some());
    jar.set("a=b; expires=never", A, NOW);
    assert!(jar.field(A, i64::MAX).is_some());
}

#[test]
fn secure_cookies_need_tls_and_are_not_overwritten_without() {
    let safe = Site { is_safe: true, ..A };
    let mut jar = Jar::default();
    jar.set("a=b; secure", safe, NOW);
    assert_eq!(jar.field(A, NOW), None);
    assert_eq!(jar.field(safe, NOW).as_deref(), Some("a=b"));
    jar.set("a=c", A, NOW);
    assert_eq!(jar.field(safe, NOW).as_deref(), Some("a=b"));
    jar.set("__Host-h=i; secure; path=/", safe, NOW);
    assert!(jar.field(safe, NOW).unwrap().contains("__Host-h=i"));
}

#[test]
fn longer_paths_go_first_and_a_new_value_replaces_the_old() {
    let mut jar = Jar::default();
    jar.set("a=1; path=/", A, NOW);
    jar.set("b=2", A, NOW);
    jar.set("a=3; path=/", A, NOW);
    assert_eq!(jar.field(A, NOW).as_deref(), Some("b=2; a=3"));
}

#[test]
fn a_file_is_read_as_it_is_written() {
    let file = "\
# Netscape HTTP Cookie File

.a.test\tTRUE\t/\tFALSE\t0\ta\tb
#HttpOnly_www.a.test\tFALSE\t/x\tTRUE\t4107542400\tc\td
www.a.test\tFALSE\t/\tFALSE\t1\told\tx
too\tfew
Set-Cookie: e=f; path=/
";
    let mut jar = Jar::default();
    jar.read(file, false, NOW);
    let safe = Site { is_safe: true, ..A };
    assert_eq!(jar.field(safe, NOW).as_deref(), Some("c=d; a=b; e=f"));
    let written = jar.write(NOW);
    let lines: Vec<&str> = written.lines().skip(3).collect();
    let expected = [
        "#HttpOnly_www.a.test\tFALSE\t/x\tTRUE\t4107542400\tc\td",
        ".a.test\tTRUE\t/\tFALSE\t0\ta\tb",
    ];
    assert_eq!(lines, expected);
    let mut jar = Jar::default();
    jar.read(file, true, NOW);
    assert_eq!(jar.field(safe, NOW).as_deref(), Some("c=d"));
}
