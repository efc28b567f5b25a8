//! The person on whose behalf a call is made.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::Vault;
use crate::api::people::idp::person_of;
use crate::api::refusal::Refusal;
use crate::model::{AppId, Membership, Person};

/// What the user's token proved when the call was asked for. A call that people have to approve is judged by it once more when it leaves: the token itself is
/// over by then, and is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnBehalf {
    /// The person.
    pub person: Person,
    /// Their groups; `None` if the token did not say.
    pub groups: Option<Vec<String>>,
    /// How many milliseconds before they had last proven who they are; `None` if the token did not say.
    pub session_age_ms: Option<u64>,
}

impl OnBehalf {
    /// Reads the user's token.
    ///
    /// # Errors
    /// As of [`person_of`].
    pub async fn of(vault: &Vault, app: AppId, user_token: Option<&str>) -> Result<Option<Self>, Refusal> {
        let Some(token) = user_token else { return Ok(None) };
        let verified = person_of(vault, app, token).await?;
        let age = verified.auth_time.map(|at| vault.clock.now().as_millis().saturating_sub(at.as_millis()));
        Ok(Some(Self {
            person: Person { issuer: verified.issuer, subject: verified.subject },
            groups: verified.groups,
            session_age_ms: age.map(|millis| u64::try_from(millis).unwrap_or(0)),
        }))
    }

    /// Whose grants they may use.
    pub fn membership(&self) -> Membership {
        Membership { person: self.person.clone(), groups: self.groups.clone() }
    }

    /// How old their session was.
    pub fn session_age(&self) -> Option<Duration> {
        self.session_age_ms.map(Duration::from_millis)
    }
}
