//! Who a request says it is: caller, caller type and context. All of it is signed; none of it widens what the key may do.

use alter_core::context::{LONGEST_JSON, LONGEST_KEY, LONGEST_VALUE, MOST_KEYS};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::refusal::Refusal;
use super::signed::SignedHeaders;
use crate::model::CallerType;

const LONGEST_CALLER: usize = 255;

/// The identity headers of a request, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Name and kind of the caller, if the request names one.
    pub caller: Option<(CallerType, &'a str)>,
    /// The context's JSON text, if there is one.
    pub context: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// Reads and checks the identity headers.
    ///
    /// # Errors
    /// 400 `invalid_caller` or `invalid_context`, naming the header and the limit.
    pub fn of(headers: &SignedHeaders<'a>) -> Result<Self, Refusal> {
        Ok(Self { caller: caller(headers)?, context: context(headers.context)? })
    }

    /// The managed agent that the request names: a caller whose name is a UUID.
    pub fn named_agent(&self) -> Option<Uuid> {
        self.caller.filter(|(_, name)| name.len() == 36).and_then(|(_, name)| Uuid::parse_str(name).ok())
    }
}

fn caller<'a>(headers: &SignedHeaders<'a>) -> Result<Option<(CallerType, &'a str)>, Refusal> {
    let invalid = |what: &str| Refusal::bad_request("invalid_caller", what.to_owned());
    let caller_type = match headers.caller_type {
        "" => CallerType::Service,
        word => CallerType::parse(word).ok_or_else(|| invalid("X-Alter-Caller-Type must be agent or service."))?,
    };
    let name = headers.caller;
    if name.is_empty() {
        return Ok(None);
    }
    if name.len() > LONGEST_CALLER || !name.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        return Err(invalid("X-Alter-Caller must be 1 to 255 printable ASCII characters."));
    }
    Ok(Some((caller_type, name)))
}

fn context(text: &str) -> Result<Option<&str>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |what: String| Refusal::bad_request("invalid_context", format!("X-Alter-Context {what}."));
    if text.len() > LONGEST_JSON {
        return Err(invalid(format!("is longer than {LONGEST_JSON} characters")));
    }
    let members: Map<String, Value> = serde_json::from_str(text).map_err(|_| invalid("is not a JSON object".into()))?;
    if members.len() > MOST_KEYS {
        return Err(invalid(format!("has more than {MOST_KEYS} keys")));
    }
    for (key, value) in &members {
        let value = value.as_str().ok_or_else(|| invalid("holds a value that is not text".into()))?;
        if key.chars().count() > LONGEST_KEY || value.chars().count() > LONGEST_VALUE {
            return Err(invalid(format!("holds a key over {LONGEST_KEY} or a value over {LONGEST_VALUE} characters")));
        }
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_core::signing::headers;
    use http::Request;
    use serde_json::json;

    /// Caller and context, or the refusal's code.
    type Judged = Result<(Option<(CallerType, String)>, Option<String>), &'static str>;

    fn judge(pairs: &[(&str, &str)]) -> Judged {
        let mut request = Request::get("/");
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("valid headers").into_parts();
        let headers = SignedHeaders::read(&parts).expect("readable");
        Identity::of(&headers)
            .map(|id| (id.caller.map(|(t, n)| (t, n.to_owned())), id.context.map(str::to_owned)))
            .map_err(|refusal| refusal.code())
    }

    #[test]
    fn a_caller_is_named_with_its_type() {
        assert_eq!(judge(&[]), Ok((None, None)));
        let named = judge(&[(headers::CALLER, "mail bot"), (headers::CALLER_TYPE, "agent")]);
        assert_eq!(named, Ok((Some((CallerType::Agent, "mail bot".into())), None)));
        assert_eq!(judge(&[(headers::CALLER, "x"), (headers::CALLER_TYPE, "robot")]), Err("invalid_caller"));
        assert_eq!(judge(&[(headers::CALLER, &"x".repeat(256))]), Err("invalid_caller"));
    }

    #[test]
    fn a_uuid_names_a_managed_agent_however_it_is_written() {
        let named = |name| Identity { caller: Some((CallerType::Agent, name)), context: None }.named_agent();
        assert!(named("8B0F9A52-3f51-4a7e-9c1d-0d6a5e7c1b2f").is_some());
        assert_eq!(named("8b0f9a523f514a7e9c1d0d6a5e7c1b2f"), None);
        assert_eq!(named("mail bot"), None);
    }

    #[test]
    fn a_context_is_a_small_map_of_text() {
        let text = r#"{"tool":"mail"}"#;
        assert_eq!(judge(&[(headers::CONTEXT, text)]), Ok((None, Some(text.into()))));
        let many: Map<String, Value> = (0..21).map(|i| (i.to_string(), json!("x"))).collect();
        for bad in
            ["[]".to_owned(), "{".into(), r#"{"a":1}"#.into(), json!({"k": "x".repeat(513)}).to_string(), Value::Object(many).to_string()]
        {
            assert_eq!(judge(&[(headers::CONTEXT, &bad)]), Err("invalid_context"), "{bad:.30}");
        }
        assert_eq!(judge(&[(headers::CONTEXT, &"x".repeat(4097))]), Err("invalid_context"));
    }
}
