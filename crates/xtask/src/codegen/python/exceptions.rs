//! `alter_sdk/exceptions.py`: one class for each kind of error, in the tree of the core.

use std::fmt::Write as _;

use alter_core::error::Kind;
use alter_core::error::taxonomy::Default as AttributeDefault;

use crate::codegen::constructors::{self, Argument, Parent, Type};
use crate::codegen::text::LINE;

const HEAD: &str = include_str!("exceptions_head.py.txt");
const ROOT: &str = include_str!("exceptions_root.py.txt");
const APPROVAL: &str = include_str!("exceptions_approval.py.txt");
const BACKEND: &str = include_str!("exceptions_backend.py.txt");
const AGENT: &str = include_str!("exceptions_agent.py.txt");
const INSUFFICIENT_SCOPE: &str = include_str!("exceptions_insufficient_scope.py.txt");
const MEMORY_ISOLATION: &str = include_str!("exceptions_memory_isolation.py.txt");

/// The whole module, formatted as `ruff format` would.
pub fn render() -> String {
    let mut out = HEAD.to_owned();
    for kind in Kind::ALL {
        out.push_str("\n\n");
        out.push_str(&class(*kind));
    }
    out.push_str(&exports());
    out
}

/// `__all__`, so that the package's root can import everything and type checkers know what that is.
fn exports() -> String {
    let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.extend(["CredentialChoice", "GrantCandidate", "MEMORY_ISOLATION_CODES", "MemoryIsolationCode", "RATE_LIMIT_SCOPE_VALUES"]);
    names.sort_unstable();
    format!("\n\n__all__ = [\n{}]  # fmt: skip\n", packed(&names))
}

/// Quoted names, as many to a line as fit.
fn packed(names: &[&str]) -> String {
    let mut lines = vec![String::new()];
    for name in names {
        let entry = format!(" \"{name}\",");
        let line = lines.last_mut().expect("the list starts with a line and only grows");
        if line.len() + entry.len() + 3 > LINE { lines.push(entry) } else { line.push_str(&entry) }
    }
    lines.iter().map(|line| format!("   {line}\n")).collect()
}

fn class(kind: Kind) -> String {
    let parent = kind.parent().map_or("Exception", Kind::name);
    let mut out = format!("class {}({parent}):\n    \"\"\"{}\"\"\"\n", kind.name(), kind.summary());
    if kind != Kind::Agent && kind.is(Kind::Agent) {
        let _ = write!(out, "\n    code: ClassVar[str] = \"{}\"\n", kind.code());
    }
    if let Some(constructor) = constructors::of(kind) {
        out.push('\n');
        out.push_str(&signature(&constructor.positional, &constructor.keyword_only));
        let _ = writeln!(out, "        super().__init__({})", parent_arguments(constructor.parent));
        for attribute in kind.own_attributes() {
            let name = attribute.name;
            // Only a caller's list is copied: what an exception carries must not change with it.
            let value = match attribute.default {
                AttributeDefault::EmptyList => format!("list({name} or ())"),
                AttributeDefault::Null | AttributeDefault::False => name.to_owned(),
            };
            let _ = writeln!(out, "        self.{name} = {value}");
        }
    }
    if let Some(members) = written_out(kind) {
        out.push('\n');
        out.push_str(members);
    }
    out
}

/// Members that follow no pattern.
fn written_out(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::AlterSdk => Some(ROOT),
        Kind::Approval => Some(APPROVAL),
        Kind::Backend => Some(BACKEND),
        Kind::Agent => Some(AGENT),
        Kind::InsufficientScope => Some(INSUFFICIENT_SCOPE),
        Kind::MemoryIsolation => Some(MEMORY_ISOLATION),
        _ => None,
    }
}

fn signature(positional: &[Argument], keyword_only: &[Argument]) -> String {
    let mut arguments = vec!["self".to_owned()];
    arguments.extend(positional.iter().map(source));
    if !keyword_only.is_empty() {
        arguments.push("*".to_owned());
        arguments.extend(keyword_only.iter().map(source));
    }
    let on_one_line = format!("    def __init__({}) -> None:\n", arguments.join(", "));
    if on_one_line.trim_end().len() <= LINE {
        return on_one_line;
    }
    let indented = format!("        {}\n    ) -> None:\n", arguments.join(", "));
    if indented.lines().next().is_some_and(|line| line.len() <= LINE) {
        return format!("    def __init__(\n{indented}");
    }
    let lines: String = arguments.iter().map(|a| format!("        {a},\n")).collect();
    format!("    def __init__(\n{lines}    ) -> None:\n")
}

fn source(argument: &Argument) -> String {
    let name = argument.name;
    let (annotation, default) = match argument.of {
        Type::Message(None) => return format!("{name}: str"),
        Type::Message(Some(text)) => return format!("{name}: str = \"{text}\""),
        Type::Details => ("dict[str, Any] | None", "None"),
        Type::Text => ("str | None", "None"),
        Type::Texts => ("list[str] | None", "None"),
        Type::Whole => ("int | None", "None"),
        Type::Flag => ("bool", "False"),
        Type::Candidates => ("list[GrantCandidate] | None", "None"),
        Type::Credentials => ("list[CredentialChoice] | None", "None"),
    };
    format!("{name}: {annotation} = {default}")
}

fn parent_arguments(parent: Parent) -> String {
    match parent {
        Parent::Plain => "message, details".to_owned(),
        Parent::Policy(error) => format!("message, \"{error}\", details"),
        Parent::Provider => "message, status_code, response_body, details".to_owned(),
    }
}
