//! Command lines, read.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::Method;

use super::get::{CONNECTION, CONTENT, LOAD, OUTPUT, REQUEST, TLS};
use super::*;

/// The last part of a line of `regatta get`.
pub(crate) fn get(line: &str) -> Result<GetArgs, Unasked> {
    parts(line).map(|mut parts| parts.pop().unwrap())
}

fn parts(line: &str) -> Result<Vec<GetArgs>, Unasked> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    super::get(&words)
}

fn text(line: &str) -> String {
    match get(line).unwrap_err() {
        Unasked::Clap(error) => error.to_string(),
        Unasked::Line(text) | Unasked::File(text) => text,
    }
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_groups_the_options_and_ends_with_examples() {
    let help = text("--help");
    let headings = [REQUEST, CONTENT, OUTPUT, CONNECTION, TLS, LOAD];
    for part in headings.iter().chain(&["Examples:", "Exit codes are curl's"]) {
        assert!(help.contains(part), "{part} is missing in\n{help}");
    }
    let origin = Cli::try_parse_from(["regatta", "origin", "--help"]).unwrap_err().to_string();
    assert!(origin.contains("/limits?streams=N"), "{origin}");
}

#[test]
fn curls_words() {
    let args = get("-sSfLikv -X PUT -H A:1 -d x -d @y -A me -o out -m 1.5 http://a b").unwrap();
    let GetArgs { request, output, way, tls, load, .. } = &args;
    assert!(output.silent && output.show_error && output.fail && request.location);
    assert!(output.include && tls.insecure && output.verbose);
    assert_eq!(request.method, Some(Method::PUT));
    assert_eq!(args.data, [Data::Ascii("x".to_owned()), Data::Ascii("@y".to_owned())]);
    assert_eq!(way.max_time, Some(Duration::from_millis(1_500)));
    assert_eq!(args.urls, ["http://a", "b"]);
    assert_eq!((request.max_redirs, load.at_once()), (50, 1));
    assert!(get("--http1.1 a").unwrap().way.http1_1);
    assert!(get("--http2-prior-knowledge a").unwrap().way.http2_prior_knowledge);
    assert!(get("--http3-only a").unwrap().way.http3_only);
    assert!(!get("--http3-only --http2 a").unwrap().way.http3_only);
    assert!(!get("--http3-only --http3 a").unwrap().way.http3_only);
    assert!(get("--http1.1 --http3 a").unwrap().way.http3);
    assert_eq!(get("-Z a").unwrap().load.at_once(), 50);
    let most = get("-Z --parallel-max 7 a").unwrap().load.parallel_max;
    assert_eq!(most, NonZeroUsize::new(7));
    assert_eq!(get("--max-redirs -1 a").unwrap().request.max_redirs, -1);
}

#[test]
fn the_last_word_counts_and_words_may_be_taken_back() {
    assert_eq!(get("-X PUT -X GET a").unwrap().request.method, Some(Method::GET));
    let args = get("-f -s --no-fail --no-silent a").unwrap();
    assert!(!args.output.fail && !args.output.silent);
    let args = get("--http2 --http1.1 a").unwrap();
    assert!(args.way.http1_1 && !args.way.http2);
    assert!(get("--no-buffer a").unwrap().output.no_buffer);
}

#[test]
fn long_names_may_be_cut_short() {
    assert!(get("--insec a").unwrap().tls.insecure);
    assert!(text("--co a").contains("may mean"));
    assert!(text("--nonsense a").contains("no option --nonsense"));
}

#[test]
fn next_begins_anew_and_some_options_hold_for_all() {
    let parts = parts("-d x -o one a --next -v -I b -: -Z c").unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[1].urls, ["b"]);
    assert!(parts[1].request.head && parts[1].data.is_empty());
    assert!(parts.iter().all(|part| part.output.verbose && part.load.parallel));
    assert_eq!(parts[0].outputs, [Output::File("one".to_owned())]);
}

#[test]
fn options_come_from_files_too() {
    let file = std::env::temp_dir().join(format!("regatta-config-{}", std::process::id()));
    std::fs::write(&file, "# mine\n-s\nuser-agent = \"a b\"\nurl=x\nnext\nurl = y\n").unwrap();
    let parts = parts(&format!("-f -K {} z", file.display())).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(parts.len(), 2);
    assert!(parts[0].output.silent && parts[0].output.fail && !parts[1].output.fail);
    assert_eq!(parts[0].request.user_agent.as_ref().unwrap(), "a b");
    assert_eq!(
        (&parts[0].urls[..], &parts[1].urls[..]),
        (&["x".to_owned()][..], &["y".to_owned(), "z".to_owned()][..])
    );
    assert!(text("-K /nowhere a").contains("cannot read the options"));
}

#[test]
fn what_contradicts_itself_is_wrong_usage() {
    for line in [
        "-I -d x a",
        "-T f -d x a",
        "-F a=b -d x a",
        "-f --fail-with-body a",
        "--parallel-max 0 a",
        "-m -1 a",
        "-H nonsense a",
        "--key k a",
        "--retry x a",
        "--max-redirs -2 a",
        "-v",
        "-o",
    ] {
        assert!(get(line).is_err(), "{line}");
    }
}

/// docs/curl.md, line by line: short and long name, and what it says of them.
fn table() -> Vec<(Option<char>, String, String)> {
    let text = include_str!("../../../docs/curl.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `-"));
    rows.map(|row| {
        let (names, rest) = row.split_once("` | ").unwrap();
        let mark = rest.split(" | ").next().unwrap().to_owned();
        match names.split_once(", --") {
            Some((short, long)) => (short.chars().next(), long.to_owned(), mark),
            None => (None, names.trim_start_matches('-').to_owned(), mark),
        }
    })
    .collect()
}

#[test]
fn the_table_of_curls_options_tells_the_truth() {
    let command = get_command();
    let find = |name: &str| command.get_arguments().find(|arg| arg.get_long() == Some(name));
    let table = table();
    assert!(table.len() > 200, "{} rows", table.len());
    for (short, long, mark) in &table {
        match mark.as_str() {
            "same" | "other" => {
                let arg = find(long).unwrap_or_else(|| panic!("--{long} is {mark}"));
                assert_eq!(arg.get_short(), *short, "--{long}");
            }
            "left out" => assert!(find(long).is_none(), "--{long} is there"),
            mark => panic!("--{long} is {mark}"),
        }
    }
    for arg in command.get_arguments().filter_map(clap::Arg::get_long) {
        let is_ours =
            ["repeat", "timeline", "record", "qlog", "early-data", "https-records"].contains(&arg);
        let is_told = table.iter().any(|(_, long, _)| long == arg);
        assert!(is_ours != is_told, "--{arg}");
    }
}
