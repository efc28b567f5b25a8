//! The row that a client reports about each call.

use super::declare::models;
use super::{Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "audit",
    summary: "The row that a client reports to the vault about each call it made.",
    models: &[APICallAuditLog::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// One call to a provider. Unlike other models it can be changed.
    APICallAuditLog(mutable) {
        grant_id: String = Rule::uuid(),
        provider_id: String = Rule::text(),
        token_generation: Option<String> = Rule::uuid().or_null(),
        method: String = Rule::text(),
        url: String = Rule::text(),
        request_headers: Option<Map<String, Value>> = Rule::text_map().or_null(),
        request_body: Option<Value> = Rule::any().or_null(),
        /// HTTP status; 0 if there was no answer.
        response_status: i64 = Rule::whole(),
        response_headers: Option<Map<String, Value>> = Rule::text_map().or_null(),
        response_body: Option<Value> = Rule::any().or_null(),
        latency_ms: i64 = Rule::whole(),
        timestamp: Option<String> = Rule::now().hidden(),
        reason: Option<String> = Rule::text().or_null(),
        context: Option<Map<String, Value>> = Rule::text_map().or_null(),
    }
}
