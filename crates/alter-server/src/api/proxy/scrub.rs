//! Taking the credential out of what a provider answers.
//!
//! Some endpoints tell their caller what it sent, and a grant that is only used through the vault must not be read off one of them. What is looked for is what went
//! out: as it is, percent-encoded, or escaped as in JSON. An answer that says it in another way is not recognized.

use std::borrow::Cow;
use std::collections::BTreeSet;

use alter_core::encoding::base64_bytes;
use alter_core::secret::Secret;
use alter_core::token::{AWS_SIGV4_FORMAT, TokenAnswer, ValueSource};
use bytes::Bytes;
use memchr::memmem;

/// What stands in its place.
const MARK: &str = "[credential removed]";
/// Shorter values stand in too many texts that have nothing to do with them.
const SHORTEST: usize = 8;
/// The part of a signing credential that is sent. The key itself never is, and the id of the key is no secret.
const SESSION_TOKEN: &str = "session_token";

/// The values that one call has sent.
#[derive(Debug)]
pub struct Scrub(Vec<Secret>);

impl Scrub {
    /// For a call with this credential.
    pub fn of(token: &TokenAnswer) -> Self {
        let sent: Vec<Secret> = if token.injection_format.starts_with(AWS_SIGV4_FORMAT) {
            token.credential(SESSION_TOKEN).cloned().into_iter().collect()
        } else {
            let additional = token.additional_injections.iter().filter_map(|rule| match &rule.source {
                ValueSource::Token => None,
                ValueSource::Additional(name) => token.credential(name).cloned(),
            });
            additional.chain(password(token)).chain([token.access_token.clone()]).collect()
        };
        let mut values: Vec<Secret> = sent.iter().filter(|value| value.expose().len() >= SHORTEST).flat_map(spellings).collect();
        // One may stand in another.
        values.sort_by_key(|value| std::cmp::Reverse(value.expose().len()));
        Self(values)
    }

    /// The text without them, and whether one was in it.
    pub fn text<'a>(&self, text: &'a str) -> (Cow<'a, str>, bool) {
        let mut clean = Cow::Borrowed(text);
        for value in &self.0 {
            if clean.contains(value.expose()) {
                clean = Cow::Owned(clean.replace(value.expose(), MARK));
            }
        }
        let found = matches!(clean, Cow::Owned(_));
        (clean, found)
    }

    /// The bytes without them, and whether one was in them.
    pub fn bytes(&self, bytes: &Bytes) -> (Bytes, bool) {
        let mut clean = bytes.clone();
        let mut found = false;
        for value in &self.0 {
            if let Some(replaced) = without(&clean, value.expose().as_bytes()) {
                (clean, found) = (replaced, true);
            }
        }
        (clean, found)
    }
}

fn without(bytes: &[u8], value: &[u8]) -> Option<Bytes> {
    let mut kept = Vec::new();
    let mut from = 0;
    for at in memmem::find_iter(bytes, value) {
        kept.extend_from_slice(&bytes[from..at]);
        kept.extend_from_slice(MARK.as_bytes());
        from = at + value.len();
    }
    // Most answers hold none, and are not copied.
    if from == 0 {
        return None;
    }
    kept.extend_from_slice(&bytes[from..]);
    Some(kept.into())
}

/// The password of HTTP Basic authentication, which stands in the token with the user's name.
fn password(token: &TokenAnswer) -> Option<Secret> {
    token.injection_format.starts_with("Basic ").then_some(())?;
    let joined = String::from_utf8(base64_bytes(token.access_token.expose())?).ok()?;
    joined.split_once(':').map(|(_, password)| Secret::new(password))
}

fn spellings(value: &Secret) -> Vec<Secret> {
    let text = value.expose();
    let percent: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let quoted = serde_json::Value::from(text).to_string();
    let all = BTreeSet::from([text.to_owned(), percent, quoted[1..quoted.len() - 1].to_owned()]);
    all.into_iter().map(Secret::new).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scrub(more: Value) -> Scrub {
        let mut answer = json!({
            "access_token": "s3cret/+token", "grant_id": "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f", "injection_header": "Authorization",
            "injection_format": "Bearer {token}",
        });
        answer.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Scrub::of(&TokenAnswer::parse(answer.to_string().as_bytes(), &Value::Null).expect("an answer"))
    }

    fn clean(scrub: &Scrub, text: &str) -> String {
        let (bytes, found) = scrub.bytes(&Bytes::copy_from_slice(text.as_bytes()));
        let (same, found_too) = scrub.text(text);
        assert_eq!((bytes.as_ref(), found), (same.as_bytes(), found_too), "{text}");
        assert_eq!(found, text != same);
        same.into_owned()
    }

    #[test]
    fn what_went_out_is_found_as_it_is_and_in_its_usual_spellings() {
        let bearer = scrub(json!({}));
        assert_eq!(
            clean(&bearer, r#"{"a":"Bearer s3cret/+token","b":"s3cret/+token"}"#),
            format!(r#"{{"a":"Bearer {MARK}","b":"{MARK}"}}"#)
        );
        assert_eq!(clean(&bearer, "k=s3cret%2F%2Btoken&x"), format!("k={MARK}&x"));
        assert_eq!(clean(&bearer, "s3cret/token"), "s3cret/token");
        let quoted = scrub(json!({"access_token": r#"with"quote\too"#}));
        assert_eq!(clean(&quoted, r#"{"a":"with\"quote\\too"}"#), format!(r#"{{"a":"{MARK}"}}"#));
    }

    #[test]
    fn parts_of_a_credential_are_found() {
        let basic = scrub(json!({"access_token": "YWRhOnN3b3JkZmlzaA==", "injection_format": "Basic {token}"}));
        assert_eq!(clean(&basic, "ada swordfish YWRhOnN3b3JkZmlzaA=="), format!("ada {MARK} {MARK}"));
        let query = scrub(json!({
            "access_token": "query", "injection_header": "X-Credential-In", "injection_format": "{token}",
            "additional_credentials": {"value": "in-the-query"},
            "additional_injections": [{"target": "query_param", "key": "key", "value_source": "additional_credentials.value"}],
        }));
        assert_eq!(clean(&query, "query?key=in-the-query"), format!("query?key={MARK}"));
    }

    #[test]
    fn what_is_no_secret_or_never_sent_stays() {
        let aws = scrub(json!({
            "access_token": "AKIDEXAMPLE0", "injection_format": AWS_SIGV4_FORMAT,
            "additional_credentials": {"secret_key": "never-sent-key", "session_token": "session-token-1", "region": "us-east-1"},
        }));
        assert_eq!(clean(&aws, "AKIDEXAMPLE0 us-east-1 session-token-1"), format!("AKIDEXAMPLE0 us-east-1 {MARK}"));
        let short = scrub(json!({"access_token": "short"}));
        assert_eq!(clean(&short, "a short word"), "a short word");
    }
}
