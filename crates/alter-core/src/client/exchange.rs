//! One signed exchange with the vault.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};

use super::{Client, lock};
use crate::error::{Error, Kind, Result};
use crate::host::{Answer, Host, Leg, Level, Patience, TransportError};
use crate::rate_limit;
use crate::signing::{StringToSign, canonical_path_and_query, content_sha256, headers};
use crate::{encoding, traceparent};

/// Headers of a request with everything that there can be, the transport's own included: room for them is made at once.
const MOST_HEADERS: usize = 20;

/// The vault's address, taken apart once.
pub(super) struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Comes before every path and is not signed: whatever routes by it takes it off.
    prefix: String,
}

impl BaseUrl {
    pub(super) fn new(base_url: &str) -> Result<Self> {
        let malformed =
            || Error::new(Kind::AlterSdk, "The vault's address is not a URL that can be requested.").with_code("invalid_base_url");
        // A leading space and a bare "?" or "#" at the end pass the contract's check; none of them is part of an address.
        let uri: Uri = base_url.trim().trim_end_matches(['?', '#']).parse().map_err(|_| malformed())?;
        let parts = uri.into_parts();
        let prefix = parts.path_and_query.map(|path| path.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        Ok(Self { scheme: parts.scheme.ok_or_else(malformed)?, authority: parts.authority.ok_or_else(malformed)?, prefix })
    }

    fn join(&self, path: &str) -> Result<Uri, http::Error> {
        let path = PathAndQuery::try_from(format!("{}{path}", self.prefix))?;
        Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path).build()
    }
}

/// What one exchange sends.
pub(super) struct Exchange<'a> {
    pub(super) method: http::Method,
    /// Path and query, as written; the base URL's own path is put before it.
    pub(super) path: &'a str,
    pub(super) body: Bytes,
    /// Replaces the client's caller, and with it the cached actor id.
    pub(super) caller: Option<&'a str>,
    /// Value of the context header.
    pub(super) context: Option<&'a str>,
    /// Whether the cached actor id is sent and one in the answer remembered.
    pub(super) actor_id: bool,
    /// Value of the `Idempotency-Key` header, which is not signed. It may be empty.
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) traceparent: Option<&'a str>,
    /// Replaces the client's timeout: of a request that the vault is asked to hold.
    pub(super) patience: Option<Duration>,
}

impl<H: Host> Client<H> {
    /// Signs and sends; notes what the answer's headers say about limits, the key and the caller.
    ///
    /// # Errors
    /// `NetworkError`, `TimeoutError`. Any status is an answer.
    pub(in crate::client) async fn exchange(&self, exchange: Exchange<'_>) -> Result<Answer> {
        let remembers_actor = exchange.actor_id && exchange.caller.is_none();
        let request = self.signed_request(&exchange)?;
        let answer = self.shared.host.send(Leg::Backend, request).await.map_err(|error| self.backend_unreachable(&error))?;
        self.note_rate_limit(&answer);
        self.note_deprecated_key(&answer);
        if remembers_actor {
            self.note_actor_id(&answer);
        }
        Ok(answer)
    }

