//! How many checks a test runner made, read from what it printed.

use crate::report::{Checks, Failure};

/// Adds up the `test result:` lines of `cargo test`.
///
/// # Errors
/// When there is no such line or no test ran: a run that checked nothing must not look like a success.
pub fn cargo(output: &str) -> Result<Checks, Failure> {
    let lines = output.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
    sum(output, lines.map(|line| (before(line, " passed"), before(line, " ignored"))))
}

/// Reads pytest's closing line, such as `12 passed, 1 skipped in 3.21s`.
///
/// # Errors
/// As for [`cargo`].
pub fn pytest(output: &str) -> Result<Checks, Failure> {
    let line = output.lines().rfind(|line| line.contains(" passed") && line.contains(" in "));
    sum(output, line.map(|line| (before(line, " passed"), before(line, " skipped"))).into_iter())
}

/// Reads the closing line of `tests/recorded/python_calls.py`: passed, and declared as deviations.
///
/// # Errors
/// As for [`cargo`].
pub fn recorded(output: &str) -> Result<Checks, Failure> {
    let line = output.lines().rfind(|line| line.contains(" passed, 0 failed, "));
    sum(output, line.map(|line| (before(line, " passed"), before(line, " declared"))).into_iter())
}

/// Reads the closing lines of `node --test`, such as `# pass 12`.
///
/// # Errors
/// As for [`cargo`].
pub fn node(output: &str) -> Result<Checks, Failure> {
    let count = |name: &str| output.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    sum(output, count("# pass").map(|passed| (passed, count("# skipped").unwrap_or_default())).into_iter())
}

fn sum(output: &str, lines: impl Iterator<Item = (u64, u64)>) -> Result<Checks, Failure> {
    let (passed, skipped) = lines.fold((0, 0), |(passed, skipped), line| (passed + line.0, skipped + line.1));
    if passed == 0 {
        return Err(Failure::new("no test ran").output(output));
    }
    Ok(Checks { passed, skipped })
}

/// The number that stands directly before `word`, or 0.
fn before(line: &str, word: &str) -> u64 {
    let head = line.split(word).next().filter(|head| head.len() < line.len()).unwrap_or_default();
    let digits = head.rfind(|c: char| !c.is_ascii_digit()).map_or(head, |at| &head[at + 1..]);
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_lines_are_added_up() {
        let output = "test result: ok. 14 passed; 0 failed; 2 ignored; 0 measured\nnoise\ntest result: ok. 3 passed; 0 failed; 0 ignored";
        assert_eq!(cargo(output).expect("tests ran"), Checks { passed: 17, skipped: 2 });
    }

    #[test]
    fn pytest_closing_line_is_read() {
        let checks = |line| pytest(line).expect("tests ran");
        assert_eq!(checks("=== 12 passed, 1 skipped in 3.21s ==="), Checks { passed: 12, skipped: 1 });
        assert_eq!(checks("7 passed in 0.1s"), Checks { passed: 7, skipped: 0 });
    }

    #[test]
    fn the_closing_lines_of_node_are_read() {
        let output = "ok 1 - a\n# tests 8\n# pass 7\n# fail 0\n# skipped 1\n";
        assert_eq!(node(output).expect("tests ran"), Checks { passed: 7, skipped: 1 });
    }

    #[test]
    fn deviations_count_as_left_out() {
        let checks = recorded("allowed but never needed: x\n900 passed, 0 failed, 25 declared as deviations").expect("cases ran");
        assert_eq!(checks, Checks { passed: 900, skipped: 25 });
    }

    #[test]
    fn a_run_without_tests_is_a_failure() {
        assert!(cargo("test result: ok. 0 passed; 0 failed; 0 ignored").is_err());
        assert!(pytest("no tests ran in 0.01s").is_err());
        assert!(recorded("").is_err());
        assert!(node("# tests 0\n# pass 0\n").is_err());
    }
}
