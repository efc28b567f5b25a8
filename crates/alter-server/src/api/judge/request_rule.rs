//! The rule that one client signs into its own requests (`x-alter-request-rule`): it can only deny.
//!
//! A rule that the vault cannot evaluate refuses the request; it is never ignored. On `POST /sdk/token` the method is not known to be final,
//! so a condition on the method counts as met, and nothing else is known. What an operation of a provider does (`send`, `payment`, `admin`, operation
//! ids, parameters) is known from the provider's description: see [`classify`](crate::classify).

use std::time::Duration;

use alter_core::client::LONGEST_RULE;
use alter_core::content_match::{FAMILIES, LONGEST_AGE, LONGEST_NAME, LONGEST_OPERATION, MOST_ENTRIES, MOST_FIELDS};
use alter_core::given::Args;
use alter_core::local::LocalCall;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::api::refusal::Refusal;
use crate::classify::{Condition, Facts, follows_from_method};

/// What a rule that applies does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Deny,
    Redact { fields: Vec<String> },
    StepUp { max_session_age_seconds: u64 },
}

/// A well-formed `content_match` rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRule {
    operations: Vec<String>,
    families: Vec<String>,
    conditions: Vec<Condition>,
    effect: Effect,
}

impl RequestRule {
    /// Reads the header's value; `None` if it is empty.
    ///
    /// # Errors
    /// 400 `invalid_request_rule` if it is malformed, 400 `request_rule_unsupported` if it is of a type that this vault does not know.
    pub fn parse(header: &str) -> Result<Option<Self>, Refusal> {
        if header.is_empty() {
            return Ok(None);
        }
        if header.len() > LONGEST_RULE {
            return Err(invalid(format!("is longer than {LONGEST_RULE} characters")));
        }
        let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| invalid("is not base64url without padding"))?;
        let envelope: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| invalid("is not a JSON object"))?;
        only_members(&envelope, &["rule_type", "rule_body"], "the rule")?;
        let rule_type = envelope.get("rule_type").and_then(Value::as_str).ok_or_else(|| invalid("has no text rule_type"))?;
        let body = envelope.get("rule_body").and_then(Value::as_object).ok_or_else(|| invalid("has no object rule_body"))?;
        match rule_type {
            "content_match" => Self::content_match(body).map(Some),
            _ => Err(Refusal::bad_request(
                "request_rule_unsupported",
                "X-Alter-Request-Rule has a rule_type that this vault cannot evaluate; it knows content_match.",
            )),
        }
    }

    fn content_match(body: &Map<String, Value>) -> Result<Self, Refusal> {
        only_members(body, &["match", "params", "effect", "redact", "step_up"], "rule_body")?;
        let matched = body.get("match").and_then(Value::as_object).ok_or_else(|| invalid("has no object rule_body.match"))?;
        only_members(matched, &["operations", "families"], "rule_body.match")?;
        let operations = texts(matched.get("operations"), "rule_body.match.operations", LONGEST_OPERATION)?;
        let families = texts(matched.get("families"), "rule_body.match.families", LONGEST_OPERATION)?;
        if let Some(unknown) = families.iter().position(|family| !FAMILIES.contains(&family.as_str())) {
            return Err(invalid(format!("names an unknown family at rule_body.match.families[{unknown}]")));
        }
        if operations.is_empty() && families.is_empty() {
            return Err(invalid("matches nothing: rule_body.match needs operations or families"));
        }
        if operations.len() + families.len() > MOST_ENTRIES {
            return Err(invalid(format!("names more than {MOST_ENTRIES} operations and families")));
        }
        let conditions = conditions(body.get("params"))?;
        Ok(Self { operations, families, conditions, effect: effect(body)? })
    }

    /// Judges a token retrieval.
    ///
    /// # Errors
    /// 400 `request_rule_not_evaluable` if the call cannot be classified; otherwise the rule applies, and its effect refuses: 403
    /// `request_rule_denied`, `redact_discharge_failed` (a credential that leaves the vault cannot be used to redact a body) or
    /// `step_up_required` (no user session is known).
    pub fn judge_retrieval(&self) -> Result<(), Refusal> {
        let by_method = self.families.iter().any(|family| follows_from_method(family));
        if !by_method || !self.conditions.is_empty() {
            return Err(not_evaluable());
        }
        Err(match &self.effect {
            Effect::Deny => Refusal::forbidden(
                "request_rule_denied",
                "The request rule of this client denies the call. On a token retrieval a condition on the method counts as met.",
            )
            .with("details", self.told()),
            Effect::Redact { .. } => Refusal::forbidden(
                "redact_discharge_failed",
                "The request rule of this client asks to redact the body, which the vault does not see on a token retrieval.",
            ),
            Effect::StepUp { max_session_age_seconds } => step_up(*max_session_age_seconds),
        })
    }

    /// Judges a call that the vault makes. `session_age` is how long ago the user signed in, if that is known.
    ///
    /// # Errors
    /// 400 `request_rule_not_evaluable` if the call cannot be classified; 403 `request_rule_denied`, or `step_up_required` unless the user signed in
    /// recently enough.
    pub fn judge_call(&self, call: &Facts, session_age: Option<Duration>) -> Result<(), Refusal> {
        if !self.applies(call).ok_or_else(not_evaluable)? {
            return Ok(());
        }
        match &self.effect {
            Effect::Deny => {
                let message = "The request rule of this client denies the call. Make another one, or use a client without the rule.";
                Err(Refusal::forbidden("request_rule_denied", message).with("details", self.told()))
            }
            Effect::Redact { .. } => Ok(()),
            Effect::StepUp { max_session_age_seconds: longest } if session_age.is_some_and(|age| age.as_secs() <= *longest) => Ok(()),
            Effect::StepUp { max_session_age_seconds } => Err(step_up(*max_session_age_seconds)),
        }
    }

    /// The fields to take out of the body of a call that [`judge_call`](Self::judge_call) has passed.
    pub fn redaction(&self, call: &Facts) -> Option<&[String]> {
        match &self.effect {
            Effect::Redact { fields } if self.applies(call).unwrap_or(true) => Some(fields),
            _ => None,
        }
    }

    /// Whether a call is one of those that the rule is about; `None` if nobody knows. Of operations and families one is enough, and all conditions hold.
    fn applies(&self, call: &Facts) -> Option<bool> {
        call.are(&self.families, &self.operations, &self.conditions)
    }

    /// What the client is told of its own rule.
    fn told(&self) -> Value {
        let params: Vec<&str> = self.conditions.iter().map(Condition::name).collect();
        json!({ "operations": self.operations, "families": self.families, "params": params })
    }
}

