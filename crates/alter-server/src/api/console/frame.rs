//! What stands around every page of the console.

use axum::response::Response;
use http::StatusCode;

use super::ask::Refused;
use super::session::SignedIn;
use super::tables::NOUNS;
use crate::api::web::page::{self, Forms, Message};

/// The pages about the whole vault.
const VAULT: [(&str, &str); 5] = [
    ("/console", "Overview"),
    ("/console/approvals", "Waiting calls"),
    ("/console/audit", "Audit"),
    ("/console/apps", "Applications"),
    ("/console/operators", "Operators"),
];

/// The side bar, and who is signed in.
pub struct Frame {
    /// Links of the vault's pages.
    pub vault: Vec<(String, &'static str)>,
    /// The application that the page is about.
    pub app: Option<String>,
    /// Links of its pages.
    pub nouns: Vec<(String, &'static str)>,
    /// Who is signed in.
    pub operator: String,
    /// What they may do.
    pub role: &'static str,
    /// The request's id.
    pub request_id: String,
    at: String,
}

impl Frame {
    /// Around a page of the vault, or of an application.
    pub fn new(who: &SignedIn, at: impl Into<String>, app: Option<&str>) -> Self {
        let of_app = |app: &str| NOUNS.iter().map(|noun| (format!("/console/apps/{app}/{}", noun.name), noun.title)).collect();
        Self {
            vault: VAULT.iter().map(|(path, label)| ((*path).to_owned(), *label)).collect(),
            app: app.map(str::to_owned),
            nouns: app.map(of_app).unwrap_or_default(),
            operator: who.operator.name.clone(),
            role: who.operator.role.as_str(),
            request_id: who.request_id.clone(),
            at: at.into(),
        }
    }

    /// Whether the page is the one of a link.
    pub fn is_at(&self, path: &str) -> bool {
        self.at == path
    }
}

/// Shows a page of the console.
pub fn show(who: &SignedIn, page: &impl askama::Template) -> Response {
    who.answer(page::show(StatusCode::OK, page, Forms::Own, true))
}

/// Shows what the admin API refused.
pub fn refused(who: &SignedIn, refused: &Refused) -> Response {
    let title = if refused.status == StatusCode::NOT_FOUND { "Nothing here" } else { "This did not work" };
    let link = Some(("Back to the console", "/console"));
    who.answer(Message { title, paragraphs: &[&refused.message], link, request_id: &who.request_id }.show(refused.status))
}

/// A moment as the console writes it: `2026-11-28 00:47:56`.
pub fn moment(text: &str) -> Option<String> {
    let whole = text.len() == 24 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    whole.then(|| text[..19].replace('T', " "))
}
