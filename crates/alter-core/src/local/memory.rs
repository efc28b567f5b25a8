//! Where the memory of one agent for one user is kept: a namespace that no other identity can name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given, filled};

/// Most segments of a path, and the longest, in bytes of UTF-8.
const MOST_SEGMENTS: usize = 16;
const LONGEST_SEGMENT: usize = 255;
/// Longest key, in characters.
const LONGEST_KEY: usize = 512;

/// The scope of an identity as JSON. Beside the identity's fields the arguments are what this process knows about it: `verified`, whether it
/// has it from the vault; `expired`, whether its proof has ended; `endless`, whether nothing but asking again could end it and nobody asks;
/// `stale`, whether it was made before the call that it is for; and `partition`, the one that it must be of.
///
/// # Errors
/// `AlterValueError` unless `agent_only` is a boolean; `MemoryIsolationError` for an identity that has no memory of its own.
pub(super) fn scope(args: &mut Args) -> Result<String> {
    let agent_only = match args.take("agent_only") {
        None => false,
        Some(Given::Flag(flag)) => flag,
        Some(other) => return Err(Error::wrong_type("agent_only", "a boolean", other.type_name())),
    };
    check_trust(args)?;
    let partition = args.take_or_null("partition");
    let scope = scope_of(args, agent_only)?;
    match partition.as_text() {
        Some(wanted) if scope["partition_key"] != wanted => {
            Err(isolated("memory_identity_changed", "refresh_identity gave another identity than the store was made for."))
        }
        _ => Ok(scope.to_string()),
    }
}

fn check_trust(args: &mut Args) -> Result<()> {
    let mut is = |fact: &str| args.take(fact) == Some(Given::Flag(true));
    if !is("verified") {
        let text = "The identity is not from the vault. Use what resolve_identity() or a verified assertion gave, and no copy of it.";
        return Err(isolated("memory_identity_unverified", text));
    }
    if is("endless") {
        let text = "Nothing says for how long this identity holds. Give refresh_identity, or the identity of an assertion.";
        return Err(isolated("memory_live_refresh_required", text));
    }
    if is("expired") {
        return Err(isolated("memory_identity_expired", "The identity is no longer proven. Ask for it again."));
    }
    if is("stale") {
        return Err(isolated("memory_refresh_not_live", "refresh_identity gave an identity that it had before. It must ask anew."));
    }
    Ok(())
}

fn scope_of(args: &mut Args, agent_only: bool) -> Result<Value> {
    let text = |args: &mut Args, name: &str| args.take_or_null(name).as_text().map(str::to_owned);
    let app = filled("app_id", args.take_or_null("app_id"))?;
    let agent = text(args, "agent_id").filter(|id| !id.is_empty());
    let agent = agent.ok_or_else(|| isolated("memory_agent_required", "The identity has no agent. Use an agent's own key."))?;
    let user = text(args, "app_user_id");
    let active = text(args, "user_status").as_deref() == Some("active");
    let user = match (agent_only, user) {
        (true, None) => None,
        (true, Some(_)) => {
            return Err(isolated("memory_user_cannot_be_dropped", "The identity has a user, whose memory is not the agent's own."));
        }
        (false, Some(user)) if !user.is_empty() && active => Some(user),
        (false, Some(user)) if !user.is_empty() => return Err(isolated("memory_user_not_active", "The user is not active.")),
        (false, _) => return Err(isolated("memory_user_required", "The identity has no user. Name one, or set agent_only.")),
    };
    let kind = if user.is_some() { "agent-user" } else { "agent" };
    let mut namespace: Vec<String> = ["alter", "v2", kind].map(str::to_owned).to_vec();
    namespace.extend([Some(&app), Some(&agent), user.as_ref()].into_iter().flatten().map(|part| URL_SAFE_NO_PAD.encode(part)));
    Ok(json!({
        "user_key": user.map(|id| format!("alter:user:{id}")),
        "agent_key": format!("alter:agent:{agent}"),
        "app_key": format!("alter:app:{app}"),
        "namespace": namespace,
        "partition_key": format!("{}/", namespace.join("/")),
    }))
}

