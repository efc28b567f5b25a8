//! What a key may do: its scopes, narrowed by the signed constraints of one request.
//!
//! A scope is `resource:verb[:instance]`. `admin` includes `write`, which includes `read`; other verbs (`retrieve`, `execute`, …) include
//! nothing but themselves. A scope without an instance includes the same scope with one.

use std::fmt;

use crate::api::refusal::Refusal;

/// The version of the scope list below, which errors tell so that a key minted under an older one can be recognised.
pub const SCOPE_VERSION: u32 = 1;

/// Every scope that a key can be given.
pub const KNOWN_SCOPES: &[&str] = &[
    "agents:admin",
    "agents:read",
    "agents:write",
    "audit:emit",
    "connect:initiate",
    "grants:read",
    "grants:write",
    "idp_users:read",
    "idp_users:write",
    "keys:admin",
    "keys:derive",
    "providers:read",
    "proxy:execute",
    "secrets:write",
    "spans:emit",
    "tokens:retrieve",
];

/// Verbs that include one another: each those before it.
pub const ORDERED_VERBS: [&str; 3] = ["read", "write", "admin"];

const MAX_CONSTRAINTS: usize = 100;
const MAX_CONSTRAINT_LENGTH: usize = 512;

/// One scope, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    resource: String,
    verb: String,
    instance: Option<String>,
}

impl Scope {
    /// Takes `resource:verb[:instance]` apart; `None` if the text is anything else, a wildcard included.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let mut parts = text.splitn(3, ':');
        let (resource, verb, instance) = (parts.next()?, parts.next()?, parts.next());
        let instance_is_plain = instance.is_none_or(|i| !i.is_empty() && i.bytes().all(|b| b.is_ascii_graphic() && b != b'*' && b != b','));
        (plain(resource) && plain(verb) && instance_is_plain).then(|| Self {
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            instance: instance.map(str::to_owned),
        })
    }

    /// Whether holding this scope means holding the other one.
    pub fn implies(&self, other: &Self) -> bool {
        let verb = match (rank(&self.verb), rank(&other.verb)) {
            (Some(held), Some(wanted)) => held >= wanted,
            _ => self.verb == other.verb,
        };
        let instance = self.instance.is_none() || self.instance == other.instance;
        self.resource == other.resource && verb && instance
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource, self.verb)?;
        self.instance.as_ref().map_or(Ok(()), |instance| write!(f, ":{instance}"))
    }
}

/// The place of a verb in `read` < `write` < `admin`; `None` for verbs that stand alone.
fn rank(verb: &str) -> Option<usize> {
    ORDERED_VERBS.iter().position(|known| *known == verb)
}

/// What one request may do.
#[derive(Clone, Debug)]
pub struct Reach {
    scopes: Vec<Scope>,
}

impl Reach {
    /// The key's scopes, narrowed by the value of `x-alter-scope-constraints` (empty if there is none).
    ///
    /// # Errors
    /// 400 `invalid_constraint` if the header is malformed or over its limits, 400 `constraint_unsupported` if it names an instance, which this
    /// vault does not evaluate, and 400 `constraint_not_narrowing` if it asks for a scope that the key does not imply.
    pub fn of(key_scopes: &[String], constraints: &str) -> Result<Self, Refusal> {
        // Scopes are checked when a key is made; one that cannot be read all the same grants nothing.
        let held: Vec<Scope> = key_scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
        if constraints.is_empty() {
            return Ok(Self { scopes: held });
        }
        let asked = parse_constraints(constraints)?;
        if let Some(beyond) = asked.iter().find(|scope| !held.iter().any(|h| h.implies(scope))) {
            let message =
                format!("X-Alter-Scope-Constraints asks for {beyond}, which this key does not hold: a constraint can only narrow.");
            return Err(Refusal::bad_request("constraint_not_narrowing", message).with("scope", beyond.to_string()));
        }
        Ok(Self { scopes: asked })
    }

    /// The scopes.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Refuses unless the scope is within reach.
    ///
    /// # Errors
    /// 403 `insufficient_scope` with `required`, `granted` and `missing`.
    pub fn require(&self, scope: &'static str) -> Result<(), Refusal> {
        let wanted = Scope::parse(scope).expect("scopes named in this program are well formed");
        if self.scopes.iter().any(|held| held.implies(&wanted)) {
            return Ok(());
        }
        let message = format!("This call needs the scope {scope}. Use a key that holds it, or a client that is not narrowed below it.");
        let wanted = [wanted];
        Err(self.insufficient(message, &wanted, &wanted))
    }

