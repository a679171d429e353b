//! `regatta demo`: what the pool does when addresses, servers and connections misbehave.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use self::report::{Report, table};
use crate::cli::DemoArgs;
use crate::{say, waterfall};

pub(crate) mod gate;
mod http3;
mod report;
mod scenes;
pub(crate) mod stage;

/// The scenes, in the order of play.
pub(crate) const SCENE_NAMES: [&str; 5] = ["race", "drain", "limit", "reuse", "http3"];

/// How long a scene may take on the slowest machine; each takes less than a few seconds.
const LONGEST: Duration = Duration::from_secs(30);

/// Plays the scenes; succeeds only if every claim holds.
pub(crate) async fn run(args: DemoArgs) -> ExitCode {
    match show(args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::err(&format!("regatta: cannot write to standard output: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn show(args: DemoArgs) -> io::Result<bool> {
    say::out(&format!(
        "regatta demo: requests through a connection pool, on this machine's loopback alone.\n\
         In the pictures each row is something that took time, all rows on one axis:\n  {}\n",
        waterfall::LEGEND
    ))?;
    let mut reports = Vec::new();
    for name in SCENE_NAMES {
        if args.only.is_empty() || args.only.iter().any(|only| only == name) {
            let report = play(name).await;
            say::out(&format!("\n{}", report.text(reports.len() + 1)))?;
            reports.push(report);
        }
    }
    say::out(&format!("\n{}", table(&reports)))?;
    Ok(reports.iter().all(|report| report.held() == report.claims.len()))
}

/// Plays one scene. One that cannot be played to its end is a claim that does not hold.
async fn play(name: &'static str) -> Report {
    let played = timeout(LONGEST, async {
        match name {
            "race" => scenes::race().await,
            "drain" => scenes::drain().await,
            "limit" => scenes::limit().await,
            "reuse" => scenes::reuse().await,
            _ => http3::http3().await,
        }
    });
    let obstacle = match played.await {
        Ok(Ok(report)) => return report,
        Ok(Err(obstacle)) => obstacle,
        Err(_) => format!("it was not over after {LONGEST:?}"),
    };
    let mut report = Report::new(name, "this scene could not be played", "");
    report.claim("the scene is played to its end", false, obstacle);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everything_that_is_claimed_happens() {
        for name in SCENE_NAMES {
            let report = play(name).await;
            assert_eq!(report.held(), report.claims.len(), "{}", report.text(1));
            assert!(report.claims.len() > 3 && !report.drawings.is_empty(), "{}", report.text(1));
        }
    }
}
