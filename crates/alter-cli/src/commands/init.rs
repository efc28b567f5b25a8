//! `alter init`

use std::path::PathBuf;

use alter_server::config::CONFIG_FILE;
use alter_server::setup::{self, CREDENTIAL_FILE};
use clap::Args;
use serde_json::json;

use super::context::Context;
use crate::failure::{Failure, Outcome};

/// Arguments of `alter init`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  alter init ./vault\n\nRunning it again changes nothing. `alter serve` on an empty folder does the same first."
)]
pub struct InitArgs {
    /// The data folder [default: --data-dir, else ~/.local/share/alter]
    folder: Option<PathBuf>,
}

/// Makes a data folder.
pub async fn run(arguments: &InitArgs, context: &Context) -> Outcome {
    let config = context.config_of(arguments.folder.as_deref())?;
    let data = &config.data.value;
    let opened = setup::open_or_create(&config).await?;
    opened
        .store
        .close()
        .await
        .map_err(|error| Failure::new(crate::failure::Exit::Storage, error.code(), "the store did not close cleanly").caused_by(error))?;
    context.output.record(&json!({
        "data": data,
        "store": config.store.value.to_string(),
        "created": opened.created,
        "master_key": opened.key_origin.to_string(),
        "operator_key_file": data.join(CREDENTIAL_FILE),
        "settings": data.join(CONFIG_FILE),
    }));
    if opened.created {
        context.output.hint(&format!("Keep a copy of the master key apart from the data. Next: alter serve --data-dir {}", data.display()));
    }
    Ok(())
}
