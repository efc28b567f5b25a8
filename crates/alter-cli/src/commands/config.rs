//! `alter config`

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Context;
use crate::failure::Outcome;
use crate::output::{Column, member};

/// Verbs of `alter config`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter config show")]
pub enum ConfigCommand {
    /// Show every setting, its value and where it comes from
    #[command(after_help = "Example:\n  alter config show")]
    Show,
}

const COLUMNS: &[Column] = &[
    Column::new("SETTING", |setting| member(setting, "name")),
    Column::new("VALUE", |setting| member(setting, "value")),
    Column::new("FROM", |setting| member(setting, "source")),
];

/// Runs a verb.
pub fn run(command: &ConfigCommand, context: &Context) -> Outcome {
    let ConfigCommand::Show = command;
    let config = context.config()?;
    let setting =
        |name: &str, value: Value, source: &dyn std::fmt::Display| json!({ "name": name, "value": value, "source": source.to_string() });
    let http_hosts: Vec<&str> = config.egress_http_hosts.value.entries().collect();
    let allow: Vec<&str> = config.egress_allow.value.entries().collect();
    let no_proxy: Vec<&str> = config.egress_no_proxy.value.entries().collect();
    let proxy = config.egress_proxy.value.as_ref().map(ToString::to_string);
    let records = [
        setting("data", json!(config.data.value), &config.data.source),
        setting("store", json!(config.store.value.to_string()), &config.store.source),
        setting("address", json!(config.address.value.to_string()), &config.address.source),
        setting("public_url", json!(config.public_url.value), &config.public_url.source),
        setting("insecure_bind", json!(config.insecure_bind.value), &config.insecure_bind.source),
        setting("tls_cert", json!(config.tls_cert.value), &config.tls_cert.source),
        setting("tls_key", json!(config.tls_key.value), &config.tls_key.source),
        setting("egress.ca_file", json!(config.egress_ca_file.value), &config.egress_ca_file.source),
        setting("egress.http_hosts", json!(http_hosts), &config.egress_http_hosts.source),
        setting("rate_limit_rpm", json!(config.rate_limit_rpm.value), &config.rate_limit_rpm.source),
        setting("trusted_proxies", json!(config.trusted_proxies.value), &config.trusted_proxies.source),
        setting("egress.allow", json!(allow), &config.egress_allow.source),
        setting("egress.proxy", json!(proxy), &config.egress_proxy.source),
        setting("egress.no_proxy", json!(no_proxy), &config.egress_no_proxy.source),
        setting("egress.resolve", json!(config.egress_resolve.value.as_str()), &config.egress_resolve.source),
        setting("log.format", json!(config.log_format.value.as_str()), &config.log_format.source),
        setting("telemetry.otlp_endpoint", json!(config.otlp_endpoint.value), &config.otlp_endpoint.source),
        setting("vault", json!(context.vault_url()?), &context.vault_source(&config)),
    ];
    context.output.list(&records, COLUMNS, "");
    Ok(())
}
