//! From a refusal of the vault to an error in the agents' part of the API. Here the code alone decides, whatever the status.

use serde_json::Value;

use super::backend::{fill, message, read_body, text};
use super::{BackendAnswer, Error, Kind};

/// The error that an answer outside 200 to 299 means.
pub fn from_agents_backend(answer: &BackendAnswer<'_>) -> Error {
    let (mut body, is_json) = read_body(answer);
    if !matches!(serde_json::from_slice(answer.body), Ok(Value::Object(_))) {
        // The summary of such a body; the public package has none here.
        body.remove("message");
    }
    let code = text(&body, "error");
    let kind = classify(answer.status, code.unwrap_or_default(), is_json);
    let error = Error::new(kind, message(kind, &body, answer.status));
    let error = match code {
        Some(code) => error.with_code(code.to_owned()),
        None => error,
    };
    fill(error, body, answer, is_json)
}

fn classify(status: u16, code: &str, is_json: bool) -> Kind {
    match (status, code) {
        (_, "insufficient_scope") => Kind::InsufficientScope,
        (429, _) if !is_json => Kind::RateLimit,
        (_, "rate_limit_exceeded") => Kind::RateLimit,
        (409, "agent_concurrent_update") => Kind::AgentConcurrentUpdate,
        (409, "key_revoked") => Kind::KeyAlreadyRevoked,
        (_, "agent_cannot_mint_subagents") => Kind::AgentCannotMintSubagents,
        (_, "agent_inactive") => Kind::AgentInactive,
        (_, "agent_key_limit_reached") => Kind::AgentKeyLimit,
        (_, "agent_name_exists") => Kind::AgentNameExists,
        (_, "agent_not_found" | "caller_agent_unresolved") => Kind::AgentNotFound,
        (_, "agent_revoked") => Kind::AgentRevoked,
        (_, "app_not_found_for_key") => Kind::KeyAppNotFound,
        (_, "caller_agent_mismatch") => Kind::CallerAgentMismatch,
        (_, "caller_agent_resolution_error") => Kind::CallerAgentResolution,
        (_, "idempotency_key_agent_inactive") => Kind::IdempotencyKeyAgentInactive,
        (_, "idempotency_key_agent_revoked") => Kind::IdempotencyKeyAgentRevoked,
        (_, "idempotency_key_body_mismatch") => Kind::IdempotencyKeyBodyMismatch,
        (_, "invalid_key") => Kind::InvalidKey,
        (_, "key_expired") => Kind::KeyExpired,
        (_, "key_not_active") => Kind::KeyInactive,
        (_, "key_not_found") => Kind::KeyNotFound,
        (_, "key_revoked") => Kind::KeyRevoked,
        (_, "key_rotated_grace_expired") => Kind::KeyRotationExpired,
        (_, "last_active_key") => Kind::LastActiveKey,
        (_, "me_requires_agent_key") => Kind::MeRequiresAgentKey,
        _ => Kind::Backend,
    }
}
