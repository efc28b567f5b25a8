//! All rules of an app together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use cedar_policy::{Authorizer, PolicySet};

use super::compile::{Compiled, CompiledRule};
use super::input::Input;
use super::rule::Rule;
use super::schema::BASELINE_SET;

/// The policies of an app, ready to judge by.
#[derive(Clone, Debug)]
pub struct Policies {
    all: PolicySet,
    rules: BTreeMap<String, CompiledRule>,
}

/// What the policies say of a call.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Whether the baseline permits it.
    pub permitted: bool,
    /// The rules that apply, in the order of their names.
    pub outcomes: Vec<Outcome>,
}

/// A rule that applies, or of which nobody knows whether it does.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The rule.
    pub rule: Rule,
    /// What it asks for that is not known of the call; `None` if the rule applies. A call is refused by a rule of which nobody knows.
    pub unknown: Option<Vec<String>>,
}

impl Policies {
    /// Puts policies together.
    ///
    /// # Errors
    /// Two rules of one name.
    pub fn new(policies: impl IntoIterator<Item = Arc<Compiled>>) -> Result<Self, String> {
        let mut made = Self { all: PolicySet::new(), rules: BTreeMap::new() };
        for policy in policies {
            for compiled in &policy.rules {
                made.all.add(compiled.cedar.clone()).map_err(|error| error.to_string())?;
                made.rules.insert(compiled.rule.name(), compiled.clone());
            }
        }
        Ok(made)
    }

    /// Judges a call.
    ///
    /// # Errors
    /// What Cedar does not take of it: then nothing is permitted.
    pub fn decide(&self, input: &Input) -> Result<Decision, String> {
        // Rules about a parameter that a provider may read in another way see no parameters at all.
        let is_blind = |compiled: &&CompiledRule| input.is_unclear(&compiled.mentions.parameters);
        let blind: Vec<&CompiledRule> = self.rules.values().filter(is_blind).collect();
        let mut seen = authorize(&self.all, input, true)?;
        if !blind.is_empty() {
            let names: BTreeSet<String> = blind.iter().map(|compiled| compiled.rule.name()).collect();
            seen.retain(|name, _| !names.contains(name));
            let set = PolicySet::from_policies(blind.iter().map(|compiled| compiled.cedar.clone())).map_err(|error| error.to_string())?;
            seen.extend(authorize(&set, input, false)?);
        }
        let outcome = |(name, applies): (String, bool)| {
            let compiled = self.rules.get(&name)?;
            let also = compiled.rule.also(input);
            if also == Some(false) {
                return None;
            }
            let known = applies && also == Some(true);
            Some(Outcome { rule: compiled.rule.clone(), unknown: (!known).then(|| missing(compiled, input)) })
        };
        let permitted = baseline_permits(input.in_force, input.within_scopes);
        Ok(Decision { permitted, outcomes: seen.into_iter().filter_map(outcome).collect() })
    }
}

/// The rules that apply (`true`), and those whose evaluation failed.
fn authorize(policies: &PolicySet, input: &Input, with_parameters: bool) -> Result<BTreeMap<String, bool>, String> {
    let words = input.words(with_parameters)?;
    let response = Authorizer::new().is_authorized(&words.request, policies, &words.entities);
    let diagnostics = response.diagnostics();
    let failed = diagnostics.errors().map(|cedar_policy::AuthorizationError::PolicyEvaluationError(error)| error.policy_id().to_string());
    let mut rules: BTreeMap<String, bool> = failed.map(|name| (name, false)).collect();
    // Nothing here permits, so the reasons of the denial are all rules that forbid.
    rules.extend(diagnostics.reason().map(|name| (name.to_string(), true)));
    Ok(rules)
}

/// Whether the baseline permits a call. It asks for two things and nothing else, so what Cedar says of them is worked out once.
pub fn baseline_permits(in_force: Option<bool>, within_scopes: Option<bool>) -> bool {
    static PERMITTED: LazyLock<[[bool; 2]; 2]> =
        LazyLock::new(|| [false, true].map(|in_force| [false, true].map(|scopes| ask(in_force, scopes))));
    let (Some(in_force), Some(within_scopes)) = (in_force, within_scopes) else { return false };
    PERMITTED[usize::from(in_force)][usize::from(within_scopes)]
}

fn ask(in_force: bool, within_scopes: bool) -> bool {
    let input = Input { in_force: Some(in_force), within_scopes: Some(within_scopes), ..Input::default() };
    let Ok(words) = input.words(false) else { return false };
    let response = Authorizer::new().is_authorized(&words.request, &BASELINE_SET, &words.entities);
    response.decision() == cedar_policy::Decision::Allow && response.diagnostics().errors().next().is_none()
}

/// What a rule asks for that is not known of a call.
fn missing(compiled: &CompiledRule, input: &Input) -> Vec<String> {
    let mut missing = input.missing(&compiled.mentions.attributes);
    let unclear = |name: &&String| input.is_unclear(&BTreeSet::from([(*name).clone()]));
    missing.extend(compiled.mentions.parameters.iter().filter(unclear).map(|name| format!("parameters.{name}")));
    if compiled.rule.outside.is_some() && input.now.is_none() {
        missing.push("now".to_owned());
    }
    if !compiled.rule.conditions.is_empty() {
        let unknown =
            compiled.rule.conditions.iter().filter(|condition| input.facts.as_ref().and_then(|facts| condition.holds(facts)).is_none());
        missing.extend(unknown.map(|condition| format!("parameters.{}", condition.name())));
    }
    if missing.is_empty() {
        missing.push("what it compares".to_owned());
    }
    missing.sort();
    missing.dedup();
    missing
}

impl Rule {
    /// Whether what Cedar does not judge holds: its times and its conditions.
    fn also(&self, input: &Input) -> Option<bool> {
        let outside = match (&self.outside, input.now) {
            (None, _) => Some(true),
            (Some(windows), now) => now.map(|now| !windows.hold_moment(now.as_millis())),
        };
        let held = match (self.conditions.as_slice(), &input.facts) {
            ([], _) => Some(true),
            (_, None) => None,
            (conditions, Some(facts)) => facts.hold(conditions),
        };
        match (outside, held) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}
