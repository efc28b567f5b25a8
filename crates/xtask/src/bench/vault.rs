//! What `alter serve` itself costs for each token call, with few and with many grants stored.

use std::fs;
use std::process::Command;

use alter_testkit::vault::Vault as Process;
use serde::Deserialize;
use serde_json::Value;

use crate::bench::calls::count;
use crate::bench::results::{Spread, Vault};
use crate::bench::worker::{Measured, Order, Worker};
use crate::bench::workshop::Workshop;
use crate::report::{Checks, Failure, Report};

/// Where the stored secret may go. Nothing is sent there: the calls only ask for the credential.
const PROVIDER: &str = "https://api.example.com/v1/me";
/// Callers at a time while grants are made.
const MAKERS: usize = 64;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What is stored, in a vault for each.
    pub loads: &'static [Load],
    /// Callers at a time.
    pub callers: usize,
    /// Token calls of a measurement.
    pub calls: usize,
    /// Measurements of each vault, in turn.
    pub rounds: usize,
}

/// What a vault holds.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Grants of one secret.
    pub grants: usize,
    /// Policies of the application, about other providers: each is judged for every call, and lets it pass.
    pub policies: usize,
}

impl Load {
    /// So many of each.
    pub const fn new(grants: usize, policies: usize) -> Self {
        Self { grants, policies }
    }
}

/// A vault with its load, and what was measured of it.
struct Stage {
    process: Process,
    load: Worker,
    order: Order,
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

#[derive(Deserialize)]
struct Made {
    grants: Vec<String>,
}

/// Starts and fills the vaults, and measures them in turn; `None` if a step failed.
pub fn measure(workshop: &Workshop, report: &mut Report, plan: Plan) -> Option<Vec<Vault>> {
    let mut stages = Vec::new();
    for &load in plan.loads {
        let name = format!("a vault with {} grants and {} policies", load.grants, load.policies);
        stages.push(report.value(&name, || Ok((Stage::set(workshop, load, plan)?, Checks::NONE)))?);
    }
    report
        .step("token calls to each vault, in turn", || {
            // The first time the vault reads its grants from the disk; that is not what a call costs.
            for round in 0..=plan.rounds {
                for stage in &mut stages {
                    let (cpu, wall) = stage.measure()?;
                    if round > 0 {
                        stage.cpu.push(cpu);
                        stage.wall.push(wall);
                    }
                }
            }
            Ok(Checks::NONE)
        })
        .then_some(())?;
    report.step("every call has its row, and the chains are whole", || {
        stages.iter().try_for_each(|stage| stage.verify(plan))?;
        Ok(Checks::passed(stages.len() as u64))
    });
    let row = |(stage, &load): (Stage, &Load)| {
        let per_thousand = |values: Vec<f64>| Spread::of(values.into_iter().map(|seconds| seconds * 1000.0 / count(plan.calls)).collect());
        Some(Vault {
            grants: load.grants,
            policies: load.policies,
            callers: plan.callers,
            calls_per_round: plan.calls,
            cpu: per_thousand(stage.cpu)?,
            wall: per_thousand(stage.wall)?,
        })
    };
    stages.into_iter().zip(plan.loads).map(row).collect()
}

impl Stage {
    fn set(workshop: &Workshop, load: Load, plan: Plan) -> Result<Self, Failure> {
        let process = Process::start(&workshop.alter)?;
        process.records(&["app", "create", "bench"], "")?;
        let secret = ["secret", "create", "bench", "--app", "bench", "--allow-host", "api.example.com", "--bearer", "--stdin"];
        process.records(&secret, "sk_bench_4f9d2c7a1e8b4c5d9f0a")?;
        let api_key = text(&process.records(&["key", "create", "--app", "bench", "--scope", "tokens:retrieve"], "")?, "api_key")?;
        let mut order = Order {
            base_url: process.url(),
            provider_url: PROVIDER.to_owned(),
            api_key,
            grants: Vec::new(),
            callers: plan.callers,
            warm_up: 0,
            calls: plan.calls,
        };
        order.grants = make_grants(workshop, &process, &order, load.grants)?;
        make_policies(&process, load.policies)?;
        let mut command = Command::new(&workshop.programs);
        command.arg("vault-tokens");
        workshop.surround(&mut command);
        let log = workshop.scratch.path().join(format!("load-{}-{}.log", load.grants, load.policies));
        let load = Worker::start("the load", command, log)?;
        Ok(Self { process, load, order, cpu: Vec::new(), wall: Vec::new() })
    }

