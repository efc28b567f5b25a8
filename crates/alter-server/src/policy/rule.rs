//! A `forbid` with its annotations.
//!
//! | Annotation | |
//! |---|---|
//! | `@id("no-mail")` | its name in answers, beside the policy's |
//! | `@reason("Only finance may pay.")` | what the caller is told |
//! | `@effect("deny")` | refuse; also without the annotation |
//! | `@effect("approval") @approvers("ada@example.com, operator:bob")` | hold until one of them approves |
//! | `@effect("step_up") @max_session_age_seconds("300")` | refuse unless the user signed in recently |
//! | `@effect("redact") @fields("ssn, iban")` | take members out of the body |
//! | `@rate("100/hour") @per("agent")` | it applies to what goes beyond |
//! | `@outside_windows("mon-fri 09:00-17:00 Europe/Berlin")` | it applies outside these times |
//! | `@params("[{\"name\": …}]")` | it applies if these conditions on parameters hold, as in a client's rule |

use std::collections::BTreeSet;
use std::time::Duration;

use alter_core::content_match::{LONGEST_AGE, LONGEST_NAME, MOST_FIELDS};
use alter_core::given::Args;
use alter_core::local::LocalCall;
use cedar_policy::Policy;
use serde_json::{Value, json};

use super::times;
use crate::classify::{Condition, Windows};
use crate::model::Approver;

const MOST_APPROVERS: usize = 20;
const LONGEST_TEXT: usize = 300;
const HIGHEST_RATE: u32 = 1_000_000;

/// What a rule does when it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It refuses.
    Deny,
    /// One of these has to approve: e-mail addresses, or `operator:` and a name.
    Approval(BTreeSet<Approver>),
    /// The user has to have signed in at most so long ago.
    StepUp(Duration),
    /// These members are taken out of the body.
    Redact(Vec<String>),
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls in one window.
    pub limit: u32,
    /// Seconds of a window.
    pub window: u32,
    /// What is counted together.
    pub per: Per,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// All calls of the app that the rule is about.
    #[default]
    App,
    /// Those of one agent, and those of the app itself.
    Agent,
    /// Those of one key.
    Key,
    /// Those through one grant.
    Grant,
}

/// A rule of a policy.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The policy's name.
    pub policy: String,
    /// The rule's place in the policy, from 1.
    pub number: usize,
    /// Its own name.
    pub id: Option<String>,
    /// What the caller is told.
    pub reason: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Beyond what rate it applies.
    pub rate: Option<Rate>,
    pub(super) outside: Option<Windows>,
    pub(super) conditions: Vec<Condition>,
}

impl Rule {
    /// How answers name it: the policy, and which of its rules.
    pub fn name(&self) -> String {
        match &self.id {
            Some(id) => format!("{}/{id}", self.policy),
            None => format!("{}/{}", self.policy, self.number),
        }
    }

    /// Reads the annotations of a policy.
    ///
    /// # Errors
    /// What is wrong with one.
    pub(super) fn read(policy: &str, number: usize, source: &Policy) -> Result<Self, String> {
        let mut rule = Self {
            policy: policy.to_owned(),
            number,
            id: None,
            reason: None,
            effect: Effect::Deny,
            rate: None,
            outside: None,
            conditions: Vec::new(),
        };
        for (name, value) in source.annotations() {
            let wrong = |what: String| format!("@{name} {what}.");
            match name {
                "id" => rule.id = Some(word(value).map_err(wrong)?),
                "reason" => rule.reason = Some(text(value).map_err(wrong)?),
                "outside_windows" => rule.outside = Some(times::windows(value).map_err(wrong)?),
                "params" => rule.conditions = conditions(value).map_err(wrong)?,
                // Read with what they belong to.
                "effect" | "approvers" | "max_session_age_seconds" | "fields" | "rate" | "per" => {}
                _ => return Err(wrong("is no annotation that this vault knows, and it ignores none".to_owned())),
            }
        }
        rule.effect = effect(source)?;
        rule.rate = rate(source)?;
        if rule.rate.is_some() && rule.effect != Effect::Deny {
            return Err("@rate refuses what goes beyond it, so it does not go with another @effect.".to_owned());
        }
        Ok(rule)
    }

    /// What would make a call pass, in a sentence.
    pub fn remedy(&self) -> String {
        match (&self.effect, &self.rate) {
            (Effect::Deny, Some(rate)) => {
                format!("At most {} calls in {} seconds pass; wait for the next window.", rate.limit, rate.window)
            }
            (Effect::Deny, None) if self.outside.is_some() => "The call passes within the policy's time windows.".to_owned(),
            (Effect::Deny, None) => "Make another call, or have an operator change the policy.".to_owned(),
            (Effect::Approval(approvers), _) => format!("One of {} people has to approve the call: use proxy_request().", approvers.len()),
            (Effect::StepUp(longest), _) => {
                format!("The user has to have signed in at most {} seconds ago: send a fresh user_token.", longest.as_secs())
            }
            (Effect::Redact(fields), _) => format!("The vault takes {} out of the body: use proxy_request().", fields.join(", ")),
        }
    }
}

