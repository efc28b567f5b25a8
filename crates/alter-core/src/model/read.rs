//! Reading JSON by a model's description.

use serde_json::{Map, Value};

use super::{Choice, Default, Field, Kind, Model, Rule, Wrong};
use crate::{encoding, iso8601, origin};

/// What is wrong with a value, and where. It never repeats the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The way to the value: `grants.0.scopes`. Empty for the whole.
    pub path: String,
    /// A clause that follows it: `is missing`.
    pub problem: String,
}

impl Fault {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }

    fn within(mut self, outer: &str) -> Self {
        self.path = if self.path.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.path) };
        self
    }

    /// The first step of the way: the model's own field.
    pub fn field(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() { f.write_str(&self.problem) } else { write!(f, "{} {}", self.path, self.problem) }
    }
}

impl Model {
    /// Reads a value: all fields, each as its rule wants it, in the order of the declaration.
    ///
    /// # Errors
    /// The first fault.
    ///
    /// ```
    /// use alter_core::model::{ConnectSession, Described};
    /// let answer = serde_json::json!({ "session_token": "s", "connect_url": "https://v.example/c", "expires_in": "600", "expires_at": "x" });
    /// let fault = ConnectSession::MODEL.read(&answer).unwrap_err();
    /// assert_eq!(fault.to_string(), "expires_in is not a whole number");
    /// ```
    pub fn read(&self, value: &Value) -> Result<Map<String, Value>, Fault> {
        let members = value.as_object().ok_or_else(|| Fault::new("", "is not an object"))?;
        if self.closed
            && let Some(unknown) = members.keys().find(|name| self.field(name).is_none())
        {
            return Err(Fault::new(unknown, "is not known here"));
        }
        let mut read: Map<String, Value> = self
            .fields
            .iter()
            .map(|field| Ok((field.name.to_owned(), field.read(members.get(field.name), self.strict)?)))
            .collect::<Result<_, Fault>>()?;
        if let Some(check) = self.check {
            check(&mut read)?;
        }
        Ok(read)
    }
}

impl Field {
    fn read(&self, value: Option<&Value>, strict: bool) -> Result<Value, Fault> {
        let missing = || self.rule.missing().ok_or_else(|| Fault::new(self.name, "is missing"));
        match value {
            None => missing(),
            Some(Value::Null) if self.rule.nullable => Ok(Value::Null),
            Some(value) => match self.rule.read(value, strict) {
                Ok(read) => Ok(read),
                Err(_) if self.rule.drops(value) => missing(),
                Err(fault) => Err(fault.within(self.name)),
            },
        }
    }
}

impl Rule {
    /// The value of a field that is not there; `None` if it must be.
    fn missing(&self) -> Option<Value> {
        Some(match self.default {
            Default::Required => return None,
            Default::Null | Default::Now => Value::Null,
            Default::Zero => 0.into(),
            Default::False => false.into(),
            Default::Text(text) => text.into(),
            Default::EmptyList => Value::Array(Vec::new()),
            Default::EmptyMap => Value::Object(Map::new()),
        })
    }

    fn drops(&self, value: &Value) -> bool {
        match self.wrong {
            Wrong::Fails => false,
            Wrong::Dropped => true,
            Wrong::DroppedUnlessList | Wrong::ElementsDropped => !value.is_array(),
            Wrong::BlankDropped => false,
        }
    }

    fn read(&self, value: &Value, strict: bool) -> Result<Value, Fault> {
        let strict = strict || self.strict || self.wrong == Wrong::Dropped;
        let wrong = |problem: &str| Fault::new("", problem);
        match self.kind {
            Kind::Text => Ok(match self.read_text(value)? {
                blank if self.wrong == Wrong::BlankDropped && blank.trim().is_empty() => Value::Null,
                text => text.into(),
            }),
            Kind::Base64 => {
                let text = self.read_text(value)?;
                if encoding::is_base64(text) { Ok(text.into()) } else { Err(wrong("is not base64")) }
            }
            Kind::OneOf(values) => {
                let known = value.as_str().filter(|text| values.contains(text));
                known.map(Value::from).ok_or_else(|| wrong("is none of its possible values"))
            }
            Kind::IsoText => {
                let text = self.read_text(value)?;
                if iso8601::is_valid(text) { Ok(text.into()) } else { Err(wrong("is not an ISO 8601 time")) }
            }
            Kind::Origin => {
                value.as_str().filter(|text| origin::is_bare_https(text)).map(Value::from).ok_or_else(|| wrong("is not an https origin"))
            }
            Kind::Time => iso8601::canonical(value).map(Value::from).ok_or_else(|| wrong("is not a time")),
            Kind::Uuid => value.as_str().and_then(uuid).map(Value::from).ok_or_else(|| wrong("is not a UUID")),
            Kind::Whole => self.read_whole(value, strict),
            Kind::Number => self.read_number(value),
            Kind::Flag => flag(value, strict).map(Value::from).ok_or_else(|| wrong("is not a boolean")),
            Kind::Texts => texts(value, self.wrong == Wrong::ElementsDropped),
            Kind::TextTuple => {
                let texts = texts(value, false)?;
                match texts.as_array().map(Vec::as_slice) {
                    Some([]) => Err(wrong("is empty")),
                    Some(entries) if entries.iter().any(|entry| entry == "") => Err(wrong("has an empty text")),
                    _ => Ok(texts),
                }
            }
            Kind::TextMap => text_map(value).map_err(wrong),
            Kind::TextMaps => each(value, |entry| text_map(entry).map_err(wrong)),
            Kind::Map => object(value),
            Kind::Maps => each(value, object),
            Kind::Any => Ok(value.clone()),
            Kind::Model(model) => model.read(value).map(Value::Object),
            Kind::Models(model) | Kind::Tuple(model) => {
                let read = each(value, |entry| model.read(entry).map(Value::Object))?;
                match (self.least, read.as_array()) {
                    (Some(least), Some(entries)) if entries.len() < least as usize => Err(wrong("is empty")),
                    _ => Ok(read),
                }
            }
            Kind::ModelMap(model) => {
                let members = value.as_object().ok_or_else(|| wrong("is not an object"))?;
                let one = |(name, member): (&String, &Value)| {
                    Ok((name.clone(), model.read(member).map(Value::Object).map_err(|fault| fault.within(name))?))
                };
                members.iter().map(one).collect::<Result<Map<_, _>, Fault>>().map(Value::Object)
            }
            Kind::Either(choice) => each(value, |entry| choice.read(entry).map(Value::Object)),
        }
    }

