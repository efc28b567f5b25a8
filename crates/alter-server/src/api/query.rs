//! The parameters of a query, taken one by one. As with the members of a body, each has to be known, and stands there once.

use std::collections::BTreeMap;

use super::members::invalid;
use super::refusal::Refusal;

/// The parameters that were not taken yet.
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// The parameters of a query string; of none, none.
    ///
    /// # Errors
    /// 400 `invalid_request` if one of them is there twice (two readers could pick different ones), or has a NUL, which PostgreSQL keeps in no text.
    pub fn of(text: Option<&str>) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            if value.contains('\0') {
                return Err(invalid("The query has a parameter with U+0000 in it."));
            }
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(invalid("The query has a parameter twice."));
            }
        }
        Ok(Self(parameters))
    }

    /// Takes a parameter.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a parameter that must be a whole number within bounds.
    ///
    /// # Errors
    /// 400 `invalid_request` for anything else; so for the other takers.
    pub fn number(&mut self, name: &str, (least, most): (u64, u64)) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.0.remove(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| {
            let upper = if most == u64::MAX { String::new() } else { format!(" to {most}") };
            invalid(format!("{name} must be a whole number from {least}{upper}."))
        })
    }

    /// Takes a parameter that must be true or false.
    ///
    /// # Errors
    /// As of [`Query::number`].
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.0.remove(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(invalid(format!("{name} must be true or false."))),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 400 `invalid_request` if there is a parameter that nobody took.
    pub fn nothing_else(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(invalid("The query has a parameter that this vault does not know, and it ignores none."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_by_type() {
        let mut query = Query::of(Some("limit=10&force=true&name=a+b%2Fc&offset=0")).unwrap();
        assert_eq!(query.number("limit", (1, 1000)).unwrap(), Some(10));
        assert_eq!(query.boolean("force").unwrap(), Some(true));
        assert_eq!(query.text("name").as_deref(), Some("a b/c"));
        assert_eq!((query.number("offset", (0, u64::MAX)).unwrap(), query.boolean("absent").unwrap()), (Some(0), None));
        query.nothing_else().unwrap();
        Query::of(None).unwrap().nothing_else().unwrap();
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        let query = |text| Query::of(Some(text));
        for text in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit="] {
            let refusal = query(text).unwrap().number("limit", (1, 1000)).unwrap_err();
            assert!(refusal.message().starts_with("limit must be a whole number from 1 to 1000"), "{text}");
        }
        assert!(query("force=yes").unwrap().boolean("force").unwrap_err().message().starts_with("force must be"));
        assert_eq!(query("a=1&a=2").err().map(|refusal| refusal.code()), Some("invalid_request"));
        assert_eq!(query("a=%00").err().map(|refusal| refusal.code()), Some("invalid_request"));
        assert_eq!(query("a=1").unwrap().nothing_else().unwrap_err().code(), "invalid_request");
    }
}