    fn signed_request(&self, exchange: &Exchange<'_>) -> Result<http::Request<Bytes>> {
        let options = &self.shared.options;
        let timestamp = self.shared.host.now().unix_timestamp().to_string();
        let nonce = nonce()?;
        let digest = content_sha256(&exchange.body);
        let actor_id = if exchange.actor_id && exchange.caller.is_none() { self.actor_id() } else { None };
        let caller = exchange.caller.or(options.caller.as_deref()).unwrap_or_default();
        let constraints = self.view.constraints.as_ref();
        let string_to_sign = StringToSign {
            method: exchange.method.as_str(),
            path_and_query: &canonical_path_and_query(exchange.path),
            timestamp: &timestamp,
            nonce: &nonce,
            content_sha256: &digest,
            scope_constraints: constraints.map_or("", |c| &c.scopes),
            request_rule: constraints.map_or("", |c| &c.rule),
            caller,
            caller_type: if caller.is_empty() { "" } else { options.caller_type.as_str() },
            actor_id: actor_id.as_deref().unwrap_or_default(),
            context: exchange.context.unwrap_or_default(),
        };
        let v2 = string_to_sign.v2().map(|text| self.shared.signing_key.sign(&text));
        let signature = v2.clone().unwrap_or_else(|| self.shared.signing_key.sign(&string_to_sign.v1()));

        let uri = self.shared.base_url.join(exchange.path).map_err(|_| Error::invalid("This call's path cannot be sent."))?;
        let mut request = http::Request::new(exchange.body.clone());
        *request.headers_mut() = HeaderMap::with_capacity(MOST_HEADERS);
        *request.method_mut() = exchange.method.clone();
        *request.uri_mut() = uri;
        let mut set = |name: &'static str, value: &str| -> Result<()> {
            if value.is_empty() {
                return Ok(());
            }
            let mut value =
                HeaderValue::from_str(value).map_err(|_| Error::invalid(format!("The value for {name} cannot stand in a header.")))?;
            value.set_sensitive(name == headers::API_KEY);
            request.headers_mut().insert(HeaderName::from_static(name), value);
            Ok(())
        };
        set(headers::API_KEY, options.api_key.expose())?;
        set("user-agent", &options.user_agent)?;
        set(headers::TIMESTAMP, &timestamp)?;
        set(headers::NONCE, &nonce)?;
        set(headers::CONTENT_SHA256, &digest)?;
        set(headers::SIGNATURE, &signature)?;
        set(headers::SIGNATURE_V2, v2.as_deref().unwrap_or_default())?;
        set(headers::SCOPE_CONSTRAINTS, string_to_sign.scope_constraints)?;
        set(headers::REQUEST_RULE, string_to_sign.request_rule)?;
        set(headers::CALLER, string_to_sign.caller)?;
        set(headers::CALLER_TYPE, string_to_sign.caller_type)?;
        set(headers::ACTOR_ID, string_to_sign.actor_id)?;
        set(headers::CONTEXT, string_to_sign.context)?;
        set("traceparent", exchange.traceparent.filter(|value| traceparent::is_valid(value)).unwrap_or_default())?;
        if !exchange.body.is_empty() {
            set("content-type", "application/json")?;
        }
        if let Some(key) = exchange.idempotency_key {
            let key = HeaderValue::from_str(key).map_err(|_| Error::invalid("idempotency_key cannot stand in a header."))?;
            request.headers_mut().insert(HeaderName::from_static("idempotency-key"), key);
        }
        if let Some(patience) = exchange.patience {
            request.extensions_mut().insert(Patience(patience));
        }
        Ok(request)
    }

    fn backend_unreachable(&self, error: &TransportError) -> Error {
        let base_url = self.base_url();
        let error = match error {
            TransportError::Timeout => Error::new(Kind::Timeout, format!("The vault at {base_url} did not answer in time.")),
            TransportError::Failed(why) => {
                let help = "Check that it runs (alter serve) and that ALTER_BASE_URL is right.";
                Error::new(Kind::Network, format!("The vault at {base_url} cannot be reached: {why}. {help}"))
            }
        };
        error.with_detail("base_url", base_url)
    }

    fn note_rate_limit(&self, answer: &Answer) {
        let now = u64::try_from(self.shared.host.now().unix_timestamp()).unwrap_or_default();
        if let Some(snapshot) = rate_limit::from_headers(|name| answer.header(name), now) {
            *lock(&self.shared.rate_limit) = Some(snapshot);
        }
    }

    fn note_deprecated_key(&self, answer: &Answer) {
        let deprecated = answer.header("x-alter-key-deprecated") == Some("true");
        if deprecated && !self.shared.warned_deprecated_key.swap(true, Ordering::AcqRel) {
            self.log(Level::Notice, "The API key is deprecated and will stop working. Replace it with a new one.");
        }
    }

    /// The first id wins: an answer must not be able to change whom later requests speak for.
    fn note_actor_id(&self, answer: &Answer) {
        let Some(received) = answer.header(headers::ACTOR_ID).filter(|id| !id.is_empty()) else { return };
        if !crate::token::is_canonical_uuid(&received.to_ascii_lowercase()) {
            self.log(Level::Warning, "The vault sent an actor id that is not a UUID; it is ignored.");
            return;
        }
        let mut actor_id = lock(&self.view.actor_id);
        match actor_id.as_deref() {
            None => *actor_id = Some(received.to_owned()),
            Some(known) if known == received => {}
            Some(_) => {
                drop(actor_id);
                self.log(Level::Warning, "The vault sent another actor id than before; it is ignored.");
            }
        }
    }
}

/// 16 random bytes in lower-case hexadecimal.
fn nonce() -> Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|cause| {
        Error::new(Kind::AlterSdk, format!("The operating system gave no random numbers: {cause}.")).with_code("no_randomness")
    })?;
    Ok(encoding::hex(&bytes))
}
