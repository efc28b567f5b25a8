//! `alter key rotate-master`

use alter_server::audit::{AuditEntry, ChainId, Outcome as AuditOutcome};
use alter_server::crypto::KeyHome;
use alter_server::rotation::{self, Rotation, RotationError, Subject};
use alter_server::setup::{self, Opened};
use alter_server::store::sqlite::Access;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use crate::admin::AdminClient;
use crate::failure::{Exit, Failure, Outcome};
use crate::progress::Progress;

/// Arguments of `alter key rotate-master`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alter key rotate-master --yes
  alter key rotate-master --offline

The vault goes on serving. The command may be interrupted at any moment, with the vault or without;
run again it goes on where it stopped. Where the master key is a file in the data folder, the vault
makes the new one. Where it comes from ALTER_MASTER_KEY or ALTER_MASTER_KEY_FILE, start the vault
with the new key there and the present one in ALTER_MASTER_KEY_PREVIOUS, run this, and leave
ALTER_MASTER_KEY_PREVIOUS away from the next start on.")]
pub struct RotateArgs {
    /// Do it in the data folder itself; the vault must be stopped
    #[arg(long)]
    offline: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// How far it is: what the vault and the library both say.
struct State {
    version: u64,
    data_keys: u64,
    remaining: u64,
    done: bool,
}

/// Rotates.
pub async fn run(arguments: RotateArgs, context: &Context) -> Outcome {
    let what = "Backups made before this need the present master key; the vault does not keep it.";
    if arguments.offline {
        let opened = setup::open(&context.config()?, Access::Write)?;
        context.confirm(arguments.yes, what)?;
        return offline(&opened, context).await;
    }
    let admin = context.admin()?;
    let present = State::read(&admin.get("/admin/v1/master-key").await?)?;
    // One that was interrupted was agreed to when it began.
    context.confirm(arguments.yes || !present.done, what)?;
    let first = State::read(&step(&admin, true).await?)?;
    let mut shown = Shown::new(&first, context);
    loop {
        let state = State::read(&step(&admin, false).await?)?;
        if shown.tell(&state) {
            break;
        }
    }
    shown.end(context);
    Ok(())
}

async fn step(admin: &AdminClient, begin: bool) -> Result<Value, Failure> {
    admin.post("/admin/v1/master-key/rotation", &json!({ "begin": begin })).await
}

async fn offline(opened: &Opened, context: &Context) -> Outcome {
    let rotation = Rotation::new(opened.key_home.clone());
    let subject = Subject { store: &*opened.store, keys: &opened.keys };
    let row = |action| AuditEntry::new(ChainId::Vault, action, AuditOutcome::Done);
    let mut shown = Shown::new(&rotation.begin(subject, &row).await.map_err(failed)?.into(), context);
    while !shown.tell(&rotation.step(subject, &row).await.map_err(failed)?.into()) {}
    opened
        .store
        .close()
        .await
        .map_err(|error| Failure::new(Exit::Storage, error.code(), "the store did not close cleanly").caused_by(error))?;
    shown.end(context);
    if matches!(opened.key_home, KeyHome::Given { .. }) {
        context.output.hint("The new key is the one in force; start the vault without ALTER_MASTER_KEY_PREVIOUS from now on.");
    }
    Ok(())
}

fn failed(error: RotationError) -> Failure {
    let exit = if matches!(error, RotationError::NewKeyMissing) { Exit::Conflict } else { Exit::Storage };
    Failure::new(exit, error.code(), "the master key was not rotated to the end").caused_by(&error).help(error.help())
}

impl State {
    fn read(answer: &Value) -> Result<Self, Failure> {
        let number = |name| answer.get(name).and_then(Value::as_u64);
        let state = || {
            Some(Self {
                version: number("version")?,
                data_keys: number("data_keys")?,
                remaining: number("remaining")?,
                done: answer.get("done")?.as_bool()?,
            })
        };
        state().ok_or_else(|| {
            Failure::new(Exit::Unreachable, "not_a_vault", "the vault's answer about its master key cannot be read")
                .help("client and vault should be of the same version")
        })
    }
}

impl From<rotation::Progress> for State {
    fn from(progress: rotation::Progress) -> Self {
        let rotation::Progress { version, data_keys, remaining, done } = progress;
        Self { version: version.into(), data_keys, remaining, done }
    }
}

/// What is shown while it runs and at the end.
struct Shown {
    progress: Progress,
    first: u64,
    version: u64,
    data_keys: u64,
}

impl Shown {
    fn new(first: &State, context: &Context) -> Self {
        let done = first.data_keys.saturating_sub(first.remaining);
        let progress = Progress::new("data keys re-wrapped", done, context.output);
        Self { progress, first: first.remaining, version: first.version, data_keys: first.data_keys }
    }

    /// Shows a state; returns whether it is the last.
    fn tell(&mut self, state: &State) -> bool {
        (self.version, self.data_keys) = (state.version, state.data_keys);
        self.progress.at(state.data_keys.saturating_sub(state.remaining), state.data_keys);
        state.done
    }

    fn end(self, context: &Context) {
        self.progress.finish();
        context.output.record(&json!({ "version": self.version, "data_keys": self.data_keys, "rewrapped": self.first, "done": true }));
        context.output.hint("Keep a copy of the new master key apart from the data, and the earlier one with the backups made under it.");
    }
}
