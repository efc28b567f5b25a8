//! `alter`: run a vault, fill it, and make calls through it.

mod admin;
mod cli;
mod commands;
mod failure;
mod input;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use commands::context::Context;
use commands::{
    agent, app, approval, audit, backup, completions, config, connect, grant, help, idp, init, key, policy, provider, request, secret,
    serve, spec, store,
};
use failure::{Exit, Failure, Outcome};
use output::Output;
use zeroizing_alloc::ZeroAlloc;

/// Overwrites memory when it is given back. HTTP, TLS and JSON libraries copy what passes through them into buffers of their own, credentials
/// and keys included; without this those copies would stay in the vault's memory, and in a core dump, until something else needs the place.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return help::answer(&error),
    };
    let output = Output::new(cli.global.json, cli.global.verbose);
    let context = Context { output, global: cli.global };
    // A vault that is interrupted stops in order, and a session is given up; any other command just ends.
    let ends_itself = matches!(cli.command, Command::Serve(_) | Command::Connect(_));
    let command = run(cli.command, &context);
    match if ends_itself { in_runtime(command) } else { in_runtime(until_interrupted(command)) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}

fn in_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Failed, "runtime", "the program cannot start its threads").caused_by(error))?;
    runtime.block_on(command)
}

async fn until_interrupted(command: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        outcome = command => outcome,
        Ok(()) = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted", "interrupted")),
    }
}

async fn run(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Serve(arguments) => serve::run(arguments, context).await,
        Command::Init(arguments) => init::run(&arguments, context).await,
        Command::App(command) => app::run(command, context).await,
        Command::Secret(command) => secret::run(command, context).await,
        Command::Provider(command) => provider::run(command, context).await,
        Command::Policy(command) => policy::run(command, context).await,
        Command::Spec(command) => spec::run(command, context).await,
        Command::Grant(command) => grant::run(command, context).await,
        Command::Agent(command) => agent::run(command, context).await,
        Command::Approval(command) => approval::run(command, context).await,
        Command::Idp(command) => idp::run(command, context).await,
        Command::Key(command) => key::run(command, context).await,
        Command::Request(arguments) => request::run(*arguments, context).await,
        Command::Connect(arguments) => connect::run(arguments, context).await,
        Command::Audit(command) => audit::run(command, context).await,
        Command::Store(command) => store::run(command, context).await,
        Command::Backup(arguments) => backup::run(&arguments, context),
        Command::Restore(arguments) => backup::restore(arguments, context).await,
        Command::Config(command) => config::run(&command, context),
        Command::Completions(arguments) => {
            completions::run(&arguments);
            Ok(())
        }
        Command::Version => {
            help::version(context);
            Ok(())
        }
        Command::Help { topic } => help::run(&topic, context),
    }
}
