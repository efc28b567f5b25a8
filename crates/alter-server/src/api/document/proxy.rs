//! Calls with a credential: retrieved by the client, or made by the vault.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{
    anything, body, count, id, map, nullable, object, record, shape, short, text, texts, whole, with, without, word, yes_no,
};

/// What judging a grant for a call can end with.
const OF_GRANTS: &[(u16, &[&str])] = &[
    (400, &["grant_revoked", "credential_revoked", "hitl_grant_requires_proxy"]),
    (
        403,
        &["grant_expired", "policy_denied", "policy_not_evaluable", "request_rule_denied", "step_up_required", "agent_scope_not_allowed"],
    ),
    (404, &["grant_not_found"]),
    (409, &["ambiguous_grant", "token_refresh_in_progress", "secret_changed", "changed_meanwhile"]),
    (410, &["grant_deleted"]),
    (422, &["blocked_destination", "groups_unknown"]),
    (502, &["provider_error", "provider_configuration_unavailable"]),
];

pub fn operations() -> Vec<Operation> {
    vec![token(), proxy(), report(), mismatch()]
}

fn token() -> Operation {
    let call = json!({
        "type": "object",
        "required": ["method", "url"],
        "properties": { "method": text(), "url": text() },
    });
    let members = [
        ("grant_id", text()),
        ("provider_id", nullable(text())),
        ("label", nullable(text())),
        ("account", nullable(text())),
        ("app_user_id", nullable(text())),
        ("user_token", nullable(text())),
        ("reason", nullable(text())),
        ("request", call),
    ];
    Operation::signed("post", "/sdk/token", "retrieveToken", "Releases a credential to a client that makes the call itself")
        .needs(&["tokens:retrieve"])
        .body(named(body(&["request"], members)))
        .answers(200, shape("TokenAnswer"))
        .with_user_token()
        .refusing(OF_GRANTS)
        .refuses(400, &["restricted_grant_requires_proxy", "delegated_grant_requires_proxy"])
}

fn proxy() -> Operation {
    let value = json!({ "type": ["string", "number", "boolean", "null", "array"] });
    let members = [
        ("grant_id", text()),
        ("provider_id", nullable(text())),
        ("label", nullable(text())),
        ("account", nullable(text())),
        ("app_user_id", nullable(text())),
        ("user_token", nullable(text())),
        ("reason", nullable(text())),
        ("method", text()),
        ("url", text()),
        ("query_params", nullable(map(value))),
        ("headers", nullable(map(text()))),
        ("body", anything()),
        ("idempotency_key", nullable(short(1, 255))),
    ];
    Operation::signed("post", "/sdk/proxy", "proxyCall", "Makes a call with a credential that the client never holds")
        .needs(&["proxy:execute"])
        .body(named(body(&["method", "url"], members)))
        .answers(200, without(with(answer(), [("approval_id", id())]), &["approval_id"]))
        .answers(202, super::approvals::pending())
        .with_user_token()
        .refusing(OF_GRANTS)
        .refusing(super::approvals::OF_ENDS)
        .refuses(400, &["scope_constraint_not_evaluable"])
        .refuses(
            403,
            &["redact_discharge_failed", "method_not_allowed_by_grant", "endpoint_not_allowed_by_grant", "scope_not_allowed_by_grant"],
        )
        .refuses(409, &["call_in_progress", "outcome_unknown"])
        .refuses(422, &["query_too_long", "idempotency_key_reused"])
        .refuses(429, &["too_many_pending_approvals"])
        .refuses(502, &["unusable_credential"])
        .refuses(504, &["provider_timeout"])
}

/// The provider's answer.
pub fn answer() -> Value {
    record([
        ("status_code", whole(100, 999)),
        ("headers", map(text())),
        ("body_b64", text()),
        ("body_truncated", yes_no()),
        ("duration_ms", count()),
        ("credential_hint", nullable(text())),
    ])
}

/// A body that names a grant, by its id or by its provider.
fn named(mut wanted: Value) -> Value {
    wanted["oneOf"] = json!([{ "required": ["grant_id"] }, { "required": ["provider_id"] }]);
    wanted
}

fn report() -> Operation {
    let report = json!({
        "type": "object",
        "required": ["grant_id", "method", "url", "response_status"],
        "properties": {
            "grant_id": text(),
            "provider_id": nullable(text()),
            "method": short(1, 64),
            "url": short(1, 8192),
            "reason": nullable(text()),
            "context": nullable(map(text())),
            "token_generation": anything(),
            "request_headers": nullable(object()),
            "request_body": anything(),
            "response_status": whole(0, 999),
            "response_headers": nullable(object()),
            "response_body": anything(),
            "latency_ms": anything(),
            "retry_info": anything(),
        },
    });
    Operation::signed("post", "/sdk/oauth/audit/api-call", "reportCall", "Reports how a call went, for the audit")
        .body(report)
        .answers(200, record([("status", word(&["recorded"]))]))
        .refuses(404, &["grant_not_found"])
}

fn mismatch() -> Operation {
    let members = record([
        ("provider_status_code", json!({ "const": 403 })),
        ("provider_error_code", word(&["insufficient_scope"])),
        ("detection_source", word(&["www_authenticate_rfc6750"])),
        ("missing_scopes", nullable(texts())),
        ("raw_www_authenticate", nullable(short(0, 4096))),
        ("api_endpoint", nullable(short(0, 2048))),
        ("sdk_correlation_id", nullable(short(0, 64))),
    ]);
    let optional = ["missing_scopes", "raw_www_authenticate", "api_endpoint", "sdk_correlation_id"];
    Operation::signed(
        "post",
        "/sdk/grants/{grant_id}/report-scope-mismatch",
        "reportScopeMismatch",
        "Reports that a provider misses scopes",
    )
    .needs(&["tokens:retrieve"])
    .body(without(members, &optional))
    .answers_nothing()
    .refuses(404, &["grant_not_found"])
    .refuses(422, &["invalid_request"])
}
