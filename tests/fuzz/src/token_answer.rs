//! The token answer: what is accepted can be injected as it says and says so again when it is written anew; what is refused is refused
//! without repeating the credential.

use alter_core::error::{Error, Kind};
use alter_core::token::{
    AWS_SIGV4_FORMAT, InjectionTarget, TokenAnswer, ValueSource, check_additional_credentials, is_canonical_uuid, is_forbidden_header,
};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

/// The input is the body of an answer.
pub fn check(data: &[u8]) {
    let json = serde_json::from_slice::<Value>(data).unwrap_or_default();
    match TokenAnswer::parse(data, &Value::from("the grant that was asked for")) {
        Ok(answer) => {
            fields(&json, &answer);
            again(&answer);
            assert!(!shows(&format!("{answer:?}"), &json), "Debug shows the credential");
        }
        Err(error) => refusal(&json, &error),
    }
}

fn fields(json: &Value, answer: &TokenAnswer) {
    let token = answer.access_token.expose();
    assert_eq!(json["access_token"], token);
    assert_eq!(json["grant_id"], answer.grant_id.as_str());
    assert!(is_canonical_uuid(&answer.grant_id) && answer.token_generation.as_deref().is_none_or(is_canonical_uuid));
    assert!(HeaderValue::from_str(token).is_ok() && token.trim_matches(' ') == token && !token.is_empty());

    assert!(HeaderName::from_bytes(answer.injection_header.as_bytes()).is_ok() && !is_forbidden_header(&answer.injection_header));
    let format = &answer.injection_format;
    assert!(format.contains("{token}") || format.starts_with(AWS_SIGV4_FORMAT));
    assert!(HeaderValue::from_str(&format.replace("{token}", token)).is_ok(), "{format:?}");

    let credentials = answer.additional_credentials.as_deref().unwrap_or_default();
    assert_eq!(check_additional_credentials(credentials), Ok(()));
    for (name, value) in credentials {
        assert_eq!(json["additional_credentials"][name], value.expose());
    }
    assert!(answer.additional_injections.len() <= 10);
    for rule in &answer.additional_injections {
        let is_name = HeaderName::from_bytes(rule.key.as_bytes()).is_ok() && !is_forbidden_header(&rule.key);
        assert!(is_name || rule.target == InjectionTarget::QueryParam, "{}", rule.key);
    }
    if let Some(retry) = &answer.retry_info {
        assert!(retry.total_attempts >= 1 && retry.successful_attempt <= retry.total_attempts);
        assert!(retry.errors.iter().all(|error| error.attempt >= 1 && error.delay_s >= 0.0 && error.error.chars().count() <= 500));
    }
}

/// Writing an accepted answer and reading it gives the same answer.
fn again(answer: &TokenAnswer) {
    let written = written(answer);
    let read = TokenAnswer::parse(written.to_string().as_bytes(), &Value::Null).expect("what was accepted once is accepted again");
    assert_eq!(self::written(&read), written);
}

fn written(answer: &TokenAnswer) -> Value {
    let named = |pairs: &[(String, alter_core::secret::Secret)]| {
        pairs.iter().map(|(name, value)| (name.clone(), value.expose().into())).collect::<Map<String, Value>>()
    };
    let rules = answer.additional_injections.iter().map(|rule| {
        let target = if rule.target == InjectionTarget::Header { "header" } else { "query_param" };
        let source = match &rule.source {
            ValueSource::Token => "token".to_owned(),
            ValueSource::Additional(name) => format!("additional_credentials.{name}"),
        };
        json!({"target": target, "key": rule.key, "value_source": source})
    });
    json!({
        "access_token": answer.access_token.expose(),
        "grant_id": answer.grant_id,
        "provider_id": answer.provider_id,
        "scope_mismatch": answer.scope_mismatch,
        "token_generation": answer.token_generation,
        "injection_header": answer.injection_header,
        "injection_format": answer.injection_format,
        "additional_credentials": answer.additional_credentials.as_deref().map(named),
        "additional_injections": rules.collect::<Vec<_>>(),
        "retry_info": answer.retry_info,
    })
}

fn refusal(json: &Value, error: &Error) {
    assert_eq!(error.kind(), Kind::Backend);
    assert!(!error.message().is_empty());
    let told = format!("{} {error:?} {}", error.message(), Value::from(error.details().clone()));
    assert!(!shows(&told, json), "the refusal shows the credential");
}

/// Whether a text shows the answer's token. A token that stands elsewhere in the answer as well, or is made of the words that every refusal
/// has, cannot be told apart.
fn shows(text: &str, json: &Value) -> bool {
    const OURS: &str =
        "The vault's token answer, so nothing was sent to the provider. Check that ALTER_BASE_URL is a vault of this protocol.";
    let Some(token) = json["access_token"].as_str().filter(|token| token.len() >= 16 && !OURS.contains(token)) else { return false };
    let mut rest = json.clone();
    if let Some(members) = rest.as_object_mut() {
        members.remove("access_token");
    }
    text.contains(token) && !rest.to_string().contains(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_shown_is_noticed() {
        let json = json!({"access_token": "a-token-of-some-length", "grant_id": 5});
        assert!(shows("refused: a-token-of-some-length is bad", &json));
        assert!(!shows("refused", &json));
    }
}
