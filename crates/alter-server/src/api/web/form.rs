//! A form that a page of the vault's has sent.

use axum::body::Body;
use http::Uri;
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use zeroize::Zeroize;

use crate::api::body;
use crate::api::refusal::Refusal;

/// The fields of a form. Without `Debug`: a field may be a key that somebody typed.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the form of a `POST`, if a page of the vault's own sent it.
    ///
    /// # Errors
    /// 403 `foreign_origin`, 400 `invalid_request` if it is no form, 413 if it is too large.
    pub async fn read(parts: &Parts, body: Body) -> Result<Self, Refusal> {
        own_page(parts)?;
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let bytes = body::read(body).await?;
        if !bytes.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::bad_request("invalid_request", "This is not a form."));
        }
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    /// A field that is there once and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (found.next(), found.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

/// Refuses a form that another site's page sends. Browsers say where a `POST` comes from.
///
/// # Errors
/// 403 `foreign_origin`.
pub fn own_page(parts: &Parts) -> Result<(), Refusal> {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let origin = header(ORIGIN).and_then(|origin| origin.parse::<Uri>().ok()).and_then(|uri| uri.into_parts().authority);
    let host = header(HOST).map(str::to_owned).or_else(|| parts.uri.authority().map(ToString::to_string));
    match (origin, host) {
        (Some(origin), Some(host)) if origin.as_str().eq_ignore_ascii_case(&host) => Ok(()),
        _ => Err(Refusal::forbidden("foreign_origin", "This form was not sent from a page of this vault. Open the link again.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    async fn read(body: &'static str) -> Result<Form, Refusal> {
        let request = Request::post("/connect/x").header("host", "vault").header("origin", "https://vault");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(()).expect("a request");
        Form::read(&request.into_parts().0, Body::from(body)).await
    }

    #[tokio::test]
    async fn a_field_counts_if_it_is_there_once() {
        let Ok(form) = read("a=1&b=&c=x%20y&d=1&d=2").await else { panic!("not read") };
        let texts = ["a", "b", "c", "d", "e"].map(|name| form.text(name).map(str::to_owned));
        assert_eq!(texts, [Some("1".to_owned()), None, Some("x y".to_owned()), None, None]);
    }

    #[tokio::test]
    async fn another_sites_form_is_refused_before_it_is_read() {
        let request = Request::post("/connect/x").header("host", "vault").header("origin", "https://evil.example");
        let parts = request.body(()).expect("a request").into_parts().0;
        assert_eq!(Form::read(&parts, Body::from("a=1")).await.err().map(|refusal| refusal.code()), Some("foreign_origin"));
        let plain = Request::post("/connect/x").header("host", "vault").header("origin", "https://vault");
        let parts = plain.header(CONTENT_TYPE, "text/plain").body(()).expect("a request").into_parts().0;
        assert_eq!(Form::read(&parts, Body::from("a=1")).await.err().map(|refusal| refusal.code()), Some("invalid_request"));
    }

    #[test]
    fn only_its_own_pages_may_send_forms() {
        let judge = |origin: Option<&str>| {
            let mut request = Request::post("/sign-in/x").header(HOST, "vault.example.com");
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            own_page(&request.body(()).expect("a request").into_parts().0).is_ok()
        };
        assert!(judge(Some("https://vault.example.com")) && judge(Some("https://VAULT.example.com")));
        for foreign in [None, Some("null"), Some("https://evil.example"), Some("https://vault.example.com.evil.example"), Some("")] {
            assert!(!judge(foreign), "{foreign:?}");
        }
    }
}
