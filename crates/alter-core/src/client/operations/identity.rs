//! Who makes a call: asked of the vault, or asked for as a signed token.

use super::answer::{self, Details};
use super::arguments::{self, optional_filled, take_flag};
use super::plan::{Body, Once, Plan};
use crate::client::{Client, ClientKind};
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::Host;
use crate::model::{IdentityAssertion, IdentityContext, Model};

/// Longest user's token, in characters.
const LONGEST_TOKEN: usize = 8192;
/// Longest audience, in characters.
const LONGEST_AUDIENCE: usize = 512;
/// Shortest and longest life of an assertion, in seconds.
const SHORTEST_LIFE: i128 = 10;
const LONGEST_LIFE: i128 = 300;

/// `resolve_identity`.
pub(super) fn resolve<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let subject = Subject::take(args)?;
    Ok(subject.into_plan(client, "/sdk/identity/resolve", |body| body, IdentityContext::MODEL))
}

/// `assert_identity`.
pub(super) fn assert<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let subject = Subject::take(args)?;
    let audience = audience(args.take_or_null("audience"))?;
    let life = match args.take_or_null("ttl_seconds") {
        Given::Null => None,
        given => Some(arguments::whole("ttl_seconds", given, SHORTEST_LIFE, Some(LONGEST_LIFE))?),
    };
    let more = |body: Body| body.text("audience", &audience).json_if("ttl_seconds", life.map(|seconds| seconds.to_string()));
    Ok(subject.into_plan(client, "/sdk/identity/assert", more, IdentityAssertion::MODEL))
}

/// Whose identity is meant.
struct Subject {
    user_token: Option<String>,
    app_user_id: Option<String>,
    include_profile: bool,
}

impl Subject {
    fn take(args: &mut Args) -> Result<Self> {
        let user_token = optional_filled("user_token", args.take_or_null("user_token"))?;
        if user_token.as_ref().is_some_and(|token| token.chars().count() > LONGEST_TOKEN) {
            return Err(Error::invalid(format!("user_token is longer than {LONGEST_TOKEN} characters, so it is no user's JWT.")));
        }
        let app_user_id = optional_filled("app_user_id", args.take_or_null("app_user_id"))?;
        let include_profile = take_flag(args, "include_profile", false)?;
        Ok(Self { user_token, app_user_id, include_profile })
    }

    fn into_plan<H: Host>(self, client: &Client<H>, path: &str, more: impl FnOnce(Body) -> Body, model: &'static Model) -> Plan {
        let body = Body::default().json("include_profile", self.include_profile.to_string());
        let position = body.len();
        let body = body.text_if("user_token", self.user_token.as_deref()).text_if("app_user_id", self.app_user_id.as_deref());
        let once = Once::post(path, more(body), move |answer| answer::model(answer, model, Details::Faults));
        // An agent speaks for itself unless its caller says for whom.
        let asks = self.user_token.is_none() && client.shared.options.kind == ClientKind::App;
        Plan::Once(if asks { once.asking_for_user_token(position, Some(LONGEST_TOKEN)) } else { once })
    }
}

fn audience(value: Given) -> Result<String> {
    let audience = arguments::filled("audience", value)?;
    if audience.chars().count() > LONGEST_AUDIENCE {
        return Err(Error::invalid(format!("audience is longer than {LONGEST_AUDIENCE} characters.")));
    }
    let scheme = audience.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'));
    if well_formed { Ok(audience) } else { Err(Error::invalid("audience is not a URI. Give for example \"https://api.example.com\".")) }
}
