//! The members of a JSON body, taken one by one. Each has to be known: what is ignored could have been meant to narrow the call.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Longest user token that a request may carry, in characters; clients send no longer one.
const LONGEST_USER_TOKEN: usize = 8192;
/// Longest name for people, in characters.
const LONGEST_LABEL: usize = 255;

/// The members that were not taken yet.
pub struct Members {
    members: Map<String, Value>,
    /// Where they stand, for messages: empty for the body itself, else a path that ends with a dot.
    place: String,
}

impl Members {
    /// The members of a body.
    ///
    /// # Errors
    /// 400 `invalid_request` unless it is a JSON object.
    pub fn of(body: &[u8]) -> Result<Self, Refusal> {
        let members = serde_json::from_slice(body).map_err(|_| invalid("The body is not a JSON object."))?;
        Ok(Self { members, place: String::new() })
    }

    /// The members of a value within a body, which stands at `place`.
    ///
    /// # Errors
    /// 400 `invalid_request` unless it is an object.
    pub fn within(value: Value, place: String) -> Result<Self, Refusal> {
        match value {
            Value::Object(members) => Ok(Self { members, place: format!("{place}.") }),
            _ => Err(invalid(format!("{place} must be an object."))),
        }
    }

    /// Takes a member that must be a list, if it is there and not null.
    ///
    /// # Errors
    /// 400 `invalid_request` for anything else.
    pub fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.invalid(name, "must be a list")),
        }
    }

    /// Whether a member is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a member that must be an object, if it is there and not null.
    ///
    /// # Errors
    /// 400 `invalid_request` for anything else; so for the other takers.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self { members, place: format!("{}{name}.", self.place) })),
            Some(_) => Err(self.invalid(name, "must be an object")),
        }
    }

    /// Takes a member that must be text, not empty, if it is there and not null.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            // PostgreSQL keeps no NUL in a text, and nobody means one.
            Some(Value::String(text)) if text.contains('\0') => Err(self.invalid(name, "must not contain U+0000")),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(self.invalid(name, "must be text that is not empty")),
        }
    }

    /// Takes a name for people, if it is there and not null: at most 255 characters, none of them a control character. Empty counts as given.
    pub fn label(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let label = match self.members.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(label)) => label,
            Some(_) => return Err(self.invalid(name, "must be text")),
        };
        if label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
            return Err(self.invalid(name, &format!("must have at most {LONGEST_LABEL} characters, none of them a control character")));
        }
        Ok(Some(label))
    }

    /// Takes an object as it is, if it is there and not null; as JSON it must have at most `most` bytes.
    pub fn map(&mut self, name: &str, most: usize) -> Result<Option<Map<String, Value>>, Refusal> {
        let map = match self.members.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(self.invalid(name, "must be an object")),
        };
        let long = serde_json::to_string(&map).is_ok_and(|text| text.len() > most);
        if long { Err(self.invalid(name, &format!("must have at most {most} bytes as JSON"))) } else { Ok(Some(map)) }
    }

    /// Takes a text that must be there.
    pub fn required_text(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| self.invalid(name, "is missing"))
    }

    /// Takes a member that must be a whole number, not negative, if it is there and not null.
    pub fn whole_number(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| self.invalid(name, "must be a whole number, not negative")),
        }
    }

    /// Takes a member that must be true or false, if it is there and not null.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| self.invalid(name, "must be true or false")),
        }
    }

    /// Takes a member that must be a list of texts, none of them empty, if it is there and not null.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let items = match self.members.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(_) => vec![Value::Null],
        };
        let text = |item: Value| match item {
            Value::String(text) if !text.is_empty() && !text.contains('\0') => Ok(text),
            _ => Err(self.invalid(name, "must be a list of texts, none of them empty or with U+0000 in it")),
        };
        items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// Takes an object whose members are lists of texts, none of them empty, if it is there and not null.
    pub fn lists(&mut self, name: &str) -> Result<Option<BTreeMap<String, Vec<String>>>, Refusal> {
        let Some(mut given) = self.object(name)? else { return Ok(None) };
        let names: Vec<String> = given.members.keys().cloned().collect();
        let list = |name: String| given.texts(&name).map(|list| (name, list.unwrap_or_default()));
        names.into_iter().map(list).collect::<Result<_, _>>().map(Some)
    }

    /// Takes the user's token.
    pub fn user_token(&mut self) -> Result<Option<String>, Refusal> {
        let token = self.text("user_token")?;
        if token.as_ref().is_some_and(|token| token.len() > LONGEST_USER_TOKEN) {
            return Err(self.invalid("user_token", &format!("must have at most {LONGEST_USER_TOKEN} characters")));
        }
        Ok(token)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 400 `invalid_request` if there is a member that nobody took.
    pub fn nothing_else(self) -> Result<(), Refusal> {
        if self.members.is_empty() {
            return Ok(());
        }
        let place = self.place.strip_suffix('.').unwrap_or("The body");
        Err(invalid(format!("{place} has a member that this vault does not know, and it ignores none.")))
    }

    /// The refusal of one member.
    pub fn invalid(&self, name: &str, what: &str) -> Refusal {
        invalid(format!("{}{name} {what}.", self.place))
    }
}

