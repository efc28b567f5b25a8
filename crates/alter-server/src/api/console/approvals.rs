//! One call that waits, and deciding about it.

use alter_core::encoding::percent_encode;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::ask::{Admin, Refused};
use super::frame::{self, Frame};
use super::session::SignedIn;
use super::table::text;
use crate::api::approvals::{line, visible};
use crate::api::web::form::Form;
use crate::api::web::page;

#[derive(Template)]
#[template(path = "console_approval.html")]
struct ApprovalPage {
    frame: Frame,
    title: String,
    path: String,
    problem: Option<String>,
    facts: Vec<(&'static str, String)>,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    pending: bool,
    digest: String,
}

/// `GET /console/approvals/{approval}`
pub async fn show(Extension(admin): Extension<Admin>, who: SignedIn, approval: Result<Path<String>, PathRejection>) -> Response {
    let id = approval.map(|Path(id)| id).unwrap_or_default();
    shown(&admin, &who, &id, None).await
}

/// `POST /console/approvals/{approval}`: `decision` is `approve` or `deny`, `digest` what the page showed.
pub async fn decide(
    Extension(admin): Extension<Admin>,
    who: SignedIn,
    approval: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let id = approval.map(|Path(id)| id).unwrap_or_default();
    let (parts, body) = request.into_parts();
    let form = match Form::read(&parts, body).await {
        Ok(form) => form,
        Err(refusal) => return page::refused(&refusal, &who.request_id),
    };
    let (verb, body) = match form.text("decision") {
        Some("approve") => ("approve", json!({ "digest": form.text("digest").unwrap_or_default(), "reason": form.text("reason") })),
        Some("deny") => ("deny", json!({ "reason": form.text("reason") })),
        _ => {
            let message = "Choose to approve or to deny.".to_owned();
            return frame::refused(&who, &Refused { status: StatusCode::BAD_REQUEST, message });
        }
    };
    match admin.post(&who, &format!("/approvals/{}/{verb}", percent_encode(&id)), &body).await {
        Ok(_) => who.answer(page::redirect(&format!("/console/approvals/{}", percent_encode(&id)), &[])),
        Err(refused) => shown(&admin, &who, &id, Some(refused.message)).await,
    }
}

async fn shown(admin: &Admin, who: &SignedIn, id: &str, problem: Option<String>) -> Response {
    let approval = match admin.get(who, &format!("/approvals/{}", percent_encode(id))).await {
        Ok(approval) => approval,
        Err(refused) => return frame::refused(who, &refused),
    };
    let request = &approval["request"];
    let line = |value: &Value| line(value.as_str().unwrap_or_default());
    let status = text(&approval["status"]);
    let facts = [
        ("Status", "status"),
        ("Application", "app"),
        ("Agent", "agent"),
        ("Caller", "caller"),
        ("User", "app_user"),
        ("Why", "reason"),
        ("With", "provider_id"),
        ("Asked", "created_at"),
        ("Decide until", "expires_at"),
        ("Note", "decision_reason"),
        ("Failed because", "execution_error"),
        ("Digest", "digest"),
    ];
    let told = facts.iter().filter(|(_, member)| !approval[*member].is_null()).map(|(label, member)| (*label, text(&approval[*member])));
    let gates = approval["gates"].as_array().into_iter().flatten().map(|gate| {
        let by = gate["decided_by"].as_str().map_or_else(String::new, |by| format!(" by {}", visible(by)));
        ("Gate", format!("{}{by}; approvers: {}", text(&gate["status"]), text(&gate["approvers"])))
    });
    let headers = request["headers"].as_array().into_iter().flatten().map(|header| (line(&header[0]), line(&header[1])));
    let page = ApprovalPage {
        frame: Frame::new(who, "/console/approvals", None),
        title: if status == "pending" { "A call waits".to_owned() } else { format!("A call: {status}") },
        path: format!("/console/approvals/{}", percent_encode(id)),
        problem,
        facts: told.chain(gates).collect(),
        method: line(&request["method"]),
        url: line(&request["url"]),
        headers: headers.collect(),
        body: request["readable_body"].as_str().map(str::to_owned),
        pending: status == "pending",
        digest: approval["digest"].as_str().unwrap_or_default().to_owned(),
    };
    frame::show(who, &page)
}