fn isolated(code: &'static str, text: &str) -> Error {
    Error::new(Kind::MemoryIsolation, format!("{code}: {text}")).with_code(code).with_attribute("code", code)
}

/// Checks what a store gave: `found`, the namespace of an item, must be `namespace`, or with `prefix` begin with it; `found_key` must be `key` if
/// there is one.
///
/// # Errors
/// `MemoryIsolationError` if it is anything else.
pub(super) fn result(args: &mut Args) -> Result<String> {
    let texts = |given: Given| match given {
        Given::List(entries) | Given::Tuple(entries) => entries.iter().map(|entry| entry.as_text().map(str::to_owned)).collect(),
        _ => None,
    };
    let wanted: Option<Vec<String>> = texts(args.take_or_null("namespace"));
    let found: Option<Vec<String>> = texts(args.take_or_null("found"));
    let by_prefix = args.take("prefix") == Some(Given::Flag(true));
    let fits = match (&wanted, &found) {
        (Some(wanted), Some(found)) if by_prefix => found.starts_with(wanted),
        (Some(wanted), Some(found)) => wanted == found,
        _ => false,
    };
    if fits && args.take("key") == args.take("found_key") {
        return Ok("null".to_owned());
    }
    Err(isolated("memory_store_scope_violation", "The store gave something of another namespace, or of no shape that is known."))
}

/// Checks the arguments of a memory store's call, and gives the namespace that it is about as JSON: `namespace` with the `path` added.
///
/// # Errors
/// `AlterValueError` that names the argument.
pub(super) fn namespace(args: &mut Args) -> Result<String> {
    if let Some(key) = args.take("key") {
        let key = filled("key", key)?;
        if key.chars().count() > LONGEST_KEY {
            return Err(Error::invalid(format!("key is longer than {LONGEST_KEY} characters.")));
        }
    }
    match args.take("value") {
        None | Some(Given::Map(_)) => {}
        Some(other) => return Err(Error::wrong_type("value", "a map", other.type_name())),
    }
    for (field, least) in [("limit", 1), ("offset", 0)] {
        match args.take(field) {
            None | Some(Given::Large(_)) => {}
            Some(Given::Whole(number)) if number >= least => {}
            Some(_) => return Err(Error::invalid(format!("{field} must be a whole number, {least} or more."))),
        }
    }
    match args.take_or_null("query") {
        Given::Null | Given::Text(_) => {}
        other => return Err(Error::wrong_type("query", "text", other.type_name())),
    }
    match args.take_or_null("filter") {
        Given::Null | Given::Map(_) => {}
        other => return Err(Error::wrong_type("filter", "a map", other.type_name())),
    }
    let mut namespace = match args.take_or_null("namespace") {
        Given::List(base) | Given::Tuple(base) => base.into_iter().map(|part| filled("namespace", part)).collect::<Result<Vec<_>>>()?,
        other => return Err(Error::wrong_type("namespace", "a list of texts", other.type_name())),
    };
    namespace.extend(path(args.take("path").unwrap_or_else(|| Given::List(Vec::new())))?);
    Ok(json!(namespace).to_string())
}

