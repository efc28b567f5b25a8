//! What a call costs: all programs, in rounds, each round taking every program through every number of callers.

use std::collections::BTreeMap;

use crate::bench::programs::Program;
use crate::bench::results::{Calls, Spread};
use crate::bench::stub::{Seen, Stub};
use crate::bench::worker::{Measured, Order, Worker};
use crate::bench::workshop::Workshop;
use crate::report::Failure;

/// A well-formed key and grant; the stub looks at neither.
pub const API_KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
/// See [`API_KEY`].
pub const GRANT: &str = "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f";
/// What the calls ask of the provider.
pub const RESOURCE: &str = "/v1/me";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rounds over all programs.
    pub rounds: usize,
    /// Numbers of callers.
    pub callers: &'static [usize],
    /// Calls of a measurement; slow programs make fewer, see [`Program::patience`].
    pub calls: usize,
}

/// One measurement's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    tls: bool,
    callers: usize,
    program: Program,
}

/// The measurements so far.
#[derive(Default)]
pub struct Tally(BTreeMap<Cell, Vec<Measured>>);

impl Tally {
    /// One round: every program is started anew, and every cell of the table measured once. Neighbours in time are neighbours in the table,
    /// so that whatever else the machine does falls on all programs alike.
    ///
    /// # Errors
    /// When a program fails, or makes other requests than it was asked for.
    pub fn round(&mut self, workshop: &Workshop, stub: &Stub, plan: Plan) -> Result<u64, Failure> {
        let mut workers = Vec::new();
        for program in Program::ALL {
            let log = workshop.scratch.path().join(format!("{}.log", program.name()));
            workers.push((program, Worker::start(program.title(), program.command(workshop), log)?));
        }
        let mut measured = 0;
        for tls in [false, true] {
            for &callers in plan.callers {
                for (program, worker) in &mut workers {
                    let cell = Cell { tls, callers, program: *program };
                    self.0.entry(cell).or_default().push(measure(cell, worker, stub, plan)?);
                    measured += 1;
                }
            }
        }
        Ok(measured)
    }

    /// The table.
    pub fn finish(self, plan: Plan) -> Vec<Calls> {
        let row = |(cell, measured): (Cell, Vec<Measured>)| {
            let calls = calls(cell.program, plan);
            let per_thousand =
                |value: fn(&Measured) -> f64| Spread::of(measured.iter().map(|m| value(m) * 1000.0 / count(calls)).collect());
            Some(Calls {
                program: cell.program.name().to_owned(),
                tls: cell.tls,
                http2: cell.tls && cell.program.speaks_http2(),
                callers: cell.callers,
                calls_per_round: calls,
                cpu: per_thousand(|m| m.cpu_seconds)?,
                wall: per_thousand(|m| m.wall_seconds)?,
            })
        };
        self.0.into_iter().filter_map(row).collect()
    }
}

fn calls(program: Program, plan: Plan) -> usize {
    plan.calls / program.patience()
}

fn measure(cell: Cell, worker: &mut Worker, stub: &Stub, plan: Plan) -> Result<Measured, Failure> {
    let base_url = stub.url(cell.tls).to_owned();
    let order = Order {
        provider_url: format!("{base_url}{RESOURCE}"),
        base_url,
        api_key: API_KEY.to_owned(),
        grants: vec![GRANT.to_owned()],
        callers: cell.callers,
        // Enough to open every connection, and for what a runtime compiles or allocates at first.
        warm_up: 2 * cell.callers.max(8),
        calls: calls(cell.program, plan),
    };
    let measured = worker.carry_out(&order)?;
    judge(cell, &order, &stub.seen()?)?;
    Ok(measured)
}

/// A program that leaves out a request, or asks another protocol, has not done the same work.
fn judge(cell: Cell, order: &Order, seen: &Seen) -> Result<(), Failure> {
    let each = order.warm_up + order.calls;
    let http2 = if cell.tls && cell.program.speaks_http2() { 3 * each } else { 0 };
    let wanted = Seen { token: each, provider: each, audit: each, http2 };
    if *seen == wanted {
        return Ok(());
    }
    Err(Failure::new(format!("{} made other requests than it was asked for: {seen:?} instead of {wanted:?}", cell.program.title())))
}

/// A number of things as a divisor. Exact up to 2^52, which no count here reaches.
#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
pub fn count(things: usize) -> f64 {
    things as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_leaves_a_request_out_is_found() {
        let order = Order {
            base_url: String::new(),
            provider_url: String::new(),
            api_key: String::new(),
            grants: Vec::new(),
            callers: 1,
            warm_up: 2,
            calls: 8,
        };
        let judge = |program, tls, audit, http2| {
            judge(Cell { tls, callers: 1, program }, &order, &Seen { token: 10, provider: 10, audit, http2 }).is_ok()
        };
        assert!(judge(Program::Python, false, 10, 0));
        assert!(judge(Program::Python, true, 10, 30));
        assert!(judge(Program::Fetch, true, 10, 0));
        assert!(!judge(Program::Python, false, 9, 0));
        assert!(!judge(Program::Python, true, 10, 29));
    }

    #[test]
    fn figures_are_for_a_thousand_calls() {
        let plan = Plan { rounds: 2, callers: &[1], calls: 500 };
        let cell = Cell { tls: true, callers: 1, program: Program::Reference };
        let measured = |seconds| Measured { cpu_seconds: seconds, wall_seconds: 2.0 * seconds };
        let table = Tally(BTreeMap::from([(cell, vec![measured(0.1), measured(0.3)])])).finish(plan);
        assert_eq!(table.len(), 1);
        assert_eq!((table[0].calls_per_round, table[0].http2), (50, true));
        assert!((table[0].cpu.median - 4.0).abs() < 1e-9 && (table[0].wall.highest - 12.0).abs() < 1e-9, "{table:?}");
    }
}
