//! What is known about a token, without the token.

use super::declare::models;
use super::{Fault, Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "token",
    summary: "What is known about a token, without the token.",
    models: &[TokenResponse::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// The metadata of a token. The constructor asks for the token itself and keeps nothing of it.
    TokenResponse {
        token_type: String = Rule::text().or("Bearer"),
        expires_in: Option<i64> = Rule::whole().or_null(),
        /// The earlier of the token's own expiry and the grant's end.
        expires_at: Option<String> = Rule::time().or_null(),
        token_expires_at: Option<String> = Rule::time().or_null(),
        grant_expires_at: Option<String> = Rule::time().or_null(),
        scopes: Vec<String> = Rule::texts_or_empty(),
        grant_id: String = Rule::text(),
        provider_id: Option<String> = Rule::text().or_null(),
        scope_mismatch: bool = Rule::flag_or_false(),
        injection_header: String = Rule::text().or("Authorization").hidden(),
        injection_format: String = Rule::text().or("Bearer {token}").hidden(),
        additional_credentials: Option<Map<String, Value>> = Rule::text_map().or_null().hidden(),
        additional_injections: Option<Vec<Map<String, Value>>> = Rule::text_maps().or_null().hidden(),
    } checked by without_secrets
}

/// Parts of a credential that open something by themselves.
const SECRET_PARTS: [&str; 2] = ["secret_key", "session_token"];

/// Takes the secret parts out of the additional credentials.
fn without_secrets(read: &mut Map<String, Value>) -> Result<(), Fault> {
    if let Some(Value::Object(parts)) = read.get_mut("additional_credentials") {
        parts.retain(|name, _| !SECRET_PARTS.contains(&name.as_str()));
        if parts.is_empty() {
            read.insert("additional_credentials".to_owned(), Value::Null);
        }
    }
    Ok(())
}
