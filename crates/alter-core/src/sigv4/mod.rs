//! AWS Signature Version 4, header form, with the payload always hashed.

mod host;
mod signing_names;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

pub use host::{Endpoint, endpoint_of};

use crate::encoding::{hex, percent_decode, percent_encode};
use crate::secret::Secret;
use crate::signing::hmac_sha256;
use crate::url::ProviderUrl;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// An AWS key pair, with the region and service that hold where the host does not say.
#[derive(Clone, Debug)]
pub struct Credentials<'a> {
    /// Access key id.
    pub access_key_id: &'a str,
    /// Secret access key.
    pub secret_key: &'a Secret,
    /// Session token of temporary credentials.
    pub session_token: Option<&'a Secret>,
    /// Region and service for the scope of the signature.
    pub endpoint: &'a Endpoint,
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// HTTP method, upper case.
    pub method: &'a str,
    /// The URL as it is sent.
    pub url: &'a ProviderUrl,
    /// Value of the `Host` header.
    pub host: &'a str,
    /// The exact body.
    pub body: &'a [u8],
}

/// Headers to add to the request. `Authorization` and the session token are secrets.
#[derive(Clone, Debug)]
pub struct SignedHeaders {
    /// `Authorization`.
    pub authorization: Secret,
    /// `x-amz-date`.
    pub date: String,
    /// `x-amz-content-sha256`.
    pub content_sha256: String,
    /// `x-amz-security-token`.
    pub security_token: Option<Secret>,
}

/// Signs a request. Signed are `host`, `x-amz-content-sha256`, `x-amz-date` and, if there is one, `x-amz-security-token`.
pub fn sign(request: &Request<'_>, credentials: &Credentials<'_>, now: OffsetDateTime) -> SignedHeaders {
    let date = timestamp(now);
    let day = &date[..8];
    let content_sha256 = hex(&Sha256::digest(request.body));
    let Endpoint { service, region } = credentials.endpoint;

    let mut signed = vec![("host", request.host), ("x-amz-content-sha256", &content_sha256), ("x-amz-date", &date)];
    if let Some(token) = credentials.session_token {
        signed.push(("x-amz-security-token", token.expose()));
    }
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical_request = zeroize::Zeroizing::new(format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{content_sha256}",
        request.method,
        canonical_uri(request.url.path(), service),
        canonical_query(request.url.query().unwrap_or_default()),
    ));

    let scope = format!("{day}/{region}/{service}/aws4_request");
    let string_to_sign = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical_request.as_bytes())));
    let signature = hex(&hmac_sha256(&signing_key(credentials.secret_key, day, region, service), string_to_sign.as_bytes()));
    let authorization =
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", credentials.access_key_id);
    SignedHeaders { authorization: Secret::new(authorization), date, content_sha256, security_token: credentials.session_token.cloned() }
}

fn signing_key(secret_key: &Secret, day: &str, region: &str, service: &str) -> [u8; 32] {
    let start = zeroize::Zeroizing::new(format!("AWS4{}", secret_key.expose()));
    let mut key = hmac_sha256(start.as_bytes(), day.as_bytes());
    for part in [region, service, "aws4_request"] {
        key = hmac_sha256(&key, part.as_bytes());
    }
    key
}

fn timestamp(now: OffsetDateTime) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    // Formatting into a string fails only for years outside the format, which a clock does not give.
    now.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default()
}

/// S3 signs the path as it is sent; every other service signs each segment encoded once more.
pub fn canonical_uri(path: &str, service: &str) -> String {
    if service == "s3" {
        return path.to_owned();
    }
    path.split('/').map(percent_encode).collect::<Vec<_>>().join("/")
}

/// Pairs decoded and encoded again (a plus is a plus), sorted by encoded name, then value.
pub fn canonical_query(query: &str) -> String {
    let encode = |text: &str| percent_encode(&percent_decode(text));
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Writes merged query parameters so that what is sent and what is signed mean the same to AWS: a space is `%20`, never `+`.
pub fn encode_query(pairs: &[(String, String)]) -> Option<String> {
    let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value))).collect();
    (!text.is_empty()).then(|| text.join("&"))
}

/// Splits a query for [`encode_query`]; a plus stays a plus.
pub fn split_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .map(|(name, value)| (percent_decode(name), percent_decode(value)))
        .collect()
}
