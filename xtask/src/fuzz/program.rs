//! The programs that cargo-fuzz builds, one for each target, and what libFuzzer says of a run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{self, Outcome};

const VERSION: &str = "0.13.2";

/// Where the programs' sources lie: their names are the targets.
const SOURCES: &str = "fuzz/fuzz_targets";

/// How the inputs of a corpus are named that have once failed: no merge drops them.
pub(super) const FOUND: &str = "found-";

/// One target's program.
pub(super) struct Program {
    pub(super) name: String,
    root: PathBuf,
    path: PathBuf,
    /// The committed inputs.
    pub(super) corpus: PathBuf,
    /// Inputs of this machine alone: what fuzzing has gathered so far.
    pub(super) gathered: PathBuf,
    /// Where failing inputs are written.
    failing: PathBuf,
}

/// What libFuzzer says of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) executions: u64,
    /// Edges of the program's graph that were reached.
    pub(super) cov: u64,
    /// The same, told apart by how often.
    pub(super) ft: u64,
}

impl Figures {
    /// Reads the last figures of a log.
    fn read(log: &str) -> Self {
        let mut figures = Self::default();
        for line in log.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(2) {
                let Ok(number) = pair[1].parse() else { continue };
                match pair[0] {
                    "cov:" => figures.cov = number,
                    "ft:" => figures.ft = number,
                    "stat::number_of_executed_units:" => figures.executions = number,
                    _ => {}
                }
            }
        }
        figures
    }
}

