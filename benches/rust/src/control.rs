//! How a program is told what to do: one order a line on standard input, one result a line on standard output. Start-up is thereby
//! outside of what is measured, and the rounds of several programs can be interleaved.

use std::io::{Write, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Failure;

/// One measurement to make. All programs, whatever their language, are given these members.
#[derive(Debug, Deserialize)]
pub struct Order {
    /// The vault, or the stub in its place.
    pub base_url: String,
    /// What is called with the credential.
    pub provider_url: String,
    /// The key of the client.
    pub api_key: String,
    /// The grants to use, in turn.
    pub grants: Vec<String>,
    /// Callers at a time.
    pub callers: usize,
    /// Calls before the measurement, which open the connections.
    pub warm_up: usize,
    /// Calls that are measured.
    pub calls: usize,
}

/// What a measurement found.
#[derive(Debug, Serialize)]
struct Measured {
    /// Processor time of this process, user and system, all threads.
    cpu_seconds: f64,
    wall_seconds: f64,
}

/// Something that makes calls.
pub trait Client: Send + Sync + Sized + 'static {
    /// Makes the client. Nothing is measured yet.
    fn new(order: &Order) -> Result<Self, Failure>;

    /// Makes the call with this number; work that it leaves in the background is awaited by [`Client::close`].
    fn call(&self, number: usize) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Ends the work in the background. It is part of what is measured.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// How many threads the program's runtime has.
#[derive(Debug, Clone, Copy)]
pub enum Threads {
    /// Everything on the thread that waits: the cheapest way to run.
    One,
    /// tokio's default, one worker for each core.
    Many,
}

impl Threads {
    pub fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "one" => Ok(Self::One),
            "many" => Ok(Self::Many),
            _ => Err(format!("threads are `one` or `many`, not {name:?}").into()),
        }
    }

    /// The runtime that a program of this many threads has.
    pub fn runtime(self) -> std::io::Result<Runtime> {
        match self {
            Self::One => Builder::new_current_thread().enable_all().build(),
            Self::Many => Builder::new_multi_thread().enable_all().build(),
        }
    }
}

/// Carries out orders until standard input ends.
pub fn obey<C: Client>(threads: Threads) -> Result<(), Failure> {
    let runtime = threads.runtime()?;
    for line in stdin().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        let measured = runtime.block_on(carry_out::<C>(&order))?;
        writeln!(stdout().lock(), "{}", serde_json::to_string(&measured)?)?;
    }
    Ok(())
}

async fn carry_out<C: Client>(order: &Order) -> Result<Measured, Failure> {
    let client = Arc::new(C::new(order)?);
    make_calls(&client, order.callers, 0, order.warm_up).await?;
    let (started, used) = (Instant::now(), processor_time()?);
    make_calls(&client, order.callers, order.warm_up, order.calls).await?;
    client.close().await;
    let measured =
        Measured { cpu_seconds: processor_time()?.saturating_sub(used).as_secs_f64(), wall_seconds: started.elapsed().as_secs_f64() };
    Ok(measured)
}

/// `callers` tasks make `calls` calls between them; each takes the next number when its call has ended.
pub async fn make_calls<C: Client>(client: &Arc<C>, callers: usize, first: usize, calls: usize) -> Result<(), Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks: JoinSet<Result<(), Failure>> = JoinSet::new();
    for _ in 0..callers {
        let (client, next) = (Arc::clone(client), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return Ok(());
                }
                client.call(first + number).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

fn processor_time() -> Result<Duration, Failure> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}
