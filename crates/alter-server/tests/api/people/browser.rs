//! As much of a browser as signing in needs: cookies, redirects one at a time, forms.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A page or a redirect.
#[derive(Debug)]
pub struct Page {
    pub url: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    /// Where it redirects to, if it does.
    pub fn location(&self) -> Option<String> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        if location.starts_with('/') { Some(format!("{}{location}", origin(&self.url))) } else { Some(location.to_owned()) }
    }

    /// The action of its only form, and its hidden fields.
    pub fn form(&self) -> (String, Vec<(String, String)>) {
        let action = attribute(self.tags("form").next().expect("a form"), "action").expect("an action");
        let hidden = self.tags("input").filter(|tag| tag.contains("type=\"hidden\""));
        let fields = hidden.map(|tag| (attribute(tag, "name").expect("a name"), attribute(tag, "value").expect("a value"))).collect();
        (if action.starts_with('/') { format!("{}{action}", origin(&self.url)) } else { action }, fields)
    }

    /// What there is to choose from under a name.
    pub fn choices(&self, name: &str) -> Vec<String> {
        let choices = self.tags("input").filter(|tag| tag.contains("type=\"radio\"") && attribute(tag, "name").as_deref() == Some(name));
        choices.map(|tag| attribute(tag, "value").expect("a value")).collect()
    }

    /// The tags of a kind, without what is between them.
    fn tags(&self, name: &str) -> impl Iterator<Item = &str> {
        self.text.split(&format!("<{name} ")).skip(1).map(|rest| &rest[..rest.find('>').unwrap_or(0)]).collect::<Vec<_>>().into_iter()
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    Some(tag[start..start + tag[start..].find('"')?].to_owned())
}

fn origin(url: &str) -> String {
    let uri: Uri = url.parse().expect("a URL");
    format!("{}://{}", uri.scheme_str().expect("a scheme"), uri.authority().expect("a host"))
}

/// A browser with its own cookies.
#[derive(Clone)]
pub struct Browser {
    http: Client<HttpConnector, Full<Bytes>>,
    /// By origin; real browsers do not tell ports apart, which makes no difference to what is tested.
    jar: HashMap<String, BTreeMap<String, String>>,
}

impl Browser {
    pub fn new() -> Self {
        Self { http: Client::builder(TokioExecutor::new()).build_http(), jar: HashMap::new() }
    }

    /// Drops the cookies whose names begin like this, as when they have expired.
    pub fn forget(&mut self, name: &str) {
        self.jar.values_mut().for_each(|jar| jar.retain(|known, _| !known.starts_with(name)));
    }

    pub async fn get(&mut self, url: &str) -> Page {
        self.send(Request::get(url), url, String::new()).await
    }

    /// Posts a form as the page at `from` does.
    pub async fn post(&mut self, url: &str, from: &str, fields: &[(&str, &str)]) -> Page {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(Method::POST).uri(url).header("origin", origin(from));
        self.send(request.header("content-type", "application/x-www-form-urlencoded"), url, body.join("&")).await
    }

    async fn send(&mut self, mut request: http::request::Builder, url: &str, body: String) -> Page {
        let jar = self.jar.entry(origin(url)).or_default();
        if !jar.is_empty() {
            let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, cookies.join("; "));
        }
        self.answer(request.uri(url).body(Full::from(body)).expect("a request"), url).await
    }

    /// Sends any request and keeps the cookies of its answer.
    pub async fn answer(&mut self, request: Request<Full<Bytes>>, url: &str) -> Page {
        let (head, body) = self.http.request(request).await.expect("an answer").into_parts();
        let jar = self.jar.entry(origin(url)).or_default();
        for cookie in head.headers.get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().expect("text").split_once('=').expect("a pair");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() {
                jar.remove(name)
            } else {
                jar.insert(name.to_owned(), value.to_owned())
            };
        }
        let text = String::from_utf8(body.collect().await.expect("a body").to_bytes().to_vec()).expect("text");
        Page { url: url.to_owned(), status: head.status.as_u16(), headers: head.headers, text }
    }

    /// Follows redirects as long as they stay with one origin; gives the page, or the redirect that leaves it.
    pub async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            match page.location() {
                Some(next) if origin(&next) == origin(&page.url) => page = self.get(&next).await,
                _ => return page,
            }
        }
        panic!("too many redirects, the last to {}", page.url);
    }
}
