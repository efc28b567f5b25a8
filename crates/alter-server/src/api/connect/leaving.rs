//! The end of a session in the browser: back to the application, which is told the result, or a page that says it.
//!
//! The window that opened the page gets a message, if the application's operator allowed its origin:
//! `{"type": "alter:connect", "status": "completed" | "denied" | "failed", "grants": [{"grant_id", "provider_id", "operation"}], "error_code": null | …}`.
//! A return URL gets `alter_status`, and `alter_error` where there is one, as query parameters. Neither holds a token.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::pages::Named;
use super::session::{Failed, Stored};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::api::web::page::{self, Forms};
use crate::model::TicketState;

#[derive(Template)]
#[template(path = "connect_result.html")]
struct ResultPage<'a> {
    app: &'a str,
    connected: Vec<String>,
    error: Option<&'a str>,
    denied: bool,
    return_url: Option<&'a str>,
    /// The origin that is told, and what.
    tell: Option<(&'a str, String)>,
    request_id: &'a str,
}

/// How an ended session is shown: the way back to the application.
///
/// # Errors
/// The store's.
pub async fn leave(vault: &Vault, stored: &Stored, request_id: &str) -> Result<Response, Refusal> {
    let (session, state) = (&stored.session, stored.ticket.state);
    let error = (state == TicketState::Failed).then(|| session.progress.error.clone().unwrap_or_else(Failed::denied));
    let return_url = session.leave.return_url.as_deref().map(|url| with_result(url, error.as_ref()));
    let Some(origin) = session.leave.allowed_origin.as_deref() else {
        return match return_url {
            Some(url) => Ok(page::redirect(&url, &[])),
            None => shown(vault, stored, error.as_ref(), None, None, request_id).await,
        };
    };
    let message = message(&session.progress.grants, error.as_ref()).to_string();
    shown(vault, stored, error.as_ref(), return_url.as_deref(), Some((origin, message)), request_id).await
}

async fn shown(
    vault: &Vault,
    stored: &Stored,
    error: Option<&Failed>,
    return_url: Option<&str>,
    tell: Option<(&str, String)>,
    request_id: &str,
) -> Result<Response, Refusal> {
    let named = Named::of(vault, stored).await?;
    let grants = stored.session.progress.grants.iter();
    let connected = grants.filter_map(|grant| grant["provider_id"].as_str()).map(|id| named.provider(id).to_owned()).collect();
    let script = tell.is_some();
    let shown = ResultPage {
        app: &named.app,
        connected,
        error: error.map(|error| error.error_message.as_str()),
        denied: error.is_some_and(|error| error.error_code == "connect_denied"),
        return_url,
        tell,
        request_id,
    };
    Ok(page::show(StatusCode::OK, &shown, Forms::None, script))
}

fn status(error: Option<&Failed>) -> &'static str {
    match error {
        None => "completed",
        Some(error) if error.error_code == "connect_denied" => "denied",
        Some(_) => "failed",
    }
}

fn message(grants: &[Value], error: Option<&Failed>) -> Value {
    let grant =
        |grant: &Value| json!({ "grant_id": grant["grant_id"], "provider_id": grant["provider_id"], "operation": grant["operation"] });
    json!({
        "type": "alter:connect",
        "status": status(error),
        "grants": grants.iter().map(grant).collect::<Vec<_>>(),
        "error_code": error.map(|error| &error.error_code),
    })
}

/// A return URL, which has no fragment, with the result in its query.
fn with_result(url: &str, error: Option<&Failed>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("alter_status", status(error));
    if let Some(error) = error {
        query.append_pair("alter_error", &error.error_code);
    }
    let join = match url.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{url}{join}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_url_keeps_its_own_query() {
        let denied = Failed::denied();
        for (url, error, expected) in [
            ("https://a.example/x", None, "https://a.example/x?alter_status=completed"),
            ("https://a.example/x?", None, "https://a.example/x?alter_status=completed"),
            ("https://a.example/x?b=1", Some(&denied), "https://a.example/x?b=1&alter_status=denied&alter_error=connect_denied"),
        ] {
            assert_eq!(with_result(url, error), expected);
        }
        let failed = Failed::new("connect_config_error", "…");
        assert_eq!(
            with_result("https://a.example", Some(&failed)),
            "https://a.example?alter_status=failed&alter_error=connect_config_error"
        );
    }

    #[test]
    fn a_message_names_grants_and_nothing_else() {
        let grant = json!({"grant_id": "g", "provider_id": "p", "operation": "creation", "account_identifier": "ada@example.com"});
        let expected = json!({
            "type": "alter:connect", "status": "completed",
            "grants": [{"grant_id": "g", "provider_id": "p", "operation": "creation"}], "error_code": null,
        });
        assert_eq!(message(&[grant], None), expected);
    }
}
