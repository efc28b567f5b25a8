//! People: the app's identity provider, who a user token is about, signing in, and the vault's statements about identities.

mod assertions;
pub mod browser;
mod cookie;
pub mod idp;
mod page;
mod poll;
pub mod sign_in;
mod verify;

pub use assertions::{AssertIdentity, ResolveIdentity, key_set};
pub use poll::{PollSignIn, StartSignIn};
pub use verify::VerifyToken;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Longest user token that a request may carry, in characters; clients send no longer one.
const LONGEST_USER_TOKEN: usize = 8192;

/// The members of a body, each of which has to be known: what is ignored could have been meant to narrow the call.
struct Members(Map<String, Value>);

impl Members {
    fn of(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map(Self).map_err(|_| invalid("The body is not a JSON object."))
    }

    /// Takes a member that must be text, not empty, if it is there and not null.
    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(invalid(format!("{name} must be text that is not empty."))),
        }
    }

    fn required_text(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| invalid(format!("{name} is missing.")))
    }

    fn whole_number(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| invalid(format!("{name} must be a whole number, not negative."))),
        }
    }

    fn boolean(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| invalid(format!("{name} must be true or false."))),
        }
    }

    fn user_token(&mut self) -> Result<Option<String>, Refusal> {
        let token = self.text("user_token")?;
        if token.as_ref().is_some_and(|token| token.len() > LONGEST_USER_TOKEN) {
            return Err(invalid(format!("user_token must have at most {LONGEST_USER_TOKEN} characters.")));
        }
        Ok(token)
    }

    fn nothing_else(self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(_) => Err(invalid("The body has a member that this vault does not know, and it ignores none.")),
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}
