//! The admin plane: what belongs to an application.

use serde_json::Value;

use super::operation::Operation;
use super::schema::{
    anything, body, list, map, name, nullable, object, page, record, shape, short, text, texts, whole, with, word, yes_no,
};

/// The longest life that can be asked for, in seconds.
const CENTURY: u64 = 100 * 366 * 86_400;

pub fn operations() -> Vec<Operation> {
    keys()
        .into_iter()
        .chain(agents())
        .chain(secrets())
        .chain(grants())
        .chain(providers())
        .chain(specs())
        .chain(policies())
        .chain(idp())
        .collect()
}

fn keys() -> Vec<Operation> {
    let wanted = body(
        &[],
        [
            ("name", short(0, 255)),
            ("scopes", nullable(texts())),
            ("agent", nullable(text())),
            ("expires_in", nullable(whole(1, CENTURY))),
            ("cidr_allowlist", nullable(texts())),
            ("rate_limit_rpm", nullable(whole(1, u64::from(u32::MAX)))),
        ],
    );
    let change = |path, id, summary| {
        Operation::changing("post", path, id, summary)
            .answers(200, shape("Key"))
            .refuses(404, &["key_not_found"])
            .refuses(409, &["key_revoked"])
    };
    let made = || with(super::shapes::key(), [("api_key", text())]);
    vec![
        Operation::reading("/admin/v1/apps/{app}/keys", "listKeys", "The application's keys; with `agent` that agent's")
            .paged()
            .query("agent", short(1, 63))
            .answers(200, page(shape("Key")))
            .refuses(404, &["agent_not_found"]),
        Operation::changing("post", "/admin/v1/apps/{app}/keys", "createKey", "A new key, which is shown this once")
            .body(wanted)
            .answers(201, made())
            .refuses(404, &["agent_not_found"])
            .refuses(409, &["agent_inactive", "agent_key_limit_reached"]),
        Operation::changing(
            "post",
            "/admin/v1/apps/{app}/keys/{key}/rotate",
            "rotateAppKey",
            "A successor; the key works beside it for a while",
        )
        .body(body(&[], [("overlap_seconds", nullable(whole(0, 2_592_000)))]))
        .answers(201, made())
        .refuses(400, &["derived_key_not_rotatable"])
        .refuses(404, &["key_not_found"])
        .refuses(409, &["key_revoked", "key_expired", "key_rotated_grace_expired", "agent_inactive", "agent_key_limit_reached"]),
        change("/admin/v1/apps/{app}/keys/{key}/revoke", "revokeAppKey", "Ends a key and what was derived from it"),
        change("/admin/v1/apps/{app}/keys/{key}/deprecate", "deprecateKey", "Tells the key's holder to change to another"),
        change("/admin/v1/apps/{app}/keys/{key}/undeprecate", "undeprecateKey", "Takes that back"),
    ]
}

fn agents() -> Vec<Operation> {
    let change = |method, path, id, summary| {
        Operation::changing(method, path, id, summary)
            .answers(200, shape("AdminAgent"))
            .refuses(404, &["agent_not_found"])
            .refuses(409, &["agent_concurrent_update", "final_state"])
    };
    let wanted = body(
        &["name"],
        [
            ("name", name()),
            ("type", nullable(word(&["agent", "service"]))),
            ("display_name", nullable(short(0, 255))),
            ("metadata", nullable(object())),
            ("scopes", nullable(map(texts()))),
            ("policy", nullable(shape("AgentPolicy"))),
        ],
    );
    let changed = body(
        &[],
        [
            ("display_name", nullable(short(0, 255))),
            ("metadata", nullable(object())),
            ("scopes", nullable(map(texts()))),
            ("policy", nullable(shape("AgentPolicy"))),
            ("grace_seconds", whole(0, 604_800)),
        ],
    );
    vec![
        Operation::reading("/admin/v1/apps/{app}/agents", "listAppAgents", "The application's agents")
            .paged()
            .answers(200, page(shape("AdminAgent"))),
        Operation::changing("post", "/admin/v1/apps/{app}/agents", "createAppAgent", "A new agent, without a key")
            .body(wanted)
            .answers(201, shape("AdminAgent"))
            .refuses(409, &["agent_exists"])
            .refuses(422, &["legacy_managed_secret_name_rejected"]),
        Operation::reading("/admin/v1/apps/{app}/agents/{agent}", "showAppAgent", "One agent, by name or id")
            .answers(200, shape("AdminAgent"))
            .refuses(404, &["agent_not_found"]),
        change("patch", "/admin/v1/apps/{app}/agents/{agent}", "updateAppAgent", "Changes an agent; what is absent stays")
            .body(changed)
            .refuses(422, &["legacy_managed_secret_name_rejected"]),
        change("delete", "/admin/v1/apps/{app}/agents/{agent}", "deleteAppAgent", "Ends an agent, its keys and what it holds"),
        change("post", "/admin/v1/apps/{app}/agents/{agent}/suspend", "suspendAgent", "Pauses an agent"),
        change("post", "/admin/v1/apps/{app}/agents/{agent}/resume", "resumeAgent", "Lets it go on"),
    ]
}

