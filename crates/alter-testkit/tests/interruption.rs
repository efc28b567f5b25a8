//! A child must end with its owner, also when the owner is told to end and runs none of its destructors.

use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use alter_testkit::children::{Guarded, remove_when_interrupted};

const OWNER: &str = "ALTER_TESTKIT_OWNER";
const LIMIT: Duration = Duration::from_secs(20);

/// Not a check in itself: started again by the test below, in a process of its own, it is the owner.
#[test]
fn owner() {
    if std::env::var_os(OWNER).is_none() {
        return;
    }
    let child = Guarded::spawn(Command::new("sleep").arg("300")).expect("sleep starts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    remove_when_interrupted(folder.path());
    // On a line of its own, whatever the test runner has printed before.
    writeln!(stdout(), "\nowns {} {}", child.id(), folder.path().display()).expect("the test below reads it");
    loop {
        thread::park();
    }
}

#[test]
fn child_and_folder_go_when_its_owner_is_told_to() {
    for signal in ["TERM", "INT"] {
        let program = std::env::current_exe().expect("the test program knows itself");
        let mut owner = Command::new(program)
            .args(["--exact", "owner", "--nocapture"])
            .env(OWNER, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts again");
        let lines = BufReader::new(owner.stdout.take().expect("it is piped")).lines();
        let told = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("owns ").map(str::to_owned));
        let told = told.expect("the owner tells what it owns");
        let (child, folder) = told.split_once(' ').expect("a process and a folder");
        assert!(is_running(child) && Path::new(folder).is_dir(), "both are there");

        let sent = Command::new("kill").args([&format!("-{signal}"), &owner.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        assert_eq!(owner.wait().expect("the owner ends").code(), Some(130), "SIG{signal}");
        let deadline = Instant::now() + LIMIT;
        while is_running(child) {
            assert!(Instant::now() < deadline, "the child outlived its owner after SIG{signal}");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!Path::new(folder).exists(), "the folder outlived its owner after SIG{signal}");
    }
}

fn is_running(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}
