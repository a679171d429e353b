//! `cargo xtask h2spec`: the cases of h2spec (generic, http2, hpack) against `regatta origin`, on
//! a port in plain text and on one with TLS.
//!
//! h2spec is a program of its own (github.com/summerwind/h2spec, in Go): `REGATTA_H2SPEC` names
//! it, or it is in PATH.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::run::{self, Outcome};

const VAR: &str = "REGATTA_H2SPEC";

/// Seconds within which each case must have its answer.
const PATIENCE: &str = "2";

/// A case that fails, on which port, and why that is right.
struct Known {
    port: &'static str,
    package: &'static str,
    case: &'static str,
    why: &'static str,
}

const KNOWN: [Known; 1] = [Known {
    port: "plain",
    package: "http2/3.5",
    case: "Sends invalid connection preface",
    why: "its first line is no HTTP/2 at all, and the port speaks HTTP/1.1 too: 400 is the answer",
}];

/// One case of a report.
#[derive(Debug, PartialEq, Eq)]
struct Case {
    package: String,
    name: String,
    failed: bool,
}

/// Runs all cases, or those of the named sections, and says which fail.
pub(crate) fn run(root: &Path, sections: &[&str]) -> Outcome {
    let program = program().ok_or_else(|| {
        format!(
            "there is no h2spec, neither in {VAR} nor in PATH; docs/h2spec.md says how to get it"
        )
    })?;
    run::shown(root, &["cargo", "build", "--quiet", "--locked", "--package", "regatta"])?;
    let mut wrong = Vec::new();
    for port in ["plain", "tls"] {
        let cases = against(root, &program, port, sections)?;
        wrong.extend(verdict(port, &cases, sections.is_empty()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("h2spec: {}", wrong.join("; "))) }
}

/// The same as a step among others: left out where there is no h2spec.
pub(crate) fn step(root: &Path) -> Outcome {
    if program().is_none() {
        println!("left out: there is no h2spec, neither in {VAR} nor in PATH");
        return Ok(());
    }
    run(root, &[])
}

fn program() -> Option<PathBuf> {
    env::var_os(VAR).map(PathBuf::from).or_else(|| run::find("h2spec"))
}

/// Says how one port did, and returns what is not as it should be.
fn verdict(port: &str, cases: &[Case], all: bool) -> Vec<String> {
    let failed: Vec<&Case> = cases.iter().filter(|case| case.failed).collect();
    let passed = cases.len() - failed.len();
    println!("{port:<5} {passed} of {} cases pass", cases.len());
    let known = |case: &Case| {
        KNOWN.iter().find(|known| {
            known.port == port && known.package == case.package && known.case == case.name
        })
    };
    let mut wrong = Vec::new();
    for case in &failed {
        let Case { package, name, .. } = case;
        let why = known(case).map_or("must not fail", |known| known.why);
        println!("      {package} {name}: {why}");
        if known(case).is_none() {
            wrong.push(format!("{port}: {package} {name}"));
        }
    }
    for known in KNOWN.iter().filter(|known| all && known.port == port) {
        if !failed.iter().any(|case| case.package == known.package && case.name == known.case) {
            wrong.push(format!("{port}: {} passes now: take it from the list", known.case));
        }
    }
    if cases.is_empty() {
        wrong.push(format!("{port}: no case was run"));
    }
    wrong
}

/// Runs h2spec against an origin of its own.
fn against(
    root: &Path,
    program: &Path,
    port: &str,
    sections: &[&str],
) -> Result<Vec<Case>, String> {
    let is_tls = port == "tls";
    let origin = Origin::start(root, is_tls)?;
    let folder = root.join("target/h2spec");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let report = folder.join(format!("{port}.xml"));
    // What an earlier run left must not be taken for this one's.
    let _ = fs::remove_file(&report);
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &origin.port, "-o", PATIENCE, "-j"]).arg(&report);
    if is_tls {
        command.args(["-t", "-k"]);
    }
    // It fails when a case does; the report says which.
    let output = command.args(sections).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{} did not start: {error}", program.display()))?;
    let text = fs::read_to_string(&report).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stdout);
        format!("h2spec left no report ({error}): {}", said.trim())
    })?;
    Ok(cases(&text))
}

/// The cases in a report of JUnit's form.
fn cases(report: &str) -> Vec<Case> {
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let case = |part: &str| {
        let part = part.split("</testcase>").next().unwrap_or(part);
        Some(Case {
            package: attribute(part, "package")?,
            name: attribute(part, "classname")?,
            failed: part.contains("<failure>") || part.contains("<error>"),
        })
    };
    report.split("<testcase ").skip(1).filter_map(case).collect()
}

/// A running `regatta origin`; it ends when this is dropped.
struct Origin {
    child: Child,
    port: String,
}

impl Origin {
    fn start(root: &Path, is_tls: bool) -> Result<Self, String> {
        let mut command = Command::new(root.join("target/debug/regatta"));
        command.args(["origin", "--listen", "127.0.0.1:0"]);
        if is_tls {
            command.args(["--tls", "self-signed"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let child = child.map_err(|error| format!("regatta origin did not start: {error}"))?;
        let mut origin = Self { child, port: String::new() };
        let pipes = (origin.child.stdout.take(), origin.child.stderr.take());
        let (Some(out), Some(_err)) = pipes else { return Err("origin has no output".to_owned()) };
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .map_err(|error| format!("regatta origin said nothing: {error}"))?;
        let port = line.trim().rsplit_once(':').map(|(_, port)| port);
        let port = port.map(|port| port.trim_end_matches(|letter: char| !letter.is_ascii_digit()));
        match port {
            Some(port) if !port.is_empty() => port.clone_into(&mut origin.port),
            _ => return Err(format!("regatta origin names no port: {line:?}")),
        }
        Ok(origin)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, cases, verdict};

    const REPORT: &str = r#"<testsuites><testsuite name="3.5. Preface" package="http2/3.5">
<testcase package="http2/3.5" classname="Sends a preface" time="0.0"></testcase>
<testcase package="http2/3.5" classname="Sends invalid connection preface" time="0.1">
<failure><![CDATA[wrong]]></failure></testcase>
<testcase package="hpack/4.2" classname="Never answered" time="2"><error>x</error></testcase>
</testsuite></testsuites>"#;

    #[test]
    fn a_report_says_which_cases_failed() {
        let case = |package: &str, name: &str, failed| Case {
            package: package.to_owned(),
            name: name.to_owned(),
            failed,
        };
        assert_eq!(
            cases(REPORT),
            [
                case("http2/3.5", "Sends a preface", false),
                case("http2/3.5", "Sends invalid connection preface", true),
                case("hpack/4.2", "Never answered", true),
            ]
        );
    }

    #[test]
    fn only_what_is_known_may_fail_and_only_there() {
        let all = cases(REPORT);
        assert_eq!(verdict("plain", &all, true), ["plain: hpack/4.2 Never answered"]);
        assert_eq!(verdict("tls", &all[..2], true).len(), 1);
        assert_eq!(verdict("plain", &all[..1], true).len(), 1, "the known one passes");
        assert_eq!(verdict("plain", &all[..1], false), [""; 0]);
        assert_eq!(verdict("tls", &[], true), ["tls: no case was run"]);
    }
}
