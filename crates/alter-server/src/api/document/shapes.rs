//! The document's components: what answers of several operations have in common.

use serde_json::{Map, Value, json};

use super::admin_shapes;
use super::schema::{anything, body, count, id, list, map, nullable, object, record, text, texts, time, with, without, word, yes_no};

/// All of them.
pub fn all() -> Map<String, Value> {
    let shared = [
        ("Refusal", refusal()),
        ("Restrictions", restrictions()),
        ("AgentPolicy", agent_policy()),
        ("Grant", grant()),
        ("GrantInfo", grant_info()),
        ("Key", key()),
        ("Agent", agent()),
        ("AgentKey", agent_key()),
        ("Identity", identity()),
        ("TokenAnswer", token_answer()),
        ("ProviderSpec", provider_spec()),
        ("SpecOperation", spec_operation()),
        ("CatalogueProvider", catalogue_provider()),
        ("Approval", super::approvals::listed()),
    ];
    shared.into_iter().chain(admin_shapes::all()).map(|(name, shape)| (name.to_owned(), shape)).collect()
}

/// What every refusal has. Some codes have more members: `insufficient_scope` those that are missing, `ambiguous_grant` its candidates.
fn refusal() -> Value {
    let mut shape = record([("error", text()), ("message", text())]);
    shape["description"] = "`error` is stable and for programs, `message` is for people.".into();
    shape
}

fn restrictions() -> Value {
    body(&[], [("allowed_methods", nullable(texts())), ("allowed_endpoints", nullable(texts()))])
}

/// As a request sets it; answers on the wire say only how many may approve.
fn agent_policy() -> Value {
    let approvers = json!({ "type": "array", "minItems": 1, "maxItems": 20, "items": { "type": "string", "format": "email" } });
    body(&[], [("requires_approval", body(&["approvers"], [("approvers", approvers)]))])
}

fn common_grant() -> Value {
    let policy = with(super::admin_shapes::grant_policy(), [("expires_at", nullable(time())), ("created_at", time())]);
    record([
        ("grant_id", id()),
        ("principal_type", word(&["user", "group", "agent", "system"])),
        ("status", word(&["active", "expired", "revoked"])),
        ("label", nullable(text())),
        ("credential_id", id()),
        ("parent_grant_id", nullable(id())),
        ("depth", count()),
        ("delegable", yes_no()),
        ("delegated_at", nullable(time())),
        ("scope_constraint", nullable(texts())),
        ("grant_policy", policy),
        ("grant_expires_at", nullable(time())),
        ("created_at", time()),
        ("last_used_at", nullable(time())),
        ("account_identifier", nullable(text())),
        ("account_display_name", nullable(text())),
    ])
}

fn grant() -> Value {
    let secret = with(
        common_grant(),
        [
            ("grant_kind", word(&["managed_secret"])),
            ("access_via", word(&["ownership", "ms_delegation"])),
            ("managed_secret_id", id()),
            ("managed_secret_slug", text()),
            ("managed_secret_name", text()),
            ("agent_id", nullable(id())),
            ("credential_kind", text()),
            ("credential_label", nullable(text())),
        ],
    );
    let login = with(
        common_grant(),
        [
            ("grant_kind", word(&["oauth"])),
            ("access_via", word(&["ownership", "oauth_delegation"])),
            ("provider_id", text()),
            ("scopes", texts()),
            ("scope_mismatch", yes_no()),
            ("needs_reconnect", yes_no()),
            ("delegated_agent_ids", list(id())),
            ("api_base_url", nullable(text())),
            ("expires_at", nullable(time())),
        ],
    );
    json!({ "oneOf": [secret, login] })
}

fn grant_info() -> Value {
    with(
        common_grant(),
        [
            ("provider_id", text()),
            ("scopes", texts()),
            ("scope_mismatch", yes_no()),
            ("expires_at", nullable(time())),
            ("api_base_url", nullable(text())),
        ],
    )
}

