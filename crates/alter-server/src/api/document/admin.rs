//! The admin plane: operators, the master key, apps, the audit, and what the vault knows of providers.

use super::operation::Operation;
use super::schema::{body, count, list, name, nullable, page, shape, short, text, texts, whole, with, without, word, yes_no};

pub fn operations() -> Vec<Operation> {
    let settings = body(
        &[],
        [
            ("return_urls", nullable(texts())),
            ("allowed_origins", nullable(texts())),
            ("retrieve_delegated", nullable(yes_no())),
            ("approval_lasts_seconds", nullable(whole(60, 604_800))),
            ("approval_webhook", nullable(text())),
            ("new_webhook_secret", yes_no()),
        ],
    );
    let head = body(&["chain", "sequence", "mac"], [("chain", text()), ("sequence", count()), ("mac", text())]);
    let question = body(&["id", "issuer"], [("id", text()), ("issuer", text()), ("name", nullable(text())), ("allowed_hosts", texts())]);
    vec![
        Operation::reading("/admin/v1/whoami", "whoami", "The operator behind the key").answers(200, shape("Operator")),
        Operation::reading("/admin/v1/operators", "listOperators", "All operators").answers(200, page(shape("Operator"))),
        Operation::changing("post", "/admin/v1/operators", "createOperator", "A new operator, whose key is shown this once")
            .body(body(&["name"], [("name", name()), ("role", word(&["admin", "approver", "auditor"]))]))
            .answers(201, with(super::admin_shapes::operator(), [("operator_key", text())]))
            .refuses(409, &["operator_exists"]),
        Operation::changing("post", "/admin/v1/operators/{operator}/revoke", "revokeOperator", "Ends an operator's key, by name or id")
            .answers(200, shape("Operator"))
            .refuses(404, &["operator_not_found"])
            .refuses(409, &["last_admin"]),
        Operation::reading("/admin/v1/master-key", "showMasterKey", "The version in use, and how far a rotation is")
            .answers(200, shape("MasterKey")),
        Operation::changing("post", "/admin/v1/master-key/rotation", "rotateMasterKey", "One step of a rotation; repeat it until `done`")
            .body(body(&[], [("begin", yes_no())]))
            .answers(200, shape("MasterKey"))
            .refuses(409, &["new_master_key_missing", "master_key_changed", "master_key_in_use"])
            .refuses(
                503,
                &[
                    "master_key_malformed",
                    "master_key_ambiguous",
                    "master_key_unreadable",
                    "master_key_exposed",
                    "master_key_missing",
                    "master_key_wrong",
                    "master_key_version_missing",
                    "sealed_value_damaged",
                    "stored_keys_incomplete",
                    "no_randomness",
                ],
            ),
        Operation::reading("/admin/v1/catalogue", "catalogue", "The providers that the vault knows by name")
            .answers(200, page(shape("Provider"))),
        Operation::changing(
            "post",
            "/admin/v1/providers/discover",
            "discoverProvider",
            "The entry that an issuer's metadata makes; nothing is stored",
        )
        .body(question)
        .answers(200, shape("Provider"))
        .refuses(400, &["provider_discovery_failed"]),
        Operation::reading("/admin/v1/apps", "listApps", "The applications").paged().answers(200, page(shape("App"))),
        Operation::changing("post", "/admin/v1/apps", "createApp", "A new application")
            .body(body(&["name"], [("name", name())]))
            .answers(201, shape("App"))
            .refuses(409, &["app_exists"]),
        Operation::reading("/admin/v1/apps/{app}", "showApp", "One application, by name or id").answers(200, shape("App")),
        Operation::changing("patch", "/admin/v1/apps/{app}", "updateApp", "Changes settings; what is absent stays")
            .body(settings)
            .answers(200, without(with(super::admin_shapes::app(), [("approval_webhook_secret", text())]), &["approval_webhook_secret"])),
        Operation::reading("/admin/v1/audit", "auditRows", "The newest rows, or with `after` those that follow in one chain")
            .query("app", short(1, 63))
            .query("after", count())
            .query("limit", whole(1, 1000))
            .answers(200, page(shape("AuditRow")))
            .refuses(404, &["app_not_found"]),
        Operation::reading("/admin/v1/audit/search", "searchAudit", "Rows that fit, newest first")
            .query("app", short(0, 63))
            .query("action", text())
            .query("outcome", word(&["released", "done", "refused"]))
            .query("grant", text())
            .query("text", text())
            .query("from", text())
            .query("until", text())
            .query("after", count())
            .query("limit", whole(1, 1000))
            .answers(200, page(shape("AuditRow")))
            .refuses(404, &["app_not_found"]),
        Operation::reading("/admin/v1/activity", "activity", "What happened in each hour until now, the first one first")
            .query("hours", whole(1, 168))
            .answers(200, page(shape("ActivityHour"))),
        Operation::reading("/admin/v1/audit/heads", "auditHeads", "The end of every chain").answers(200, page(shape("AuditHead"))),
        Operation::verifying("/admin/v1/audit/verify", "verifyAudit", "Walks every chain, also against heads that were kept elsewhere")
            .body(body(&[], [("expected_heads", list(head))]))
            .answers(200, page(shape("AuditReport"))),
    ]
}