    fn read_text<'a>(&self, value: &'a Value) -> Result<&'a str, Fault> {
        let text = value.as_str().ok_or_else(|| Fault::new("", "is not text"))?;
        let length = text.chars().count();
        if self.least.is_some_and(|least| length < least as usize) {
            return Err(Fault::new("", if length == 0 { "is empty" } else { "is too short" }));
        }
        match self.most {
            Some(most) if length > most as usize => Err(Fault::new("", format!("is longer than {most} characters"))),
            _ => Ok(text),
        }
    }

    fn read_whole(&self, value: &Value, strict: bool) -> Result<Value, Fault> {
        let number = if strict { strict_whole(value) } else { lax_whole(value) };
        let number = number.ok_or_else(|| Fault::new("", "is not a whole number"))?;
        match self.least {
            Some(least) if number < i128::from(least) => Err(Fault::new("", format!("is less than {least}"))),
            _ => whole_value(number).ok_or_else(|| Fault::new("", "is too large")),
        }
    }

    fn read_number(&self, value: &Value) -> Result<Value, Fault> {
        let number = value.as_f64().ok_or_else(|| Fault::new("", "is not a number"))?;
        match self.least {
            Some(least) if number < f64::from(least) => Err(Fault::new("", format!("is less than {least}"))),
            _ => Ok(value.clone()),
        }
    }
}

impl Choice {
    fn read(&self, value: &Value) -> Result<Map<String, Value>, Fault> {
        let members = value.as_object().ok_or_else(|| Fault::new("", "is not an object"))?;
        self.of(members.get(self.by)).ok_or_else(|| Fault::new(self.by, "is none of its possible values"))?.read(value)
    }

    /// The model that a value of the deciding member names.
    pub fn of(&self, value: Option<&Value>) -> Option<&'static Model> {
        let named = value?.as_str()?;
        let names = |model: &Model| matches!(model.field(self.by)?.rule.kind, Kind::OneOf([only]) if *only == named).then_some(());
        self.models.iter().copied().find(|model| names(model).is_some())
    }
}

fn object(value: &Value) -> Result<Value, Fault> {
    if value.is_object() { Ok(value.clone()) } else { Err(Fault::new("", "is not an object")) }
}

fn each(value: &Value, read: impl Fn(&Value) -> Result<Value, Fault>) -> Result<Value, Fault> {
    let list = value.as_array().ok_or_else(|| Fault::new("", "is not a list"))?;
    let one = |(position, entry)| read(entry).map_err(|fault| fault.within(&format!("{position}")));
    list.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn texts(value: &Value, drop_others: bool) -> Result<Value, Fault> {
    let list = value.as_array().ok_or_else(|| Fault::new("", "is not a list of texts"))?;
    if drop_others {
        return Ok(list.iter().filter(|entry| entry.is_string()).cloned().collect());
    }
    match list.iter().position(|entry| !entry.is_string()) {
        Some(position) => Err(Fault::new(format!("{position}"), "is not text")),
        None => Ok(value.clone()),
    }
}

fn text_map(value: &Value) -> Result<Value, &'static str> {
    let map = value.as_object().ok_or("is not an object")?;
    if map.values().all(Value::is_string) { Ok(value.clone()) } else { Err("has a value that is not text") }
}

fn strict_whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

/// What the reference takes for a whole number: `3.0`, `"3"` and `true` too.
fn lax_whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => strict_whole(value).or_else(|| number.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i128)),
        Value::Bool(flag) => Some(i128::from(*flag)),
        Value::String(text) => whole_text(text),
        _ => None,
    }
}

fn whole_text(text: &str) -> Option<i128> {
    let text = text.trim();
    let text = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    // An underscore may stand between two digits.
    let well_formed = digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if well_formed { text.replace('_', "").parse().ok() } else { None }
}

fn whole_value(number: i128) -> Option<Value> {
    i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).ok()
}

fn flag(value: &Value, strict: bool) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        _ if strict => None,
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A UUID in any of its spellings as the usual one: lower case, with hyphens.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let bare = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let bare = bare.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(bare);
    let digits: String = match bare.len() {
        32 => bare.to_owned(),
        36 if [8, 13, 18, 23].iter().all(|at| bare.as_bytes()[*at] == b'-') => bare.replace('-', ""),
        _ => return None,
    };
    let digits = digits.to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some(format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]))
}
