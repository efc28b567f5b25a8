//! From an operator's text to rules.

use std::collections::BTreeSet;

use cedar_policy::{Effect as CedarEffect, Policy, PolicyId, PolicySet, ValidationMode};
use miette::Diagnostic;

use super::lint::{self, Mentions};
use super::rule::Rule;
use super::schema::VALIDATOR;

/// Longest text of a policy, in bytes.
pub const LONGEST_SOURCE: usize = 64 * 1024;
/// Most rules in one policy.
const MOST_RULES: usize = 100;

/// A policy that can be judged by.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(super) rules: Vec<CompiledRule>,
}

/// A rule as an operator wrote it, and as Cedar has it.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub(super) rule: Rule,
    pub(super) cedar: Policy,
    /// What it asks for.
    pub(super) mentions: Mentions,
}

impl Compiled {
    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// The ids of entities that it names, with their types.
    pub fn entities(&self) -> BTreeSet<(String, String)> {
        let named = self.rules.iter().flat_map(|compiled| compiled.cedar.entity_literals());
        named.map(|uid| (uid.type_name().to_string(), uid.id().unescaped().to_owned())).collect()
    }
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// The line, from 1; `None` if no one line is at fault.
    pub line: Option<usize>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "Line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Reads the text of the policy `name`: Cedar policies, each of them a `forbid`.
///
/// # Errors
/// The first [`Fault`]: no Cedar, nothing that the schema knows, an annotation that nobody knows, or something that could not fail closed.
pub fn compile(name: &str, source: &str) -> Result<Compiled, Fault> {
    let whole = |message: String| Fault { message, line: None };
    if source.len() > LONGEST_SOURCE {
        return Err(whole(format!("It has more than {LONGEST_SOURCE} bytes.")));
    }
    let read: PolicySet = source.parse().map_err(|error: cedar_policy::ParseErrors| located(source, &error))?;
    if read.num_of_templates() > 0 {
        return Err(whole("It has a template (?principal or ?resource). Write out whom it is about.".to_owned()));
    }
    let checked = VALIDATOR.validate(&read, ValidationMode::Strict);
    if let Some(error) = checked.validation_errors().next() {
        return Err(located(source, error));
    }
    if let Some(warning) = checked.validation_warnings().next() {
        return Err(located(source, warning));
    }
    let mut policies: Vec<&Policy> = read.policies().collect();
    // Cedar numbers them: policy0, policy1, …
    policies.sort_by_key(|policy| policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX));
    if policies.is_empty() || policies.len() > MOST_RULES {
        return Err(whole(format!("It has {} rules; a policy has 1 to {MOST_RULES}.", policies.len())));
    }
    let rules: Vec<CompiledRule> = policies.iter().enumerate().map(|(at, policy)| rule(name, at + 1, policy)).collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(twice) = rules.iter().find(|compiled| !names.insert(compiled.rule.name())) {
        return Err(whole(format!("Two rules are called {}; give each an @id of its own.", twice.rule.name())));
    }
    Ok(Compiled { rules })
}

fn rule(name: &str, number: usize, policy: &Policy) -> Result<CompiledRule, Fault> {
    let of = |what: &str| Fault { message: format!("Rule {number} {what}"), line: None };
    if policy.effect() == CedarEffect::Permit {
        return Err(of("is a permit. The baseline permits what a key and a grant allow; a policy narrows that: write forbid."));
    }
    let mentions = lint::mentions(policy).map_err(|what| of(&what))?;
    let rule = Rule::read(name, number, policy).map_err(|what| Fault { message: format!("Rule {number}: {what}"), line: None })?;
    let cedar = policy.new_id(PolicyId::new(rule.name()));
    Ok(CompiledRule { rule, cedar, mentions })
}

/// A diagnostic with its line.
fn located(source: &str, error: &dyn Diagnostic) -> Fault {
    let related = error.related().into_iter().flatten();
    let labels = std::iter::once(error).chain(related).find_map(|error| error.labels()?.next());
    let line = labels.and_then(|label| source.get(..label.offset())).map(|before| before.matches('\n').count() + 1);
    let mut message = error.to_string();
    if let Some(help) = error.help() {
        message.push_str(&format!(" ({help})"));
    }
    message.push('.');
    Fault { message, line }
}
