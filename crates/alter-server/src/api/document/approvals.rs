//! Proxied calls that wait for people: what clients learn of them, and what operators decide.

use serde_json::Value;

use super::operation::Operation;
use super::schema::{body, count, id, list, nullable, page, record, shape, short, text, texts, time, whole, with, word, yes_no};

/// How a call that waited can have ended without an answer, and that it has not.
pub const OF_ENDS: &[(u16, &[&str])] =
    &[(403, &["approval_denied"]), (409, &["approval_execution_failed", "approval_not_executed"]), (410, &["approval_expired"])];

/// What a decision can be refused with.
const OF_DECISIONS: &[(u16, &[&str])] = &[
    (403, &["not_an_approver", "own_request", "gate_decided_by_you"]),
    (404, &["approval_not_found"]),
    (409, &["approval_over", "approval_decided", "approval_changed", "changed_meanwhile"]),
];

/// All words for how an approval stands.
const STATUS: &[&str] = &["pending", "approved", "executing", "denied", "expired", "executed", "failed"];
const GATE_STATUS: &[&str] = &["pending", "approved", "denied", "expired"];

pub fn operations() -> Vec<Operation> {
    vec![
        Operation::signed(
            "get",
            "/sdk/approvals/{approval_id}",
            "getApprovalStatus",
            "How a call stands; waits up to `wait` seconds for a change",
        )
        .needs(&["proxy:execute"])
        .query("wait", whole(0, 25))
        .answers(200, status())
        .refuses(404, &["approval_not_found"])
        .refuses(422, &["invalid_request"]),
        Operation::signed(
            "get",
            "/sdk/approvals/{approval_id}/result",
            "getApprovalResult",
            "What the provider answered to a call that was approved",
        )
        .needs(&["proxy:execute"])
        .answers(200, with(super::proxy::answer(), [("approval_id", id())]))
        .refusing(OF_ENDS)
        .refuses(404, &["approval_not_found"]),
        Operation::reading(
            "/admin/v1/approvals",
            "listApprovals",
            "Calls that wait, newest first; with `all` also those that ended within a day",
        )
        .paged()
        .query("app", short(1, 63))
        .query("all", yes_no())
        .answers(200, page(shape("Approval")))
        .refuses(404, &["app_not_found"]),
        Operation::reading("/admin/v1/approvals/{approval}", "showApproval", "One with the call as it will be sent; not for auditors")
            .answers(200, detail())
            .refuses(403, &["operator_role_insufficient"])
            .refuses(404, &["approval_not_found"]),
        Operation::changing(
            "post",
            "/admin/v1/approvals/{approval}/approve",
            "approve",
            "Agrees to the call with this digest; approvers may, too",
        )
        .body(body(&["digest"], [("digest", text()), ("reason", nullable(text()))]))
        .answers(200, shape("Approval"))
        .refusing(OF_DECISIONS),
        Operation::changing("post", "/admin/v1/approvals/{approval}/deny", "deny", "Refuses it; approvers may, too")
            .body(body(&[], [("reason", nullable(text()))]))
            .answers(200, shape("Approval"))
            .refusing(OF_DECISIONS),
    ]
}

/// What a client is told of a call that waits.
pub fn pending() -> Value {
    let gate = || record([("approval_id", id()), ("expires_at", time()), ("expires_in", count()), ("approval_url", text())]);
    with(gate(), [("approval_group_id", id()), ("status", word(&["pending"])), ("gates", list(gate()))])
}

fn status() -> Value {
    let gate = record([("approval_id", id()), ("status", word(GATE_STATUS)), ("expires_at", time()), ("decided_at", nullable(time()))]);
    record([
        ("approval_id", id()),
        ("approval_group_id", id()),
        ("status", word(STATUS)),
        ("gates", list(gate)),
        ("expires_at", time()),
        ("decided_at", nullable(time())),
        ("executed_at", nullable(time())),
        ("decision_reason", nullable(text())),
        ("execution_error", nullable(text())),
        ("has_result", yes_no()),
    ])
}

/// A call that waits, without what is sealed of it.
pub fn listed() -> Value {
    let gate = record([
        ("approval_id", id()),
        ("status", word(GATE_STATUS)),
        ("approvers", texts()),
        ("decided_by", nullable(text())),
        ("decided_at", nullable(time())),
        ("reason", nullable(text())),
    ]);
    record([
        ("approval_id", id()),
        ("app", text()),
        ("status", word(STATUS)),
        ("method", text()),
        ("url", text()),
        ("provider_id", nullable(text())),
        ("reason", nullable(text())),
        ("caller", nullable(text())),
        ("agent", nullable(text())),
        ("app_user", nullable(text())),
        ("grant_id", id()),
        ("key_id", id()),
        ("digest", text()),
        ("gates", list(gate)),
        ("created_at", time()),
        ("expires_at", time()),
        ("decided_at", nullable(time())),
        ("executed_at", nullable(time())),
        ("decision_reason", nullable(text())),
        ("execution_error", nullable(text())),
    ])
}

fn detail() -> Value {
    let request = record([
        ("method", text()),
        ("url", text()),
        ("headers", list(texts())),
        ("body", nullable(text())),
        ("readable_body", nullable(text())),
    ]);
    with(listed(), [("request", request), ("approval_urls", texts())])
}
