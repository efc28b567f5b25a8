//! How a page leaves the vault, and the pages that only say something.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
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

/// Where the forms of a page may lead, redirects after them included.
#[derive(Clone, Copy, Debug)]
pub enum Forms<'a> {
    /// It has none.
    None,
    /// To pages of the vault's.
    Own,
    /// To a page of the vault's, which redirects to one of these places. Providers redirect to hosts of their own, so any host over TLS is allowed, and one
    /// without TLS by its origin.
    Elsewhere(&'a [Uri]),
}

impl Forms<'_> {
    fn directive(self) -> String {
        match self {
            Self::None => "form-action 'none'".to_owned(),
            Self::Own => "form-action 'self'".to_owned(),
            Self::Elsewhere(places) => {
                let in_clear = places.iter().filter(|place| place.scheme_str() == Some("http")).filter_map(Uri::authority);
                in_clear.fold("form-action 'self' https:".to_owned(), |directive, place| format!("{directive} http://{place}"))
            }
        }
    }
}

/// Shows a page. `script` says whether it loads the script.
pub fn show(status: StatusCode, page: &impl Template, forms: Forms<'_>, script: bool) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            return Refusal::internal().because("a page cannot be made").into_response();
        }
    };
    let mut response = (status, html).into_response();
    let script = if script { " script-src 'self';" } else { "" };
    let policy = format!("default-src 'none'; style-src 'self';{script} base-uri 'none'; frame-ancestors 'none'; {}", forms.directive());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // What is put into the policy is an origin that was parsed as one.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'")));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Other sites learn nothing of the address, which may hold a session's token. With `no-referrer` browsers would not say where a form of ours comes
    // from either, and it would be refused as another site's.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page that says something and where to go next.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// The heading, and the window's title.
    pub title: &'a str,
    /// What there is to say, a paragraph each.
    pub paragraphs: &'a [&'a str],
    /// Where to go: a label and a path of the vault's own.
    pub link: Option<(&'a str, &'a str)>,
    /// The request's id.
    pub request_id: &'a str,
}

impl Message<'_> {
    /// Shows it.
    pub fn show(&self, status: StatusCode) -> Response {
        show(status, self, Forms::None, false)
    }
}

/// The link is unknown, used or too old.
pub fn over(request_id: &str) -> Response {
    let paragraphs = ["This was finished already, or its time is over. Links work once and for ten minutes.", START_AGAIN];
    Message { title: "This link is over", paragraphs: &paragraphs, link: None, request_id }.show(StatusCode::GONE)
}

/// A refusal, as a page.
pub fn refused(refusal: &Refusal, request_id: &str) -> Response {
    Message { title: "This did not work", paragraphs: &[refusal.message()], link: None, request_id }.show(refusal.status())
}

/// What to do when nothing can be done here.
pub const START_AGAIN: &str = "Go back to the application and start again.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_a_page() {
        let hostile = r#"</p><script src="x" a='y'>&"#;
        let html = Message { title: hostile, paragraphs: &[hostile], link: Some((hostile, hostile)), request_id: hostile }.render();
        let html = html.expect("a page");
        assert!(!html.contains("<script") && !html.contains("</p><s"), "{html}");
        assert_eq!(html.matches("src=\"x\"").count(), 0, "{html}");
    }

    #[test]
    fn the_policy_lets_a_form_reach_the_provider_and_a_page_load_only_its_own() {
        let places: Vec<Uri> =
            ["https://id.example.com/authorize?x=1", "http://127.0.0.1:8080/authorize"].map(|url| url.parse().expect("a URL")).to_vec();
        let message = Message { title: "t", paragraphs: &[], link: None, request_id: "r" };
        let policy = |forms, script| show(StatusCode::OK, &message, forms, script).headers()[CONTENT_SECURITY_POLICY].clone();
        let rest = "base-uri 'none'; frame-ancestors 'none'; form-action";
        assert_eq!(policy(Forms::None, false), format!("default-src 'none'; style-src 'self'; {rest} 'none'"));
        assert_eq!(policy(Forms::Own, true), format!("default-src 'none'; style-src 'self'; script-src 'self'; {rest} 'self'"));
        let elsewhere = policy(Forms::Elsewhere(&places), false);
        assert_eq!(elsewhere, format!("default-src 'none'; style-src 'self'; {rest} 'self' https: http://127.0.0.1:8080"));
    }
}
