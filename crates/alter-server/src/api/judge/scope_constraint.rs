//! A grant for some of its login's scopes: it is for calls that need no other ones. Which a call needs is known from the description of its provider
//! (`security` of its operation) and from nothing else.

use crate::api::refusal::Refusal;
use crate::classify::Facts;

/// Judges a call.
///
/// # Errors
/// 400 `scope_constraint_not_evaluable` if nothing tells what the call needs; 403 `scope_not_allowed_by_grant` with what it needs and what the grant is for.
pub fn judge(granted: &[String], call: &Facts) -> Result<(), Refusal> {
    match call.is_within_scopes(granted) {
        Some(true) => Ok(()),
        Some(false) => {
            let needed = call.operation.as_ref().and_then(|operation| operation.scopes.clone()).unwrap_or_default();
            let message = "This grant is for some of its login's scopes only, and this call needs others. Use a grant that has them.";
            Err(Refusal::forbidden("scope_not_allowed_by_grant", message).with("required_any_of", needed).with("granted", granted.to_vec()))
        }
        None => {
            let message = "This grant is for some of its login's scopes only, and nothing describes which of them this call needs: it is refused. \
                An operator describes the provider with `alter spec load`.";
            Err(Refusal::bad_request("scope_constraint_not_evaluable", message))
        }
    }
}
