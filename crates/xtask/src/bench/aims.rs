//! What the figures are held against.

use crate::bench::programs::Program;
use crate::bench::results::Results;

/// Grants in the vault that the others are compared with.
const FEW_GRANTS: usize = 1_000;

/// One aim and what became of it.
#[derive(Debug, PartialEq)]
pub struct Aim {
    /// What is wanted.
    pub wanted: &'static str,
    /// What was measured, case by case.
    pub measured: Vec<String>,
    /// Whether every case is as wanted.
    pub met: bool,
}

/// A bound on a ratio of two programs' processor times, at every number of callers with and without TLS.
struct Bound {
    wanted: &'static str,
    of: Program,
    to: Program,
    holds: fn(f64) -> bool,
}

const BOUNDS: [Bound; 4] = [
    Bound { wanted: "Rust: at most 1.3 times the floor", of: Program::Rust, to: Program::Floor, holds: |ratio| ratio <= 1.3 },
    Bound { wanted: "Python: at most 2 times the Rust floor", of: Program::Python, to: Program::Floor, holds: |ratio| ratio <= 2.0 },
    Bound {
        wanted: "Python: at least 10 times less than the public package",
        of: Program::Reference,
        to: Program::Python,
        holds: |ratio| ratio >= 10.0,
    },
    Bound { wanted: "Node: below the same calls by hand with `fetch`", of: Program::Node, to: Program::Fetch, holds: |ratio| ratio < 1.0 },
];

/// All aims that the results can answer.
pub fn judge(results: &Results) -> Vec<Aim> {
    BOUNDS.iter().map(|bound| bound.judge(results)).chain([vault_cost(results), vault_growth(results)]).collect()
}

impl Bound {
    fn judge(&self, results: &Results) -> Aim {
        let mut aim = Aim { wanted: self.wanted, measured: Vec::new(), met: true };
        for tls in [false, true] {
            for callers in results.callers() {
                let (Some(of), Some(to)) = (results.cpu(self.of, tls, callers), results.cpu(self.to, tls, callers)) else { continue };
                let ratio = of.median / to.median;
                aim.met &= (self.holds)(ratio);
                let transport = if tls { "TLS" } else { "clear text" };
                aim.measured.push(format!("{ratio:.2} ({transport}, {callers})"));
            }
        }
        aim.met &= !aim.measured.is_empty();
        aim
    }
}

fn vault_cost(results: &Results) -> Aim {
    const MOST: f64 = 0.10;
    let measured = results.vault.iter().map(|vault| format!("{:.3} s ({})", vault.cpu.median, vault.stored())).collect();
    let met = !results.vault.is_empty() && results.vault.iter().all(|vault| vault.cpu.median <= MOST);
    Aim { wanted: "`alter serve`: at most 0.10 s for 1000 token calls at 16 callers, the audit row on disk first", measured, met }
}

/// Two figures are the same if they differ by less than the measurements of one do among themselves, which is 10 %.
fn vault_growth(results: &Results) -> Aim {
    const SAME: f64 = 1.10;
    let alike = || results.vault.iter().filter(|vault| vault.policies == 0);
    let few = alike().find(|vault| vault.grants == FEW_GRANTS);
    let most = alike().max_by_key(|vault| vault.grants);
    let ratio = few.zip(most).filter(|(few, most)| few.grants < most.grants).map(|(few, most)| most.cpu.median / few.cpu.median);
    Aim {
        wanted: "`alter serve`: the same with 100,000 grants as with 1,000",
        measured: ratio.map(|ratio| format!("{ratio:.2} times as much")).into_iter().collect(),
        met: ratio.is_some_and(|ratio| ratio <= SAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::samples;

    fn aim<'a>(aims: &'a [Aim], begin: &str) -> &'a Aim {
        aims.iter().find(|aim| aim.wanted.starts_with(begin)).expect("it is judged")
    }

    #[test]
    fn one_case_beyond_the_bound_is_enough_to_miss() {
        let mut results = samples::results(&[
            (Program::Floor, 0.1),
            (Program::Rust, 0.13),
            (Program::Python, 0.19),
            (Program::Reference, 1.9),
            (Program::Fetch, 0.9),
            (Program::Node, 0.2),
        ]);
        let aims = judge(&results);
        assert!(aims.iter().take(BOUNDS.len()).all(|aim| aim.met && aim.measured.len() == 2), "{aims:?}");
        results.calls.iter_mut().filter(|calls| calls.program == "rust" && calls.tls).for_each(|calls| calls.cpu.median = 0.14);
        let aims = judge(&results);
        assert!(!aim(&aims, "Rust").met && aim(&aims, "Python").met);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        assert!(judge(&samples::results(&[])).iter().all(|aim| !aim.met));
    }

    #[test]
    fn a_vault_that_grows_slower_is_found() {
        let mut results = samples::results(&[]);
        results.vault = vec![samples::vault(1_000, 0.05), samples::vault(100_000, 0.054)];
        assert!(judge(&results).iter().skip(BOUNDS.len()).all(|aim| aim.met));
        results.vault[1] = samples::vault(100_000, 0.06);
        assert_eq!(judge(&results).iter().filter(|aim| aim.met).count(), 1);
    }
}
