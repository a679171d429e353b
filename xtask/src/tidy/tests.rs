//! Each rule fires on what breaks it, at the right line, and lets its neighbour pass.

use super::code::{blank, block_end, find_word};
use super::purity::impurities;
use super::{Tree, Violation, arrows, clock, docs, lengths, modules, words};

type Rule = fn(&Tree) -> Vec<Violation>;

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.add(path, text);
    }
    tree
}

/// What a rule says of a few files: path, line, and whether the sentence has the words.
fn assert_says(rule: Rule, files: &[(&str, &str)], expected: &[(&str, usize, &str)]) {
    let found = rule(&tree(files));
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{shown:#?}");
    for (violation, (path, line, says)) in found.iter().zip(expected) {
        assert_eq!((violation.path.as_str(), violation.line), (*path, *line), "{shown:#?}");
        assert!(violation.says.contains(says), "{shown:#?} should say {says}");
    }
}

mod grammar {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let rows = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x{", '{', b'}')"#, r#"f("  ", ' ', b' ')"#),
            (r#"f("\"{", '\'', '\u{7d}')"#, r#"f("   ", '  ', '      ')"#),
            (r##"r#"a"{"# + r"\" + x"##, r##"r#"   "# + r" " + x"##),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("'ä' + ä", "'  ' + ä"),
        ];
        for (text, code) in rows {
            assert_eq!(blank(text), code, "{text}");
        }
    }

    #[test]
    fn a_word_is_a_whole_word() {
        assert_eq!(find_word("fn fnord xfn fn", "fn").collect::<Vec<_>>(), [0, 13]);
    }

    #[test]
    fn a_block_ends_at_its_own_brace() {
        assert_eq!(block_end("a { b { c } } d", 2), 13);
        assert_eq!(block_end("{ never closed", 0), 14);
    }
}

mod arrows_between_crates {
    use super::*;

    #[test]
    fn point_down_only() {
        let core = "[package]\nname = \"regatta-core\"\n[dependencies]\nbytes = \"1\"\n\
            regatta-runtime.workspace = true\n";
        let says = "`regatta-core` must not depend on `regatta-runtime`";
        assert_says(arrows::check, &[("core/Cargo.toml", core)], &[("core/Cargo.toml", 5, says)]);
        let proxy = core.replace("\"regatta-core\"", "\"regatta\"");
        assert_says(arrows::check, &[("proxy/Cargo.toml", &proxy)], &[]);
    }

    #[test]
    fn are_found_in_every_kind_of_table() {
        let models = "[package]\nname = \"regatta-models\"\n\
            [target.'cfg(loom)'.dependencies]\nregatta-tokio = { path = \"..\" }\n\
            [dev-dependencies.regatta-runtime]\npath = \"..\"\n";
        let expected = [
            ("models/Cargo.toml", 4, "regatta-tokio"),
            ("models/Cargo.toml", 5, "regatta-runtime"),
        ];
        assert_says(arrows::check, &[("models/Cargo.toml", models)], &expected);
    }

    #[test]
    fn are_said_for_a_new_crate() {
        let new = "[package]\nname = \"regatta-new\"\n";
        let expected = [("new/Cargo.toml", 0, "`regatta-new` is new")];
        assert_says(arrows::check, &[("new/Cargo.toml", new)], &expected);
    }

    #[test]
    fn core_and_runtime_name_no_runtime() {
        let code = "// tokio::spawn is a runtime's\nuse tokio::io::AsyncRead;\ntokio::spawn(x);\n";
        let core = ("core/src/lib.rs", code);
        assert_says(arrows::check, &[core], &[("core/src/lib.rs", 3, "tokio::spawn")]);
        let runtime = ("runtime/src/lib.rs", "use tokio::io::AsyncRead;\n");
        assert_says(arrows::check, &[runtime], &[("runtime/src/lib.rs", 1, "`tokio`")]);
        let manifest = "[package]\nname = \"regatta-runtime\"\n[dependencies]\nasync-io = \"2\"\n";
        let runtime = ("runtime/Cargo.toml", manifest);
        assert_says(arrows::check, &[runtime], &[("runtime/Cargo.toml", 4, "`async-io`")]);
    }
}

mod core_tree {
    use super::*;

    #[test]
    fn may_have_tokios_traits_and_no_more() {
        let pure = "regatta-core v0.1.0\n├── tokio v1.54.1\n│   ├── tokio feature \"io-util\"\n\
            │   └── tokio feature \"sync\" (*)\n";
        assert_eq!(impurities(pure), [""; 0]);
        let impure = "├── tokio feature \"rt\" (*)\n│   └── mio v1.2.0\n└── socket2 v0.6.1\n\
            └── tokio feature \"net\"\n└── tokio feature \"rt\"\n";
        let expected =
            ["mio v1.2.0", "socket2 v0.6.1", "tokio feature \"net\"", "tokio feature \"rt\""];
        assert_eq!(impurities(impure), expected);
    }
}

mod lengths_of {
    use super::*;

    #[test]
    fn files() {
        let long = "// line\n".repeat(601);
        let path = "core/src/pool/mod.rs";
        assert_says(lengths::check, &[(path, &long)], &[(path, 0, "601 lines")]);
        assert_says(lengths::check, &[(path, &"// line\n".repeat(600))], &[]);
    }

    #[test]
    fn files_do_not_count_their_tests() {
        let long = "// line\n".repeat(601);
        assert_says(lengths::check, &[("core/src/pool/tests.rs", &long)], &[]);
        assert_says(lengths::check, &[("core/src/pool/tests/goaway.rs", &long)], &[]);
        let tail = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_says(lengths::check, &[("core/src/pool/mod.rs", &tail)], &[]);
        // The package of end-to-end tests is made of files like any other.
        let path = "tests/src/peers.rs";
        assert_says(lengths::check, &[(path, &long)], &[(path, 0, "601 lines")]);
    }

    #[test]
    fn runtimes_are_counted_whole() {
        let (half, rest) = ("// line\n".repeat(125), "// line\n".repeat(126));
        let files = |first: &'static str, second: &'static str| {
            [(first, half.as_str()), (second, rest.as_str())]
        };
        for runtime in ["runtime-async-std/src/", "runtime-tokio/src/"] {
            let long = files("a", "b").map(|(name, text)| (format!("{runtime}{name}.rs"), text));
            let long = long.each_ref().map(|(path, text)| (path.as_str(), *text));
            assert_says(lengths::check, &long, &[(runtime, 0, "a runtime of 251 lines")]);
        }
        let with_tests = files("runtime-tokio/src/lib.rs", "runtime-tokio/src/tests.rs");
        assert_says(lengths::check, &with_tests, &[]);
        let shared = files("runtime-tokio/src/lib.rs", "runtime-sockets/src/lib.rs");
        assert_says(lengths::check, &shared, &[]);
        let (example, long) = ("examples/custom_runtime.rs", format!("{half}{rest}"));
        assert_says(lengths::check, &[(example, &long)], &[(example, 0, "251 lines")]);
        assert_says(lengths::check, &[("examples/mio.rs", &long)], &[]);
    }

    #[test]
    fn functions() {
        let body =
            |lines: usize| format!("\nfn long<T>(x: [u8; 2]) {{\n{}}}\n", "x;\n".repeat(lines));
        let path = "core/src/lib.rs";
        assert_says(lengths::check, &[(path, &body(69))], &[(path, 2, "`long` has 71 lines")]);
        assert_says(lengths::check, &[(path, &body(68))], &[]);
        let without_body = format!("fn f();\nconst F: fn() = g;\n{}", "\n".repeat(80));
        assert_says(lengths::check, &[(path, &without_body)], &[]);
    }

    #[test]
    fn lines() {
        let wide = format!("//{}\n", "ä".repeat(99));
        let path = "core/src/lib.rs";
        assert_says(lengths::check, &[(path, &wide)], &[(path, 1, "101 columns")]);
        assert_says(lengths::check, &[("README.md", &wide)], &[("README.md", 1, "101 columns")]);
        assert_says(lengths::check, &[("README.md", &format!("| {wide}"))], &[]);
        let quoted = format!("```text\n{wide}```\n");
        assert_says(lengths::check, &[("README.md", &quoted)], &[]);
        let behind = format!("{quoted}{wide}");
        assert_says(lengths::check, &[("README.md", &behind)], &[("README.md", 4, "101 columns")]);
        assert_says(lengths::check, &[(path, &"x".repeat(100))], &[]);
        // A literal that a test expects.
        let literal = format!("\"{}\",\n", "-".repeat(101));
        assert_says(lengths::check, &[(path, &literal)], &[(path, 1, "104 columns")]);
        assert_says(lengths::check, &[("core/src/tests.rs", &literal)], &[]);
        assert_says(lengths::check, &[("tests/src/lib.rs", &literal)], &[]);
        let block = format!("#[cfg(test)]\nmod tests {{\n{literal}}}\n");
        assert_says(lengths::check, &[(path, &block)], &[]);
        let called = block.replacen('"', "assert_eq!(found, \"", 1);
        assert_says(lengths::check, &[(path, &called)], &[(path, 3, "columns")]);
    }

    #[test]
    fn unformatted_code_is_said() {
        let path = "core/src/lib.rs";
        let code = format!("\n#[{}::skip]\nfn f() {{}}\n", "rustfmt");
        assert_says(lengths::check, &[(path, &code)], &[(path, 2, "formatting is skipped")]);
    }
}

mod clocks {
    use super::*;

    const READS: &str = "let a = Instant::now();\n";

    #[test]
    fn are_not_read_inside() {
        let expected = [("runtime/src/hub.rs", 1, "`Instant::now`")];
        assert_says(clock::check, &[("runtime/src/hub.rs", READS)], &expected);
        assert_says(clock::check, &[("runtime/src/hub.rs", "// Instant::now\n")], &[]);
        let tests = "core/src/pool/tests.rs";
        assert_says(clock::check, &[(tests, READS)], &[(tests, 1, "`Instant::now`")]);
    }

    #[test]
    fn are_read_once_in_a_runtime() {
        let path = "runtime-tokio/src/lib.rs";
        assert_says(clock::check, &[(path, READS)], &[]);
        assert_says(clock::check, &[(path, &READS.repeat(2))], &[(path, 2, "a second time")]);
    }

    #[test]
    fn are_read_freely_outside() {
        assert_says(clock::check, &[("benches/src/main.rs", READS)], &[]);
        assert_says(clock::check, &[("tests/src/lib.rs", READS)], &[]);
    }
}

mod dead_files {
    use super::*;

    #[test]
    fn are_said() {
        let files = [("core/src/lib.rs", "// mod dead;\n"), ("core/src/dead.rs", "")];
        let expected = [("core/src/dead.rs", 0, "no crate root reaches")];
        assert_says(modules::check, &files, &expected);
    }

    #[test]
    fn are_not_what_a_declaration_reaches() {
        let files = [
            ("core/src/lib.rs", "mod a;\npub mod b;\nmod c { mod d; }\n"),
            ("core/src/a.rs", "mod e;\n"),
            ("core/src/a/e.rs", ""),
            ("core/src/b/mod.rs", "#[cfg(test)]\nmod tests;\n"),
            ("core/src/b/tests.rs", ""),
            ("core/src/c/d.rs", "#[path = \"../odd.rs\"]\nmod f;\n"),
            ("core/src/odd.rs", ""),
            ("core/examples/one.rs", ""),
            ("examples/two.rs", ""),
            ("proxy/src/main.rs", ""),
        ];
        let found = modules::check(&tree(&files));
        let found: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(found, ["core/src/odd.rs"; 0]);
    }
}

mod pages {
    use super::*;

    #[test]
    fn are_linked() {
        let files = [
            ("README.md", "See [the pool](docs/pool.md#states) and [more](https://example.com).\n"),
            ("docs/pool.md", "Up to [README](../README.md), on to [contract](contract.md).\n"),
            ("docs/contract.md", ""),
            ("docs/lost.md", "\n```\n[not a link](nowhere.md)\n```\n"),
        ];
        assert_says(docs::check, &files, &[("docs/lost.md", 0, "no page links")]);
    }

    #[test]
    fn link_to_what_exists() {
        let files = [("README.md", "\n[a](core) [b](gone.md)\n"), ("core/Cargo.toml", "")];
        assert_says(docs::check, &files, &[("README.md", 2, "`gone.md` leads nowhere")]);
    }
}

mod banned {
    use super::*;

    const PATH: &str = "core/src/lib.rs";

    fn assert_banned(line: &str, says: &str) {
        assert_says(words::check, &[(PATH, line)], &[(PATH, 1, says)]);
    }

    fn assert_fine(line: &str) {
        assert_says(words::check, &[(PATH, line)], &[]);
    }

    #[test]
    fn words_of_another_world() {
        assert_banned(concat!("// the ses", "sions"), concat!("`ses", "sion`"));
        assert_fine(concat!("// a TLS ses", "sion is resumed"));
        assert_fine(concat!("// ses", "sions of one origin\ntls: Map,"));
        assert_banned(concat!("// an Age", "nt"), concat!("`age", "nt`"));
        assert_fine(concat!("User-Age", "nt: regatta"));
        assert_banned(concat!("// pro", "mpts"), concat!("`pro", "mpt`"));
        assert_fine("// promptly");
        assert_banned(concat!("// /wo", "rk/x"), concat!("`/wo", "rk/`"));
        assert_banned(concat!("// index.cra", "tes.io"), concat!("cra", "tes.io"));
    }

    #[test]
    fn work_left_lying_about() {
        assert_banned(concat!("// TO", "DO: later"), "issue's number");
        assert_fine(concat!("// TO", "DO(#12): later"));
        assert_banned(concat!("// FIX", "ME"), concat!("FIX", "ME"));
        assert_banned(concat!("to", "do!();"), concat!("`to", "do!`"));
        assert_banned(concat!("unimple", "mented!()"), "must not be left");
        assert_banned(concat!("db", "g!(x);"), "must not be left");
    }

    #[test]
    fn allowing_without_a_reason() {
        assert_banned("#[allow(dead_code)]", "without a reason");
        assert_banned("#![allow(dead_code)]", "without a reason");
        assert_fine("#[allow(dead_code, reason = \"read by the simulator\")]");
    }

    #[test]
    fn names_that_say_nothing() {
        for path in ["core/src/utils.rs", "core/src/helpers/mod.rs", "tests/src/common.rs"] {
            assert_says(words::check, &[(path, "")], &[(path, 0, "says nothing")]);
        }
        assert_says(words::check, &[("core/src/commonly.rs", "")], &[]);
    }
}