/// A key, without the key itself.
pub fn key() -> Value {
    record([
        ("id", id()),
        ("name", text()),
        ("key_type", word(&["key", "rk", "ak", "dk", "pk"])),
        ("agent_id", nullable(id())),
        ("key_prefix", text()),
        ("scopes", texts()),
        ("scope_version", count()),
        ("status", word(&["active", "deprecated", "revoked", "expired"])),
        ("cidr_allowlist", nullable(texts())),
        ("rate_limit_rpm", nullable(count())),
        ("effective_rate_limit_rpm", count()),
        ("rate_limit_source", word(&["platform_default", "key"])),
        ("created_at", time()),
        ("expires_at", nullable(time())),
        ("deprecated_at", nullable(time())),
        ("works_until", nullable(time())),
        ("revoked_at", nullable(time())),
        ("last_used_at", nullable(time())),
        ("parent_key_id", nullable(id())),
        ("metadata", object()),
    ])
}

/// An agent, as its application sees it.
pub fn agent() -> Value {
    let policy = without(record([("requires_approval", record([("approvers_count", count())]))]), &["requires_approval"]);
    record([
        ("id", id()),
        ("name", text()),
        ("display_name", nullable(text())),
        ("type", word(&["agent", "service"])),
        ("status", word(&["active", "inactive", "revoked"])),
        ("scopes", map(texts())),
        ("scopes_pending", nullable(map(texts()))),
        ("scopes_applies_at", nullable(time())),
        ("policy", policy),
        ("metadata", object()),
        ("rate_limit_per_minute", nullable(count())),
        ("version", count()),
        ("created_at", time()),
        ("last_used_at", nullable(time())),
        ("parent_agent_id", nullable(id())),
        ("stored_legacy_managed_secret_names", texts()),
    ])
}

/// A key of an agent, without the key itself.
pub fn agent_key() -> Value {
    record([
        ("key_id", id()),
        ("key_prefix", text()),
        ("name", text()),
        ("scopes", texts()),
        ("created_at", time()),
        ("expires_at", nullable(time())),
        ("deprecated_at", nullable(time())),
        ("revoked_at", nullable(time())),
        ("last_used_at", nullable(time())),
    ])
}

fn identity() -> Value {
    record([
        ("app_id", id()),
        ("app_user_id", nullable(text())),
        ("external_subject_id", nullable(text())),
        ("idp_id", nullable(id())),
        ("agent_id", nullable(id())),
        ("actor_id", nullable(id())),
        ("user_status", nullable(word(&["active"]))),
        ("group_ids", texts()),
        ("email", nullable(text())),
        ("display_name", nullable(text())),
        ("trace", nullable(object())),
    ])
}

fn token_answer() -> Value {
    let injection = record([("target", word(&["header", "query_param"])), ("key", text()), ("value_source", text())]);
    let answer = record([
        ("access_token", text()),
        ("token_type", word(&["Bearer"])),
        ("grant_id", id()),
        ("injection_header", text()),
        ("injection_format", text()),
        ("additional_credentials", nullable(map(text()))),
        ("additional_injections", nullable(list(injection))),
        ("provider_id", text()),
        ("scope_mismatch", yes_no()),
        ("scopes", texts()),
        ("expires_at", nullable(time())),
        ("token_expires_at", nullable(time())),
        ("grant_expires_at", nullable(time())),
    ]);
    without(answer, &["token_expires_at"])
}

fn provider_spec() -> Value {
    record([
        ("provider_kind", word(&["oauth", "managed"])),
        ("provider_id", text()),
        ("title", nullable(text())),
        ("spec_version", nullable(text())),
        ("version", count()),
        ("operation_count", count()),
        ("provenance", text()),
        ("source_url", nullable(text())),
        ("content_hash", text()),
        ("fetched_at", time()),
        ("changed_at", time()),
    ])
}

/// An operation of a provider's API, as lists have it.
pub fn spec_operation() -> Value {
    record([("operation_id", text()), ("method", text()), ("path_template", text()), ("summary", nullable(text()))])
}

fn catalogue_provider() -> Value {
    let scope = record([("description", text()), ("required", yes_no()), ("is_default", yes_no()), ("requires", list(anything()))]);
    record([
        ("id", text()),
        ("name", text()),
        ("display_name", text()),
        ("status", word(&["active"])),
        ("category", nullable(text())),
        ("description", nullable(text())),
        ("logo_url", nullable(text())),
        ("supports_refresh", yes_no()),
        ("supports_pkce", yes_no()),
        ("available_scopes", map(scope)),
        ("default_scopes", texts()),
        ("required_scopes", texts()),
    ])
}
