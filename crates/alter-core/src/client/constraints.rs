//! Narrowing a client: every request that it signs says so.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::client::args::Arg;
use crate::error::{Error, Result};
use crate::json;

/// Longest encoded request rule, in characters.
pub const LONGEST_RULE: usize = 4096;

/// The two headers that narrow a request; empty if unused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    pub(crate) scopes: String,
    pub(crate) rule: String,
}

/// A rule as the caller gives it: JSON text of its two members, each kept as written.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleArgs {
    /// The rule's type.
    pub rule_type: Arg<String>,
    /// JSON text of an object.
    pub rule_body: Arg<String>,
}

impl Constraints {
    /// Checks both and makes their headers.
    ///
    /// # Errors
    /// `AlterValueError`: nothing given; scopes that are empty, `*`, or hold what a header or the comma-joined list cannot; a malformed rule.
    pub fn new(scopes: Arg<Vec<String>>, rule: Arg<RuleArgs>) -> Result<Self> {
        if !scopes.is_given() && !rule.is_given() {
            return Err(Error::invalid("with_constraints() needs scopes, a rule, or both."));
        }
        let scopes = scopes.get("scopes", "a list of texts")?.map(|scopes| scopes_header(&scopes)).transpose()?.unwrap_or_default();
        let rule = rule.get("rule", "a map with rule_type and rule_body")?.map(rule_header).transpose()?.unwrap_or_default();
        Ok(Self { scopes, rule })
    }
}

fn scopes_header(scopes: &[String]) -> Result<String> {
    if scopes.is_empty() {
        return Err(Error::invalid("scopes is empty. Name at least one scope, for example \"tokens:retrieve\"."));
    }
    for scope in scopes {
        if scope.is_empty() {
            return Err(Error::invalid("scopes holds an empty text. Remove it."));
        }
        if scope == "*" {
            return Err(Error::invalid("scopes holds \"*\", which narrows nothing. Name the scopes that are needed."));
        }
        // A comma would silently become two scopes on the wire; the rest cannot be sent in a header as it is.
        if !scope.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
            return Err(Error::invalid(format!(
                "scopes holds {}. A scope is printable ASCII without spaces and commas.",
                crate::url::quoted(scope)
            )));
        }
    }
    Ok(scopes.join(","))
}

fn rule_header(rule: RuleArgs) -> Result<String> {
    let rule_type = rule.rule_type.get("rule[\"rule_type\"]", "text")?.filter(|text| !text.is_empty());
    let Some(rule_type) = rule_type else {
        return Err(Error::invalid("rule has no rule_type. Give a text such as \"json_match\"."));
    };
    let Some(rule_body) = rule.rule_body.get("rule[\"rule_body\"]", "a map")? else {
        return Err(Error::invalid("rule has no rule_body. Give a map."));
    };
    let body = json::check("rule[\"rule_body\"]", &rule_body)?;
    if !matches!(serde_json::from_str(body.get()), Ok(Value::Object(_))) {
        return Err(Error::invalid("rule[\"rule_body\"] must be a map."));
    }
    let text = format!("{{\"rule_type\":{},\"rule_body\":{}}}", json::string(&rule_type), body.get());
    let header = URL_SAFE_NO_PAD.encode(text);
    if header.len() > LONGEST_RULE {
        return Err(Error::invalid(format!("rule has {} characters once encoded; {LONGEST_RULE} is the most.", header.len())));
    }
    Ok(header)
}
