//! `regatta-sim run`: a scenario, over values and seeds.

use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use regatta_core::Instant;
use regatta_models::tape::Tape;
use regatta_sim::Net;
use regatta_sim::choice::Choices;
use regatta_sim::report::{Row, cdf, csv, json, table, waterfall};
use regatta_sim::scenario::{Outcome, Scenario, Setting, combinations};

/// What exit codes mean.
const CODES: &str = "\
Exit codes: 0 all well, 1 an expectation was missed or a run broke off, 2 the file or an argument \
is wrong, 3 two runs of the same seed differ.

Standard output hangs on the file and the arguments alone. Speed goes to standard error.";

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub(crate) struct Args {
    /// The scenario, a TOML file; docs/scenarios.md has the format
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Run once for each value of a field; several sweeps make all combinations
    #[arg(long, value_name = "FIELD=V1,V2..", value_parser = sweep)]
    sweep: Vec<(String, Vec<String>)>,

    /// How many seeds, from the first on
    #[arg(long, value_name = "N", default_value = "1")]
    seeds: NonZeroU32,

    /// The first seed; the file's own where it is not said
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Say of each expectation of the file whether it holds, and fail if one does not
    #[arg(long)]
    expect: bool,

    /// Run everything twice and fail if the runs differ, naming the first step that does
    #[arg(long)]
    twice: bool,

    /// Write all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write every request here, one a line
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Draw the distributions of times here
    #[arg(long, value_name = "FILE.svg")]
    cdf: Option<PathBuf>,

    /// Draw the first run's requests here
    #[arg(long, value_name = "FILE.svg")]
    waterfall: Option<PathBuf>,

    /// Write the packets of the first run here, as the client sees them, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,

    /// Write what each QUIC connection of the first run did into this directory, for qvis
    #[arg(long, value_name = "DIR")]
    qlog: Option<PathBuf>,
}

fn sweep(text: &str) -> Result<(String, Vec<String>), String> {
    let wrong = || "expected FIELD=V1,V2.., as in link.access.loss=0,1%,2%".to_owned();
    let (path, values) = text.split_once('=').ok_or_else(wrong)?;
    if path.is_empty() || values.is_empty() {
        return Err(wrong());
    }
    Ok((path.to_owned(), values.split(',').map(|value| value.trim().to_owned()).collect()))
}

/// Why a command ends: its exit code, and what it says on standard error.
struct Failure {
    code: u8,
    says: String,
}

impl Failure {
    fn wrong(error: impl std::fmt::Display) -> Self {
        Self { code: 2, says: error.to_string() }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match Command::read(args).and_then(Command::run) {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, says }) => {
            eprintln!("regatta-sim: {says}");
            ExitCode::from(code)
        }
    }
}

/// A run that makes sense.
struct Command<'a> {
    args: &'a Args,
    name: String,
    about: String,
    scenarios: Vec<Scenario>,
    seeds: Vec<u64>,
}

/// The runs of one combination of settings.
type Runs = (Vec<Setting>, Vec<Outcome>);

