//! Children that are killed.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set in the child: its data folder.
const FOLDER: &str = "ALTER_CRASH_TEST_FOLDER";

/// The data folder, if this process is the child.
pub fn folder_of_child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// How many rounds: `ALTER_CRASH_ROUNDS`, else what suits a suite.
pub fn rounds(usual: u64) -> u64 {
    match std::env::var("ALTER_CRASH_ROUNDS") {
        Ok(text) => text.parse().expect("ALTER_CRASH_ROUNDS is a number"),
        Err(_) => usual,
    }
}

/// Starts a child that runs the test of this name, waits until it has acknowledged `least` writes and then a little more, kills it, and returns what it acknowledged.
pub fn run_and_kill(test: &str, folder: &Path, longer: Duration, least: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // A line counts from its mark on: the test harness prints its own words before.
            if let Some((_, id)) = line.split_once("ack ") {
                sender.send(id.to_owned()).unwrap();
            }
        }
    });
    let mut acknowledged = Vec::new();
    while (acknowledged.len() as u64) < least {
        acknowledged.push(lines.recv_timeout(Duration::from_secs(30)).expect("the child writes"));
    }
    std::thread::sleep(longer);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "the child ended by itself");
    reading.join().unwrap();
    acknowledged.extend(lines.try_iter());
    acknowledged
}
