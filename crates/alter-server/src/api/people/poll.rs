//! `POST /sdk/auth/session` and `POST /sdk/auth/poll`: an application lets a person sign in and waits for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::idp::Idp;
use super::sign_in;
use crate::api::Vault;
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::api::web::unguessable;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{AppId, Ticket, TicketKind, TicketState};
use crate::store::{Effect, StoredTicket};

/// How long a person has for signing in.
pub const LIFE: Duration = Duration::from_secs(600);
/// The longest that a poll is held, in milliseconds.
const LONGEST_HOLD_MS: u64 = 30_000;
/// How often a held poll looks. The sign-in may end in another process, so the database is where to look.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// `POST /sdk/auth/session`
pub struct StartSignIn;

impl Call for StartSignIn {
    const ACTION: &'static str = "sign_in.start";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("idp_users:write")?;
        Members::of(request.body)?.nothing_else()?;
        // Judged now, so that the application learns it and not the person.
        Idp::required(vault, request.key.app).await?.relying_party(vault)?;
        let token = unguessable()?;
        let now = vault.clock.now();
        let ticket = Ticket::open(request.key.app, TicketKind::SignIn, vault.keys.digest(&token), "{}".to_owned(), now, LIFE);
        note(row, |row| row.subject("sign_in", ticket.id));
        let answer = json!({
            "session_token": token,
            "auth_url": format!("{}/sign-in/{token}", vault.public_url),
            "expires_in": LIFE.as_secs(),
            "expires_at": ticket.expires_at,
        });
        Ok(Verdict { effects: vec![Effect::CreateTicket { ticket: Box::new(ticket), sealed: None }], answer: Answer::Created(answer) })
    }
}

/// `POST /sdk/auth/poll`
pub struct PollSignIn;

impl Call for PollSignIn {
    const ACTION: &'static str = "sign_in.poll";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("idp_users:read")?;
        let mut members = Members::of(request.body)?;
        let token = members.required_text("session_token")?;
        let hold = members.whole_number("wait_ms")?.unwrap_or(0).min(LONGEST_HOLD_MS);
        members.nothing_else()?;
        let found = wait(vault, request.key.app, &token, Duration::from_millis(hold)).await?;
        if let Some(stored) = &found {
            note(row, |row| row.subject("sign_in", stored.ticket.id));
        }
        let answer = match found {
            Some(stored) if stored.ticket.state == TicketState::Completed => sign_in::completed_answer(vault, &stored)?,
            other => {
                // Nothing is released by saying that there is nothing yet.
                row.outcome = Outcome::Done;
                other.map_or_else(|| json!({"status": "expired"}), |stored| waiting_answer(&stored.ticket))
            }
        };
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

/// The ticket once it has ended, or as it is when the time is over. `None` for one that is unknown, another app's, or expired.
async fn wait(vault: &Vault, app: AppId, token: &str, hold: Duration) -> Result<Option<StoredTicket>, Refusal> {
    let until = Instant::now() + hold;
    let digest = vault.keys.digest(token);
    loop {
        let found = vault.store.ticket_by_digest(TicketKind::SignIn, digest).await?;
        let found = found.filter(|stored| stored.ticket.app == app && !stored.ticket.has_expired(vault.clock.now()));
        let left = until.saturating_duration_since(Instant::now());
        match &found {
            Some(stored) if stored.ticket.state == TicketState::Open && !left.is_zero() => tokio::time::sleep(LOOK_EVERY.min(left)).await,
            _ => return Ok(found),
        }
    }
}

fn waiting_answer(ticket: &Ticket) -> Value {
    if ticket.state == TicketState::Open {
        return json!({"status": "pending"});
    }
    let mut answer: Value = serde_json::from_str(&ticket.body).unwrap_or_else(|_| json!({}));
    answer["status"] = "error".into();
    answer
}
