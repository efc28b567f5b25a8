//! What a program tells the vault about its own steps.

use super::declare::models;
use super::{Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "spans",
    summary: "What a program tells the vault about its own steps.",
    models: &[UserSpan::MODEL, EmitSpansResult::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// A step of a program. It is a label beside the vault's own records and no evidence.
    UserSpan(mutable) {
        /// Groups steps; any text.
        trace_id: String = Rule::filled().most(255),
        name: String = Rule::filled().most(255),
        start_time: String = Rule::time(),
        /// The vault makes one if it is missing; the same id of a trace is stored once.
        span_id: Option<String> = Rule::filled().most(32).or_null(),
        parent_span_id: Option<String> = Rule::filled().most(32).or_null(),
        end_time: Option<String> = Rule::time().or_null(),
        attributes: Map<String, Value> = Rule::text_map().or_empty_map(),
    }

    /// What became of the steps that were told.
    EmitSpansResult(mutable) {
        /// How many of them are new.
        accepted: i64 = Rule::whole(),
    }
}