fn secrets() -> Vec<Operation> {
    let values = || map(text());
    let injection = body(
        &[],
        [
            ("header", nullable(text())),
            ("format", nullable(text())),
            ("query", nullable(text())),
            (
                "additional_injections",
                list(record([("target", word(&["header", "query_param"])), ("key", text()), ("value_source", text())])),
            ),
            ("region", nullable(text())),
            ("service", nullable(text())),
        ],
    );
    let wanted = body(
        &["slug", "kind", "allowed_hosts", "values"],
        [
            ("slug", name()),
            ("name", nullable(short(0, 255))),
            ("kind", word(&["bearer", "header", "basic", "query", "aws", "custom"])),
            ("allowed_hosts", texts()),
            ("values", values()),
            ("injection", injection),
        ],
    );
    let changed = body(&[], [("name", nullable(short(0, 255))), ("allowed_hosts", nullable(texts())), ("values", nullable(values()))]);
    let one = "/admin/v1/apps/{app}/secrets/{secret}";
    vec![
        Operation::reading("/admin/v1/apps/{app}/secrets", "listSecrets", "The managed secrets, without their values")
            .paged()
            .answers(200, page(shape("Secret"))),
        Operation::changing("post", "/admin/v1/apps/{app}/secrets", "createSecret", "Keeps a secret; its values never come out here again")
            .body(wanted)
            .answers(201, shape("Secret"))
            .refuses(400, &["secret_unusable"])
            .refuses(409, &["secret_exists"]),
        Operation::reading(one, "showSecret", "One secret, by slug or id")
            .answers(200, shape("Secret"))
            .refuses(404, &["secret_not_found"]),
        Operation::changing("patch", one, "updateSecret", "Changes a secret; what is absent stays")
            .body(changed)
            .answers(200, shape("Secret"))
            .refuses(400, &["secret_unusable"])
            .refuses(404, &["secret_not_found"])
            .refuses(409, &["secret_changed"])
            .refuses(410, &["secret_deleted"]),
        Operation::changing("delete", one, "deleteSecret", "Erases a secret's values")
            .answers(200, shape("Secret"))
            .refuses(404, &["secret_not_found"])
            .refuses(410, &["secret_deleted"]),
    ]
}

fn grants() -> Vec<Operation> {
    let wanted = body(&["secret"], [("secret", text()), ("label", nullable(short(0, 255))), ("expires_in", nullable(whole(1, CENTURY)))]);
    vec![
        Operation::reading("/admin/v1/apps/{app}/grants", "listAppGrants", "The application's grants")
            .paged()
            .query("provider_id", text())
            .query("grant_kind", word(&["oauth", "managed_secret"]))
            .query("status", word(&["active", "expired", "revoked"]))
            .query("account", text())
            .query("app_user_id", text())
            .answers(200, page(shape("AdminGrant"))),
        Operation::changing("post", "/admin/v1/apps/{app}/grants", "createAppGrant", "Lets the application use a secret")
            .body(wanted)
            .answers(201, shape("AdminGrant"))
            .refuses(404, &["secret_not_found"])
            .refuses(409, &["sibling_label_conflict", "grant_exists"])
            .refuses(410, &["secret_deleted"]),
        Operation::reading("/admin/v1/apps/{app}/grants/{grant}", "showAppGrant", "One grant with its delegations")
            .answers(200, shape("AdminGrant"))
            .refuses(404, &["grant_not_found"]),
        Operation::changing(
            "post",
            "/admin/v1/apps/{app}/grants/{grant}/revoke",
            "revokeAppGrant",
            "Ends a grant and what was delegated from it",
        )
        .answers(200, shape("AdminGrant"))
        .refuses(404, &["grant_not_found"]),
    ]
}