fn path(value: Given) -> Result<Vec<String>> {
    let segments = match value {
        Given::List(segments) | Given::Tuple(segments) => segments,
        other => return Err(Error::wrong_type("path", "a list of texts", other.type_name())),
    };
    if segments.len() > MOST_SEGMENTS {
        return Err(Error::invalid(format!("path has {} segments; {MOST_SEGMENTS} is the most.", segments.len())));
    }
    let one = |segment: Given| match segment {
        Given::Text(text) if (1..=LONGEST_SEGMENT).contains(&text.len()) => Ok(URL_SAFE_NO_PAD.encode(text)),
        _ => Err(Error::invalid(format!("path must be texts of 1 to {LONGEST_SEGMENT} bytes."))),
    };
    segments.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, args: Args) -> Result<Value> {
        super::super::run(name, args).map(|text| serde_json::from_str(&text).expect("it is JSON"))
    }

    fn identity(user: Option<&str>) -> Args {
        let args = Args::new().with("verified", true).with("app_id", "A").with("agent_id", "g");
        args.with_some("app_user_id", user).with("user_status", "active")
    }

    #[test]
    fn a_scope_is_of_one_agent_for_one_user_or_for_none() {
        let scope = run("memory_scope", identity(Some("u"))).expect("it has memory");
        assert_eq!((&scope["partition_key"], &scope["user_key"]), (&json!("alter/v2/agent-user/QQ/Zw/dQ/"), &json!("alter:user:u")));
        let own = run("memory_scope", identity(None).with("agent_only", true)).expect("it has memory");
        assert_eq!((&own["partition_key"], &own["user_key"]), (&json!("alter/v2/agent/QQ/Zw/"), &Value::Null));
    }

    #[test]
    fn an_identity_without_a_memory_of_its_own_has_a_code_that_says_why() {
        let plain = || Args::new().with("verified", true).with("app_id", "A");
        for (args, code) in [
            (Args::new(), "memory_identity_unverified"),
            (plain().with("endless", true), "memory_live_refresh_required"),
            (plain().with("expired", true), "memory_identity_expired"),
            (plain().with("stale", true), "memory_refresh_not_live"),
            (identity(Some("u")).with("partition", "alter/v2/agent-user/QQ/Zw/eA/"), "memory_identity_changed"),
            (plain(), "memory_agent_required"),
            (plain().with("agent_id", "g"), "memory_user_required"),
            (plain().with("agent_id", "g").with("app_user_id", "").with("agent_only", true), "memory_user_cannot_be_dropped"),
            (plain().with("agent_id", "g").with("app_user_id", "u").with("user_status", "suspended"), "memory_user_not_active"),
        ] {
            let error = run("memory_scope", args).expect_err(code);
            assert_eq!((error.kind(), error.attribute("code")), (Kind::MemoryIsolation, Some(code.into())));
            assert!(error.message().starts_with(code));
        }
        assert_eq!(run("memory_scope", identity(None).with("agent_only", 1u64)).expect_err("1").kind(), Kind::AlterValue);
    }

    #[test]
    fn what_a_store_gives_is_of_the_namespace_that_was_asked_for() {
        let result = |found: Value, more: Args| {
            run("memory_result", more.with("namespace", Given::from(json!(["a", "b"]))).with("found", Given::from(found)))
        };
        let keyed = |found: &str| Args::new().with("key", "k").with("found_key", found);
        assert!(result(json!(["a", "b"]), keyed("k")).is_ok());
        assert!(result(json!(["a", "b", "c"]), Args::new().with("prefix", true)).is_ok());
        for (found, more) in [
            (json!(["a", "b"]), keyed("x")),
            (json!(["a", "b", "c"]), Args::new()),
            (json!(["a"]), Args::new().with("prefix", true)),
            (json!("ab"), Args::new().with("prefix", true)),
            (json!(["a", 5]), Args::new()),
        ] {
            let error = result(found, more).expect_err("it is another's");
            assert_eq!(error.attribute("code"), Some("memory_store_scope_violation".into()));
        }
    }

    #[test]
    fn a_path_cannot_leave_its_namespace() {
        let call = |args: Args| run("memory_namespace", args.with("namespace", Given::from(json!(["alter", "v2"]))));
        let path = |path: Value| call(Args::new().with("path", Given::from(path)));
        assert_eq!(path(json!(["notes", "../x"])).expect("it is a path"), json!(["alter", "v2", "bm90ZXM", "Li4veA"]));
        assert_eq!(call(Args::new().with("key", "k")).expect("it has none"), json!(["alter", "v2"]));
        for refused in [json!("notes"), json!([""]), json!(["é".repeat(128)]), json!(vec!["a"; 17]), json!([5]), json!({})] {
            assert!(path(refused).expect_err("it is no path").message().starts_with("path"));
        }
        let given = |name: &str, value: Value| call(Args::new().with(name, Given::from(value)));
        for (name, value) in [
            ("key", json!("")),
            ("key", json!("k".repeat(513))),
            ("value", json!([])),
            ("limit", json!(0)),
            ("limit", json!(true)),
            ("offset", json!(-1)),
            ("query", json!(5)),
            ("filter", json!([])),
        ] {
            assert!(given(name, value).expect_err(name).message().starts_with(name));
        }
    }
}