    /// One measurement: processor time of the vault, and time that passed, in seconds.
    fn measure(&mut self) -> Result<(f64, f64), Failure> {
        let before = cpu_seconds(self.process.process())?;
        let measured: Measured = self.load.carry_out(&self.order)?;
        Ok((cpu_seconds(self.process.process())? - before, measured.wall_seconds))
    }

    fn verify(&self, plan: Plan) -> Result<(), Failure> {
        let records = self.process.records(&["audit", "verify"], "")?;
        let rows: u64 = records.iter().filter_map(|record| record.get("rows").and_then(Value::as_u64)).sum();
        let wanted = ((plan.rounds + 1) * self.order.calls) as u64;
        if rows >= wanted {
            return Ok(());
        }
        Err(Failure::new(format!("{wanted} token calls were answered, but the audit has {rows} rows")))
    }
}

/// Saves policies that are about other providers than the one that is used.
fn make_policies(process: &Process, policies: usize) -> Result<(), Failure> {
    for n in 0..policies {
        let source = format!(
            "forbid (principal, action, resource in Provider::\"other-{n}\")\n\
             unless {{ context.source.isInRange(ip(\"127.0.0.0/8\")) && context.minute >= {n} && context.user == \"user-{n}\" }};"
        );
        process.records(&["policy", "create", &format!("policy-{n}"), "--app", "bench", "--stdin"], &source)?;
    }
    Ok(())
}

/// Makes grants as an operator, over HTTP; gives their ids.
fn make_grants(workshop: &Workshop, process: &Process, order: &Order, grants: usize) -> Result<Vec<String>, Failure> {
    let operator = Order {
        provider_url: format!("{}/admin/v1/apps/bench/grants", process.url()),
        api_key: fs::read_to_string(process.data().join("operator.key"))?.trim().to_owned(),
        grants: vec!["bench".to_owned()],
        callers: MAKERS,
        warm_up: 0,
        calls: grants,
        ..order.clone()
    };
    let mut command = Command::new(&workshop.programs);
    command.arg("vault-grants");
    workshop.surround(&mut command);
    let made: Made = Worker::start("the maker of grants", command, workshop.scratch.path().join("grants.log"))?.carry_out(&operator)?;
    if made.grants.len() == grants {
        return Ok(made.grants);
    }
    Err(Failure::new(format!("{} grants were made instead of {grants}", made.grants.len())))
}

/// Processor time that a process has used so far, user and system, all threads; in steps of 10 ms.
fn cpu_seconds(process: u32) -> Result<f64, Failure> {
    let path = format!("/proc/{process}/stat");
    let line = fs::read_to_string(&path).map_err(|cause| Failure::new(format!("{path}: {cause}")).help("the bench needs Linux"))?;
    parse_cpu_seconds(&line).ok_or_else(|| Failure::new(format!("{path} is not as proc(5) says: {line}")))
}

/// Fields 14 and 15, in ticks. Field 2 is the program's name in parentheses and may hold anything.
fn parse_cpu_seconds(line: &str) -> Option<f64> {
    /// `USER_HZ`, the same on every Linux that Rust's standard library runs on.
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut fields = line.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

fn text(records: &[Value], member: &str) -> Result<String, Failure> {
    let value = records.first().and_then(|record| record.get(member)).and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| Failure::new(format!("a command printed no {member}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_any_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 10 18446744073709551615";
        assert_eq!(parse_cpu_seconds(line), Some(3.0));
        assert_eq!(parse_cpu_seconds("7 (a) S 1"), None);
    }

    #[test]
    fn our_own_processor_time_can_be_read_and_no_process_has_id_zero() {
        assert!(cpu_seconds(std::process::id()).is_ok_and(|seconds| seconds >= 0.0));
        assert!(cpu_seconds(0).is_err());
    }
}
