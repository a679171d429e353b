//! Runs one command line twice, by curl and by `regatta get`, and compares what came of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::front::{Front, Seen};
use crate::peers::program::{Folder, Origin, find, regatta};

/// One command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    line: &'static str,
    stdin: &'static str,
    /// Of the environment.
    variables: &'static [(&'static str, &'static str)],
    /// Digits may differ, but not where they stand.
    shape: bool,
    /// Requests may come in another order.
    unordered: bool,
    /// The outcomes differ on purpose: why.
    but: Option<&'static str>,
    /// Only the exit codes must be the same, since curl's output hangs on what its reads bring.
    code: Option<&'static str>,
}

/// A line whose outcomes must be the same.
pub(super) const fn row(line: &'static str) -> Row {
    Row { line, stdin: "", variables: &[], shape: false, unordered: false, but: None, code: None }
}

impl Row {
    pub(super) const fn stdin(mut self, text: &'static str) -> Self {
        self.stdin = text;
        self
    }

    pub(super) const fn env(mut self, variables: &'static [(&'static str, &'static str)]) -> Self {
        self.variables = variables;
        self
    }

    pub(super) const fn shape(mut self) -> Self {
        self.shape = true;
        self
    }

    pub(super) const fn unordered(mut self) -> Self {
        self.unordered = true;
        self
    }

    pub(super) const fn but(mut self, why: &'static str) -> Self {
        self.but = Some(why);
        self
    }

    pub(super) const fn code_only(mut self, why: &'static str) -> Self {
        self.code = Some(why);
        self
    }
}

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    code: i32,
    out: String,
    /// Names and contents.
    files: BTreeMap<PathBuf, String>,
    seen: Vec<Seen>,
}

impl Outcome {
    /// Both sides of what differs.
    fn unlike(&self, ours: &Self) -> String {
        let files = |outcome: &Self| format!("{:?}", outcome.files);
        let seen = |outcome: &Self| {
            let show = |seen: &Seen| {
                let Seen { line, fields, body } = seen;
                format!("{line} {fields:?} {:?}", String::from_utf8_lossy(body))
            };
            outcome.seen.iter().map(show).collect::<Vec<_>>().join(" + ")
        };
        let both = [
            ("code", self.code.to_string(), ours.code.to_string()),
            ("out", self.out.clone(), ours.out.clone()),
            ("files", files(self), files(ours)),
            ("seen", seen(self), seen(ours)),
        ];
        let unlike = both.into_iter().filter(|(_, theirs, ours)| theirs != ours);
        let show = |(what, theirs, ours): (&str, String, String)| {
            let cut = |text: String| text.chars().take(LONGEST).collect::<String>();
            format!("  curl {what}: {:?}\n  ours {what}: {:?}\n", cut(theirs), cut(ours))
        };
        unlike.map(show).collect()
    }
}

/// Most characters of each side that are shown.
const LONGEST: usize = 400;

/// The origin that both programs ask, and what stands in front of it.
pub(super) struct Lab {
    curl: PathBuf,
    front: Front,
    _origin: Origin,
    tls: Origin,
    folder: Folder,
    /// What else stands for something.
    more: Vec<(&'static str, String)>,
}

impl Lab {
    /// `None` where there is no curl.
    pub(super) fn new() -> Option<Self> {
        let curl = find("curl")?;
        let folder = Folder::new();
        let origin = Origin::start(&[]);
        let ca = folder.at("ca.pem");
        let tls = Origin::start(&["--tls", "self-signed", "--tls-ca-out", &ca]);
        let front = Front::start(&origin.address);
        front.listen_at(Path::new(&folder.at("socket")));
        Some(Self { curl, front, _origin: origin, tls, folder, more: Vec::new() })
    }

    /// As [`Lab::check`], with `{f}` for a folder and `{s}` for a TLS server.
    pub(super) fn check_at(mut self, folder: &Folder, port: u16, rows: &[Row]) {
        let files = folder.path().display().to_string();
        self.more = vec![("{f}", files), ("{s}", format!("https://127.0.0.1:{port}"))];
        self.check(rows);
    }

    /// Runs all rows; every one that does not hold is told.
    pub(super) fn check(&self, rows: &[Row]) {
        let wrong: Vec<String> = rows.iter().filter_map(|row| self.one(row)).collect();
        let count = wrong.len();
        assert!(wrong.is_empty(), "{count} of {} lines:\n\n{}", rows.len(), wrong.join("\n\n"));
    }

    fn one(&self, row: &Row) -> Option<String> {
        let theirs = self.run(row, &self.curl, &["-q", "-sS"]);
        let ours = self.run(row, regatta(), &["get", "-sS"]);
        let same = match row.code {
            Some(_) => theirs.0.code == ours.0.code,
            None => theirs.0 == ours.0,
        };
        match row.but {
            None if same => None,
            Some(_) if !same => None,
            Some(why) => Some(format!("{}\n  is the same, but should not be: {why}", row.line)),
            None => Some(format!(
                "{}\n{}  said: {} | {}",
                row.line,
                theirs.0.unlike(&ours.0),
                theirs.1,
                ours.1
            )),
        }
    }

