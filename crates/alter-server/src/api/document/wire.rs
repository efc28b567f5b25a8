//! Grants, keys, agents and catalogues on the wire.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{
    anything, body, count, id, list, map, name, nullable, object, record, shape, short, text, texts, time, whole, with, word, yes_no,
};

const KINDS: &[&str] = &["oauth", "managed_secret"];

pub fn operations() -> Vec<Operation> {
    let grants = [list_grants(), mint(), delegate(), revoke_grant(), take_back(), give_back(), assign()];
    let keys = [derive(), rotate(), revoke_key()];
    grants.into_iter().chain(keys).chain(agents()).chain(agent_keys()).chain(catalogues()).collect()
}

/// A page of a list on the wire.
fn listed(name: &'static str, items: Value) -> Value {
    record([("total", count()), ("limit", count()), ("offset", count()), ("has_more", yes_no()), (name, list(items))])
}

fn list_grants() -> Operation {
    let wanted = body(
        &[],
        [
            ("limit", nullable(whole(1, 1000))),
            ("offset", nullable(count())),
            ("grant_kind", nullable(word(KINDS))),
            ("provider_id", nullable(text())),
            ("status", nullable(word(&["active", "expired", "revoked"]))),
            ("account", nullable(text())),
            ("label", nullable(text())),
            ("user_token", nullable(short(1, 8192))),
        ],
    );
    Operation::signed("post", "/sdk/grants/list", "listGrants", "The grants that the caller may see")
        .needs(&["grants:read"])
        .body(wanted)
        .answers(200, listed("grants", shape("Grant")))
        .with_user_token()
}

fn mint() -> Operation {
    let policy = body(
        &[],
        [
            ("expires_at", nullable(text())),
            ("max_ttl_seconds", nullable(whole(1, 3_155_760_000))),
            ("restrictions", nullable(shape("Restrictions"))),
            ("requires_approval", nullable(yes_no())),
        ],
    );
    let wanted = body(
        &["label"],
        [
            ("label", short(1, 255)),
            ("grant_tags", nullable(json!({ "type": "array", "maxItems": 50, "items": short(1, 100) }))),
            ("grant_policy", nullable(policy)),
        ],
    );
    Operation::signed("post", "/sdk/grants/{grant_id}/mint", "mintGrant", "A second grant on the credential of a first")
        .needs(&["grants:write"])
        .body(wanted)
        .answers(200, shape("GrantInfo"))
        .refuses(400, &["grant_revoked", "credential_revoked"])
        .refuses(
            403,
            &[
                "agents_cannot_mint",
                "mint_source_has_grant_rules",
                "grant_expired",
                "grant_widens",
                "request_rule_denied",
                "step_up_required",
            ],
        )
        .refuses(404, &["grant_not_found"])
        .refuses(409, &["sibling_label_conflict", "changed_meanwhile", "secret_changed"])
        .refuses(410, &["grant_deleted"])
        .refuses(422, &["invalid_grant_policy"])
}

fn delegate() -> Operation {
    let wanted = body(
        &["to_agent_id"],
        [
            ("to_agent_id", text()),
            ("delegable", nullable(yes_no())),
            ("scope_constraint", nullable(texts())),
            ("ttl_seconds", nullable(whole(1, 3_155_760_000))),
        ],
    );
    let answer = record([
        ("grant_id", id()),
        ("parent_grant_id", id()),
        ("grant_kind", word(KINDS)),
        ("status", word(&["active", "expired", "revoked"])),
        ("depth", count()),
        ("delegable", yes_no()),
        ("expires_at", nullable(time())),
    ]);
    Operation::signed("post", "/sdk/grants/{grant_id}/delegate", "delegateGrant", "An agent passes on what it holds, never more")
        .needs(&["grants:write"])
        .body(wanted)
        .answers(200, answer)
        .refuses(400, &["grant_revoked", "credential_revoked"])
        .refuses(
            403,
            &["agent_key_required", "grant_not_delegable", "grant_expired", "grant_widens", "request_rule_denied", "step_up_required"],
        )
        .refuses(404, &["grant_not_found", "agent_not_found"])
        .refuses(409, &["already_delegated", "sibling_label_conflict", "changed_meanwhile", "secret_changed"])
        .refuses(410, &["grant_deleted"])
        .refuses(422, &["invalid_scope_constraint"])
}

