//! What a new process pays before its first answer: import, client, first call.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use crate::bench::calls::{API_KEY, GRANT, RESOURCE};
use crate::bench::programs::Package;
use crate::bench::results::{Span, Spread, Startup};
use crate::bench::stub::Stub;
use crate::bench::worker::{Measured, Worker};
use crate::bench::workshop::Workshop;
use crate::report::Failure;

/// One new process.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Started {
    import: Measured,
    client: Measured,
    first_call: Measured,
}

/// Starts each package in a new process, `times` times over, in turn. The first start of each, which may have to read from the disk and write
/// byte code, is not counted.
///
/// # Errors
/// When a program fails.
pub fn measure(workshop: &Workshop, stub: &Stub, times: usize) -> Result<Vec<Startup>, Failure> {
    let mut all: BTreeMap<Package, Vec<Started>> = BTreeMap::new();
    for time in 0..=times {
        for package in Package::ALL {
            let started = start(workshop, stub, package)?;
            if time > 0 {
                all.entry(package).or_default().push(started);
            }
        }
    }
    let row = |(package, started): (Package, Vec<Started>)| {
        let span = |part: fn(&Started) -> Measured| {
            let spread = |value: fn(Measured) -> f64| Spread::of(started.iter().map(|s| value(part(s))).collect());
            Some(Span { cpu: spread(|m| m.cpu_seconds)?, wall: spread(|m| m.wall_seconds)? })
        };
        Some(Startup {
            program: package.program().name().to_owned(),
            import: span(|s| s.import)?,
            client: span(|s| s.client)?,
            first_call: span(|s| s.first_call)?,
        })
    };
    Ok(all.into_iter().filter_map(row).collect())
}

fn start(workshop: &Workshop, stub: &Stub, package: Package) -> Result<Started, Failure> {
    let base_url = stub.url(false);
    let mut command: Command = package.run(workshop, "startup.py");
    command.args([base_url, &format!("{base_url}{RESOURCE}"), API_KEY, GRANT]);
    let name = package.program().title();
    Worker::start(name, command, workshop.scratch.path().join("startup.log"))?.answer()
}
