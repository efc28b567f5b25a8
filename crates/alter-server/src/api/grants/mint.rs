//! `POST /sdk/grants/{grant_id}/mint`: a second grant on the credential of a first.

use http::StatusCode;

use super::place::Places;
use super::policy::{Route, WantedPolicy};
use super::{own_access, shape};
use crate::api::Vault;
use crate::api::members::{Members, invalid};
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::api::token::{grant_deleted, grant_expired, grant_revoked};
use crate::audit::{AuditEntry, Outcome};
use crate::clock::Timestamp;
use crate::model::{CredentialKind, CredentialState, Grant, GrantFilter, SecretStatus, ShownStatus};
use crate::store::{Effect, GrantAccess, Page};

const LONGEST_LABEL: usize = 255;
const MOST_TAGS: usize = 50;
const LONGEST_TAG: usize = 100;

/// The endpoint.
pub struct MintGrant {
    /// The source's id, as it stands in the path.
    pub source: String,
}

impl Call for MintGrant {
    const ACTION: &'static str = "grant.mint";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("grants:write")?;
        if request.acting.agent().is_some() {
            return Err(Refusal::forbidden("agents_cannot_mint", "An agent cannot mint grants. Let the application do it."));
        }
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        let now = vault.clock.now();
        let mut members = Members::of(request.body)?;
        let label = label(&mut members)?;
        let tags = tags(&mut members)?;
        let wanted = WantedPolicy::take(&mut members, Route::Mint, now)?;
        members.nothing_else()?;
        let source = own_access(vault, request.key.app, &self.source).await?;
        note(row, |row| row.grant(source.grant.id).provider(provider(&source)));
        judge_source(&source, now)?;
        refuse_taken_label(vault, &source.grant, &label).await?;
        let minted = Grant {
            label: Some(label),
            tags,
            expires_at: wanted.end(now, source.grant.expires_at),
            policy: wanted.policy,
            ..Grant::root(source.grant.app, source.grant.opens, source.grant.principal.clone(), now)
        };
        note(row, |row| row.subject("grant", minted.id));
        let api_base_url = match source.credential.as_ref().filter(|credential| credential.kind == CredentialKind::Oauth) {
            Some(login) => Places::new(vault, source.grant.app).of(login).await?,
            None => None,
        };
        let answer = shape::info(&minted, provider(&source), source.credential.as_ref(), api_base_url, now);
        Ok(Verdict { effects: vec![Effect::CreateGrant(Box::new(minted))], answer: Answer::Json(answer) })
    }
}

/// The provider's id or the secret's slug.
fn provider(access: &GrantAccess) -> &str {
    match (&access.secret, &access.credential) {
        (Some(secret), _) => &secret.slug,
        (None, Some(credential)) => &credential.provider,
        (None, None) => "",
    }
}

fn judge_source(source: &GrantAccess, now: Timestamp) -> Result<(), Refusal> {
    match source.grant.shown_status(now) {
        ShownStatus::Revoked => return Err(grant_revoked()),
        ShownStatus::Expired => return Err(grant_expired()),
        ShownStatus::Active => {}
    }
    let deleted = source.secret.as_ref().is_some_and(|secret| secret.status == SecretStatus::Deleted);
    if deleted || source.credential.as_ref().is_some_and(|credential| credential.state == CredentialState::Erased) {
        return Err(grant_deleted());
    }
    if source.grant.is_delegated() {
        let message = "A delegated grant cannot be minted from: a sibling of it would not end with the delegation. Mint from its root.";
        return Err(Refusal::forbidden("mint_source_has_grant_rules", message));
    }
    if source.grant.policy.judges_calls() {
        let message = "The source grant has rules of its own, which a sibling would not have. Mint from a grant without rules.";
        return Err(Refusal::forbidden("mint_source_has_grant_rules", message));
    }
    Ok(())
}

/// Looked up before the commit, which judges it again, so that the refusal can name the label.
async fn refuse_taken_label(vault: &Vault, source: &Grant, label: &str) -> Result<(), Refusal> {
    let filter = GrantFilter {
        credential: Some(source.opens.credential_id()),
        status: Some(ShownStatus::Active),
        label: Some(label.to_owned()),
        ..GrantFilter::default()
    };
    let siblings = vault.store.grants(source.app, filter, Page::first(std::num::NonZeroU32::MAX)).await?;
    if siblings.iter().all(|sibling| sibling.is_delegated() || sibling.principal != source.principal) {
        return Ok(());
    }
    let message = "Another active grant of this credential has the label. Choose another one, or use that grant.";
    Err(Refusal::new(StatusCode::CONFLICT, "sibling_label_conflict", message).with("label", label))
}

fn label(members: &mut Members) -> Result<String, Refusal> {
    let label = members.required_text("label")?;
    if label.chars().count() > LONGEST_LABEL {
        return Err(members.invalid("label", &format!("must have at most {LONGEST_LABEL} characters")));
    }
    Ok(label)
}

fn tags(members: &mut Members) -> Result<Vec<String>, Refusal> {
    let tags = members.texts("grant_tags")?.unwrap_or_default();
    if tags.len() > MOST_TAGS || tags.iter().any(|tag| tag.chars().count() > LONGEST_TAG) {
        return Err(invalid(format!("grant_tags must hold at most {MOST_TAGS} texts of at most {LONGEST_TAG} characters.")));
    }
    Ok(tags)
}