    /// The outcome, and what was said on standard error.
    fn run(&self, row: &Row, program: &Path, before: &[&str]) -> (Outcome, String) {
        let folder = Folder::new();
        furnish(&folder);
        let before_files = files(folder.path(), row.shape);
        self.front.take();
        let mut command = Command::new("timeout");
        // A program that hangs must not hang the tests.
        command.arg("20").arg(program).args(before);
        command.args(words(row.line).iter().map(|word| self.filled(word)));
        command.current_dir(folder.path()).env("TZ", "UTC");
        for scheme in ["http", "https", "all", "no"] {
            let name = format!("{scheme}_proxy");
            command.env_remove(name.to_uppercase()).env_remove(name);
        }
        command.envs(row.variables.iter().map(|(name, value)| (name, self.filled(value))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Whoever does not read it closes it.
        let _ = stdin.write_all(self.filled(row.stdin).as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let tidy = |bytes: &[u8]| tidied(&String::from_utf8_lossy(bytes), row.shape);
        let mut seen: Vec<Seen> = self.front.take().into_iter().map(Seen::tidied).collect();
        if row.unordered {
            seen.sort_by(|a, b| a.line.cmp(&b.line));
        }
        let outcome = Outcome {
            code: output.status.code().unwrap_or(-1),
            out: tidy(&output.stdout),
            files: new_files(folder.path(), row.shape, &before_files),
            seen,
        };
        (outcome, String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn filled(&self, word: &str) -> String {
        let more = |word: &str| {
            self.more.iter().fold(word.to_owned(), |word, (name, value)| word.replace(name, value))
        };
        more(word)
            .replace("{o}", &format!("http://127.0.0.1:{}", self.front.port))
            .replace("{port}", &self.front.port.to_string())
            .replace("{tls}", &format!("https://{}", self.tls.address))
            .replace("{tlsport}", self.tls.address.rsplit(':').next().unwrap())
            .replace("{ca}", &self.folder.at("ca.pem"))
            .replace("{unix}", &self.folder.at("socket"))
            .replace("{closed}", "http://127.0.0.1:1")
    }
}

/// What every run finds in its folder.
fn furnish(folder: &Folder) {
    folder.file("in.txt", "one\r\ntwo\n");
    folder.file("blob.bin", (0..3_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    folder.file("page.html", "<p>page</p>");
    folder.file("in.json", "{\"a\": 1}\n");
    folder.file("empty", "");
    folder.file("old.txt", "abcde");
    folder.file("fields", "X-One: 1\nX-Two: 2\n");
    folder.file(
        "netrc",
        "machine 127.0.0.1 login first password \"p w\"\n\
         machine 127.0.0.1 login second password two\ndefault login any password body\n",
    );
    folder.file("format", "%{http_code} from a file\\n");
    folder.file(
        "jar",
        "# Netscape HTTP Cookie File\n\n127.0.0.1\tFALSE\t/\tFALSE\t0\tplain\tp\n\
         127.0.0.1\tFALSE\t/cookies\tFALSE\t4107542400\tdeep\td\n\
         #HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t4107542400\thidden\th\n\
         127.0.0.1\tFALSE\t/\tFALSE\t1\told\to\nother.test\tFALSE\t/\tFALSE\t0\tother\tx\n",
    );
}

/// All files that were not there before, or differ.
fn new_files(
    folder: &Path,
    shape: bool,
    before: &BTreeMap<PathBuf, String>,
) -> BTreeMap<PathBuf, String> {
    let mut found = files(folder, shape);
    found.retain(|name, text| before.get(name) != Some(text));
    found
}

/// All files below a folder.
fn files(folder: &Path, shape: bool) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let unix = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            // Only times of long ago were set on purpose.
            let time = if unix < 1_500_000_000 { format!("(of {unix})") } else { String::new() };
            let name = path.strip_prefix(folder).unwrap().to_owned();
            found.insert(name, format!("{time}{}", tidied(&text, shape)));
        }
    }
    found
}

/// Without what differs from run to run, and who wrote a cookie file.
fn tidied(text: &str, shape: bool) -> String {
    let kept = text.split_inclusive('\n').filter(|line| {
        let is_comment = line.starts_with("# ") || line.starts_with("date: ");
        !is_comment
    });
    let text = without_boundary(&kept.collect::<String>());
    if !shape {
        return text;
    }
    let mut out = String::new();
    for c in text.chars() {
        // So many digits are as good as others.
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            c => out.push(c),
        }
    }
    out
}

/// Boundaries are drawn by lot.
fn without_boundary(text: &str) -> String {
    const DASHES: &str = "------------------------";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(DASHES) {
        let behind = rest[at..].trim_start_matches('-');
        out.push_str(&rest[..rest.len() - behind.len()]);
        let is_drawn =
            behind.get(..16).is_some_and(|lot| lot.bytes().all(|b| b.is_ascii_hexdigit()));
        rest = if is_drawn { &behind[16..] } else { behind };
    }
    out.push_str(rest);
    out
}

impl Seen {
    fn tidied(mut self) -> Self {
        self.body = without_boundary(&String::from_utf8_lossy(&self.body)).into_bytes();
        for field in &mut self.fields {
            *field = without_boundary(field);
        }
        self
    }
}

/// Words between blanks; quotes hold blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
