//! A provider's description, made ready for classifying calls.

use std::collections::HashMap;

use serde_json::Value;

use super::path::{Fit, Template, segments};
use super::{CallParts, Facts, KnownOperation, Parameters};
use crate::openapi::Operation;

/// The operations of a provider by what a call shows first: the method and the number of its segments.
#[derive(Debug, Default)]
pub struct Description {
    operations: Vec<Operation>,
    places: HashMap<(String, usize), Vec<Placed>>,
}

#[derive(Debug)]
struct Placed {
    host: Option<String>,
    template: Template,
    operation: usize,
}

impl Description {
    /// Makes operations ready.
    pub fn new(operations: Vec<Operation>) -> Self {
        let mut places: HashMap<_, Vec<Placed>> = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            for place in &operation.places {
                let Some(template) = Template::read(&place.path) else { continue };
                let key = (operation.method.clone(), template.segments.len());
                places.entry(key).or_default().push(Placed { host: place.host.clone(), template, operation: at });
            }
        }
        Self { operations, places }
    }

    /// What is known about a call.
    pub fn classify(&self, call: &CallParts<'_>) -> Facts {
        let Some((operation, fit)) = self.operation(call) else { return Facts::undescribed(call) };
        let described = |name: &str| operation.params.iter().any(|parameter| parameter["name"] == name);
        let is_list = |name: &str| {
            let named = operation.params.iter().find(|parameter| parameter["name"] == name && parameter["in"] == "query");
            named.is_some_and(|parameter| holds_list(&parameter["schema"]))
        };
        let parameters = Parameters::read(call, &fit.values, &is_list);
        if parameters.override_method() && !described("_method") {
            return Facts::undescribed(call);
        }
        let known =
            KnownOperation { id: operation.operation_id.clone(), families: operation.families.clone(), scopes: operation.scopes.clone() };
        Facts { method_family: super::family_of(call.method), operation: Some(known), parameters }
    }

    /// The one operation that a call fits best; none if it fits none, or two of which neither is the more exact one.
    fn operation(&self, call: &CallParts<'_>) -> Option<(&Operation, Fit)> {
        let segments = segments(call.path)?;
        let placed = self.places.get(&(call.method.as_str().to_owned(), segments.len()))?;
        let here = placed.iter().filter(|placed| placed.host.as_ref().is_none_or(|host| call.host.eq_ignore_ascii_case(host)));
        let fits: Vec<(usize, Fit)> = here.filter_map(|placed| Some((placed.operation, placed.template.fit(&segments)?))).collect();
        let tighter = |one: &Fit, other: &Fit| one.looseness.iter().zip(&other.looseness).all(|(one, other)| one <= other);
        let best = fits.iter().position(|(_, fit)| fits.iter().all(|(_, other)| tighter(fit, other)))?;
        let (operation, looseness) = (fits[best].0, &fits[best].1.looseness);
        let rival = |(other, fit): &(usize, Fit)| *other != operation && fit.looseness == *looseness;
        if fits.iter().any(rival) {
            return None;
        }
        let fit = fits.into_iter().nth(best)?.1;
        Some((self.operations.get(operation)?, fit))
    }
}

fn holds_list(schema: &Value) -> bool {
    match &schema["type"] {
        Value::String(kind) => kind == "array",
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "array"),
        _ => false,
    }
}
