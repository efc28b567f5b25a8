//! Verifying an identity assertion: a compact ES256 JWS that a vault signed for one audience. Nothing is sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given, filled};
use crate::model::IdentityContext;

/// The type that the header must name: a token made for something else is no assertion.
const TYPE: &str = "alter-identity+jwt";
/// The longest life of an assertion, in seconds.
const LONGEST_LIFE: i64 = 300;
/// How far in the future it may have been issued, in seconds: clocks differ.
const CLOCK_TOLERANCE: i64 = 5;
const REQUIRED_CLAIMS: [&str; 8] = ["iss", "aud", "sub", "iat", "exp", "jti", "azp", "alter"];

/// Why an assertion is not accepted: the word in the error's details.
type Reason = &'static str;

/// What checking a signature comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The key made it.
    Signed,
    /// The key did not make it.
    Forged,
    /// The key is none: its point is not on the curve.
    NoKey,
}

/// Checks an ECDSA signature with P-256 and SHA-256: the uncompressed point of the key (65 bytes), the message, and the signature as the
/// two numbers of 32 bytes. The engine has no cryptography of its own for this; its host links one already.
pub type CheckSignature = fn(&[u8; 65], &[u8], &[u8]) -> Checked;

/// Verifies the assertion that the arguments `token`, `issuer`, `audience`, `jwks`, `expected_app_id` and `expected_agent_id` describe; `now`
/// is in Unix seconds. The result has the identity's `app_id`, `agent_id`, `app_user_id` and `user_status`, and nothing else of the token.
///
/// # Errors
/// `AlterValueError` for an argument of a wrong type; `MemoryIsolationError` with a `reason` in its details for an assertion that is not accepted.
pub fn verify(mut args: Args, now: i64, check: CheckSignature) -> Result<Map<String, Value>> {
    let mut take = |field: &str| filled(field, args.take_or_null(field));
    let token = take("token")?;
    let issuer = take("issuer")?;
    let audience = take("audience")?;
    let app_id = take("expected_app_id")?;
    let agent_id = match args.take_or_null("expected_agent_id") {
        Given::Null => None,
        given => Some(filled("expected_agent_id", given)?),
    };
    let keys = keys(args.take_or_null("jwks"))?;
    let expected = Expected { issuer: &issuer, audience: &audience, app_id: &app_id, agent_id: agent_id.as_deref() };
    let claims = signed_claims(&token, &keys, check).and_then(|claims| expected.judge(&claims, now));
    claims.map_err(|reason| {
        let text = format!("memory_assertion_invalid: The identity assertion is not accepted ({reason}).");
        Error::new(Kind::MemoryIsolation, text)
            .with_code("memory_assertion_invalid")
            .with_attribute("code", "memory_assertion_invalid")
            .with_detail("reason", reason)
    })
}

fn keys(value: Given) -> Result<Vec<Value>> {
    let refused =
        || Error::invalid("jwks must be a JSON Web Key Set: a map with a list of keys. Give what the vault's JWKS address answers.");
    if !matches!(value, Given::Map(_)) {
        return Err(refused());
    }
    let set: Value = serde_json::from_str(&value.to_json("jwks")?).map_err(|_| refused())?;
    set.get("keys").and_then(Value::as_array).cloned().ok_or_else(refused)
}

/// The claims, once the signature is proven.
fn signed_claims(token: &str, keys: &[Value], check: CheckSignature) -> Result<Map<String, Value>, Reason> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { return Err("malformed") };
    let head = object(header)?;
    let text = |name: &str| head.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let plain =
        text("alg") == Some("ES256") && text("typ") == Some(TYPE) && !head.contains_key("crit") && head.get("b64") != Some(&json!(false));
    let id = text("kid").filter(|_| plain).ok_or("header")?;
    let key = key(keys, id)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "malformed")?;
    match check(&key, format!("{header}.{payload}").as_bytes(), &signature) {
        Checked::Signed => object(payload),
        Checked::Forged => Err("signature"),
        Checked::NoKey => Err("key"),
    }
}

/// A part of the token that must be a JSON object.
fn object(part: &str) -> Result<Map<String, Value>, Reason> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "malformed")?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err("malformed"),
    }
}

