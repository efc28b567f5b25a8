//! Running one program many times, and counting how it ended.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use alter_testkit::stand_in::{APP_KEY, GRANT};

use crate::command::{Run, Watched};
use crate::report::{Checks, Failure};

/// The longest that a run may take. The programs end within a second; this is for a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(60);

/// How the runs of one program ended. A clean end is status 0 with nothing printed on either stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Runs in all.
    pub runs: u32,
    /// Those that ended with another status than 0.
    pub failed: u32,
    /// Those that printed something.
    pub printed: u32,
    /// Those that did not end in time and were stopped.
    pub hung: u32,
    /// What the first run that did not end cleanly printed.
    first: Option<String>,
}

impl Tally {
    /// Runs `program` `rounds` times, as many at once as the machine has processors.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(interpreter: &Path, program: &Path, url: &str, rounds: u32) -> Result<Self, Failure> {
        let next = AtomicU32::new(0);
        let tally = Mutex::new(Self::default());
        let work = || {
            loop {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= rounds {
                    return Ok(());
                }
                let ended = once(interpreter, program, url, round)?;
                tally.lock().unwrap_or_else(PoisonError::into_inner).add(round, &ended);
            }
        };
        let at_once = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(Failure::new("running the programs panicked"))))
        })?;
        Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&mut self, round: u32, ended: &Watched) {
        self.runs += 1;
        let end = match ended.status {
            None => {
                self.hung += 1;
                format!("did not end within {} s", LIMIT.as_secs())
            }
            Some(status) => {
                self.failed += u32::from(!status.success());
                format!("ended with {status}")
            }
        };
        self.printed += u32::from(!ended.output.is_empty());
        let clean = ended.output.is_empty() && ended.status.is_some_and(|status| status.success());
        if !clean && self.first.is_none() {
            self.first = Some(format!("round {round} {end} and printed:\n{}", ended.output));
        }
    }

    /// The step's result: a failure unless every run ended cleanly.
    ///
    /// # Errors
    /// With the counts, and what the first run that did not end cleanly printed.
    pub fn judged(&self) -> Result<Checks, Failure> {
        let Some(first) = &self.first else { return Ok(Checks::passed(self.runs.into())) };
        let Self { runs, failed, printed, hung, .. } = self;
        let counts = format!("of {runs} runs {failed} ended with another status than 0, {printed} printed something, {hung} did not end");
        Err(Failure::new(counts).help("--only NAME runs one program, --rounds N more often").output(first))
    }
}

fn once(interpreter: &Path, program: &Path, url: &str, round: u32) -> Result<Watched, Failure> {
    let round = round.to_string();
    let run = Run::new(interpreter).arg(program).args([url, APP_KEY, GRANT, &round]);
    // A proxy or a setting of the person who runs this must not reach the programs.
    let run = run.without_env(|name| name.starts_with("ALTER_") || name.to_ascii_uppercase().ends_with("_PROXY"));
    run.group().limit(LIMIT).watch()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The tally of a shell script that gets the arguments of a program.
    fn tally(script: &str, rounds: u32) -> Tally {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("program");
        fs::write(&program, script).expect("it can be written");
        Tally::of(Path::new("sh"), &program, "http://127.0.0.1:1", rounds).expect("it runs")
    }

    #[test]
    fn clean_ends_pass() {
        let tally = tally(r#"[ "$#" = 4 ] && [ "$1" = http://127.0.0.1:1 ]"#, 7);
        assert_eq!(tally, Tally { runs: 7, ..Tally::default() });
        assert_eq!(tally.judged().expect("all ended cleanly"), Checks::passed(7));
    }

    #[test]
    fn every_round_is_run_once_and_each_unclean_end_is_counted_by_its_kind() {
        let tally = tally(r#"case "$4" in 3) exit 1;; 5) echo why >&2;; 6) echo; exit 2;; esac"#, 10);
        assert_eq!((tally.runs, tally.failed, tally.printed, tally.hung), (10, 2, 2, 0));
        let failure = tally.judged().expect_err("three runs were unclean");
        assert!(failure.message.starts_with("of 10 runs 2 ended with another status than 0, 2 printed something"), "{}", failure.message);
        assert!(failure.output.starts_with("round "), "{}", failure.output);
    }

    #[test]
    fn a_run_that_did_not_end_is_counted_as_hung_alone() {
        let mut tally = Tally::default();
        tally.add(4, &Watched { output: String::new(), status: None });
        assert_eq!((tally.runs, tally.failed, tally.printed, tally.hung), (1, 0, 0, 1));
        assert!(tally.judged().expect_err("it hung").output.starts_with("round 4 did not end within 60 s"));
    }
}
