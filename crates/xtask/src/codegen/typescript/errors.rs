//! `node/src/errors.ts`: one class for each kind of error, in the tree of the core.

use std::fmt::Write as _;

use alter_core::error::Kind;
use alter_core::error::taxonomy::Default as AttributeDefault;

use crate::codegen::constructors::{self, Argument, Constructor, Parent, Type};
use crate::codegen::text::{LINE, camel};

const HEAD: &str = include_str!("errors_head.ts.txt");
const ROOT: &str = include_str!("errors_root.ts.txt");
const APPROVAL: &str = include_str!("errors_approval.ts.txt");
const BACKEND: &str = include_str!("errors_backend.ts.txt");
const AGENT: &str = include_str!("errors_agent.ts.txt");
const INSUFFICIENT_SCOPE: &str = include_str!("errors_insufficient_scope.ts.txt");
const MEMORY_ISOLATION: &str = include_str!("errors_memory_isolation.ts.txt");
const TAIL: &str = include_str!("errors_tail.ts.txt");

/// The whole module, formatted as the package's formatter would.
pub fn render() -> String {
    let mut out = HEAD.to_owned();
    for kind in Kind::ALL {
        out.push('\n');
        out.push_str(&class(*kind));
    }
    out.push_str("\nconst classes = {\n");
    for kind in Kind::ALL {
        let _ = writeln!(out, "  {},", kind.name());
    }
    out.push_str("};\n");
    out.push_str(TAIL);
    out
}

fn class(kind: Kind) -> String {
    let parent = kind.parent().map_or("Error", Kind::name);
    let summary: Vec<String> = kind.summary().split(' ').map(camel).collect();
    let mut out = format!("/** {} */\nexport class {} extends {parent} {{\n", summary.join(" "), kind.name());
    let over = if kind == Kind::AlterSdk { "" } else { "override " };
    let mut members = vec![format!("  static {over}readonly code: string = \"{}\";\n", kind.code())];
    let constructor = constructors::of(kind);
    if let Some(constructor) = &constructor {
        members.extend(kind.own_attributes().iter().map(|a| field(constructor, a.name, a.default)));
        members.push(format!("\n{}", source_of(kind, constructor)));
    }
    if let Some(text) = written_out(kind) {
        members.push(format!("\n{text}"));
    }
    out.push_str(&members.concat());
    out.push_str("}\n");
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

fn field(constructor: &Constructor, name: &str, default: AttributeDefault) -> String {
    let argument = constructor.positional.iter().chain(&constructor.keyword_only).find(|argument| argument.name == name);
    let of = argument.map_or(Type::Text, |argument| argument.of);
    // A list without a default may be missing, such as the scopes that a provider did not name.
    let missing = if of == Type::Texts && default == AttributeDefault::Null { " | null" } else { "" };
    format!("  readonly {}: {}{missing};\n", camel(name), attribute_type(of))
}

/// What an attribute of this type is once the error is made: a missing list is an empty one.
fn attribute_type(of: Type) -> &'static str {
    match of {
        Type::Message(_) => "string",
        Type::Details => "Details",
        Type::Text => "string | null",
        Type::Texts => "readonly string[]",
        Type::Whole => "number | null",
        Type::Flag => "boolean",
        Type::Candidates => "readonly GrantCandidate[]",
        Type::Credentials => "readonly CredentialChoice[]",
    }
}

/// The constructor: arguments that have a place stand in it, the others in an object at the end.
fn source_of(kind: Kind, constructor: &Constructor) -> String {
    let mut arguments: Vec<String> = constructor.positional.iter().map(parameter).collect();
    if !constructor.keyword_only.is_empty() {
        let names: Vec<String> = constructor.keyword_only.iter().map(option).collect();
        let on_one_line = format!("options: {{ {} }} = {{}}", names.join("; "));
        let lines: String = names.iter().map(|name| format!("      {name};\n")).collect();
        arguments.push(if on_one_line.len() < LINE { on_one_line } else { format!("options: {{\n{lines}    }} = {{}}") });
    }
    let mut out = signature(&arguments);
    let details = if constructor.positional.iter().any(|argument| argument.of == Type::Details) { "details" } else { "options.details" };
    let passed = match constructor.parent {
        Parent::Plain => format!("message, {details}"),
        Parent::Policy(error) => format!("message, \"{error}\", {details}"),
        Parent::Provider => format!("message, statusCode, responseBody, {details}"),
    };
    let _ = writeln!(out, "    super({passed});");
    for attribute in kind.own_attributes() {
        let name = camel(attribute.name);
        let optional = constructor.keyword_only.iter().any(|argument| argument.name == attribute.name);
        let given = if optional { format!("options.{name}") } else { name.clone() };
        // Only a caller's list is copied: what an error carries must not change with it.
        let value = match (attribute.default, optional) {
            (AttributeDefault::EmptyList, _) => format!("[...({given} ?? [])]"),
            (AttributeDefault::Null, true) => format!("{given} ?? null"),
            (AttributeDefault::False, true) => format!("{given} ?? false"),
            (AttributeDefault::Null, false) if is_list(constructor, attribute.name) => format!("{given} && [...{given}]"),
            (AttributeDefault::Null | AttributeDefault::False, false) => given,
        };
        let _ = writeln!(out, "    this.{name} = {value};");
    }
    out.push_str("  }\n");
    out
}

/// The arguments on one line if they fit, else one to a line.
fn signature(arguments: &[String]) -> String {
    let on_one_line = format!("  constructor({}) {{\n", arguments.join(", "));
    if on_one_line.trim_end().len() <= LINE {
        return on_one_line;
    }
    let lines: String = arguments.iter().map(|argument| format!("    {argument},\n")).collect();
    format!("  constructor(\n{lines}  ) {{\n")
}

fn is_list(constructor: &Constructor, name: &str) -> bool {
    constructor.positional.iter().any(|argument| argument.name == name && argument.of == Type::Texts)
}

fn argument_type(of: Type) -> &'static str {
    match of {
        Type::Details => "Details | null",
        Type::Texts => "readonly string[] | null",
        Type::Candidates => "readonly GrantCandidate[] | null",
        Type::Credentials => "readonly CredentialChoice[] | null",
        other => attribute_type(other),
    }
}

fn parameter(argument: &Argument) -> String {
    let name = camel(argument.name);
    match argument.of {
        Type::Message(None) => format!("{name}: string"),
        Type::Message(Some(text)) => format!("{name} = \"{text}\""),
        Type::Flag => format!("{name} = false"),
        of => format!("{name}: {} = null", argument_type(of)),
    }
}

fn option(argument: &Argument) -> String {
    format!("{}?: {}", camel(argument.name), argument_type(argument.of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_class_below_its_parent() {
        let module = render();
        for kind in Kind::ALL {
            let parent = kind.parent().map_or("Error", Kind::name);
            assert!(module.contains(&format!("export class {} extends {parent} {{\n", kind.name())), "{kind:?}");
        }
    }
}