fn revoke_grant() -> Operation {
    let wanted = body(&[], [("reason", nullable(short(1, 1024))), ("user_token", nullable(short(1, 8192)))]);
    let answer = record([("success", yes_no()), ("message", text()), ("grant_id", id()), ("revoked_at", time())]);
    Operation::signed("post", "/sdk/oauth/grants/{grant_id}/revoke", "revokeGrant", "Ends a grant and what was delegated from it")
        .needs(&["grants:write"])
        .body(wanted)
        .answers(200, answer)
        .with_user_token()
        .refuses(404, &["grant_not_found"])
}

fn take_back() -> Operation {
    let path = "/sdk/grants/{grant_id}/delegations/{agent_id}";
    Operation::signed("delete", path, "revokeDelegation", "The application takes back what an agent holds of a grant")
        .needs(&["grants:write"])
        .answers_nothing()
        .refuses(403, &["use_self_revoke_path"])
        .refuses(404, &["grant_not_found"])
}

fn give_back() -> Operation {
    let path = "/sdk/grants/{grant_id}/delegations/me";
    Operation::signed("delete", path, "giveDelegationBack", "An agent gives back what it holds of a grant")
        .needs(&["grants:write"])
        .answers_nothing()
        .refuses(403, &["agent_key_required"])
        .refuses(404, &["grant_not_found"])
}

fn assign() -> Operation {
    let label = || ("label", nullable(short(1, 255)));
    let kind = |word: &str| ("type", json!({ "const": word }));
    let principal = json!({ "oneOf": [
        body(&["type"], [kind("system"), label()]),
        body(&["type", "user_token"], [kind("user"), label(), ("user_token", short(1, 8192))]),
        body(&["type", "idp_id", "external_group_id"], [kind("group"), label(), ("idp_id", short(1, 2048)), ("external_group_id", short(1, 255))]),
    ] });
    let policy = body(
        &[],
        [
            ("expires_at", nullable(text())),
            ("max_ttl_seconds", nullable(whole(1, 3_155_760_000))),
            ("default_ttl_seconds", nullable(whole(1, 3_155_760_000))),
        ],
    );
    let wanted = body(&["principal"], [("principal", principal), ("credential_id", nullable(text())), ("grant_policy", nullable(policy))]);
    let answer = record([
        ("grant_id", id()),
        ("principal_type", text()),
        ("label", nullable(text())),
        ("credential_id", id()),
        ("created_at", time()),
    ]);
    Operation::signed("post", "/sdk/managed-secrets/{secret_id}/grants", "assignSecret", "Lets somebody use a managed secret")
        .needs(&["secrets:write"])
        .body(wanted)
        .answers(200, answer)
        .with_user_token()
        .refuses(403, &["agents_cannot_assign", "grant_widens", "request_rule_denied", "step_up_required"])
        .refuses(404, &["secret_not_found", "grant_not_found"])
        .refuses(
            409,
            &[
                "credential_id_required",
                "end_user_credential_not_assignable",
                "sibling_label_conflict",
                "changed_meanwhile",
                "secret_changed",
            ],
        )
        .refuses(410, &["grant_deleted"])
        .refuses(422, &["invalid_grant_policy", "unsupported_principal", "unsupported_group_source"])
}

fn derive() -> Operation {
    let wanted = body(
        &["scopes", "expires_in"],
        [
            ("scopes", json!({ "type": "array", "minItems": 1, "items": text() })),
            ("expires_in", whole(1, 86_400)),
            ("cidr_allowlist", nullable(texts())),
            ("rate_limit_rpm", nullable(whole(1, u64::from(u32::MAX)))),
            ("name", nullable(short(0, 255))),
            ("metadata", nullable(object())),
        ],
    );
    Operation::signed("post", "/sdk/keys/derive", "deriveKey", "A short-lived key that may do less than the one that asks")
        .needs(&["keys:derive"])
        .body(wanted)
        .answers(201, with(shape_of_key(), [("api_key", text())]))
        .refuses(400, &["invalid_scope_for_derived_key", "key_not_narrowing"])
        .refuses(403, &["impersonation_not_inheritable", "request_rule_denied"])
        .refuses(409, &["agent_key_limit_reached"])
}

/// A key, for answers with one member more.
fn shape_of_key() -> Value {
    super::shapes::key()
}

const OF_KEYS: &[(u16, &[&str])] = &[(404, &["key_not_found"]), (409, &["key_revoked", "last_active_key", "changed_meanwhile"])];

