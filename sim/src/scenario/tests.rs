//! What is wrong with a file is told by file, line and field.

use super::*;

/// A world in which one page is asked for.
const PLAIN: &str = r#"
about = "a page"
duration = "10s"

[host.client]
addresses = ["192.0.2.9"]

[host.server]
addresses = ["192.0.2.1"]

[link.way]
between = ["client", "server"]
delay = "20ms"

[dns."www.test"]
addresses = ["192.0.2.1"]

[server.www]
host = "server"

[client]
host = "client"

[load.page]
origins = { "https://www.test" = 1 }
requests = 1
"#;

fn settings(all: &[(&str, &str)]) -> Vec<Setting> {
    all.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_page_takes_three_round_trips() {
    let scenario = Scenario::read("a.toml", PLAIN, &[]).unwrap();
    let outcome = scenario.run(1);
    assert_eq!(outcome.failed, None);
    assert_eq!(outcome.asked.len(), 1);
    assert_eq!(outcome.asked[0].end, End::Answered(200));
    assert_eq!(outcome.ended, Instant::from_millis(120));
}

fn are_told(all: &[((&str, &str), &str)]) {
    for ((from, to), says) in all {
        let text = PLAIN.replace(from, to);
        let mistake = Scenario::read("a.toml", &text, &[]).unwrap_err();
        assert_eq!(mistake.to_string(), *says);
    }
}

#[test]
fn mistakes_are_told_by_line_and_field() {
    let all = [
        (
            ("delay = \"20ms\"", "dealy = \"20ms\""),
            "a.toml:13: link.way.dealy: `dealy` is not known here: did you mean `delay`?",
        ),
        (
            ("delay = \"20ms\"", "delay = 20"),
            "a.toml:13: link.way.delay: invalid value: integer `20`, expected a time such as \
             \"250us\", \"20ms\", \"1.5s\" or \"2min\"",
        ),
        (
            ("host = \"client\"", "host = \"cleint\""),
            "a.toml:22: client.host: there is no host `cleint`: did you mean `client`?",
        ),
        (("host = \"client\"", ""), "a.toml:21: client.host: it is missing and has no default"),
        (
            ("\"192.0.2.9\"", "\"192.0.2\""),
            "a.toml:6: host.client.addresses: invalid IP address syntax",
        ),
        (
            ("requests = 1", ""),
            "a.toml:24: load.page: expected `requests` or `lasts`: when is it done?",
        ),
        (
            ("requests = 1", "requests = 1\nusers = 2\nrate = 5"),
            "a.toml:28: load.page.rate: a load has `users` or a `rate`, not both",
        ),
        (
            ("https://www.test", "www.test"),
            "a.toml:25: load.page.origins: `www.test` is no origin: expected one such as \
             https://www.test",
        ),
    ];
    are_told(&all);
    let broken = Scenario::read("a.toml", "about = \"x\"\nduration = = 1", &[]).unwrap_err();
    assert!(broken.to_string().starts_with("a.toml:2: "), "{broken}");
}

#[test]
fn mistakes_about_http3_are_told() {
    let all = [
        (
            ("host = \"server\"", "host = \"server\"\nprotocols = [\"h3\"]"),
            "a.toml:20: server.www.protocols: expected \"h2\", \"http/1.1\" or both, and \"h3\" \
             beside them",
        ),
        (
            (
                "host = \"server\"",
                "host = \"server\"\ntls = \"none\"\nprotocols = [\"h3\", \"h2\"]",
            ),
            "a.toml:21: server.www.protocols: \"h3\" is nothing without TLS",
        ),
        (
            ("host = \"server\"", "host = \"server\"\nquic_idle_timeout = \"5s\""),
            "a.toml:20: server.www.quic_idle_timeout: expected \"h3\" in `protocols`",
        ),
        (
            ("host = \"server\"", "host = \"server\"\nbehaviour = \"mute\"\nalt_svc = \"clear\""),
            "a.toml:21: server.www.alt_svc: a script says nothing of the kind",
        ),
        (
            (
                "host = \"client\"",
                "host = \"client\"\nalt_svc = { \"https://www.test\" = 'h3=\":443\"' }",
            ),
            "a.toml:23: client.alt_svc: it is of use with `protocols = \"auto-http3\"` alone",
        ),
        (
            ("host = \"client\"", "host = \"client\"\nalt_svc = { \"https://www.test\" = \"h3\" }"),
            "a.toml:23: client.alt_svc.https://www.test: `h3` offers nothing: expected a value \
             such as h3=\":443\"",
        ),
    ];
    are_told(&all);
}

/// Stale, lying and unreadable Alt-Svc: answers come over TCP, as before.
#[test]
fn alt_svc_may_lie() {
    let page = PLAIN.replace("requests = 1", "requests = 3\nusers = 1\nthink = \"100ms\"");
    let page = page.replace("host = \"client\"", "host = \"client\"\nprotocols = \"auto-http3\"");
    let all = [
        // What it says by itself, and what is true in other words.
        ("protocols = [\"h3\", \"h2\"]", 1, 0),
        ("protocols = [\"h3\", \"h2\"]\nalt_svc = 'h3=\":443\"; ma=60'", 1, 0),
        ("protocols = [\"h3\", \"h2\"]\nalt_svc = 'none'", 0, 0),
        // Nobody listens there.
        ("alt_svc = 'h3=\":443\"'", 0, 1),
        ("alt_svc = 'h3=\":44'", 0, 0),
        ("protocols = [\"h3\", \"h2\"]\nalt_svc = 'clear'", 0, 0),
    ];
    for (said, over_http3, broken) in all {
        let text = page.replace("host = \"server\"", &format!("host = \"server\"\n{said}"));
        let outcome = Scenario::read("a.toml", &text, &[]).unwrap().run(1);
        let figures = metric::Figures::of([&outcome]);
        let count = |name| figures.get(name).unwrap();
        assert_eq!(count("ok"), metric::Value::Count(3), "{said}");
        assert_eq!(count("over_http3"), metric::Value::Count(over_http3), "{said}");
        assert_eq!(count("broken"), metric::Value::Count(broken), "{said}");
    }
}

#[test]
fn a_sweep_sets_any_field() {
    let all = settings(&[("link.way.delay", "5ms"), ("load.page.requests", "3")]);
    let outcome = Scenario::read("a.toml", PLAIN, &all).unwrap().run(1);
    assert_eq!(outcome.asked.len(), 3);
    assert_eq!(outcome.ended, Instant::from_millis(30));
    // What the file does not mention can be set too.
    let all = settings(&[("client.pool.max_requests_per_connection", "1")]);
    assert!(Scenario::read("a.toml", PLAIN, &all).is_ok());
}

#[test]
fn a_wrong_sweep_is_told_by_its_setting() {
    let all = [
        (
            ("link.way.loss", "2"),
            "link.way.loss=2: link.way.loss: invalid value: integer `2`, expected a share such \
             as \"1%\" or 0.01, from 0 to 1",
        ),
        (
            ("client.pol.max_resends", "2"),
            "client.pol.max_resends=2: client.pol.max_resends: `pol` is not known here: did you mean `pool`?",
        ),
        (("about.x", "2"), "about.x=2: about.x: `about` is no table, so nothing in it can be set"),
    ];
    for ((path, value), says) in all {
        let settings = settings(&[(path, value)]);
        let mistake = Scenario::read("a.toml", PLAIN, &settings).unwrap_err();
        assert_eq!(mistake.to_string(), says);
    }
}

#[test]
fn sweeps_combine() {
    let sweep = [
        ("a".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
        ("b".to_owned(), vec!["3".into()]),
    ];
    let all = combinations(&sweep);
    assert_eq!(all, [settings(&[("a", "1"), ("b", "3")]), settings(&[("a", "2"), ("b", "3")])]);
    assert_eq!(combinations(&[]), [settings(&[])]);
}

/// Where each field of the format is declared.
const DECLARED: [&str; 6] = [
    include_str!("format/mod.rs"),
    include_str!("format/policy.rs"),
    include_str!("format/service.rs"),
    include_str!("format/trouble.rs"),
    include_str!("format/work.rs"),
    include_str!("format/world.rs"),
];

#[test]
fn every_field_and_figure_is_documented() {
    let page = include_str!("../../../docs/scenarios.md");
    let fields = DECLARED.iter().flat_map(|source| source.lines()).filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("pub ")?.split_once(": ")?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(name)
    });
    let fields: Vec<&str> = fields.collect();
    assert!(fields.len() > 100, "only {} fields were found", fields.len());
    let figures = metric::METRICS.iter().map(metric::Metric::name);
    let words: Vec<&str> = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for name in fields.into_iter().chain(figures) {
        assert!(words.contains(&name), "docs/scenarios.md does not name {name}");
    }
}

#[test]
fn what_ships_is_understood() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut count = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.starts_with("# "), "{name} does not begin with what it shows");
        let scenario = Scenario::read(&name, &text, &[]).unwrap();
        assert!(!scenario.file().expect.holds.is_empty(), "{name} expects nothing");
        count += 1;
    }
    assert!(count >= 15, "only {count} scenarios");
}