/// The targets that there are.
pub(super) fn names(root: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(root.join(SOURCES))
        .map_err(|error| format!("{SOURCES} cannot be read: {error}"))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// Builds the programs of the named targets, or of all. cargo-fuzz is installed where it is
/// missing; a stable compiler is enough, as there is no sanitizer: our code is safe.
pub(super) fn build(root: &Path, chosen: &[&str]) -> Result<Vec<Program>, String> {
    let all = names(root)?;
    if let Some(name) = chosen.iter().find(|name| !all.iter().any(|known| known == *name)) {
        return Err(format!("there is no target `{name}`; there are {}", all.join(", ")));
    }
    if run::read(root, &["cargo", "fuzz", "--version"]).is_err() {
        println!("cargo-fuzz is missing and is being installed");
        let words = ["cargo", "install", "cargo-fuzz", "--version", VERSION, "--locked"];
        run::quiet(root, &words, &[])?;
    }
    let build = ["cargo", "fuzz", "build", "--release", "--sanitizer", "none", "--no-cfg-fuzzing"];
    let features = ["--features", "libfuzzer"];
    let names = all.into_iter().filter(|name| chosen.is_empty() || chosen.contains(&&name[..]));
    let names: Vec<String> = names.collect();
    let words = build.into_iter().chain(features);
    // By the profile and not by cargo-fuzz's own flag, which no package can be excepted from.
    let checks = ["DEBUG_ASSERTIONS", "OVERFLOW_CHECKS"]
        .map(|check| (format!("CARGO_PROFILE_RELEASE_{check}"), "true".to_owned()));
    match names.as_slice() {
        [one] => run::quiet(root, &words.chain([one.as_str()]).collect::<Vec<_>>(), &checks)?,
        _ => run::quiet(root, &words.collect::<Vec<_>>(), &checks)?,
    }
    let host = host(root)?;
    names.iter().map(|name| Program::new(root, name, &host)).collect()
}

/// Where cargo puts what it builds.
pub(super) fn target_folder(root: &Path) -> PathBuf {
    root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The platform that rustc runs on, for which cargo-fuzz builds.
fn host(root: &Path) -> Result<String, String> {
    let said = run::read(root, &["rustc", "-vV"])?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` names no host".to_owned())
}

/// FNV-1a, to name a file by what is in it.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

pub(super) fn make(folder: &Path) -> Outcome {
    fs::create_dir_all(folder)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))
}

/// The files of a folder, in order; none where there is no folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

impl Program {
    fn new(root: &Path, name: &str, host: &str) -> Result<Self, String> {
        let target = target_folder(root);
        let program = Self {
            name: name.to_owned(),
            root: root.to_path_buf(),
            path: target.join(host).join("release").join(name),
            corpus: root.join("fuzz/corpus").join(name),
            gathered: target.join("fuzz/gathered").join(name),
            failing: target.join("fuzz/failing").join(name),
        };
        make(&program.gathered)?;
        make(&program.failing)?;
        Ok(program)
    }

    /// Runs the program politely; its log, whether it found something or not.
    pub(super) fn log(&self, words: &[&str]) -> Result<String, String> {
        let path = self.path.to_string_lossy();
        let nice = ["nice", "-n", "19", path.as_ref()];
        let failing = format!("-artifact_prefix={}/", self.failing.display());
        let words: Vec<&str> =
            nice.into_iter().chain([failing.as_str()]).chain(words.iter().copied()).collect();
        let output = run::command(&self.root, &words).output();
        let output = output
            .map_err(|error| format!("`{}` could not be started: {error}", words.join(" ")))?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Fuzzes for so long: figures, and inputs that fail.
    pub(super) fn fuzz(&self, seconds: u64) -> Result<(Figures, Vec<PathBuf>), String> {
        for old in files(&self.failing) {
            let _ = fs::remove_file(old);
        }
        let time = format!("-max_total_time={seconds}");
        let (gathered, corpus) = (self.gathered.to_string_lossy(), self.corpus.to_string_lossy());
        let dictionary = self.root.join("fuzz/dictionaries").join(format!("{}.dict", self.name));
        let dictionary = format!("-dict={}", dictionary.display());
        let fixed = ["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=3000", "-max_len=4096"];
        let mut words: Vec<&str> = fixed.into_iter().chain([time.as_str()]).collect();
        if Path::new(&dictionary["-dict=".len()..]).is_file() {
            words.push(&dictionary);
        }
        words.extend([gathered.as_ref(), corpus.as_ref()]);
        let log = self.log(&words)?;
        let fails = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with("slow-unit-")
        };
        let failing = files(&self.failing).into_iter().filter(fails).collect();
        let figures = Figures::read(&log);
        if figures.executions == 0 {
            return Err(format!("{} has run nothing:\n{log}", self.name));
        }
        Ok((figures, failing))
    }

    /// A smaller input that fails as well, or the same.
    pub(super) fn shrink(&self, input: &Path, seconds: u64) -> Result<PathBuf, String> {
        let small = input.with_file_name("slow-unit-small");
        let time = format!("-max_total_time={seconds}");
        let exact = format!("-exact_artifact_path={}", small.display());
        self.log(&["-minimize_crash=1", &time, &exact, &input.to_string_lossy()])?;
        Ok(if small.is_file() { small } else { input.to_path_buf() })
    }

    /// What the program says of a failing input: the panic's message.
    pub(super) fn complaint(&self, input: &Path) -> Vec<String> {
        let log = self.log(&[&input.to_string_lossy()]).unwrap_or_default();
        let from = log.lines().skip_while(|line| !line.contains("panicked at"));
        from.take_while(|line| !line.starts_with("stack backtrace")).map(str::to_owned).collect()
    }

    /// What the committed corpus reaches.
    pub(super) fn coverage(&self) -> Result<Figures, String> {
        let log = self.log(&["-runs=0", "-print_final_stats=1", &self.corpus.to_string_lossy()])?;
        let figures = Figures::read(&log);
        if figures.cov == 0 || log.contains("panicked at") {
            return Err(format!("the corpus of {} does not replay:\n{log}", self.name));
        }
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_of_a_log_count() {
        let log = "#2 INITED cov: 20 ft: 21 corp: 1/1b exec/s: 0 rss: 35Mb\n\
                   #9 NEW    cov: 30 ft: 45 corp: 2/2b lim: 4 exec/s: 0 rss: 35Mb\n\
                   stat::number_of_executed_units: 1024\n";
        assert_eq!(Figures::read(log), Figures { executions: 1_024, cov: 30, ft: 45 });
        assert_eq!(Figures::read("cov: many"), Figures::default());
    }
}
