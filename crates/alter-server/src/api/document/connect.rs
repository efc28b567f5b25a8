//! Connect sessions, signing in, and identities.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{
    anything, body, count, id, list, map, nullable, object, record, shape, short, text, texts, time, whole, with, without, word, yes_no,
};

pub fn operations() -> Vec<Operation> {
    vec![
        start_login(),
        start_key(),
        Operation::signed("post", "/sdk/oauth/connect/session/poll", "pollConnectSession", "How a connect session went")
            .needs(&["connect:initiate"])
            .body(body(&["session_token"], [("session_token", short(1, 8192))]))
            .answers(200, polled()),
        Operation::signed("post", "/sdk/oauth/connect/session/cancel", "cancelConnectSession", "Gives a connect session up")
            .needs(&["connect:initiate"])
            .body(body(&["session_token"], [("session_token", short(1, 8192))]))
            .answers(200, record([("cancelled", yes_no())])),
        Operation::signed("post", "/sdk/auth/session", "startSignIn", "Begins the sign-in of a person")
            .needs(&["idp_users:write"])
            .body(body(&[], []))
            .answers(201, record([("session_token", text()), ("auth_url", text()), ("expires_in", count()), ("expires_at", time())]))
            .refuses(400, &["idp_signin_not_configured"]),
        poll_sign_in(),
        Operation::signed("post", "/sdk/auth/verify-token", "verifyUserToken", "Whose token it is")
            .needs(&["idp_users:read"])
            .body(body(&["token"], [("token", text())]))
            .answers(200, record([("sub", text())]))
            .with_user_token(),
        resolve(),
        assert(),
    ]
}

fn requested_policy() -> Value {
    nullable(body(
        &[],
        [
            ("expires_at", nullable(text())),
            ("max_ttl_seconds", nullable(whole(1, 3_155_760_000))),
            ("default_ttl_seconds", nullable(whole(1, 3_155_760_000))),
        ],
    ))
}

fn session<const N: usize>(members: [(&str, Value); N]) -> Value {
    let common = record([("session_token", text()), ("connect_url", text()), ("expires_in", count()), ("expires_at", time())]);
    with(common, members)
}

fn start_login() -> Operation {
    let wanted = body(
        &[],
        [
            ("allowed_providers", nullable(texts())),
            ("required_scopes", nullable(map(texts()))),
            ("return_url", nullable(short(1, 4096))),
            ("allowed_origin", nullable(short(1, 4096))),
            ("metadata", nullable(body(&[], [("ip_address", nullable(short(1, 1024))), ("user_agent", nullable(short(1, 1024)))]))),
            ("grant_policy", requested_policy()),
            ("requested_grant", nullable(body(&["label"], [("label", short(1, 255)), ("restrictions", nullable(shape("Restrictions")))]))),
            ("scope_constraint", nullable(texts())),
            ("allow_user_policy_rules", nullable(yes_no())),
            ("direct", nullable(yes_no())),
            ("switch_account", nullable(yes_no())),
            ("login_hint", nullable(short(1, 255))),
            ("repair_grant_id", nullable(text())),
            ("delegable", nullable(yes_no())),
            ("agent", nullable(text())),
            ("user_token", nullable(short(1, 8192))),
        ],
    );
    Operation::signed("post", "/sdk/oauth/connect/session", "startConnectSession", "Asks a person for logins at providers")
        .needs(&["connect:initiate"])
        .body(wanted)
        .answers(200, session([("scope_constraint_warnings", anything()), ("single_provider", yes_no()), ("direct", yes_no())]))
        .with_user_token()
        .refuses(
            400,
            &[
                "invalid_return_url",
                "invalid_origin",
                "provider_not_configured",
                "scope_not_allowed",
                "agent_requires_user_token",
                "agent_cannot_delegate_to_other_agent",
            ],
        )
        .refuses(403, &["request_rule_denied", "step_up_required"])
        .refuses(404, &["agent_not_found", "grant_not_found"])
        .refuses(409, &["idp_signin_not_configured", "changed_meanwhile", "secret_changed"])
        .refuses(422, &["invalid_grant_policy", "invalid_requested_grant", "invalid_scope_constraint", "unsupported_group_source"])
}

