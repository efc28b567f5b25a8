//! What a call is called with: names in the path, the query and the body, and what stands there.
//!
//! A nested member goes by the names on the way to it (`to.email`); the items of a list share a name. Names are compared without case, as many providers
//! read them. A name of which a provider may read something else than the vault is *unclear*: it stands in two places or two spellings, is repeated where
//! the description knows no list, or holds members of its own.

use std::collections::{BTreeMap, BTreeSet};

use alter_core::encoding::form_split;

use super::members::Node;
use super::{CallParts, folded};

/// Most values of one call.
const MOST_VALUES: usize = 5000;
/// Names by which some frameworks take another method than the request's.
const METHOD_OVERRIDES: [&str; 3] = ["_method", "x-http-method", "x-http-method-override"];

/// Why a provider may read something else than the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It has members of its own.
    Nested,
    /// It stands in two places: path, query, body.
    TwoPlaces,
    /// It is spelt in two ways.
    TwoSpellings,
    /// It is given more than once, and is no list.
    Repeated,
    /// Parts of it are named in the query.
    Parts,
    /// Its place in the path can be read in more than one way.
    InPath,
    /// The body is no JSON, or is not sent as such.
    Body,
    /// The query is no UTF-8, or can be split in another way.
    Query,
    /// There are too many parameters.
    TooMany,
}

/// What stands for one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// The values: texts, numbers as they are written, `true` and `false`. Null is none.
    pub values: Vec<String>,
    /// Why a provider may read something else.
    pub unclear: Option<Unclear>,
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Path,
    Query,
    Body,
}

/// The parameters of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    named: BTreeMap<String, Parameter>,
    /// Why nothing about them is known.
    unclear: Option<Unclear>,
    pub(super) body: Option<Node>,
}

/// What is known of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// Nothing: a provider may read something else.
    Unclear(Unclear),
    /// The call does not have it.
    Absent,
    /// Its values.
    Values(&'a [String]),
}

impl Parameters {
    /// Reads a call. `in_path` has what stands for the names of its path; `is_list` says which names of the query may be repeated.
    pub(super) fn read(call: &CallParts<'_>, in_path: &[(String, Option<String>)], is_list: &dyn Fn(&str) -> bool) -> Self {
        let mut read = Self::default();
        for (name, value) in in_path {
            let parameter = read.at(name, Place::Path);
            match value {
                Some(value) => parameter.values.push(value.clone()),
                None => parameter.unclear = Some(Unclear::InPath),
            }
        }
        read.query(call.query.unwrap_or_default(), is_list);
        if let Some(body) = call.body {
            read.body(body, call.content_type);
        }
        if read.named.values().map(|parameter| parameter.values.len().max(1)).sum::<usize>() > MOST_VALUES {
            read.unclear = Some(Unclear::TooMany);
        }
        read
    }

    /// What is known of a name.
    pub fn of(&self, name: &str) -> Known<'_> {
        if let Some(why) = self.unclear {
            return Known::Unclear(why);
        }
        match self.named.get(&folded(name)) {
            None => Known::Absent,
            Some(Parameter { unclear: Some(why), .. }) => Known::Unclear(*why),
            Some(parameter) => Known::Values(&parameter.values),
        }
    }

    /// All of them by name; `None` if one is unclear.
    pub fn all(&self) -> Option<&BTreeMap<String, Parameter>> {
        (self.unclear.is_none()).then_some(&self.named)
    }

    /// Whether a framework may take another method than the request's.
    pub(super) fn override_method(&self) -> bool {
        METHOD_OVERRIDES.iter().any(|name| self.named.contains_key(*name))
    }

    /// The parameter of a name, noting where it stands.
    fn at(&mut self, name: &str, place: Place) -> &mut Parameter {
        let parameter = self.named.entry(folded(name)).or_default();
        if parameter.place.is_some_and(|known| known != place) {
            parameter.unclear = Some(Unclear::TwoPlaces);
        }
        parameter.place = Some(place);
        parameter
    }

    fn query(&mut self, query: &str, is_list: &dyn Fn(&str) -> bool) {
        if query.contains(';') {
            self.unclear = Some(Unclear::Query);
        }
        let mut spellings = BTreeMap::<String, String>::new();
        for (name, value) in form_split(query) {
            if name.contains('\u{FFFD}') || value.contains('\u{FFFD}') {
                self.unclear = Some(Unclear::Query);
            }
            let other = spellings.entry(folded(&name)).or_insert_with(|| name.clone()) != &name;
            if let Some((base, _)) = name.split_once('[') {
                self.at(base, Place::Query).unclear = Some(Unclear::Parts);
            }
            let parameter = self.at(&name, Place::Query);
            if other {
                parameter.unclear = Some(Unclear::TwoSpellings);
            }
            if !parameter.values.is_empty() && !is_list(&name) {
                parameter.unclear = Some(Unclear::Repeated);
            }
            parameter.values.push(value);
        }
    }

    fn body(&mut self, body: &[u8], content_type: Option<&str>) {
        let is_json = content_type.is_some_and(|kind| {
            let kind = folded(kind.split(';').next().unwrap_or_default());
            kind == "application/json" || kind.ends_with("+json")
        });
        match Node::read(body).filter(|_| is_json) {
            None => self.unclear = Some(Unclear::Body),
            Some(node) => {
                self.node("", &node);
                self.body = Some(node);
            }
        }
    }

    fn node(&mut self, name: &str, node: &Node) {
        match node {
            Node::Null => {
                if !name.is_empty() {
                    self.at(name, Place::Body);
                }
            }
            Node::Scalar(text) if !name.is_empty() => self.at(name, Place::Body).values.push(text.clone()),
            Node::Scalar(_) => {}
            Node::List(items) => {
                if !name.is_empty() {
                    self.at(name, Place::Body);
                }
                items.iter().for_each(|item| self.node(name, item));
            }
            Node::Object(members) => {
                if !name.is_empty() {
                    self.at(name, Place::Body).unclear = Some(Unclear::Nested);
                }
                self.members(name, members);
            }
        }
    }

    fn members(&mut self, name: &str, members: &[(String, Node)]) {
        let mut seen = BTreeSet::new();
        for (member, value) in members {
            let path = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
            if !seen.insert(folded(member)) {
                self.at(&path, Place::Body).unclear = Some(Unclear::Repeated);
            }
            self.node(&path, value);
        }
    }
}