fn providers() -> Vec<Operation> {
    let wanted = body(
        &[],
        [
            ("entry", nullable(object())),
            ("issuer", nullable(text())),
            ("name", nullable(text())),
            ("allowed_hosts", texts()),
            ("register", yes_no()),
            ("client_id", nullable(short(1, 1024))),
            ("client_secret", nullable(text())),
            ("redirect_uri", nullable(text())),
            ("settings", map(text())),
            ("scopes", texts()),
            ("allowed_scopes", nullable(texts())),
        ],
    );
    let one = "/admin/v1/apps/{app}/providers/{provider}";
    vec![
        Operation::reading("/admin/v1/apps/{app}/providers", "listAppProviders", "The providers at which the application is registered")
            .answers(200, page(shape("Provider"))),
        Operation::reading(one, "showAppProvider", "One with its entry; else the catalogue's")
            .answers(200, shape("Provider"))
            .refuses(404, &["provider_not_found"]),
        Operation::changing("put", one, "putAppProvider", "Registers the application there, or replaces what was set")
            .body(wanted)
            .answers(200, shape("Provider"))
            .answers(201, shape("Provider"))
            .refuses(400, &["provider_unusable", "provider_discovery_failed", "provider_registration_failed"])
            .refuses(404, &["provider_not_found"])
            .refuses(409, &["registration_changed", "registration_exists"]),
        Operation::changing("delete", one, "deleteAppProvider", "Ends the registration; logins stay and are not refreshed")
            .answers(200, shape("Provider"))
            .refuses(404, &["provider_not_found", "registration_not_found"]),
    ]
}

fn specs() -> Vec<Operation> {
    let kind = |operation: Operation| operation.query("kind", word(&["oauth", "managed"]));
    let one = "/admin/v1/apps/{app}/specs/{provider}";
    vec![
        kind(Operation::reading("/admin/v1/apps/{app}/specs", "listSpecs", "The descriptions of providers' APIs that are loaded"))
            .answers(200, page(shape("ProviderSpec"))),
        kind(Operation::reading(one, "showSpec", "One of them")).answers(200, shape("ProviderSpec")).refuses(404, &["spec_not_found"]),
        kind(Operation::changing("put", one, "putSpec", "Loads an OpenAPI document"))
            .body(body(&["document"], [("document", object()), ("families", map(texts())), ("source_url", nullable(short(0, 2048)))]))
            .answers(200, shape("ProviderSpec"))
            .answers(201, shape("ProviderSpec"))
            .refuses(409, &["spec_changed", "spec_exists"])
            .refuses(422, &["provider_spec_invalid"]),
        kind(Operation::changing("delete", one, "deleteSpec", "Forgets it"))
            .answers(200, shape("ProviderSpec"))
            .refuses(404, &["spec_not_found"]),
    ]
}

