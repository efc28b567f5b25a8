//! What a call does, as far as the description of its provider tells: its operation, the families of that, and its parameters.
//!
//! [`Description::classify`] is a pure function of the loaded document and the call. Whoever asks gets one of three answers: yes, no, or that nobody
//! knows (`None`). Nobody knows what the document does not describe, what fits two of its operations, and what a provider might read in another way than
//! the vault: a path with a hidden slash, a parameter that is given twice. A rule that needs such an answer refuses.

mod condition;
mod description;
mod glob;
mod members;
mod parameters;
mod path;
mod windows;

use http::Method;

pub use condition::Condition;
pub use description::Description;
pub use parameters::{Known, Parameter, Parameters, Unclear};
pub use path::segments;
pub use windows::Windows;

/// A call, as far as it is classified by it.
#[derive(Clone, Copy, Debug)]
pub struct CallParts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The host, without a port.
    pub host: &'a str,
    /// The path as it is sent, with its escapes.
    pub path: &'a str,
    /// The query as it is sent.
    pub query: Option<&'a str>,
    /// The type of the body.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: Option<&'a [u8]>,
}

/// What is known about a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The family that follows from the method; `None` for one of which nobody knows what it does.
    pub method_family: Option<&'static str>,
    /// The operation; `None` if the call is not classified.
    pub operation: Option<KnownOperation>,
    /// What it is called with; without an operation, what does not stand in the path.
    pub parameters: Parameters,
}

/// The operation of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOperation {
    /// Its id.
    pub id: String,
    /// Families beyond the method's; `None` if nobody has said.
    pub families: Option<Vec<String>>,
    /// Alternatives of OAuth scopes; `None` if the document does not say.
    pub scopes: Option<Vec<Vec<String>>>,
}

/// Families that follow from the HTTP method alone.
const METHOD_FAMILIES: &[&str] = &["read", "write", "delete"];

impl Facts {
    /// What is known about a call to a provider that nobody has described.
    pub fn undescribed(call: &CallParts<'_>) -> Self {
        let parameters = Parameters::read(call, &[], &|_| false);
        // A provider that looks for the method in a parameter does something else than the method says.
        let method_family = if parameters.override_method() { None } else { family_of(call.method) };
        Self { method_family, operation: None, parameters }
    }

    /// Whether the call is one of some operations.
    pub fn is_operation(&self, ids: &[String]) -> Option<bool> {
        if ids.is_empty() {
            return Some(false);
        }
        let operation = self.operation.as_ref()?;
        Some(ids.iter().any(|id| folded(id) == folded(&operation.id)))
    }

    /// Whether the call is of one of some families.
    pub fn is_family<T: AsRef<str>>(&self, families: &[T]) -> Option<bool> {
        let names = |wanted: &str| families.iter().any(|family| family.as_ref() == wanted);
        if families.is_empty() {
            return Some(false);
        }
        let declared = self.operation.as_ref().and_then(|operation| operation.families.as_ref());
        if self.method_family.is_some_and(names) || declared.is_some_and(|declared| declared.iter().any(|family| names(family))) {
            return Some(true);
        }
        let by_method = families.iter().all(|family| METHOD_FAMILIES.contains(&family.as_ref()));
        (self.method_family.is_some() && (by_method || declared.is_some())).then_some(false)
    }

    /// Whether a rule is about the call: it is of one of the families or operations, and all conditions hold.
    pub fn are(&self, families: &[String], operations: &[String], conditions: &[Condition]) -> Option<bool> {
        match (self.is_family(families), self.is_operation(operations)) {
            (Some(true), _) | (_, Some(true)) => self.hold(conditions),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        }
    }

    /// Whether all conditions hold.
    pub fn hold(&self, conditions: &[Condition]) -> Option<bool> {
        let held: Vec<Option<bool>> = conditions.iter().map(|condition| condition.holds(self)).collect();
        if held.contains(&Some(false)) {
            return Some(false);
        }
        (!held.contains(&None)).then_some(true)
    }

    /// All families of the call; `None` unless all are known.
    pub fn families(&self) -> Option<Vec<&str>> {
        let declared = self.operation.as_ref()?.families.as_ref()?;
        let mut families = vec![self.method_family?];
        families.extend(declared.iter().map(String::as_str).filter(|family| Some(*family) != self.method_family));
        Some(families)
    }

    /// Whether some scopes of a login are enough for the call; `None` if the document does not say.
    pub fn is_within_scopes(&self, held: &[String]) -> Option<bool> {
        let alternatives = self.operation.as_ref()?.scopes.as_ref()?;
        Some(alternatives.iter().any(|needed| needed.iter().all(|scope| held.contains(scope))))
    }
}

/// The family that follows from a method; `None` for one of which nobody knows what it does.
pub fn family_of(method: &Method) -> Option<&'static str> {
    match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => Some("read"),
        "POST" | "PUT" | "PATCH" => Some("write"),
        "DELETE" => Some("delete"),
        _ => None,
    }
}

/// Whether a family follows from the method alone.
pub fn follows_from_method(family: &str) -> bool {
    METHOD_FAMILIES.contains(&family)
}

/// A text as rules compare it: case and blanks around it do not count.
pub fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests;
