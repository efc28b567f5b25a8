//! Whose grants a user token gives sight of.

use super::idp::{Idp, person_of};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::model::{AppId, Membership, Person};

/// Who a user token is about, with their groups.
///
/// # Errors
/// As [`person_of`].
pub async fn membership(vault: &Vault, app: AppId, token: &str) -> Result<Membership, Refusal> {
    let verified = person_of(vault, app, token).await?;
    Ok(Membership { person: Person { issuer: verified.issuer, subject: verified.subject }, groups: verified.groups })
}

/// The issuer of a group that a grant shall be for. `named` is its URL, or the id of its registration.
///
/// # Errors
/// 400 `idp_signin_not_configured`; 422 `unsupported_group_source` for another issuer, or one whose tokens do not name groups: nobody could
/// ever be seen to belong.
pub async fn issuer_with_groups(vault: &Vault, app: AppId, named: &str) -> Result<String, Refusal> {
    let idp = Idp::required(vault, app).await?;
    let unsupported = |message: &str| Refusal::unprocessable("unsupported_group_source", message);
    if named != idp.settings.issuer && named != idp.registration.id.to_string() {
        return Err(unsupported("idp_id names no identity provider of this application."));
    }
    if idp.settings.groups_claim.is_none() {
        return Err(unsupported("The identity provider's tokens name no groups. An operator sets the claim with `alter idp set`."));
    }
    Ok(idp.settings.issuer)
}