/// The point of the one public P-256 signing key of an id.
fn key(keys: &[Value], id: &str) -> Result<[u8; 65], Reason> {
    let mut named = keys.iter().filter(|key| key.get("kid").and_then(Value::as_str) == Some(id));
    let (Some(key), None) = (named.next(), named.next()) else { return Err("key") };
    let is = |name: &str, wanted: &str| key.get(name).is_some_and(|value| value == wanted);
    let is_or_absent = |name: &str, wanted: &str| key.get(name).is_none_or(|value| value == wanted);
    let verifies = match key.get("key_ops") {
        None => true,
        Some(uses) => uses.as_array().is_some_and(|uses| uses.iter().any(|one| one == "verify")),
    };
    // A key set with a private part in it was never meant to be handed out: whoever gave it is not to be believed.
    let fits = is("kty", "EC") && is("crv", "P-256") && is_or_absent("alg", "ES256") && is_or_absent("use", "sig") && verifies;
    if !fits || key.get("d").is_some() {
        return Err("key");
    }
    let coordinate = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    };
    let (x, y) = coordinate("x").zip(coordinate("y")).ok_or("key")?;
    let mut point = [4_u8; 65];
    point[1..33].copy_from_slice(&x);
    point[33..].copy_from_slice(&y);
    Ok(point)
}

/// What the assertion must be about.
struct Expected<'a> {
    issuer: &'a str,
    audience: &'a str,
    app_id: &'a str,
    agent_id: Option<&'a str>,
}

impl Expected<'_> {
    fn judge(&self, claims: &Map<String, Value>, now: i64) -> Result<Map<String, Value>, Reason> {
        let number = |name: &str| claims.get(name).and_then(Value::as_f64);
        let moment = now as f64;
        if number("exp").is_some_and(|exp| exp <= moment) || number("nbf").is_some_and(|nbf| nbf > moment) {
            return Err("lifetime");
        }
        let for_us = match claims.get("aud") {
            Some(Value::String(one)) => one == self.audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == self.audience),
            _ => false,
        };
        let complete = REQUIRED_CLAIMS.iter().all(|name| claims.get(*name).is_some_and(|claim| !claim.is_null()));
        if !complete || !for_us || claims.get("iss").is_none_or(|issuer| issuer != self.issuer) {
            return Err("claims");
        }
        check_lifetime(claims, now)?;
        let ours = claims.get("alter").and_then(Value::as_object).ok_or("claims")?;
        if ours.get("app_id").is_none_or(|id| id != self.app_id) || claims.get("azp").is_none_or(|id| id != self.app_id) {
            return Err("binding");
        }
        let user = self.subject(claims)?;
        let agent = acting_agent(claims, ours)?;
        if self.agent_id.is_some() && agent.as_deref() != self.agent_id {
            return Err("binding");
        }
        let identity = json!({
            "app_id": self.app_id,
            "agent_id": agent,
            "app_user_id": user,
            "user_status": user.as_ref().map(|_| "active"),
        });
        IdentityContext::MODEL.read(&identity).map_err(|_| "malformed")
    }

    /// The user whom the assertion is about; `None` if it is about the application itself.
    fn subject(&self, claims: &Map<String, Value>) -> Result<Option<String>, Reason> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or("claims");
        text("jti")?;
        let subject = text("sub")?;
        if let Some(user) = subject.strip_prefix("alter:user:").filter(|id| !id.is_empty()) {
            return Ok(Some(user.to_owned()));
        }
        match subject.strip_prefix("alter:app:") {
            Some(app) if app == self.app_id => Ok(None),
            Some(_) => Err("binding"),
            None => Err("claims"),
        }
    }
}

fn check_lifetime(claims: &Map<String, Value>, now: i64) -> Result<(), Reason> {
    let whole = |name: &str| claims.get(name).and_then(Value::as_i64).ok_or("lifetime");
    let (issued, ends) = (whole("iat")?, whole("exp")?);
    let fits = issued < ends && ends <= issued.saturating_add(LONGEST_LIFE) && issued <= now + CLOCK_TOLERANCE && ends > now;
    if fits { Ok(()) } else { Err("lifetime") }
}

/// The agent that acts, if one does.
fn acting_agent(claims: &Map<String, Value>, ours: &Map<String, Value>) -> Result<Option<String>, Reason> {
    let actor = match claims.get("act") {
        None | Some(Value::Null) => return Ok(None),
        Some(actor) => actor.as_object().ok_or("claims")?,
    };
    let agent = actor.get("sub").and_then(Value::as_str).and_then(|sub| sub.strip_prefix("alter:agent:")).filter(|id| !id.is_empty());
    let authenticated = ours.get("agent_auth").and_then(Value::as_str).is_some_and(|how| !how.is_empty());
    match agent {
        Some(agent) if authenticated => Ok(Some(agent.to_owned())),
        _ => Err("claims"),
    }
}