fn step_up(max_session_age_seconds: u64) -> Refusal {
    let message = "The request rule of this client asks for a recent user session, and this call has none.";
    Refusal::forbidden("step_up_required", message).with("max_session_age_seconds", max_session_age_seconds)
}

fn not_evaluable() -> Refusal {
    Refusal::bad_request(
        "request_rule_not_evaluable",
        "X-Alter-Request-Rule depends on what the call does, and the call cannot be classified, so it is refused. An operator describes the \
         provider with `alter spec load`, and says there which operations send, pay or administer.",
    )
}

fn effect(body: &Map<String, Value>) -> Result<Effect, Refusal> {
    let name = body.get("effect").and_then(Value::as_str).ok_or_else(|| invalid("has no text rule_body.effect"))?;
    let (redact, step_up) = (body.get("redact"), body.get("step_up"));
    match (name, redact, step_up) {
        ("deny", None, None) => Ok(Effect::Deny),
        ("redact", Some(Value::Object(redact)), None) => {
            only_members(redact, &["fields"], "rule_body.redact")?;
            let fields = texts(redact.get("fields"), "rule_body.redact.fields", LONGEST_NAME)?;
            if fields.is_empty() || fields.len() > MOST_FIELDS {
                return Err(invalid(format!("needs 1 to {MOST_FIELDS} rule_body.redact.fields")));
            }
            Ok(Effect::Redact { fields })
        }
        ("step_up", None, Some(Value::Object(step_up))) => {
            only_members(step_up, &["max_session_age_seconds"], "rule_body.step_up")?;
            let age = step_up.get("max_session_age_seconds").and_then(Value::as_u64).filter(|age| (1..=LONGEST_AGE).contains(age));
            age.map(|max_session_age_seconds| Effect::StepUp { max_session_age_seconds })
                .ok_or_else(|| invalid(format!("needs rule_body.step_up.max_session_age_seconds between 1 and {LONGEST_AGE}")))
        }
        ("deny" | "redact" | "step_up", _, _) => Err(invalid("has members that do not fit rule_body.effect")),
        _ => Err(invalid("has an unknown rule_body.effect; known: deny, redact, step_up")),
    }
}

/// Reads the conditions. The client builds them by the same rules, so the same function checks them.
fn conditions(value: Option<&Value>) -> Result<Vec<Condition>, Refusal> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| invalid("has a rule_body.params that is not a list"))?;
    let args = Args::new().with("families", json!(["read"])).with("params", value.clone());
    LocalCall::ContentMatchRule
        .run(args)
        .map_err(|error| invalid(format!("has a malformed condition: rule_body.{}", error.message().trim_end_matches('.'))))?;
    let read = list.iter().map(Condition::read).collect::<Option<_>>();
    read.ok_or_else(|| invalid("has a condition in rule_body.params that this vault cannot read"))
}

