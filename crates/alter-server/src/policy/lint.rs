//! What a policy may not say, though Cedar would take it: what is not known about a call is an attribute that is missing, and a policy must not be able to
//! look past it.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use crate::classify::folded;

/// Attributes of the context that are records: only their members may be compared.
const RECORDS: [&str; 1] = ["family"];
/// Operators by which the values of a parameter are compared.
const COMPARISONS: [&str; 7] = ["==", "!=", "contains", "containsAll", "containsAny", "in", "like"];

/// What a policy asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentions {
    /// Parameters of the call.
    pub(super) parameters: BTreeSet<String>,
    /// Attributes of the context, those of a record with a dot.
    pub(super) attributes: BTreeSet<String>,
}

/// Reads what a policy asks for.
///
/// # Errors
/// What it may not say.
pub(super) fn mentions(policy: &Policy) -> Result<Mentions, String> {
    let json = policy.to_json().map_err(|error| error.to_string())?;
    let mut names = Mentions::default();
    for clause in json["conditions"].as_array().into_iter().flatten() {
        walk(&clause["body"], &mut names)?;
    }
    Ok(names)
}

fn walk(node: &Value, names: &mut Mentions) -> Result<(), String> {
    let members = match node {
        Value::Array(items) => return items.iter().try_for_each(|item| walk(item, names)),
        Value::Object(members) => members,
        _ => return Ok(()),
    };
    if node["Var"] == "context" {
        return Err("uses context as a whole. Name one of its attributes, such as context.method.".to_owned());
    }
    for (operator, operands) in members {
        match operator.as_str() {
            "has" if root(&operands["left"]) == Some("context") => {
                let what = "asks whether context has an attribute. All of them are there, or not known; a call of which one is not known is refused \
                    by the policies that need it.";
                return Err(what.to_owned());
            }
            "." => attribute(operands, names)?,
            "hasTag" | "getTag" => {
                names.parameters.insert(name(&operands["right"])?);
                walk(&operands["left"], names)?;
            }
            operator if COMPARISONS.contains(&operator) && reads_tag(operands) => {
                in_lower_case(operands)?;
                walk(operands, names)?;
            }
            _ => walk(operands, names)?,
        }
    }
    Ok(())
}

/// `left.attr`
fn attribute(operands: &Value, names: &mut Mentions) -> Result<(), String> {
    let (left, attribute) = (&operands["left"], operands["attr"].as_str().unwrap_or_default());
    if left["Var"] == "context" {
        if RECORDS.contains(&attribute) {
            return Err(format!("uses context.{attribute} as a whole. Name one of its members, such as context.{attribute}.send."));
        }
        names.attributes.insert(attribute.to_owned());
        return Ok(());
    }
    let record = &left["."];
    if record["left"]["Var"] == "context" {
        names.attributes.insert(format!("{}.{attribute}", record["attr"].as_str().unwrap_or_default()));
        return Ok(());
    }
    walk(left, names)
}

/// What an expression begins with.
fn root(node: &Value) -> Option<&str> {
    node["Var"].as_str().or_else(|| node.get(".").and_then(|access| root(&access["left"])))
}

fn name(node: &Value) -> Result<String, String> {
    match node["Value"].as_str() {
        Some(name) if folded(name) == name => Ok(name.to_owned()),
        Some(name) => Err(format!("names the parameter {name:?}. Names of parameters are in lower case: {:?}.", folded(name))),
        None => Err("computes the name of a parameter. Write it out.".to_owned()),
    }
}

fn reads_tag(node: &Value) -> bool {
    match node {
        Value::Object(members) => members.contains_key("getTag") || members.values().any(reads_tag),
        Value::Array(items) => items.iter().any(reads_tag),
        _ => false,
    }
}

/// A text that could never be one of the values.
fn in_lower_case(node: &Value) -> Result<(), String> {
    match node {
        Value::Object(members) => {
            members.iter().filter(|(name, _)| !matches!(name.as_str(), "getTag" | "hasTag")).try_for_each(|(name, value)| {
                match value.as_str().filter(|_| name == "Value") {
                    Some(text) if folded(text) != text => {
                        Err(format!("compares a parameter with {text:?}. Values of parameters are in lower case: {:?}.", folded(text)))
                    }
                    _ => in_lower_case(value),
                }
            })
        }
        Value::Array(items) => items.iter().try_for_each(in_lower_case),
        _ => Ok(()),
    }
}
