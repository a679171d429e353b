//! What is a mark, whose it is, and what of a list or a mark is an error.

use super::list::Rules;
use super::marks::marks_of;
use super::{page, unmatched};

const LIST: &str = r#"
# Two rules.
[[group]]
title = "Things"
says = "All of them."

[[rule]]
id = "H-1a"
source = "9110 7.6.1"
who = "both"
says = "This holds."

[[rule]]
id = "H-2"
source = "9110 7.6.3"
who = "later"
says = "That will hold."
why = "There is no proxy."
"#;

const TESTS: &str = "\
fn set_up() {}

/// 6.1: a table.
// rule: H-1a A30
#[test]
fn lengths() {
    for row in [
        // rule: M-2
        (1, 2),
    ] {}
}

// rule: H-9
#[test]
fn on_top() {}

#[test]
// rule: H-8
/// With more to say.
#[should_panic]
fn in_between() {}
";

fn found(text: &str) -> Vec<String> {
    let (marks, faults) = marks_of("a.rs", text);
    let marks = marks.into_iter().map(|mark| format!("{} {} {}", mark.line, mark.test, mark.rule));
    marks.chain(faults).collect()
}

#[test]
fn a_mark_is_of_the_test_below_it_or_around_it() {
    let expected =
        ["4 lengths H-1a", "4 lengths A30", "8 lengths M-2", "13 on_top H-9", "18 in_between H-8"];
    assert_eq!(found(TESTS), expected);
}

#[test]
fn a_mark_at_anything_else_is_an_error() {
    let nothing = "a.rs:1: the mark stands at no test";
    assert_eq!(found("// rule: H-1a\nfn set_up() {}\n"), [nothing]);
    assert_eq!(found("// rule: H-1a\n"), [nothing]);
    assert_eq!(found("// rule: H-1a\n\n#[test]\nfn far_below() {}\n"), [nothing]);
    let inside = "#[test]\nfn above() {}\n\nfn table() {\n    // rule: H-1a\n    x();\n}\n";
    assert_eq!(found(inside), ["a.rs:5: the mark stands at no test"]);
    let ignored = "// rule: H-1a\n#[test]\n#[ignore = \"slow\"]\nfn never_run() {}\n";
    assert_eq!(found(ignored), ["a.rs:1: a test that is not run holds no rule"]);
}

#[test]
fn a_list_says_everything_once() {
    let rules = Rules::parse(LIST).unwrap();
    assert_eq!(rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["H-1a", "H-2"]);
    for (from, to, says) in [
        ("who = \"both\"", "who = \"all\"", " rule `H-1a` is for client, server, both or later"),
        ("who = \"both\"", "who = 3", "10: neither a table nor `key = \"value\"`"),
        ("who = \"both\"", "id = \"H-3\"", "10: `id` is said twice"),
        ("who = \"both\"", "whom = \"both\"", "10: `whom` has no meaning here"),
        ("id = \"H-2\"", "id = \"H-1a\"", " rule `H-1a` stands there twice"),
        ("why = \"There is no proxy.\"", "", " rule `H-2` comes later and does not say why"),
        ("source = \"9110 7.6.1\"", "", " rule `H-1a` needs id, source, who and says"),
    ] {
        assert_eq!(Rules::parse(&LIST.replace(from, to)).unwrap_err(), says, "{to}");
    }
    assert_eq!(Rules::parse("[[rule]]\n").unwrap_err(), "1: no group yet");
}

#[test]
fn marks_and_rules_must_agree() {
    let rules = Rules::parse(LIST).unwrap();
    let of = |text: &str| unmatched(&rules, &marks_of("a.rs", text).0);
    assert_eq!(of("#[test]\n// rule: H-1a\nfn a() {}\n"), [""; 0]);
    assert_eq!(of(""), ["docs/rules.toml: no test is marked `rule: H-1a`"]);
    assert_eq!(
        of("#[test]\n// rule: H-1a H-3 H-2\nfn a() {}\n"),
        [
            "a.rs:2: docs/rules.toml has no rule H-3",
            "docs/rules.toml: H-2 is said to come later, and has a test"
        ]
    );
}

#[test]
fn the_page_has_a_row_for_each_rule() {
    let rules = Rules::parse(LIST).unwrap();
    let text = "#[test]\n// rule: H-1a\nfn b() {}\n\n#[test]\n// rule: H-1a\nfn a() {}\n";
    let (marks, _) = marks_of("core/src/engine/h1/tests/section_6.rs", text);
    let page = page::page(&rules, &marks);
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| H-")).collect();
    assert_eq!(
        rows,
        [
            "| H-1a | 9110 7.6.1 | both | This holds. | \
             [core engine/h1/section_6](../core/src/engine/h1/tests/section_6.rs): a, b |",
            "| H-2 | 9110 7.6.3 | later | That will hold. *There is no proxy.* |  |",
        ]
    );
    assert!(page.contains("Rules that apply: 1, held by 2 tests. Later: 1."));
}