fn effect(source: &Policy) -> Result<Effect, String> {
    let name = source.annotation("effect").unwrap_or("deny");
    let needs = [("approval", "approvers"), ("step_up", "max_session_age_seconds"), ("redact", "fields")];
    for (effect, annotation) in needs {
        match (effect == name, source.annotation(annotation).is_some()) {
            (true, false) => return Err(format!("@effect(\"{effect}\") needs @{annotation}.")),
            (false, true) => return Err(format!("@{annotation} goes with @effect(\"{effect}\") only.")),
            _ => {}
        }
    }
    let value = |annotation| source.annotation(annotation).unwrap_or_default();
    match name {
        "deny" => Ok(Effect::Deny),
        "approval" => approvers(value("approvers")).map(Effect::Approval),
        "step_up" => {
            let age = value("max_session_age_seconds").parse().ok().filter(|age| (1..=LONGEST_AGE).contains(age));
            let age = age.ok_or_else(|| format!("@max_session_age_seconds must be a whole number, 1 to {LONGEST_AGE}."))?;
            Ok(Effect::StepUp(Duration::from_secs(age)))
        }
        "redact" => fields(value("fields")).map(Effect::Redact),
        other => Err(format!("@effect({other:?}) is none: it is deny, approval, step_up or redact.")),
    }
}

fn entries(text: &str) -> Vec<String> {
    text.split(',').map(|entry| entry.trim().to_owned()).collect()
}

fn approvers(text: &str) -> Result<BTreeSet<Approver>, String> {
    let entries = entries(text);
    let approvers: Option<BTreeSet<Approver>> = entries.iter().map(|entry| Approver::parse(entry)).collect();
    approvers.filter(|approvers| approvers.len() == entries.len() && entries.len() <= MOST_APPROVERS).ok_or_else(|| {
        format!("@approvers must be 1 to {MOST_APPROVERS} e-mail addresses or operators (operator:NAME), with commas between them.")
    })
}

fn fields(text: &str) -> Result<Vec<String>, String> {
    let fields = entries(text);
    let is_one = |field: &String| !field.is_empty() && field.chars().count() <= LONGEST_NAME;
    if fields.len() <= MOST_FIELDS && fields.iter().all(is_one) {
        return Ok(fields);
    }
    Err(format!("@fields must be 1 to {MOST_FIELDS} names, with commas between them."))
}

fn rate(source: &Policy) -> Result<Option<Rate>, String> {
    let per = match source.annotation("per") {
        None => Per::default(),
        Some("app") => Per::App,
        Some("agent") => Per::Agent,
        Some("key") => Per::Key,
        Some("grant") => Per::Grant,
        Some(other) => return Err(format!("@per({other:?}) is none: it is app, agent, key or grant.")),
    };
    let Some(text) = source.annotation("rate") else {
        return if source.annotation("per").is_some() { Err("@per goes with @rate only.".to_owned()) } else { Ok(None) };
    };
    let read = text.split_once('/').and_then(|(limit, unit)| {
        let window = match unit.trim() {
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            "day" => 86_400,
            _ => return None,
        };
        let limit = limit.trim().parse().ok().filter(|limit| (1..=HIGHEST_RATE).contains(limit))?;
        Some(Rate { limit, window, per })
    });
    read.map(Some).ok_or_else(|| format!("@rate must be 1 to {HIGHEST_RATE} per second, minute, hour or day, such as \"100/hour\"."))
}

fn conditions(text: &str) -> Result<Vec<Condition>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or("must be a JSON list of conditions")?;
    let checked = LocalCall::ContentMatchRule.run(Args::new().with("families", json!(["read"])).with("params", value.clone()));
    checked.map_err(|error| format!("has a malformed condition: {}", error.message().trim_end_matches('.')))?;
    list.iter().map(Condition::read).collect::<Option<_>>().ok_or_else(|| "has a condition that this vault cannot read".to_owned())
}

fn word(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=63).contains(&text.len()) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("must have 1 to 63 of a-z, A-Z, 0-9, -, _ and dots".to_owned())
}

fn text(text: &str) -> Result<String, String> {
    if !text.trim().is_empty() && text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("must have 1 to {LONGEST_TEXT} characters, none of them a control character"))
}
