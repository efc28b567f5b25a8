//! One operation of the document, put together step by step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schema;

/// Who may ask, and what every request of this kind can be refused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The holder of an API key.
    Signed,
    /// An operator; the flag says whether the role must be `admin`.
    Operator(bool),
    /// Anybody.
    Anyone,
}

/// A status with the codes that a refusal of it can have.
type Refusals = &'static [(u16, &'static [&'static str])];

const OF_ANY: Refusals = &[(421, &["unknown_host"])];

const OF_SIGNED: Refusals = &[
    (
        400,
        &[
            "invalid_header",
            "invalid_body",
            "invalid_request",
            "invalid_caller",
            "invalid_context",
            "invalid_constraint",
            "constraint_not_narrowing",
            "constraint_unsupported",
            "invalid_request_rule",
            "request_rule_not_evaluable",
            "request_rule_unsupported",
        ],
    ),
    (
        401,
        &[
            "invalid_key",
            "key_revoked",
            "key_expired",
            "key_rotated_grace_expired",
            "agent_inactive",
            "timestamp_out_of_window",
            "content_hash_mismatch",
            "signature_invalid",
            "nonce_replayed",
        ],
    ),
    (403, &["ip_not_allowed", "insufficient_scope"]),
    (404, &["caller_agent_unresolved"]),
    (408, &["body_too_slow"]),
    (413, &["body_too_large"]),
    (429, &["rate_limit_exceeded"]),
    (500, &["internal_error"]),
    (503, &["audit_unavailable"]),
];

const OF_OPERATORS: Refusals =
    &[(400, &["invalid_request"]), (401, &["operator_key_invalid"]), (500, &["internal_error"]), (503, &["audit_unavailable"])];

const OF_CHANGES: Refusals =
    &[(400, &["invalid_body"]), (403, &["operator_role_insufficient"]), (408, &["body_too_slow"]), (413, &["body_too_large"])];

/// What a user's token can be refused with.
const OF_USER_TOKENS: Refusals =
    &[(400, &["idp_signin_not_configured"]), (401, &["jwt_validation_error"]), (503, &["service_unavailable"])];

/// One operation.
#[derive(Debug)]
pub struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    caller: Caller,
    scopes: Vec<&'static str>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    refusals: BTreeMap<u16, BTreeSet<&'static str>>,
}

