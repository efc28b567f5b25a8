//! One call, as Cedar sees it.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use alter_core::content_match::FAMILIES;
use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use jiff::tz::TimeZone;

use crate::classify::{Facts, Known, folded};
use crate::clock::Timestamp;

/// What is to be done with the credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The vault makes the call.
    #[default]
    Proxy,
    /// The credential leaves the vault.
    Retrieve,
}

/// A call. What is `None` is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// What is to be done.
    pub kind: Kind,
    /// The app's id.
    pub app: String,
    /// The agent's id, if one acts.
    pub agent: Option<String>,
    /// The grant's id.
    pub grant: String,
    /// The provider, and of what kind it is.
    pub provider: (String, &'static str),
    /// Whether the grant was passed on.
    pub delegated: bool,
    /// Whether the grant is in force.
    pub in_force: Option<bool>,
    /// Whether the key has the scope for it.
    pub within_scopes: Option<bool>,
    /// The key's id.
    pub key: Option<String>,
    /// The subject of the person whose grant it is; empty for none.
    pub user: Option<String>,
    /// The method.
    pub method: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The path without escapes.
    pub path: Option<String>,
    /// What the description of the provider tells.
    pub facts: Option<Facts>,
    /// Where the request came from.
    pub source: Option<IpAddr>,
    /// The time.
    pub now: Option<Timestamp>,
}

/// Cedar's words for a call.
pub(super) struct Words {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

/// The one set of parameters that there is.
const PARAMETERS: &str = "call";

type Attributes = Vec<(String, RestrictedExpression)>;

impl Input {
    /// Makes a request of it, `with_parameters` unless some of them may be read in another way.
    ///
    /// # Errors
    /// What Cedar does not take.
    pub(super) fn words(&self, with_parameters: bool) -> Result<Words, String> {
        let app = uid("App", &self.app)?;
        let (grant, provider) = (uid("Grant", &self.grant)?, uid("Provider", &self.provider.0)?);
        let mut entities = vec![
            Entity::with_uid(app.clone()),
            entity(provider.clone(), vec![("kind".to_owned(), text(self.provider.1))], None)?,
            entity(grant.clone(), vec![("delegated".to_owned(), RestrictedExpression::new_bool(self.delegated))], Some(provider))?,
        ];
        let principal = match &self.agent {
            None => app,
            Some(agent) => {
                let agent = uid("Agent", agent)?;
                entities.push(entity(agent.clone(), Vec::new(), Some(app))?);
                agent
            }
        };
        let kind = match self.kind {
            Kind::Proxy => "proxy",
            Kind::Retrieve => "retrieve",
        };
        let action = uid("Action", kind)?;
        let mut attributes = self.attributes()?;
        if let Some(parameters) = self.parameters().filter(|_| with_parameters) {
            let of = uid("Parameters", PARAMETERS)?;
            attributes.push(("parameters".to_owned(), RestrictedExpression::new_entity_uid(of.clone())));
            entities.push(Entity::new_with_tags(of, [], [], parameters).map_err(|error| error.to_string())?);
        }
        // Each action of a request is in its group.
        entities.push(entity(action.clone(), Vec::new(), Some(uid("Action", "call")?))?);
        let context = Context::from_pairs(attributes).map_err(|error| error.to_string())?;
        Ok(Words {
            request: Request::new(principal, action, grant, context, None).map_err(|error| error.to_string())?,
            entities: Entities::from_entities(entities, None).map_err(|error| error.to_string())?,
        })
    }

    /// What is known of the context, but for the parameters.
    fn attributes(&self) -> Result<Attributes, String> {
        let mut known: Attributes = Vec::new();
        let mut put = |name: &str, value: Option<RestrictedExpression>| known.extend(value.map(|value| (name.to_owned(), value)));
        put("in_force", self.in_force.map(RestrictedExpression::new_bool));
        put("within_scopes", self.within_scopes.map(RestrictedExpression::new_bool));
        put("key", self.key.as_ref().map(|key| uid("Key", key)).transpose()?.map(RestrictedExpression::new_entity_uid));
        put("user", self.user.as_deref().map(text));
        put("method", self.method.as_deref().map(text));
        put("host", self.host.as_deref().map(text));
        put("path", self.path.as_deref().map(text));
        let operation = self.facts.as_ref().and_then(|facts| facts.operation.as_ref());
        put("operation", operation.map(|operation| text(&operation.id)));
        put("family", Some(self.family()?));
        put("source", self.source.map(|source| RestrictedExpression::new_ip(source.to_string())));
        if let Some(now) = self.now {
            let utc = jiff::Timestamp::from_millisecond(now.as_millis()).map_err(|error| error.to_string())?;
            let utc = TimeZone::UTC.to_datetime(utc);
            put("now", Some(RestrictedExpression::new_datetime(now.to_string())));
            put("weekday", Some(RestrictedExpression::new_long(utc.weekday().to_monday_one_offset().into())));
            put("minute", Some(RestrictedExpression::new_long(i64::from(utc.hour()) * 60 + i64::from(utc.minute()))));
        }
        Ok(known)
    }

    /// The families of which it is known whether the call is of them.
    fn family(&self) -> Result<RestrictedExpression, String> {
        let of = |family: &'static str| Some((family.to_owned(), self.facts.as_ref()?.is_family(&[family])?));
        let known = FAMILIES.into_iter().filter_map(of).map(|(family, is)| (family, RestrictedExpression::new_bool(is)));
        RestrictedExpression::new_record(known).map_err(|error| error.to_string())
    }

    /// The parameters of a classified call; those that may be read in another way are there without values, and no rule that names them sees them.
    fn parameters(&self) -> Option<Attributes> {
        let facts = self.facts.as_ref().filter(|facts| facts.operation.is_some())?;
        let of = |values: &[String]| RestrictedExpression::new_set(values.iter().map(|value| text(&folded(value))));
        Some(facts.parameters.all()?.iter().map(|(name, parameter)| (name.clone(), of(&parameter.values))).collect())
    }

    /// Whether one of some parameters may be read in another way.
    pub(super) fn is_unclear(&self, names: &BTreeSet<String>) -> bool {
        self.facts.as_ref().is_some_and(|facts| names.iter().any(|name| matches!(facts.parameters.of(name), Known::Unclear(_))))
    }

    /// Of some attributes those that are not known.
    pub(super) fn missing(&self, attributes: &BTreeSet<String>) -> Vec<String> {
        let known: HashSet<String> = self.attributes().into_iter().flatten().map(|(name, _)| name).collect();
        let is_known = |name: &str| match name.split_once('.') {
            Some((_, family)) => self.facts.as_ref().is_some_and(|facts| facts.is_family(&[family]).is_some()),
            None if name == "parameters" => self.parameters().is_some(),
            None => known.contains(name),
        };
        attributes.iter().filter(|name| !is_known(name)).cloned().collect()
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn entity(of: EntityUid, attributes: Attributes, parent: Option<EntityUid>) -> Result<Entity, String> {
    Entity::new(of, attributes.into_iter().collect(), parent.into_iter().collect()).map_err(|error| error.to_string())
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}
