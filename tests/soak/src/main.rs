//! `alter-soak PROGRAM SECONDS`: two vaults on one PostgreSQL database under load, one of them killed and started again every five seconds.
//!
//! What must hold however often that happens:
//!
//! * What was acknowledged is there: each grant that a program was told of, each call that it got an answer of has its row.
//! * A call under an idempotency key, and a call that people agreed to, reaches the provider at most once; exactly once if its answer was told.
//! * Programs see only what the contract names.
//! * The audit verifies.

mod ledger;
mod load;
mod vaults;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::Ledger;
use load::Load;
use vaults::Vaults;

/// How often a vault is killed.
const KILL_EVERY: Duration = Duration::from_secs(5);

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match soak().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn soak() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(seconds)) = (arguments.next(), arguments.next()) else {
        return Err("usage: alter-soak PROGRAM SECONDS".into());
    };
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let (vaults, ledger) = (Arc::new(tokio::task::block_in_place(|| Vaults::start(program.as_ref()))?), Arc::new(Ledger::default()));
    let load = Load::begin(&vaults, &ledger, end)?;
    let mut kills = 0;
    while Instant::now() + KILL_EVERY < end {
        tokio::time::sleep(KILL_EVERY).await;
        tokio::task::block_in_place(|| vaults.kill_and_start(kills % 2))?;
        kills += 1;
    }
    load.finish().await?;
    tokio::task::block_in_place(|| ledger.settle(&vaults, kills))
}