impl<'a> Command<'a> {
    fn read(args: &'a Args) -> Result<Self, Failure> {
        let shown = args.file.display();
        let text = fs::read_to_string(&args.file)
            .map_err(|error| Failure::wrong(format!("{shown} cannot be read: {error}")))?;
        let file = args.file.to_string_lossy();
        let plain = Scenario::read(&file, &text, &[]).map_err(Failure::wrong)?;
        let own = plain.file().sweep.iter().map(|(path, values)| {
            (path.clone(), values.iter().map(|value| value.0.clone()).collect())
        });
        let swept = if args.sweep.is_empty() { own.collect() } else { args.sweep.clone() };
        let scenarios: Result<Vec<Scenario>, _> = combinations(&swept)
            .iter()
            .map(|settings| Scenario::read(&file, &text, settings))
            .collect();
        let first = args.seed.unwrap_or_else(|| plain.file().seed);
        let name = args.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            args,
            name,
            about: plain.file().about.clone(),
            scenarios: scenarios.map_err(Failure::wrong)?,
            seeds: (0..args.seeds.get()).map(|n| first.wrapping_add(n.into())).collect(),
        })
    }

    fn run(self) -> Result<u8, Failure> {
        let begun = super::pace::now();
        let mut all: Vec<Runs> = Vec::new();
        for scenario in &self.scenarios {
            let runs: Result<Vec<Outcome>, Failure> =
                self.seeds.iter().map(|seed| self.one(scenario, *seed)).collect();
            all.push((scenario.settings().to_vec(), runs?));
        }
        let took = begun.elapsed();
        let with_scenarios = self.scenarios.iter().zip(&all);
        let rows: Vec<Row> = with_scenarios
            .map(|(scenario, (settings, runs))| Row::of(settings, scenario, runs))
            .collect();
        print!("{}", self.said(&rows));
        self.write(&all, &rows)?;
        speed(&all, took, if self.args.twice { 2 } else { 1 });
        let failed = rows.iter().any(|row| !row.failed.is_empty());
        let missed = self.args.expect && rows.iter().any(|row| !row.holds());
        Ok(u8::from(failed || missed))
    }

    fn one(&self, scenario: &Scenario, seed: u64) -> Result<Outcome, Failure> {
        if !self.args.twice {
            return Ok(scenario.run(seed));
        }
        let net = || Net::new(Choices::quiet(Tape::seeded(seed)), seed);
        let (first, second) = (net(), net());
        first.steps(|steps| steps.log());
        let outcome = scenario.run_on(&first, seed);
        let log = first.steps(|steps| steps.take_log());
        second.steps(|steps| steps.expect(log));
        let again = scenario.run_on(&second, seed);
        let Some(differs) = second.steps(|steps| steps.divergence()) else {
            return Ok(outcome);
        };
        let step = differs.step.map_or_else(|| "it had ended".to_owned(), |step| step.to_string());
        let (one, other) = (outcome.digest, again.digest);
        let says = format!(
            "two runs of {} with seed {seed} differ from step {} on, where the second says: \
             {step} (digests {one:016x} and {other:016x})",
            self.name, differs.number
        );
        Err(Failure { code: 3, says })
    }

    /// What goes to standard output.
    fn said(&self, rows: &[Row]) -> String {
        let mut text = format!("{}: {}\n\n{}", self.name, self.about, table::draw(rows));
        let digest = rows.iter().fold(0_u64, |all, row| all.rotate_left(7) ^ row.digest);
        let seeds = match self.seeds.as_slice() {
            [one] => format!("seed {one}"),
            [first, .., last] => format!("seeds {first} to {last}"),
            [] => String::new(),
        };
        let _ = writeln!(text, "{seeds}, digest {digest:016x}");
        if self.args.expect {
            for row in rows {
                expectations(row, &mut text);
            }
        }
        text
    }

    fn write(&self, all: &[Runs], rows: &[Row]) -> Result<(), Failure> {
        let title = format!("{}: {}", self.name, self.about);
        if let Some(file) = &self.args.json {
            write(file, json::text(&self.name, &self.seeds, rows))?;
        }
        if let Some(file) = &self.args.csv {
            write(file, csv::lines(all))?;
        }
        if let Some(file) = &self.args.cdf {
            write(file, cdf::draw(&title, rows))?;
        }
        if let (Some(file), Some((_, runs))) = (&self.args.waterfall, all.first())
            && let Some(run) = runs.first()
        {
            write(file, waterfall::draw(&title, run))?;
        }
        if let (Some(file), Some(scenario), Some(seed)) =
            (&self.args.pcap, self.scenarios.first(), self.seeds.first())
        {
            write(file, scenario.pcap(*seed))?;
        }
        if let (Some(folder), Some(scenario), Some(seed)) =
            (&self.args.qlog, self.scenarios.first(), self.seeds.first())
        {
            fs::create_dir_all(folder).map_err(|error| {
                Failure::wrong(format!("{} cannot be made: {error}", folder.display()))
            })?;
            for (name, records) in scenario.qlog(*seed) {
                write(&folder.join(name), records)?;
            }
        }
        Ok(())
    }
}

/// What was expected, and whether it holds.
fn expectations(row: &Row, text: &mut String) {
    let label = row.label();
    let label = if label.is_empty() { label } else { format!("{label}: ") };
    for verdict in &row.expected {
        let word = if verdict.holds { "holds" } else { "MISSED" };
        let _ = writeln!(text, "{label}{word}: {} (it is {})", verdict.condition, verdict.was);
    }
    for verdict in &row.unmet {
        let word = match (verdict.holds, row.settings.is_empty()) {
            (true, true) => "MET, so it belongs to what holds",
            (true, false) => "met",
            (false, _) => "not met yet, as the file says",
        };
        let _ = writeln!(text, "{label}{word}: {} (it is {})", verdict.condition, verdict.was);
    }
}

fn write(file: &Path, text: impl AsRef<[u8]>) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| Failure::wrong(format!("{} cannot be written: {error}", file.display())))
}

/// How fast it went, on standard error.
fn speed(all: &[Runs], took: Duration, times: u32) {
    let runs = || all.iter().flat_map(|(_, runs)| runs);
    let simulated: Duration =
        runs().map(|run| run.ended.saturating_since(Instant::EPOCH)).sum::<Duration>() * times;
    let requests: usize = runs().map(|run| run.asked.len()).sum::<usize>() * times as usize;
    let wall = took.as_secs_f64().max(1e-9);
    eprintln!(
        "{:.3} s simulated in {:.3} s, {:.0} times as fast; {:.0} requests a second",
        simulated.as_secs_f64(),
        wall,
        simulated.as_secs_f64() / wall,
        requests as f64 / wall,
    );
}
