//! The arguments of the public calls, as `node/src/arguments.ts` writes them.
//!
//! A value of a wrong type is not refused there: it crosses as [`Given::Wrong`], and the core decides which of several mistakes is
//! told, and how.

use alter_core::client::{Arg, Body, JsonText, RequestArgs, RuleArgs};
use alter_core::url::query::{QueryParams, QueryValue};
use bytes::Bytes;
use serde::Deserialize;

/// One argument that was given.
#[derive(Deserialize)]
pub enum Given<T> {
    /// With a type that fits.
    #[serde(rename = "v")]
    Value(T),
    /// With another: the type's name in JavaScript.
    #[serde(rename = "w")]
    Wrong(String),
}

/// The core's argument of one that may be absent.
pub fn arg<T>(given: Option<Given<T>>) -> Arg<T> {
    match given {
        None => Arg::Absent,
        Some(Given::Value(value)) => Arg::Value(value),
        Some(Given::Wrong(name)) => Arg::Wrong(name),
    }
}

/// Names and values in the caller's order.
type Pairs = Vec<(String, String)>;

/// What a client is made of, besides its key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// Milliseconds; null for no limit.
    pub timeout: Option<Given<Option<f64>>>,
    /// Who makes the calls.
    pub caller: Option<Given<String>>,
    /// `agent` or `service`.
    pub caller_type: Option<Given<String>>,
    /// The vault's address.
    pub base_url: Option<Given<String>>,
}

/// What `withConstraints()` takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Narrowing {
    /// Scopes.
    pub scopes: Option<Given<Vec<String>>>,
    /// A rule.
    pub rule: Option<Given<Rule>>,
}

/// The two members of a rule.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    rule_type: Option<Given<String>>,
    rule_body: Option<Given<JsonText>>,
}

impl From<Rule> for RuleArgs {
    fn from(rule: Rule) -> Self {
        Self { rule_type: arg(rule.rule_type), rule_body: arg(rule.rule_body) }
    }
}

/// A value of `queryParams`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Parameter {
    Null(()),
    Flag(bool),
    Text(String),
    List(Vec<Self>),
}

impl From<Parameter> for QueryValue {
    fn from(value: Parameter) -> Self {
        match value {
            Parameter::Null(()) => Self::Null,
            Parameter::Flag(flag) => Self::Bool(flag),
            Parameter::Text(text) => Self::Text(text),
            Parameter::List(values) => Self::List(values.into_iter().map(Self::from).collect()),
        }
    }
}

fn parameters(pairs: Vec<(String, Parameter)>) -> QueryParams {
    pairs.into_iter().map(|(name, value)| (name, value.into())).collect()
}

fn parameters_arg(given: Option<Given<Vec<(String, Parameter)>>>) -> Arg<QueryParams> {
    match arg(given) {
        Arg::Absent => Arg::Absent,
        Arg::Value(pairs) => Arg::Value(parameters(pairs)),
        Arg::Wrong(name) => Arg::Wrong(name),
    }
}

/// What `request()` takes. The two bodies that can be long, JSON text and raw bytes, cross beside it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    method: Option<Given<String>>,
    url: Option<Given<String>>,
    grant_id: Option<Given<JsonText>>,
    provider: Option<Given<JsonText>>,
    account: Option<Given<JsonText>>,
    label: Option<Given<String>>,
    /// Only if it cannot be written as JSON.
    json: Option<Given<JsonText>>,
    /// A form, or what is no body at all.
    body: Option<Given<Vec<(String, Parameter)>>>,
    extra_headers: Option<Given<Pairs>>,
    headers: Option<Given<Pairs>>,
    query_params: Option<Given<Vec<(String, Parameter)>>>,
    path_params: Option<Given<Pairs>>,
    reason: Option<Given<JsonText>>,
    context: Option<Given<Pairs>>,
    caller: Option<Given<String>>,
    user_token: Option<Given<String>>,
    app_user_id: Option<Given<String>>,
    /// The context of the trace that the program is in.
    #[serde(default)]
    surroundings: Pairs,
}

impl Request {
    /// The core's arguments, with the bodies that crossed beside them.
    pub fn into_args(self, json: Option<JsonText>, raw: Option<Bytes>) -> RequestArgs {
        let body = match (raw, parameters_arg(self.body)) {
            (Some(raw), _) => Arg::Value(Body::Raw(raw)),
            (None, Arg::Value(form)) => Arg::Value(Body::Form(form)),
            (None, Arg::Wrong(name)) => Arg::Wrong(name),
            (None, Arg::Absent) => Arg::Absent,
        };
        RequestArgs {
            method: arg(self.method),
            url: arg(self.url),
            grant_id: arg(self.grant_id),
            provider: arg(self.provider),
            account: arg(self.account),
            label: arg(self.label),
            json: json.map_or_else(|| arg(self.json), Arg::Value),
            body,
            extra_headers: arg(self.extra_headers),
            headers: arg(self.headers),
            query_params: parameters_arg(self.query_params),
            path_params: arg(self.path_params),
            reason: arg(self.reason),
            context: arg(self.context),
            ambient_context: self.surroundings,
            caller: arg(self.caller),
            user_token: arg(self.user_token),
            app_user_id: arg(self.app_user_id),
            traceparent: None,
        }
    }
}
