//! The marks in tests.

/// How a mark begins, on a line of its own.
const MARK: &str = "// rule: ";

/// That a test holds a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) path: String,
    pub(super) test: String,
    pub(super) rule: String,
    /// 1-based.
    pub(super) line: usize,
}

/// The marks of a file, and what is wrong with those that cannot be.
pub(super) fn marks_of(path: &str, text: &str) -> (Vec<Mark>, Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut marks, mut faults) = (Vec::new(), Vec::new());
    for (at, line) in lines.iter().enumerate() {
        let Some(rules) = line.trim_start().strip_prefix(MARK) else { continue };
        match test_of(&lines, at) {
            Ok(test) => marks.extend(rules.split_whitespace().map(|rule| Mark {
                path: path.to_owned(),
                test: test.to_owned(),
                rule: rule.to_owned(),
                line: at + 1,
            })),
            Err(why) => faults.push(format!("{path}:{}: {why}", at + 1)),
        }
    }
    (marks, faults)
}

/// The test that a mark on the line `at` is of: the one below it, or the one around it.
fn test_of<'a>(lines: &[&'a str], at: usize) -> Result<&'a str, &'static str> {
    let below = (at..lines.len()).find(|&at| !is_beside(lines[at]));
    let function = below.filter(|&at| name(lines[at]).is_some()).or_else(|| {
        // Around it is what stands further to the left.
        let around = indent(lines[at]);
        (0..at).rev().find(|&at| name(lines[at]).is_some() && indent(lines[at]) < around)
    });
    let function = function.ok_or("the mark stands at no test")?;
    let attributes = (0..function).rev().take_while(|&at| is_beside(lines[at]));
    let attributes: Vec<&str> = attributes.map(|at| lines[at].trim()).collect();
    if attributes.iter().any(|line| line.starts_with("#[ignore")) {
        return Err("a test that is not run holds no rule");
    }
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    if attributes.iter().any(is_test) {
        name(lines[function]).ok_or("the mark stands at no test")
    } else {
        Err("the mark stands at no test")
    }
}

/// Whether a line belongs to the function below it: a comment or an attribute.
fn is_beside(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("//") || line.starts_with("#[")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name of the function that a line begins.
fn name(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = ["pub(crate) ", "pub(super) ", "pub "]
        .iter()
        .find_map(|word| line.strip_prefix(word))
        .unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let line = line.strip_prefix("const ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}