impl Operation {
    /// A signed request.
    pub fn signed(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Caller::Signed, method, path, id, summary).refusing(OF_SIGNED)
    }

    /// A question of an operator.
    pub fn reading(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Caller::Operator(false), "get", path, id, summary).refusing(OF_OPERATORS).about_app()
    }

    /// A change that an operator makes.
    pub fn changing(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Caller::Operator(true), method, path, id, summary).refusing(OF_OPERATORS).refusing(OF_CHANGES).about_app()
    }

    /// A question of an operator that is put with a body.
    pub fn verifying(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        let asked = Self::new(Caller::Operator(false), "post", path, id, summary).refusing(OF_OPERATORS);
        asked.refusing(&[(400, &["invalid_body"]), (408, &["body_too_slow"]), (413, &["body_too_large"])])
    }

    /// A request without a key.
    pub fn open(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(Caller::Anyone, "get", path, id, summary)
    }

    fn new(caller: Caller, method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        let places = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters =
            places.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })).collect();
        let empty = BTreeMap::new();
        let operation = Self {
            method,
            path,
            id,
            summary,
            caller,
            scopes: Vec::new(),
            parameters,
            body: None,
            answers: BTreeMap::new(),
            refusals: empty,
        };
        operation.refusing(OF_ANY)
    }

    fn about_app(self) -> Self {
        if self.path.contains("{app}") { self.refuses(404, &["app_not_found"]) } else { self }
    }

    /// The scopes that the key needs.
    pub fn needs(mut self, scopes: &[&'static str]) -> Self {
        self.scopes.extend(scopes);
        self
    }

    /// The request's body.
    pub fn body(mut self, shape: Value) -> Self {
        self.body = Some(shape);
        self
    }

    /// A parameter of the query.
    pub fn query(mut self, name: &str, shape: Value) -> Self {
        self.parameters.push(json!({ "name": name, "in": "query", "required": false, "schema": shape }));
        self
    }

    /// A parameter of the query that has to be there.
    pub fn required_query(mut self, name: &str, shape: Value) -> Self {
        self.parameters.push(json!({ "name": name, "in": "query", "required": true, "schema": shape }));
        self
    }

    /// A header besides those of the signature.
    pub fn header(mut self, name: &str, shape: Value) -> Self {
        self.parameters.push(json!({ "name": name, "in": "header", "required": false, "schema": shape }));
        self
    }

    /// `limit` and `after` of the admin plane.
    pub fn paged(self) -> Self {
        self.query("limit", schema::whole(1, 1000)).query("after", schema::text())
    }

    /// An answer with JSON.
    pub fn answers(self, status: u16, shape: Value) -> Self {
        self.answers_as(status, "application/json", shape)
    }

    /// An answer of another type.
    pub fn answers_as(mut self, status: u16, kind: &str, shape: Value) -> Self {
        let description = match status {
            201 => "Made.",
            202 => "It waits for people.",
            _ => "Done.",
        };
        self.answers.insert(status, json!({ "description": description, "content": { kind: { "schema": shape } } }));
        self
    }

    /// An answer without a body.
    pub fn answers_nothing(mut self) -> Self {
        self.answers.insert(204, json!({ "description": "Done." }));
        self
    }

    /// A status of refusals with its codes, besides those of every request of the kind.
    pub fn refuses(mut self, status: u16, codes: &[&'static str]) -> Self {
        self.refusals.entry(status).or_default().extend(codes);
        self
    }

    /// Several of them.
    pub fn refusing(self, refusals: Refusals) -> Self {
        refusals.iter().fold(self, |operation, (status, codes)| operation.refuses(*status, codes))
    }

    /// The body may hold a user's token.
    pub fn with_user_token(self) -> Self {
        self.refusing(OF_USER_TOKENS)
    }

    /// Path, method and the operation as the document has it.
    pub fn finish(self) -> (String, &'static str, Value) {
        let mut answers: Map<String, Value> = self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        answers.extend(self.refusals.into_iter().map(|(status, codes)| (status.to_string(), refusal(status, &codes))));
        let (tag, security) = match self.caller {
            Caller::Signed => ("sdk", json!([{ "signature": [] }])),
            Caller::Operator(_) => ("admin", json!([{ "operator": [] }])),
            Caller::Anyone => ("health", json!([])),
        };
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [tag],
            "security": security,
            "responses": answers,
        });
        let needs = match self.caller {
            Caller::Signed if !self.scopes.is_empty() => Some(format!("The key needs `{}`.", self.scopes.join("` and `"))),
            Caller::Operator(true) => Some("Needs the role `admin`.".to_owned()),
            _ => None,
        };
        if let Some(needs) = needs {
            operation["description"] = needs.into();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if let Some(shape) = self.body {
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": shape } } });
        }
        (self.path.to_owned(), self.method, operation)
    }
}

fn refusal(status: u16, codes: &BTreeSet<&'static str>) -> Value {
    let description = match status {
        400 => "The request is at fault.",
        401 => "The caller is not who the request claims.",
        403 => "The caller may not.",
        404 => "There is no such thing, or not for this caller.",
        408 => "The body took too long.",
        409 => "It does not go with what is there.",
        410 => "It was deleted.",
        413 => "The body is too large.",
        421 => "The vault does not answer to this name.",
        422 => "The request is understood and cannot be done.",
        429 => "Too many requests. `Retry-After` says how long to wait.",
        500 => "A fault of the vault. Its log has the request id.",
        502 | 504 => "The provider is at fault.",
        _ => "Not now. `Retry-After` says how long to wait.",
    };
    let shape = json!({
        "allOf": [schema::shape("Refusal"), { "type": "object", "properties": { "error": { "enum": codes } } }],
    });
    let mut answer = json!({ "description": description, "content": { "application/json": { "schema": shape } } });
    if matches!(status, 429 | 503) {
        answer["headers"] = json!({ "Retry-After": { "description": "Seconds.", "schema": schema::count() } });
    }
    answer
}
