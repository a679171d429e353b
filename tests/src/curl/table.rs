//! docs/curl.md tells of every option that curl has.

use std::process::Command;

use crate::peers::program::find;

#[test]
fn every_option_of_curl_is_told() {
    let Some(curl) = find("curl") else { return };
    let help = Command::new(curl).args(["--help", "all"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let table = include_str!("../../../docs/curl.md");
    let named = help.lines().filter_map(|line| line.trim_start().split_once("--"));
    let names: Vec<&str> = named
        .filter_map(|(_, rest)| rest.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 200, "{} options", names.len());
    let missing: Vec<&&str> =
        names.iter().filter(|name| !table.contains(&format!("--{name}` |"))).collect();
    assert!(missing.is_empty(), "docs/curl.md does not tell of {missing:?}");
}