    /// 403 `insufficient_scope`.
    pub fn insufficient(&self, message: String, required: &[Scope], missing: &[Scope]) -> Refusal {
        let texts = |scopes: &[Scope]| scopes.iter().map(Scope::to_string).collect::<Vec<_>>();
        Refusal::forbidden("insufficient_scope", message)
            .with("required", texts(required))
            .with("granted", texts(&self.scopes))
            .with("missing", texts(missing))
            .with("scope_version", SCOPE_VERSION)
            .with("current_scope_version", SCOPE_VERSION)
            .with("scope_version_mismatch", false)
            .with("required_any_of", false)
    }
}

fn parse_constraints(header: &str) -> Result<Vec<Scope>, Refusal> {
    let atoms: Vec<&str> = header.split(',').collect();
    if atoms.len() > MAX_CONSTRAINTS {
        let message = format!("X-Alter-Scope-Constraints holds {} scopes; at most {MAX_CONSTRAINTS} are allowed.", atoms.len());
        return Err(Refusal::bad_request("invalid_constraint", message));
    }
    atoms.iter().enumerate().map(|(index, atom)| parse_constraint(index, atom)).collect()
}

fn parse_constraint(index: usize, atom: &str) -> Result<Scope, Refusal> {
    let position = index + 1;
    if atom.len() > MAX_CONSTRAINT_LENGTH {
        let message = format!("Scope {position} of X-Alter-Scope-Constraints is longer than {MAX_CONSTRAINT_LENGTH} characters.");
        return Err(Refusal::bad_request("invalid_constraint", message));
    }
    let scope = Scope::parse(atom).ok_or_else(|| {
        let message = format!("Scope {position} of X-Alter-Scope-Constraints is not of the form resource:verb.");
        Refusal::bad_request("invalid_constraint", message)
    })?;
    if scope.instance.is_some() {
        let message = format!("This vault cannot narrow a scope to one instance, as scope {position} of X-Alter-Scope-Constraints asks.");
        return Err(Refusal::bad_request("constraint_unsupported", message));
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).expect("well formed")
    }

    fn code(key: &[&str], constraints: &str) -> Option<&'static str> {
        let key: Vec<String> = key.iter().map(|s| (*s).to_owned()).collect();
        Reach::of(&key, constraints).err().map(|refusal| refusal.code())
    }

    #[test]
    fn ordered_verbs_include_the_lower_ones_and_action_verbs_only_themselves() {
        assert!(scope("agents:admin").implies(&scope("agents:read")));
        assert!(!scope("agents:read").implies(&scope("agents:write")));
        assert!(!scope("keys:admin").implies(&scope("keys:derive")));
        assert!(!scope("agents:admin").implies(&scope("grants:read")));
        assert!(scope("grants:read").implies(&scope("grants:read:abc")));
        assert!(!scope("grants:read:abc").implies(&scope("grants:read")));
        assert!(!scope("grants:read:abc").implies(&scope("grants:read:abd")));
    }

    #[test]
    fn malformed_scopes_are_not_scopes() {
        for text in ["", "*", "a", "a:", ":b", "a:b:", "a:*", "a:b:*", "A:b", "a b:c", "a:b,c:d"] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_known_scope_is_well_formed() {
        assert!(KNOWN_SCOPES.iter().all(|text| Scope::parse(text).is_some_and(|s| s.to_string() == *text)));
    }

    #[test]
    fn constraints_only_narrow() {
        assert_eq!(code(&["tokens:retrieve", "grants:write"], "tokens:retrieve,grants:read"), None);
        assert_eq!(code(&["grants:read"], "grants:write"), Some("constraint_not_narrowing"));
        assert_eq!(code(&["grants:read"], "grants:read,,"), Some("invalid_constraint"));
        assert_eq!(code(&["grants:read"], "*"), Some("invalid_constraint"));
        assert_eq!(code(&["grants:read"], "grants:read:abc"), Some("constraint_unsupported"));
        assert_eq!(code(&["grants:read"], &["grants:read"; 101].join(",")), Some("invalid_constraint"));
        assert_eq!(code(&["grants:read"], &format!("grants:{}", "r".repeat(600))), Some("invalid_constraint"));
    }

    #[test]
    fn a_dropped_scope_is_missing_even_if_the_key_holds_it() {
        let reach = Reach::of(&["tokens:retrieve".into(), "grants:read".into()], "grants:read").expect("narrows");
        assert_eq!(reach.require("tokens:retrieve").expect_err("dropped").code(), "insufficient_scope");
        assert!(reach.require("grants:read").is_ok());
    }
}