fn rotate() -> Operation {
    Operation::signed(
        "post",
        "/sdk/keys/{key_id}/rotate",
        "rotateKey",
        "A successor with the same reach; the key works beside it for a while",
    )
    .needs(&["keys:admin"])
    .body(body(&[], [("overlap_days", nullable(whole(0, 30)))]))
    .answers(201, with(shape_of_key(), [("api_key", text())]))
    .refusing(OF_KEYS)
    .refuses(400, &["derived_key_not_rotatable"])
    .refuses(403, &["key_beyond_reach", "request_rule_denied"])
    .refuses(409, &["key_expired", "key_rotated_grace_expired", "agent_key_limit_reached"])
}

fn revoke_key() -> Operation {
    Operation::signed("delete", "/sdk/keys/{key_id}", "revokeKey", "Ends a key and what was derived from it")
        .needs(&["keys:admin"])
        .query("force", yes_no())
        .answers(200, shape("Key"))
        .refusing(OF_KEYS)
}

fn agents() -> Vec<Operation> {
    let made = with(super::shapes::agent(), [("api_key", nullable(text())), ("key_id", id())]);
    let changed = || {
        [
            ("display_name", nullable(short(0, 255))),
            ("metadata", nullable(object())),
            ("scopes", nullable(map(texts()))),
            ("policy", nullable(shape("AgentPolicy"))),
        ]
    };
    let [display_name, metadata, scopes, policy] = changed();
    let wanted =
        body(&["name"], [("name", name()), ("type", nullable(word(&["agent", "service"]))), display_name, metadata, scopes, policy]);
    let [display_name, metadata, scopes, policy] = changed();
    let update = body(&[], [("status", nullable(word(&["active", "inactive"]))), display_name, metadata, scopes, policy]);
    vec![
        Operation::signed("get", "/sdk/agents", "listAgents", "The application's agents")
            .needs(&["agents:read"])
            .query("limit", whole(1, 1000))
            .query("offset", count())
            .query("include_revoked", yes_no())
            .query("name", text())
            .answers(200, listed("items", shape("Agent")))
            .refuses(403, &["app_key_required"]),
        Operation::signed("post", "/sdk/agents", "createAgent", "A new agent with its first key, which is shown this once")
            .needs(&["agents:write"])
            .header("Idempotency-Key", short(1, 255))
            .body(wanted)
            .answers(201, made.clone())
            .answers(200, made)
            .refuses(403, &["agent_cannot_mint_subagents", "request_rule_denied"])
            .refuses(
                409,
                &[
                    "agent_name_exists",
                    "agent_concurrent_update",
                    "idempotency_key_body_mismatch",
                    "idempotency_key_agent_inactive",
                    "idempotency_key_agent_revoked",
                    "secret_changed",
                ],
            )
            .refuses(422, &["legacy_managed_secret_name_rejected"]),
        Operation::signed("get", "/sdk/agents/me", "agentMe", "What an agent can find out about itself")
            .answers(200, shape("Agent"))
            .refuses(403, &["me_requires_agent_key"]),
        Operation::signed("get", "/sdk/agents/{agent_id}", "getAgent", "One agent")
            .needs(&["agents:read"])
            .answers(200, shape("Agent"))
            .refuses(403, &["app_key_required"])
            .refuses(404, &["agent_not_found"]),
        Operation::signed("patch", "/sdk/agents/{agent_id}", "updateAgent", "Changes, pauses or resumes an agent")
            .needs(&["agents:write"])
            .query("expected_version", whole(1, u64::from(u32::MAX)))
            .query("grace_seconds", whole(0, 604_800))
            .body(update)
            .answers(200, shape("Agent"))
            .refuses(403, &["app_key_required"])
            .refuses(404, &["agent_not_found"])
            .refuses(409, &["agent_revoked", "agent_concurrent_update", "changed_meanwhile", "secret_changed"])
            .refuses(422, &["legacy_managed_secret_name_rejected"]),
        Operation::signed("delete", "/sdk/agents/{agent_id}", "deleteAgent", "Ends an agent, its keys and what it holds")
            .needs(&["agents:write"])
            .answers(200, shape("Agent"))
            .refuses(403, &["app_key_required"])
            .refuses(404, &["agent_not_found"]),
    ]
}

