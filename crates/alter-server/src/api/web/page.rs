//! What a person sees while signing in: a few plain pages that load nothing.

use std::fmt::Write;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode, Uri};

use crate::api::refusal::Refusal;

/// Sends the browser elsewhere by `GET`, with cookies.
pub fn redirect(url: &str, cookies: &[HeaderValue]) -> Response {
    let Ok(location) = HeaderValue::from_str(url) else {
        return Refusal::internal().because("a URL that no header can carry").into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}

/// Who asks, and a button. Browsers apply the rule for forms to every redirect after it, and identity providers redirect to hosts of their own: so
/// any host over TLS is in it, and a provider without TLS by its origin.
pub fn ask(app: &str, token: &str, provider: Option<&Uri>) -> Response {
    let host = provider.and_then(Uri::host).unwrap_or("its identity provider");
    let in_clear = provider.filter(|uri| uri.scheme_str() == Some("http")).and_then(Uri::authority);
    let origin = in_clear.map(|authority| format!(" http://{authority}")).unwrap_or_default();
    let (app, host, token) = (escaped(app), escaped(host), escaped(token));
    let body = format!(
        "<p><strong>{app}</strong> asks you to sign in with <strong>{host}</strong>, so that it knows who you are.</p>\
         <p>Continue only if you have just started this yourself. If somebody sent you this link, close this page: going on would sign you in for them.</p>\
         <form method=\"post\" action=\"/sign-in/{token}\"><button type=\"submit\">Continue to {host}</button></form>"
    );
    shown(StatusCode::OK, &format!("Sign in to {app}"), &body, &format!("form-action 'self' https:{origin}"))
}

/// The sign-in worked.
pub fn done(id: &str) -> Response {
    let body = format!("<p>You are signed in. You can close this page and go back to the application.</p>{}", footer(id));
    shown(StatusCode::OK, "You are signed in", &body, "form-action 'none'")
}

/// The sign-in ended without a person.
pub fn failed(message: &str, id: &str) -> Response {
    let body = format!("<p>{}</p><p>Go back to the application and start again.</p>{}", escaped(message), footer(id));
    shown(StatusCode::OK, "You are not signed in", &body, "form-action 'none'")
}

/// The link is unknown, used or too old.
pub fn over(id: &str) -> Response {
    let body = format!(
        "<p>This sign-in is over, or was never there. Links work once and for ten minutes.</p>\
         <p>Go back to the application and start again.</p>{}",
        footer(id)
    );
    shown(StatusCode::GONE, "This link is over", &body, "form-action 'none'")
}

/// A refusal, as a page.
pub fn refused(refusal: &Refusal, id: &str) -> Response {
    let body = format!("<p>{}</p>{}", escaped(refusal.message()), footer(id));
    shown(refusal.status(), "This did not work", &body, "form-action 'none'")
}

fn footer(id: &str) -> String {
    format!("<footer><small>Request {}</small></footer>", escaped(id))
}

fn shown(status: StatusCode, title: &str, body: &str, forms: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    let mut response = (status, html).into_response();
    let policy = format!("default-src 'none'; base-uri 'none'; frame-ancestors 'none'; {forms}");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // What is put into the policy is an origin that was parsed as one.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'")));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Text that may stand in HTML, in an attribute as well.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '"' | '\'' => {
                // Writing to a String cannot fail.
                let _ = write!(html, "&#{};", u32::from(character));
            }
            _ => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_a_page() {
        assert_eq!(escaped(r#"<a href="x" b='y'>&"#), "&#60;a href=&#34;x&#34; b=&#39;y&#39;&#62;&#38;");
    }

    #[test]
    fn the_policy_lets_the_form_reach_the_provider_and_the_page_load_nothing() {
        for (provider, forms) in [
            ("https://id.example.com/authorize?x=1", "form-action 'self' https:"),
            ("http://127.0.0.1:8080/authorize", "form-action 'self' https: http://127.0.0.1:8080"),
        ] {
            let provider: Uri = provider.parse().expect("a URL");
            let policy = ask("demo", "t", Some(&provider)).headers()[CONTENT_SECURITY_POLICY].clone();
            assert_eq!(policy, format!("default-src 'none'; base-uri 'none'; frame-ancestors 'none'; {forms}"));
        }
    }
}
