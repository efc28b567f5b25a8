//! `trace_context`: what calls within a trace say about the run that they belong to.

use crate::error::{Error, Result};
use crate::given::{Args, Given, optional_text};
use crate::json;
use crate::url::quoted;

/// Names that have a meaning of their own.
const RESERVED: [&str; 7] = ["agent", "parent_agent", "run_id", "thread_id", "tool", "tool_call_id", "framework"];
const MOST_KEYS: usize = 20;
/// Longest key and value, and most of both together, in bytes of UTF-8.
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 512;
const MOST_BYTES: usize = 4096;

/// Texts by name, in their order.
type Context = Vec<(String, String)>;

/// The context of a trace as JSON. `agent` is who opens it, `surroundings` the context around it; a `parent` that is not given is the
/// agent around it.
///
/// # Errors
/// `AlterValueError` that names the argument.
pub(super) fn trace_context(args: &mut Args) -> Result<String> {
    let metadata = metadata(args.take_or_null("metadata"))?;
    let run = optional_text("run_id", args.take_or_null("run_id"))?;
    let thread = optional_text("thread_id", args.take_or_null("thread_id"))?;
    let around = texts("surroundings", args.take_or_null("surroundings"))?;
    let agent = crate::given::filled("agent", args.take_or_null("agent"))?;
    let inherited = |name: &str| around.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let parent = match args.take("parent") {
        Some(Given::Text(parent)) if !parent.is_empty() => Some(parent),
        Some(_) => None,
        // The same agent again: it goes on within its own trace.
        None => match inherited("agent") {
            Some(other) if other != agent => Some(other),
            Some(_) => inherited("parent_agent"),
            None => None,
        },
    };
    let own = [
        ("agent", Some(agent)),
        ("parent_agent", parent),
        ("run_id", run.or_else(|| inherited("run_id"))),
        ("thread_id", thread.or_else(|| inherited("thread_id"))),
    ];
    let mut context: Context = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    for (name, value) in around.into_iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())).chain(metadata) {
        match context.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => context.push((name, value)),
        }
    }
    let members: Vec<String> = context.iter().map(|(name, value)| format!("{}:{}", json::string(name), json::string(value))).collect();
    Ok(format!("{{{}}}", members.join(",")))
}

fn metadata(value: Given) -> Result<Context> {
    let metadata = texts("metadata", value)?;
    if metadata.len() > MOST_KEYS {
        return Err(Error::invalid(format!("metadata has {} keys; {MOST_KEYS} is the most.", metadata.len())));
    }
    for (name, value) in &metadata {
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::invalid(format!("metadata has the key {}, which has a meaning of its own.", quoted(name))));
        }
        if name.len() > LONGEST_KEY || value.len() > LONGEST_VALUE {
            let text = format!("metadata has a key of more than {LONGEST_KEY} bytes, or a value of more than {LONGEST_VALUE}.");
            return Err(Error::invalid(text));
        }
    }
    match metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() {
        bytes if bytes > MOST_BYTES => Err(Error::invalid(format!("metadata has {bytes} bytes; {MOST_BYTES} is the most."))),
        _ => Ok(metadata),
    }
}

fn texts(field: &str, value: Given) -> Result<Context> {
    let members = match value {
        Given::Null => return Ok(Vec::new()),
        Given::Map(members) => members,
        other => return Err(Error::wrong_type(field, "a map of text to text", other.type_name())),
    };
    let text = |given: Given| match given {
        Given::Text(text) => Ok(text),
        other => Err(Error::invalid(format!("{field} holds {}; every name and value must be text.", other.type_name()))),
    };
    members.into_iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn context(args: Args) -> Result<Value> {
        super::super::run("trace_context", args).map(|text| serde_json::from_str(&text).expect("it is JSON"))
    }

    fn around(surroundings: Value) -> Args {
        Args::new().with("agent", "a").with("surroundings", Given::from(surroundings))
    }

    #[test]
    fn a_trace_takes_over_what_is_around_it() {
        let outer = json!({ "agent": "boss", "run_id": "r", "thread_id": "t", "tool": "x", "free": "1", "other": "2" });
        let args = around(outer).with("run_id", "").with("metadata", Given::from(json!({ "free": "3" })));
        let wanted = json!({ "agent": "a", "parent_agent": "boss", "run_id": "", "thread_id": "t", "free": "3", "other": "2" });
        assert_eq!(context(args).expect("it is a trace"), wanted);
    }

    #[test]
    fn a_parent_is_the_agent_around_unless_it_is_named() {
        let same = json!({ "agent": "a", "parent_agent": "boss" });
        let parent = |args| context(args).expect("it is a trace").get("parent_agent").cloned();
        assert_eq!(parent(around(same.clone())), Some(json!("boss")));
        assert_eq!(parent(around(same.clone()).with("parent", "other")), Some(json!("other")));
        for none in [Given::Null, "".into(), 5u64.into()] {
            assert_eq!(parent(around(same.clone()).with("parent", none)), None);
        }
        assert_eq!(parent(around(json!({}))), None);
    }

    #[test]
    fn what_is_refused_names_its_argument() {
        let with = |name: &str, value: Value| around(json!({})).with(name, Given::from(value));
        let many: serde_json::Map<String, Value> = (0..21).map(|at| (format!("k{at}"), json!("v"))).collect();
        let large: serde_json::Map<String, Value> = (0..9).map(|at| (format!("k{at}"), json!("v".repeat(500)))).collect();
        for (args, start) in [
            (with("run_id", json!(5)), "run_id"),
            (with("thread_id", json!([])), "thread_id"),
            (with("metadata", json!({ "tool": "x" })), "metadata has the key"),
            (with("metadata", json!({ "a": 1 })), "metadata holds"),
            (with("metadata", json!({ "a": "é".repeat(257) })), "metadata has a key"),
            (with("metadata", Value::Object(many)), "metadata has 21 keys"),
            (with("metadata", Value::Object(large)), "metadata has 45"),
        ] {
            let error = context(args).expect_err(start);
            assert!(error.message().starts_with(start), "{error}");
        }
    }
}