fn start_key() -> Operation {
    let wanted = body(
        &["user_token"],
        [
            ("provider", nullable(text())),
            ("template_slug", nullable(text())),
            ("user_token", short(1, 8192)),
            ("agent", nullable(text())),
            ("delegated_agent_id", nullable(text())),
            ("repair_grant_id", nullable(text())),
            ("requested_grant", nullable(body(&["label"], [("label", short(1, 255))]))),
            ("grant_policy", requested_policy()),
            ("delegable", nullable(yes_no())),
            ("direct", nullable(yes_no())),
            ("allow_user_policy_rules", nullable(yes_no())),
            ("return_url", nullable(short(1, 4096))),
            ("allowed_origin", nullable(short(1, 4096))),
        ],
    );
    let answer = session([
        ("delegable_requested", yes_no()),
        ("path", nullable(word(&["fast_path", "key_entry", "repair"]))),
        ("existing_grant_id", nullable(id())),
        ("direct", yes_no()),
        ("secret_slug", text()),
        ("template_slug", text()),
        ("agent_id", nullable(id())),
    ]);
    Operation::signed("post", "/sdk/managed-secrets/connect/session", "startKeySession", "Asks a person for a key of their own")
        .needs(&["connect:initiate", "secrets:write"])
        .body(wanted)
        .answers(200, answer)
        .with_user_token()
        .refuses(400, &["invalid_return_url", "invalid_origin", "agent_cannot_delegate_to_other_agent"])
        .refuses(403, &["request_rule_denied", "step_up_required"])
        .refuses(404, &["agent_not_found", "grant_not_found", "secret_not_found"])
        .refuses(409, &["idp_signin_not_configured", "changed_meanwhile", "secret_changed"])
        .refuses(422, &["secret_template_mismatch", "invalid_repair", "invalid_grant_policy", "invalid_requested_grant"])
}

fn polled() -> Value {
    let declined = record([("provider_id", text()), ("error_code", text()), ("declined_at", time())]);
    let failed = record([("provider_id", text()), ("reason", text()), ("message", text())]);
    let error = record([("error_code", text()), ("error_message", text())]);
    json!({ "oneOf": [
        record([("status", word(&["expired"]))]),
        without(record([("status", word(&["pending"])), ("declined_providers", list(declined))]), &["declined_providers"]),
        record([("status", word(&["completed"])), ("grants", list(object())), ("failed_grants", list(failed))]),
        record([("status", word(&["error"])), ("error", error)]),
    ] })
}

fn poll_sign_in() -> Operation {
    let person = record([("sub", text()), ("email", nullable(text())), ("email_verified", nullable(yes_no())), ("name", nullable(text()))]);
    let answer = json!({ "oneOf": [
        record([("status", word(&["expired", "pending"]))]),
        record([("status", word(&["completed"])), ("user_token", text()), ("user_info", person)]),
        record([("status", word(&["error"])), ("error_code", text()), ("error_message", text())]),
    ] });
    Operation::signed("post", "/sdk/auth/poll", "pollSignIn", "How a sign-in went; waits up to `wait_ms` for its end")
        .needs(&["idp_users:read"])
        .body(body(&["session_token"], [("session_token", short(1, 8192)), ("wait_ms", nullable(count()))]))
        .answers(200, answer)
}

fn resolve() -> Operation {
    let wanted =
        body(&[], [("user_token", nullable(short(1, 8192))), ("app_user_id", nullable(text())), ("include_profile", nullable(yes_no()))]);
    Operation::signed("post", "/sdk/identity/resolve", "resolveIdentity", "Who is acting, and for whom")
        .needs(&["idp_users:read"])
        .body(wanted)
        .answers(200, shape("Identity"))
        .with_user_token()
        .refuses(404, &["identity_not_found"])
}

fn assert() -> Operation {
    let wanted = body(
        &["audience"],
        [
            ("user_token", nullable(short(1, 8192))),
            ("app_user_id", nullable(text())),
            ("include_profile", nullable(yes_no())),
            ("audience", short(1, 512)),
            ("ttl_seconds", nullable(whole(10, 300))),
        ],
    );
    Operation::signed("post", "/sdk/identity/assert", "assertIdentity", "The same, signed for another service")
        .needs(&["idp_users:read"])
        .body(wanted)
        .answers(200, record([("token", text()), ("expires_at", anything()), ("identity", shape("Identity"))]))
        .with_user_token()
        .refuses(404, &["identity_not_found"])
        .refuses(422, &["invalid_audience"])
        .refuses(503, &["signing_unavailable"])
}