/// 400: the body is at fault.
pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Members {
        Members::of(json.as_bytes()).expect("an object")
    }

    #[test]
    fn members_are_taken_by_type_and_null_counts_as_absent() {
        let mut members = of(r#"{"a":"x","b":3,"c":true,"d":["y"],"e":{"f":null},"g":null}"#);
        assert_eq!(members.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(members.whole_number("b").unwrap(), Some(3));
        assert_eq!(members.boolean("c").unwrap(), Some(true));
        assert_eq!(members.texts("d").unwrap(), Some(vec!["y".to_owned()]));
        let mut inner = members.object("e").unwrap().expect("an object");
        assert_eq!(inner.text("f").unwrap(), None);
        inner.nothing_else().unwrap();
        assert_eq!((members.texts("g").unwrap(), members.object("h").unwrap().is_none()), (None, true));
        let lists = of(r#"{"l":{"x":["1","2"],"y":null}}"#).lists("l").unwrap().expect("an object");
        assert_eq!(lists, BTreeMap::from([("x".to_owned(), vec!["1".to_owned(), "2".to_owned()]), ("y".to_owned(), Vec::new())]));
        members.nothing_else().unwrap();
    }

    #[test]
    fn a_wrong_type_names_the_member_by_its_path() {
        type Take = fn(&mut Members) -> Option<Refusal>;
        let takers: [(&str, Take); 7] = [
            (r#"{"a":""}"#, |members| members.text("a").err()),
            (r#"{"a":-1}"#, |members| members.whole_number("a").err()),
            (r#"{"a":1}"#, |members| members.boolean("a").err()),
            (r#"{"a":["x",""]}"#, |members| members.texts("a").err()),
            (r#"{"a":"x"}"#, |members| members.texts("a").err()),
            (r#"{"a":[]}"#, |members| members.object("a").err()),
            (r#"{"a":["x\u0000"]}"#, |members| members.texts("a").err()),
        ];
        for (body, take) in takers {
            let refusal = take(&mut of(body)).expect("refused");
            assert!(refusal.message().starts_with("a must be "), "{body}: {}", refusal.message());
        }
        for (body, part) in [(r#"{"a":1}"#, "must be text"), (r#"{"a":"x\u0007"}"#, "control character")] {
            assert!(of(body).label("a").unwrap_err().message().contains(part), "{body}");
        }
        assert_eq!(of(r#"{"a":""}"#).label("a").unwrap().as_deref(), Some(""));
        for (body, part) in [(r#"{"a":[]}"#, "must be an object"), (r#"{"a":{"b":"123456789"}}"#, "at most 10 bytes")] {
            assert!(of(body).map("a", 10).unwrap_err().message().contains(part), "{body}");
        }
        let mut outer = of(r#"{"a":{"b":1}}"#);
        let mut inner = outer.object("a").unwrap().expect("an object");
        assert!(inner.text("b").unwrap_err().message().starts_with("a.b must be "));
        assert!(of(r#"{"a":"x\u0000y"}"#).text("a").unwrap_err().message().starts_with("a must not contain U+0000"));
        assert!(of("{}").required_text("a").unwrap_err().message().starts_with("a is missing"));
        let long = format!(r#"{{"user_token":"{}"}}"#, "x".repeat(8193));
        assert!(of(&long).user_token().unwrap_err().message().contains("8192"));
        assert!(Members::of(b"[]").is_err());
    }

    #[test]
    fn what_nobody_took_is_refused_without_its_name() {
        let refusal = of(r#"{"secret-looking":1}"#).nothing_else().unwrap_err();
        assert_eq!(refusal.code(), "invalid_request");
        assert!(!refusal.message().contains("secret-looking"));
    }
}
