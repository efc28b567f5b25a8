//! The components of the admin plane's answers.

use serde_json::Value;

use super::schema::{count, id, list, map, nullable, object, record, shape, text, texts, time, with, without, word, yes_no};

/// All of them, by name.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("Operator", operator()),
        ("App", app()),
        ("AdminAgent", agent()),
        ("Secret", secret()),
        ("AdminGrant", grant()),
        ("Provider", provider()),
        ("IdentityProvider", identity_provider()),
        ("Policy", policy()),
        ("PolicyRule", policy_rule()),
        ("Explanation", explanation()),
        ("MasterKey", record([("version", count()), ("data_keys", count()), ("remaining", count()), ("done", yes_no())])),
        ("AuditRow", audit_row()),
        ("AuditHead", head()),
        ("ActivityHour", record([("from", time()), ("calls", count()), ("refusals", count()), ("mean_duration_ms", nullable(count()))])),
        ("AuditReport", report()),
    ]
}

/// What narrows a grant.
pub fn grant_policy() -> Value {
    let restrictions =
        without(record([("allowed_methods", texts()), ("allowed_endpoints", texts())]), &["allowed_methods", "allowed_endpoints"]);
    let policy = record([
        ("max_ttl_seconds", count()),
        ("default_ttl_seconds", count()),
        ("restrictions", restrictions),
        ("requires_approval", yes_no()),
    ]);
    without(policy, &["max_ttl_seconds", "default_ttl_seconds", "restrictions", "requires_approval"])
}

/// A policy; of the one that is built in, nobody is its author.
fn policy() -> Value {
    record([
        ("id", nullable(id())),
        ("name", text()),
        ("built_in", yes_no()),
        ("version", count()),
        ("rules", list(shape("PolicyRule"))),
        ("source", text()),
        ("created_at", nullable(time())),
        ("created_by", nullable(id())),
        ("updated_at", nullable(time())),
        ("updated_by", nullable(id())),
    ])
}

fn policy_rule() -> Value {
    record([
        ("policy", text()),
        ("effect", word(&["deny", "rate", "approval", "step_up", "redact"])),
        ("reason", nullable(text())),
        ("satisfied_by", text()),
    ])
}

/// Why a call would be allowed or denied.
fn explanation() -> Value {
    let call = record([("operation", nullable(text())), ("families", nullable(texts())), ("parameters", nullable(texts()))]);
    let rule = with(policy_rule(), [("not_known", nullable(texts()))]);
    record([
        ("decision", word(&["allow", "approval", "deny"])),
        ("refusal", nullable(record([("code", text()), ("message", text())]))),
        ("rules", list(rule)),
        ("approvals", list(texts())),
        ("redact", texts()),
        ("call", nullable(call)),
    ])
}

/// An operator, without the key.
pub fn operator() -> Value {
    record([
        ("id", id()),
        ("name", text()),
        ("role", word(&["admin", "approver", "auditor"])),
        ("key_prefix", text()),
        ("status", word(&["active", "revoked"])),
        ("created_at", time()),
        ("revoked_at", nullable(time())),
    ])
}

/// An application.
pub fn app() -> Value {
    record([
        ("id", id()),
        ("name", text()),
        ("return_urls", texts()),
        ("allowed_origins", texts()),
        ("retrieve_delegated", yes_no()),
        ("approval_lasts_seconds", nullable(count())),
        ("approval_webhook", nullable(text())),
        ("created_at", time()),
    ])
}

fn agent() -> Value {
    record([
        ("agent_id", id()),
        ("name", text()),
        ("display_name", nullable(text())),
        ("type", word(&["agent", "service"])),
        ("status", word(&["active", "suspended", "deleted"])),
        ("scopes", map(texts())),
        ("scopes_pending", nullable(map(texts()))),
        ("scopes_applies_at", nullable(time())),
        ("policy", object()),
        ("metadata", object()),
        ("version", count()),
        ("created_at", time()),
        ("updated_at", time()),
        ("last_used_at", nullable(time())),
    ])
}

fn secret() -> Value {
    record([
        ("id", id()),
        ("slug", text()),
        ("name", text()),
        ("kind", word(&["bearer", "header", "basic", "query", "aws", "custom"])),
        ("version", count()),
        ("allowed_hosts", texts()),
        ("injection_header", text()),
        ("injection_format", text()),
        ("additional_injections", list(record([("target", text()), ("key", text()), ("value_source", text())]))),
        ("parameters", map(text())),
        ("status", word(&["active", "deleted"])),
        ("created_at", time()),
        ("updated_at", time()),
    ])
}