fn texts(value: Option<&Value>, name: &str, longest: usize) -> Result<Vec<String>, Refusal> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| invalid(format!("has a {name} that is not a list")))?;
    list.iter()
        .enumerate()
        .map(|(index, entry)| match entry.as_str() {
            Some(text) if !text.is_empty() && text.chars().count() <= longest => Ok(text.to_owned()),
            _ => Err(invalid(format!("needs texts of 1 to {longest} characters at {name}[{index}]"))),
        })
        .collect()
}

fn only_members(object: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), Refusal> {
    if object.keys().all(|key| known.contains(&key.as_str())) {
        return Ok(());
    }
    Err(invalid(format!("has an unknown member in {place}; known: {}", known.join(", "))))
}

fn invalid(what: impl std::fmt::Display) -> Refusal {
    Refusal::bad_request("invalid_request_rule", format!("X-Alter-Request-Rule {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(rule: &Value) -> String {
        URL_SAFE_NO_PAD.encode(rule.to_string())
    }

    fn verdict(rule_body: &Value) -> &'static str {
        let rule = json!({"rule_type": "content_match", "rule_body": rule_body});
        match RequestRule::parse(&header(&rule)) {
            Err(refusal) => refusal.code(),
            Ok(rule) => rule.expect("not empty").judge_retrieval().expect_err("rules only deny").code(),
        }
    }

    #[test]
    fn a_method_condition_counts_as_met() {
        assert_eq!(verdict(&json!({"match": {"families": ["read"]}, "effect": "deny"})), "request_rule_denied");
        assert_eq!(verdict(&json!({"match": {"families": ["send", "delete"]}, "effect": "deny"})), "request_rule_denied");
        let redact = json!({"match": {"families": ["write"]}, "effect": "redact", "redact": {"fields": ["to"]}});
        assert_eq!(verdict(&redact), "redact_discharge_failed");
        let step_up = json!({"match": {"families": ["write"]}, "effect": "step_up", "step_up": {"max_session_age_seconds": 60}});
        assert_eq!(verdict(&step_up), "step_up_required");
    }

    #[test]
    fn what_cannot_be_classified_is_refused() {
        assert_eq!(verdict(&json!({"match": {"families": ["send"]}, "effect": "deny"})), "request_rule_not_evaluable");
        assert_eq!(verdict(&json!({"match": {"operations": ["post:/emails"]}, "effect": "deny"})), "request_rule_not_evaluable");
        let with_params =
            json!({"match": {"families": ["read"]}, "params": [{"name": "to", "op": "equals", "value": 1}], "effect": "deny"});
        assert_eq!(verdict(&with_params), "request_rule_not_evaluable");
    }

    #[test]
    fn malformed_rules_are_refused() {
        for body in [
            json!({}),
            json!({"match": {}, "effect": "deny"}),
            json!({"match": {"families": ["fly"]}, "effect": "deny"}),
            json!({"match": {"families": "read"}, "effect": "deny"}),
            json!({"match": {"families": ["read"]}}),
            json!({"match": {"families": ["read"]}, "effect": "allow"}),
            json!({"match": {"families": ["read"]}, "effect": "redact"}),
            json!({"match": {"families": ["read"]}, "effect": "redact", "redact": {"fields": []}}),
            json!({"match": {"families": ["read"]}, "effect": "deny", "step_up": {}}),
            json!({"match": {"families": ["read"]}, "effect": "step_up", "step_up": {"max_session_age_seconds": 0}}),
            json!({"match": {"families": ["read"]}, "effect": "deny", "params": [{"name": "x"}]}),
            json!({"match": {"families": ["read"]}, "effect": "deny", "extra": 1}),
            json!({"match": {"operations": vec!["x"; 101]}, "effect": "deny"}),
        ] {
            assert_eq!(verdict(&body), "invalid_request_rule", "{body}");
        }
        for text in ["@@@", "bm90IGpzb24", &header(&json!([1])), &header(&json!({"rule_type": "content_match"})), &"A".repeat(4097)] {
            assert_eq!(RequestRule::parse(text).expect_err("malformed").code(), "invalid_request_rule", "{text:.20}");
        }
        let unknown = header(&json!({"rule_type": "json_match", "rule_body": {}}));
        assert_eq!(RequestRule::parse(&unknown).expect_err("unknown").code(), "request_rule_unsupported");
        assert_eq!(RequestRule::parse(""), Ok(None));
    }
}
