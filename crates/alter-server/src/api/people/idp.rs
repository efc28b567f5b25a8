//! The identity provider of an app: what its operator has set, and judging user tokens by it.

use alter_core::secret::Secret;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::crypto::SealedSecret;
use crate::identity::sign_in::RelyingParty;
use crate::identity::{ProviderTrouble, Trust, Verified, VerifyError};
use crate::model::{AppId, Registration, RegistrationKind};

/// The name of an app's only registration of this kind.
pub const NAME: &str = "default";
/// The field of the sealed client secret.
pub const CLIENT_SECRET: &str = "client_secret";
/// Where the identity provider sends browsers back to: the path of the redirect URI that is registered there.
pub const CALLBACK: &str = "/sign-in/callback";
/// What a client is asked to wait while the identity provider cannot be asked.
const RETRY_AFTER_SECONDS: u32 = 30;

/// What an operator sets: the body of the registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdpSettings {
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// The vault's client id there; without one nobody can sign in, but tokens can be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Audiences of which a user token must name one, besides the client id.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The claim with a person's groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// What a sign-in asks for.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
}

/// What a sign-in asks for unless the operator says otherwise.
pub fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

impl IdpSettings {
    /// Which user tokens are accepted.
    pub fn trust(&self) -> Trust {
        // A sign-in ends in an ID token for the client, which is a user token from then on.
        let audiences = self.audiences.iter().chain(&self.client_id).cloned().collect();
        Trust { issuer: self.issuer.clone(), audiences, groups_claim: self.groups_claim.clone() }
    }
}

/// An app's identity provider.
#[derive(Clone, Debug)]
pub struct Idp {
    /// The registration.
    pub registration: Registration,
    /// Its settings.
    pub settings: IdpSettings,
    sealed: Option<SealedSecret>,
}

impl Idp {
    /// The identity provider of an app, if it has one.
    ///
    /// # Errors
    /// 503 or 500 if the store cannot be used.
    pub async fn find(vault: &Vault, app: AppId) -> Result<Option<Self>, Refusal> {
        let Some(stored) = vault.store.registration(app, RegistrationKind::IdentityProvider, NAME.to_owned()).await? else {
            return Ok(None);
        };
        let settings = serde_json::from_str(&stored.registration.body).map_err(|error| {
            tracing::error!(registration = %stored.registration.id, %error, "stored settings cannot be read");
            Refusal::internal().because("the stored settings of the identity provider cannot be read")
        })?;
        Ok(Some(Self { registration: stored.registration, settings, sealed: stored.sealed }))
    }

    /// The identity provider of an app that needs one.
    ///
    /// # Errors
    /// 400 `idp_signin_not_configured`.
    pub async fn required(vault: &Vault, app: AppId) -> Result<Self, Refusal> {
        Self::find(vault, app).await?.ok_or_else(not_configured)
    }

    /// The vault as its client, for signing people in.
    ///
    /// # Errors
    /// 400 `idp_signin_not_configured` if it has no client id.
    pub fn relying_party(&self, vault: &Vault) -> Result<RelyingParty, Refusal> {
        let client_id = self.settings.client_id.clone().ok_or_else(not_configured)?;
        Ok(RelyingParty {
            issuer: self.settings.issuer.clone(),
            client_id,
            client_secret: self.client_secret(vault)?,
            redirect_uri: format!("{}{CALLBACK}", vault.public_url),
            scopes: self.settings.scopes.clone(),
            groups_claim: self.settings.groups_claim.clone(),
        })
    }

    /// Whether a client secret is stored.
    pub const fn has_client_secret(&self) -> bool {
        self.sealed.is_some()
    }

    fn client_secret(&self, vault: &Vault) -> Result<Option<Secret>, Refusal> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        let fields = vault.keys.open(self.registration.app, self.registration.id, sealed).map_err(|error| {
            tracing::error!(registration = %self.registration.id, %error, "a client secret cannot be opened");
            Refusal::internal().because(error.to_string())
        })?;
        Ok(fields.get(CLIENT_SECRET).cloned())
    }
}

/// Who a user token is about.
///
/// # Errors
/// 400 `idp_signin_not_configured`, 401 `jwt_validation_error`, 503 `identity_provider_unavailable`. The row's detail begins with the code of the
/// rule that the token broke; the client is not told which.
pub async fn person_of(vault: &Vault, app: AppId, token: &str) -> Result<Verified, Refusal> {
    let idp = Idp::required(vault, app).await?;
    vault.issuers.verify(&idp.settings.trust(), token).await.map_err(|error| {
        let reason = format!("{}: {error}", error.code());
        match error {
            VerifyError::Refused(_) => {
                let message = "The user's token is not valid for this application. Let the user sign in again.";
                Refusal::unauthorized("jwt_validation_error", message).because(reason)
            }
            VerifyError::Unavailable(trouble) => unavailable(&trouble),
        }
    })
}

/// 503: the identity provider cannot be asked.
pub fn unavailable(trouble: &ProviderTrouble) -> Refusal {
    let message = "The application's identity provider cannot be asked right now. Try again shortly.";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
        .retry_after(RETRY_AFTER_SECONDS)
        .because(format!("{}: {trouble}", trouble.code()))
}

/// 400: nobody can sign in, and no user token can be judged.
fn not_configured() -> Refusal {
    let message = "This application has no identity provider to sign in with. An operator sets one with `alter idp set`.";
    Refusal::bad_request("idp_signin_not_configured", message)
}
