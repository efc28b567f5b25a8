//! `POST /sdk/auth/verify-token`: whose token it is, if it is valid, and nothing else of it.

use serde_json::json;

use super::idp::person_of;
use crate::api::Vault;
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};

/// The endpoint.
pub struct VerifyToken;

impl Call for VerifyToken {
    const ACTION: &'static str = "user_token.verify";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("idp_users:read")?;
        let mut members = Members::of(request.body)?;
        let token = members.required_text("token")?;
        members.nothing_else()?;
        let person = person_of(vault, request.key.app, &token).await?;
        row.subject = Some(format!("user:{}", person.subject));
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(json!({ "sub": person.subject })) })
    }
}