fn policies() -> Vec<Operation> {
    let (all, one) = ("/admin/v1/apps/{app}/policies", "/admin/v1/apps/{app}/policies/{policy}");
    let source = || short(0, 65_536);
    let explained = body(
        &["url"],
        [
            ("grant", nullable(text())),
            ("provider", nullable(text())),
            ("url", text()),
            ("method", nullable(text())),
            ("body", anything()),
            ("retrieve", yes_no()),
            ("agent", nullable(text())),
            ("key", nullable(text())),
            ("source", nullable(text())),
            ("session_age_seconds", nullable(whole(0, CENTURY))),
            ("at", nullable(text())),
            ("policies", map(nullable(text()))),
        ],
    );
    vec![
        Operation::reading(all, "listPolicies", "What is forbidden, held or narrowed, with what is built in")
            .answers(200, page(shape("Policy"))),
        Operation::changing("post", all, "createPolicy", "A new policy")
            .body(body(&["name", "source"], [("name", name()), ("source", source())]))
            .answers(201, shape("Policy"))
            .refuses(409, &["policy_exists", "too_many_policies"])
            .refuses(422, &["policy_invalid"]),
        Operation::reading(one, "showPolicy", "One policy").answers(200, shape("Policy")).refuses(404, &["policy_not_found"]),
        Operation::changing("patch", one, "updatePolicy", "Gives a policy another text")
            .body(body(&["source"], [("source", source()), ("expected_version", nullable(whole(1, 1_000_000)))]))
            .answers(200, shape("Policy"))
            .refuses(404, &["policy_not_found"])
            .refuses(409, &["policy_changed", "policy_built_in"])
            .refuses(422, &["policy_invalid"]),
        Operation::changing("delete", one, "deletePolicy", "Deletes a policy")
            .answers(200, shape("Policy"))
            .refuses(404, &["policy_not_found"])
            .refuses(409, &["policy_built_in"]),
        Operation::verifying("/admin/v1/apps/{app}/policies/check", "checkPolicy", "Says what a text would do; nothing is saved")
            .body(body(&["source"], [("source", source())]))
            .answers(200, record([("valid", yes_no()), ("rules", list(shape("PolicyRule")))]))
            .refuses(404, &["app_not_found"])
            .refuses(422, &["policy_invalid"]),
        Operation::verifying(
            "/admin/v1/apps/{app}/policies/explain",
            "explainCall",
            "Says why a call would be allowed or denied; nothing is called",
        )
        .body(explained)
        .answers(200, shape("Explanation"))
        .refuses(400, &["invalid_request"])
        .refuses(404, &["app_not_found", "grant_not_found", "agent_not_found"])
        .refuses(422, &["policy_invalid"]),
    ]
}

/// What is wrong with an issuer.
const OF_ISSUERS: &[(u16, &[&str])] = &[(422, &["idp_unreachable", "idp_error_status", "idp_answer_invalid", "idp_issuer_mismatch"])];

fn idp() -> Vec<Operation> {
    let path = "/admin/v1/apps/{app}/idp";
    let wanted = body(
        &["issuer"],
        [
            ("issuer", text()),
            ("client_id", nullable(short(1, 512))),
            ("client_secret", nullable(text())),
            ("audiences", texts()),
            ("groups_claim", nullable(short(1, 512))),
            ("scopes", nullable(texts())),
            ("check", yes_no()),
        ],
    );
    vec![
        Operation::reading(path, "showIdp", "The application's identity provider")
            .answers(200, shape("IdentityProvider"))
            .refuses(404, &["idp_not_found"]),
        Operation::changing("put", path, "putIdp", "Sets it")
            .body(wanted)
            .answers(200, shape("IdentityProvider"))
            .answers(201, shape("IdentityProvider"))
            .refusing(OF_ISSUERS)
            .refuses(404, &["idp_not_found"])
            .refuses(409, &["registration_changed", "registration_exists"]),
        Operation::changing("delete", path, "deleteIdp", "Ends it: nobody can sign in any more")
            .answers(200, shape("IdentityProvider"))
            .refuses(404, &["idp_not_found", "registration_not_found"]),
        Operation::changing("post", "/admin/v1/apps/{app}/idp/test", "testIdp", "Asks the issuer, and judges a user token")
            .body(body(&[], [("user_token", nullable(text()))]))
            .answers(200, trial())
            .refusing(OF_ISSUERS)
            .refuses(404, &["idp_not_found"]),
    ]
}

fn trial() -> Value {
    use super::schema::{count, time};
    let accepted = record([
        ("valid", yes_no()),
        ("sub", text()),
        ("groups", nullable(texts())),
        ("expires_at", nullable(time())),
        ("auth_time", nullable(time())),
    ]);
    let refused = record([("valid", yes_no()), ("reason", text()), ("message", text())]);
    record([
        ("issuer", text()),
        ("usable_keys", count()),
        ("authorization_endpoint", nullable(text())),
        ("token_endpoint", nullable(text())),
        ("can_sign_in", yes_no()),
        ("redirect_uri", text()),
        ("user_token", nullable(serde_json::json!({ "oneOf": [accepted, refused] }))),
    ])
}
