//! `POST /sdk/oauth/connect/session/poll`, and giving a session up.

use serde_json::{Value, json};

use super::session::{Failed, Stored};
use crate::api::Vault;
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::TicketState;

/// `POST /sdk/oauth/connect/session/poll`. An ended session answers the same again, since an answer may be lost.
pub struct PollSession;

impl Call for PollSession {
    const ACTION: &'static str = "connect.poll";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let found = named(vault, request, row).await?;
        let answer = found.map_or_else(|| json!({ "status": "expired" }), |stored| state(vault, &stored));
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

/// `POST /sdk/oauth/connect/session/cancel`: the application does not wait any more. What has ended stays as it is.
pub struct CancelSession;

impl Call for CancelSession {
    const ACTION: &'static str = "connect.cancel";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let found = named(vault, request, row).await?.filter(|stored| stored.goes_on(vault));
        let gave_up = Failed::new("connect_cancelled", "The application gave the session up.");
        let effects: Vec<_> = found.iter().map(|stored| stored.failed(gave_up.clone())).collect();
        let answer = json!({ "cancelled": !effects.is_empty() });
        Ok(Verdict { effects, answer: Answer::Json(answer) })
    }
}

async fn named(vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Option<Stored>, Refusal> {
    request.reach.require("connect:initiate")?;
    let mut members = Members::of(request.body)?;
    let token = members.required_text("session_token")?;
    members.nothing_else()?;
    let found = Stored::of_app(vault, request.key.app, &token).await?;
    if let Some(stored) = &found {
        note(row, |row| row.subject("connect", stored.ticket.id));
    }
    Ok(found)
}

fn state(vault: &Vault, stored: &Stored) -> Value {
    let progress = &stored.session.progress;
    match stored.ticket.state {
        TicketState::Open if !stored.goes_on(vault) => json!({ "status": "expired" }),
        TicketState::Open if progress.declined.is_empty() => json!({ "status": "pending" }),
        TicketState::Open => json!({ "status": "pending", "declined_providers": progress.declined }),
        TicketState::Completed => json!({ "status": "completed", "grants": progress.grants, "failed_grants": progress.failed }),
        TicketState::Failed => {
            json!({ "status": "error", "error": progress.error.clone().unwrap_or_else(Failed::denied) })
        }
    }
}
