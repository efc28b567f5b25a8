//! What a run found, as it is written to `results.json`.

use serde::{Deserialize, Serialize};

use crate::bench::machine::Machine;

/// Everything.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Where and with what it was measured.
    pub machine: Machine,
    /// Whether the figures are worth reading: a smoke run makes a few calls with programs built for development.
    pub smoke: bool,
    /// Rounds over all programs.
    pub rounds: usize,
    /// What the calls cost.
    pub calls: Vec<Calls>,
    /// What a new process costs.
    pub startup: Vec<Startup>,
    /// What a vault costs.
    pub vault: Vec<Vault>,
}

/// One program, one transport, one number of callers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// [`Program::name`](super::programs::Program::name).
    pub program: String,
    /// With TLS, and with HTTP/2 if the program speaks it.
    pub tls: bool,
    /// Whether every request came by HTTP/2.
    pub http2: bool,
    /// Callers at a time.
    pub callers: usize,
    /// Calls in each round.
    pub calls_per_round: usize,
    /// Processor time of the client's process, in seconds for 1000 calls.
    pub cpu: Spread,
    /// Time that passed, in seconds for 1000 calls.
    pub wall: Spread,
}

/// One package in new processes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Startup {
    /// [`Program::name`](super::programs::Program::name).
    pub program: String,
    /// `import alter_sdk`, in seconds.
    pub import: Span,
    /// `App(…)`, in seconds.
    pub client: Span,
    /// The first `request()` of the process, in seconds.
    pub first_call: Span,
}

/// A span of time, measured twice over.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Processor time of the process.
    pub cpu: Spread,
    /// Time that passed.
    pub wall: Spread,
}

/// `alter serve` under token calls.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Vault {
    /// Grants that are stored.
    pub grants: usize,
    /// Policies of the application.
    #[serde(default)]
    pub policies: usize,
    /// Callers at a time.
    pub callers: usize,
    /// Token calls in each round.
    pub calls_per_round: usize,
    /// Processor time of the vault's process, in seconds for 1000 calls.
    pub cpu: Spread,
    /// Time that passed, in seconds for 1000 calls.
    pub wall: Spread,
}

impl Vault {
    /// What it holds, in words.
    pub fn stored(&self) -> String {
        match self.policies {
            0 => format!("{} grants", self.grants),
            policies => format!("{} grants, {policies} policies", self.grants),
        }
    }
}

/// Several measurements of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
}

impl Spread {
    /// `None` for no measurement at all.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { *values.get(middle)? } else { (values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0 };
        Some(Self { median, lowest: *values.first()?, highest: *values.last()? })
    }
}

impl Results {
    /// The middle processor time of a program, in seconds for 1000 calls.
    pub fn cpu(&self, program: super::programs::Program, tls: bool, callers: usize) -> Option<Spread> {
        let found = self.calls.iter().find(|calls| calls.program == program.name() && calls.tls == tls && calls.callers == callers);
        found.map(|calls| calls.cpu)
    }

    /// The numbers of callers that were measured, in their order.
    pub fn callers(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.calls.iter().map(|calls| calls.callers).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, lowest: 1.0, highest: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, lowest: 1.0, highest: 4.0 }));
        assert_eq!(spread(&[]), None);
    }
}

/// Made-up results for tests.
#[cfg(test)]
pub mod samples {
    use super::*;
    use crate::bench::programs::Program;

    /// Three equal measurements.
    pub fn spread(value: f64) -> Spread {
        Spread { median: value, lowest: value, highest: value }
    }

    /// These programs with one caller, without and with TLS, each with this processor time.
    pub fn results(programs: &[(Program, f64)]) -> Results {
        let calls = |tls: bool| {
            programs.iter().map(move |&(program, cpu)| Calls {
                program: program.name().to_owned(),
                tls,
                http2: tls && program.speaks_http2(),
                callers: 1,
                calls_per_round: 100,
                cpu: spread(cpu),
                wall: spread(cpu),
            })
        };
        let machine = Machine {
            date: "2026-01-02".to_owned(),
            commit: "0123456789ab".to_owned(),
            profile: "release".to_owned(),
            processor: "A processor".to_owned(),
            cores: 2,
            memory_gib: 8,
            kernel: "6.1".to_owned(),
            load: 0.5,
            versions: vec!["rustc 1.95".to_owned()],
        };
        Results {
            machine,
            smoke: false,
            rounds: 3,
            calls: calls(false).chain(calls(true)).collect(),
            startup: Vec::new(),
            vault: Vec::new(),
        }
    }

    /// A vault with so many grants and this processor time.
    pub fn vault(grants: usize, cpu: f64) -> Vault {
        Vault { grants, policies: 0, callers: 16, calls_per_round: 100, cpu: spread(cpu), wall: spread(cpu) }
    }
}
