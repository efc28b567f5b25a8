//! The engine's answer as it crosses: its head as JSON, its body as bytes.

use alter_core::client::Response;
use alter_core::token::RetryInfo;
use http::Version;
use serde::Serialize;

/// The head of an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    status: u16,
    status_text: &'a str,
    url: &'a str,
    headers: Vec<(&'a str, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_info: Option<&'a RetryInfo>,
}

/// JSON text of an answer's head.
pub fn head(response: &Response) -> String {
    let head = Head {
        status: response.status,
        status_text: status_text(response),
        url: &response.request.url,
        headers: response.headers.iter().map(|(name, value)| (name.as_str(), latin1(value.as_bytes()))).collect(),
        retry_info: response.retry_info.as_ref(),
    };
    serde_json::to_string(&head).expect("texts and numbers can always be written as JSON")
}

/// The status line's words, as `fetch` has them: HTTP/2 and later have none. The transport names only unusual ones.
fn status_text(response: &Response) -> &str {
    let usual = || http::StatusCode::from_u16(response.status).ok()?.canonical_reason().filter(|_| response.version <= Version::HTTP_11);
    response.reason_phrase.as_deref().or_else(usual).unwrap_or_default()
}

/// Bytes as `fetch` reads the bytes of a header: one character each.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
