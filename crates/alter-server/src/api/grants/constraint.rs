//! `scope_constraint` of a request: the only scopes that a delegated grant may be used for.

use crate::api::refusal::Refusal;

const MOST_SCOPES: usize = 100;
const LONGEST_SCOPE: usize = 512;

/// Scopes without the blanks around them, each of the characters that a scope may have, each once.
///
/// # Errors
/// 422 `invalid_scope_constraint`.
pub fn trimmed(scopes: Vec<String>) -> Result<Vec<String>, Refusal> {
    if scopes.is_empty() || scopes.len() > MOST_SCOPES {
        return Err(invalid(&format!("scope_constraint must hold 1 to {MOST_SCOPES} scopes.")));
    }
    let mut kept: Vec<String> = Vec::with_capacity(scopes.len());
    for (index, scope) in scopes.iter().enumerate() {
        let scope = scope.trim();
        let plain = scope.bytes().all(|b| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b));
        if scope.is_empty() || scope == "*" || scope.len() > LONGEST_SCOPE || !plain {
            return Err(invalid(&format!("scope_constraint[{index}] is not a scope.")));
        }
        if !kept.iter().any(|known| known == scope) {
            kept.push(scope.to_owned());
        }
    }
    Ok(kept)
}

/// 422: the constraint is at fault.
pub fn invalid(message: &str) -> Refusal {
    Refusal::unprocessable("invalid_scope_constraint", message)
}