fn agent_keys() -> Vec<Operation> {
    let key = || shape("AgentKey");
    vec![
        Operation::signed("get", "/sdk/agents/{agent_id}/keys", "listAgentKeys", "The keys of an agent")
            .needs(&["agents:admin"])
            .answers(200, record([("items", list(key()))]))
            .refuses(403, &["app_key_required"])
            .refuses(404, &["agent_not_found"]),
        Operation::signed("post", "/sdk/agents/{agent_id}/keys", "mintAgentKey", "A further key of an agent, which is shown this once")
            .needs(&["agents:admin"])
            .body(body(&[], []))
            .answers(201, with(super::shapes::agent_key(), [("api_key", text())]))
            .refuses(403, &["agent_cannot_mint_subagents", "request_rule_denied"])
            .refuses(404, &["agent_not_found"])
            .refuses(409, &["agent_key_limit_reached"]),
        Operation::signed("delete", "/sdk/agents/{agent_id}/keys/{key_id}", "revokeAgentKey", "Ends a key of an agent")
            .needs(&["agents:admin"])
            .query("force", yes_no())
            .answers(200, key())
            .refusing(OF_KEYS)
            .refuses(403, &["app_key_required"])
            .refuses(404, &["agent_not_found"]),
        Operation::signed(
            "patch",
            "/sdk/agents/{agent_id}/keys/{key_id}/deprecate",
            "deprecateAgentKey",
            "Tells the key's holder to change to another",
        )
        .needs(&["agents:admin"])
        .body(body(&[], []))
        .answers(200, key())
        .refusing(OF_KEYS)
        .refuses(403, &["app_key_required"])
        .refuses(404, &["agent_not_found"]),
        Operation::signed("patch", "/sdk/agents/{agent_id}/keys/{key_id}/undeprecate", "undeprecateAgentKey", "Takes that back")
            .needs(&["agents:admin"])
            .body(body(&[], []))
            .answers(200, key())
            .refusing(OF_KEYS)
            .refuses(403, &["app_key_required"])
            .refuses(404, &["agent_not_found"]),
    ]
}

fn catalogues() -> Vec<Operation> {
    let spec = "/sdk/provider-specs/{kind}/{provider_id}";
    let scopes = record([
        ("scope_version", count()),
        ("resources", map(record([("verbs", texts())]))),
        ("action_verbs", texts()),
        ("deprecated", list(anything())),
    ]);
    let span = body(
        &["trace_id", "name", "start_time"],
        [
            ("trace_id", short(1, 255)),
            ("span_id", nullable(short(1, 32))),
            ("parent_span_id", nullable(short(1, 32))),
            ("name", short(1, 255)),
            ("start_time", time()),
            ("end_time", nullable(time())),
            ("attributes", nullable(map(short(0, 1024)))),
        ],
    );
    let spans = body(&["spans"], [("spans", json!({ "type": "array", "minItems": 1, "maxItems": 50, "items": span }))]);
    let operation = with(
        super::shapes::spec_operation(),
        [("params_schema", anything()), ("request_schema", anything()), ("response_schema", anything()), ("spec", shape("ProviderSpec"))],
    );
    vec![
        Operation::signed("get", "/sdk/scopes", "listScopes", "Every scope that a key can have").answers(200, scopes),
        Operation::signed(
            "get",
            "/sdk/oauth/provider-catalog",
            "listProviders",
            "The providers at which people of the application can connect",
        )
        .needs(&["providers:read"])
        .answers(200, record([("providers", map(shape("CatalogueProvider")))])),
        Operation::signed("get", "/sdk/provider-specs", "listProviderSpecs", "The APIs of which a description is loaded")
            .needs(&["providers:read"])
            .query("kind", word(&["oauth", "managed"]))
            .answers(200, record([("total", count()), ("items", list(shape("ProviderSpec")))])),
        Operation::signed("get", spec, "getProviderSpec", "The description of one API")
            .needs(&["providers:read"])
            .answers(200, shape("ProviderSpec"))
            .refuses(404, &["provider_spec_not_found"]),
        Operation::signed("get", "/sdk/provider-specs/{kind}/{provider_id}/operations", "listSpecOperations", "What an API can do")
            .needs(&["providers:read"])
            .query("limit", whole(1, 500))
            .query("offset", count())
            .query("search", short(1, 200))
            .answers(200, with(listed("items", shape("SpecOperation")), [("spec", shape("ProviderSpec"))]))
            .refuses(404, &["provider_spec_not_found"]),
        Operation::signed(
            "get",
            "/sdk/provider-specs/{kind}/{provider_id}/operation",
            "getSpecOperation",
            "One operation with its schemas",
        )
        .needs(&["providers:read"])
        .required_query("operation_id", short(1, 512))
        .answers(200, operation)
        .refuses(404, &["provider_spec_not_found", "operation_not_found"]),
        Operation::signed("post", "/sdk/spans", "emitSpans", "What a program says about its own steps")
            .needs(&["spans:emit"])
            .body(spans)
            .answers(200, record([("accepted", count())])),
    ]
}