fn grant() -> Value {
    let mismatch = record([("reported_at", time()), ("missing_scopes", nullable(texts()))]);
    let delegation = record([
        ("grant_id", id()),
        ("agent_id", nullable(id())),
        ("delegable", yes_no()),
        ("scope_constraint", nullable(texts())),
        ("status", word(&["active", "expired", "revoked"])),
        ("expires_at", nullable(time())),
    ]);
    let grant = record([
        ("grant_id", id()),
        ("provider_id", nullable(text())),
        ("managed_secret_id", nullable(id())),
        ("credential_id", id()),
        ("account_identifier", nullable(text())),
        ("account_display_name", nullable(text())),
        ("principal_type", word(&["user", "group", "agent", "system"])),
        ("app_user_id", nullable(text())),
        ("external_group_id", nullable(text())),
        ("agent_id", nullable(id())),
        ("label", nullable(text())),
        ("parent_grant_id", nullable(id())),
        ("depth", count()),
        ("delegable", yes_no()),
        ("scopes", nullable(texts())),
        ("scope_constraint", nullable(texts())),
        ("grant_policy", grant_policy()),
        ("status", word(&["active", "expired", "revoked", "deleted"])),
        ("needs_reconnect", yes_no()),
        ("created_at", time()),
        ("expires_at", nullable(time())),
        ("revoked_at", nullable(time())),
        ("last_used_at", nullable(time())),
        ("scope_mismatch", nullable(mismatch)),
        ("delegations", list(delegation)),
    ]);
    without(grant, &["delegations"])
}

/// A provider of the catalogue, one that was discovered, or one at which an app is registered: which members there are depends on `status`.
fn provider() -> Value {
    let provider = record([
        ("id", text()),
        ("name", text()),
        ("status", word(&["available", "discovered", "registered", "removed"])),
        ("api_hosts", texts()),
        ("confidence", nullable(word(&["high", "medium", "low"]))),
        ("documentation_url", nullable(text())),
        ("client_id", text()),
        ("redirect_uri", text()),
        ("own_entry", yes_no()),
        ("settings", map(text())),
        ("scopes", texts()),
        ("allowed_scopes", nullable(texts())),
        ("version", count()),
        ("created_at", time()),
        ("updated_at", time()),
        ("registers_clients", yes_no()),
        ("entry", object()),
    ]);
    without(
        provider,
        &[
            "client_id",
            "redirect_uri",
            "own_entry",
            "settings",
            "scopes",
            "allowed_scopes",
            "version",
            "created_at",
            "updated_at",
            "registers_clients",
            "entry",
        ],
    )
}

fn identity_provider() -> Value {
    record([
        ("id", id()),
        ("issuer", text()),
        ("client_id", nullable(text())),
        ("client_secret_set", yes_no()),
        ("audiences", texts()),
        ("groups_claim", nullable(text())),
        ("scopes", texts()),
        ("redirect_uri", text()),
        ("created_at", time()),
        ("updated_at", time()),
    ])
}

fn audit_row() -> Value {
    record([
        ("chain", text()),
        ("sequence", count()),
        ("at", time()),
        ("action", text()),
        ("outcome", word(&["released", "done", "refused"])),
        ("code", nullable(text())),
        ("detail", nullable(text())),
        ("key_id", nullable(id())),
        ("operator_id", nullable(id())),
        ("caller", nullable(text())),
        ("caller_type", nullable(word(&["agent", "service"]))),
        ("actor_id", nullable(id())),
        ("grant_id", nullable(id())),
        ("provider_id", nullable(text())),
        ("subject", nullable(text())),
        ("method", nullable(text())),
        ("url", nullable(text())),
        ("reason", nullable(text())),
        ("context", super::schema::anything()),
        ("report", super::schema::anything()),
        ("request_id", nullable(text())),
        ("trace_id", nullable(text())),
        ("refers_to", nullable(count())),
        ("voided_by", nullable(count())),
        ("mac", text()),
    ])
}

fn head() -> Value {
    record([("chain", text()), ("sequence", count()), ("mac", text())])
}

fn report() -> Value {
    record([
        ("chain", text()),
        ("intact", yes_no()),
        ("rows", count()),
        ("head", head()),
        ("findings", texts()),
        ("finding_count", count()),
    ])
}
