//! Query parameters as a caller gives them.

use crate::encoding::{form_join, form_split};

/// One value of `query_params`. Numbers come as the text that the host language prints for them.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// Sent as an empty value: `n=`.
    Null,
    /// Sent as `true` or `false`.
    Bool(bool),
    /// Text, or a number's text.
    Text(String),
    /// The name repeated; an empty list sends nothing.
    List(Vec<QueryValue>),
}

/// Names and values in the caller's order.
pub type QueryParams = Vec<(String, QueryValue)>;

/// The pairs that a set of parameters stands for.
pub fn pairs(parameters: &QueryParams) -> Vec<(String, String)> {
    let mut out = Vec::with_capacity(parameters.len());
    for (name, value) in parameters {
        push(&mut out, name, value);
    }
    out
}

fn push(out: &mut Vec<(String, String)>, name: &str, value: &QueryValue) {
    let text = match value {
        QueryValue::Null => String::new(),
        QueryValue::Bool(value) => value.to_string(),
        QueryValue::Text(text) => text.clone(),
        QueryValue::List(values) => {
            for value in values {
                push(out, name, value);
            }
            return;
        }
    };
    out.push((name.to_owned(), text));
}

/// The query that goes out: parameters, if there are any, *replace* what the URL has (the public package's behaviour, which programs
/// rely on). `None` means no query; an empty text a bare question mark.
pub fn replace(in_url: Option<&str>, parameters: Option<&QueryParams>) -> Option<String> {
    match parameters {
        None => in_url.map(str::to_owned),
        Some(parameters) if parameters.is_empty() => None,
        Some(parameters) => Some(form_join(&pairs(parameters))),
    }
}

/// Adds or replaces pairs by name in an encoded query, leaving the others and their order.
pub fn merge(query: Option<&str>, extra: &[(String, String)]) -> Option<String> {
    if extra.is_empty() {
        return query.map(str::to_owned);
    }
    let kept = query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()).filter(|piece| {
        let name = form_split(piece).into_iter().next().map(|(name, _)| name).unwrap_or_default();
        !extra.iter().any(|(other, _)| *other == name)
    });
    let mut pieces: Vec<String> = kept.map(str::to_owned).collect();
    pieces.push(form_join(extra));
    Some(pieces.join("&"))
}
