//! As much of a browser as forms need: cookies, redirects, and a person who signs in and agrees to everything. No script.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use form_urlencoded::Serializer;

use crate::http::{Headers, Request, Response};

/// How long one page may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Redirects and forms on one way; no real one needs half of it.
const MOST_STEPS: usize = 40;

/// A page or a redirect.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it is.
    pub url: String,
    /// Its status.
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
    /// Its source.
    pub text: String,
}

/// The only form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    action: String,
    fields: Vec<(String, String)>,
}

/// A browser with its own cookies, of one person.
#[derive(Debug, Default)]
pub struct Browser {
    person: String,
    /// By origin. Real browsers do not tell ports apart, which makes no difference here.
    jar: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    /// The browser of somebody who signs in by this name.
    #[must_use]
    pub fn of(person: &str) -> Self {
        Self { person: person.to_owned(), jar: BTreeMap::new() }
    }

    /// Visits an address, follows redirects, signs in where a page asks for it, enters a key, ticks every box and presses the first button of every
    /// form, until a page has no form
    /// or a redirect leads to `end`, where nobody need be.
    ///
    /// # Errors
    /// When a server cannot be reached, or the way does not end.
    pub fn visit(&mut self, url: &str, end: Option<&str>) -> io::Result<Page> {
        let mut page = self.get(url)?;
        for _ in 0..MOST_STEPS {
            page = match (&page.location, form(&page.text)) {
                (Some(next), _) if end.is_some_and(|end| next.starts_with(end)) => return Ok(page),
                (Some(next), _) => {
                    let next = absolute(&page.url, next);
                    self.get(&next)?
                }
                (None, Some(form)) => self.submit(&page.url, form)?,
                (None, None) => return Ok(page),
            };
        }
        Err(io::Error::other(format!("the pages do not end; the last one is {}: {}", page.url, page.text)))
    }

    /// Asks for a page, without following where it leads.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn get(&mut self, url: &str) -> io::Result<Page> {
        self.send("GET", url, Vec::new(), Vec::new())
    }

    /// Sends a form as a page at `from` does, or as a program does that no page is behind.
    ///
    /// # Errors
    /// As [`Browser::get`].
    pub fn post<N: AsRef<str>, V: AsRef<str>>(&mut self, url: &str, from: Option<&str>, fields: &[(N, V)]) -> io::Result<Page> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        if let Some(from) = from {
            headers.push(("Origin".to_owned(), split(from)?.0));
        }
        self.send("POST", url, headers, body.into_bytes())
    }

    fn submit(&mut self, from: &str, form: Form) -> io::Result<Page> {
        let known = [("login", self.person.clone()), ("password", "any".to_owned()), ("token", format!("canary-key-of-{}", self.person))];
        let filled = form.fields.into_iter().map(|(name, value)| {
            let typed = known.iter().find(|(field, _)| *field == name).map(|(_, typed)| typed.clone());
            (name, typed.unwrap_or(value))
        });
        let fields: Vec<(String, String)> = filled.collect();
        self.post(&absolute(from, &form.action), Some(from), &fields)
    }

    fn send(&mut self, method: &str, url: &str, mut headers: Vec<(String, String)>, body: Vec<u8>) -> io::Result<Page> {
        let (origin, target) = split(url)?;
        let host = origin.trim_start_matches("http://").to_owned();
        headers.extend([("Host".to_owned(), host.clone()), ("Connection".to_owned(), "close".to_owned())]);
        let jar = self.jar.entry(origin).or_default();
        if !jar.is_empty() {
            let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        let connection = TcpStream::connect(&host)?;
        connection.set_read_timeout(Some(LIMIT))?;
        Request { method: method.to_owned(), target, headers: Headers(headers), body }.write(&mut &connection)?;
        let answer = Response::read(&mut BufReader::new(&connection))?;
        for (_, line) in answer.headers.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            keep(jar, line);
        }
        let location = answer.headers.get("location").map(str::to_owned);
        Ok(Page { url: url.to_owned(), status: answer.status, location, text: String::from_utf8_lossy(&answer.body).into_owned() })
    }
}

fn keep(jar: &mut BTreeMap<String, String>, line: &str) {
    let pair = line.split(';').next().unwrap_or_default();
    match pair.split_once('=') {
        Some((name, "")) => drop(jar.remove(name)),
        Some((name, value)) => drop(jar.insert(name.to_owned(), value.to_owned())),
        None => {}
    }
}

/// Origin and target of an `http` URL.
fn split(url: &str) -> io::Result<(String, String)> {
    let rest = url.strip_prefix("http://").ok_or_else(|| io::Error::other(format!("only http is spoken here: {url}")))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    let tail = tail.split('#').next().unwrap_or_default();
    let target = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
    Ok((format!("http://{host}"), target))
}

fn absolute(base: &str, url: &str) -> String {
    match split(base) {
        Ok((origin, _)) if url.starts_with('/') => format!("{origin}{url}"),
        _ if url.is_empty() => base.to_owned(),
        _ => url.to_owned(),
    }
}

/// The first form of a page, with what a browser would send if its first button were pressed.
fn form(text: &str) -> Option<Form> {
    let start = text.find("<form")?;
    let text = &text[start..];
    let text = &text[..text.find("</form").unwrap_or(text.len())];
    let mut form = Form { action: attribute(text.get(..text.find('>')?)?, "action").unwrap_or_default(), fields: Vec::new() };
    let mut pressed = false;
    for tag in text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let kind = attribute(tag, "type").unwrap_or_default();
        let name = attribute(tag, "name");
        let value = attribute(tag, "value").unwrap_or_default();
        let counts = if tag.starts_with("input") {
            match kind.as_str() {
                "radio" => has(tag, "checked"),
                "submit" => !std::mem::replace(&mut pressed, true),
                _ => true,
            }
        } else {
            tag.starts_with("button") && !std::mem::replace(&mut pressed, true)
        };
        if let (true, Some(name)) = (counts, name) {
            form.fields.push((name, value));
        }
    }
    Some(form)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag.get(start..)?.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

fn has(tag: &str, name: &str) -> bool {
    tag.split_ascii_whitespace().any(|word| word == name || word.starts_with(&format!("{name}=")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Reply, Server};
    use std::sync::Arc;

    #[test]
    fn a_form_is_sent_as_its_first_button_sends_it() {
        let page = r#"<p>x</p><form method="post" action="/go?a=1&amp;b"><input type="hidden" name="csrf" value="a&quot;b">
            <input required type="text" name="login"><input type="radio" name="days" value="1"><input type="radio" name="days" value="7" checked>
            <input type="checkbox" name="delegable" value="yes">
            <button type="submit" name="what" value="allow">Allow</button><button name="what" value="deny">No</button></form><form></form>"#;
        let found = form(page).expect("a form");
        let fields: Vec<(&str, &str)> = found.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found.action, "/go?a=1&b");
        assert_eq!(fields, [("csrf", "a\"b"), ("login", ""), ("days", "7"), ("delegable", "yes"), ("what", "allow")]);
        assert_eq!(form("<p>none</p>"), None);
    }

    #[test]
    fn a_person_signs_in_and_comes_to_the_end() {
        let answer = |request: Request| {
            let (cookie, body) = (request.headers.get("cookie").unwrap_or_default(), String::from_utf8_lossy(&request.body).into_owned());
            let page = |text: &str| Response { status: 200, headers: Headers::default(), body: text.as_bytes().to_vec() };
            let to = |place: &str| Response { status: 303, headers: Headers::default(), body: Vec::new() }.with_header("Location", place);
            Reply::Send(match (request.method.as_str(), request.path()) {
                ("GET", "/") => to("/form").with_header("Set-Cookie", "seen=1; Path=/"),
                ("GET", "/form") if cookie == "seen=1" => page("<form action=\"/in\"><input name=\"login\"><button>Go</button></form>"),
                ("POST", "/in") if body == "login=ada" && request.headers.get("origin").is_some() => to("http://127.0.0.1:1/back?code=7"),
                ("GET", "/page") => page("done"),
                _ => Response { status: 400, headers: Headers::default(), body: b"<form></form>".to_vec() },
            })
        };
        let server = Server::start(Arc::new(answer)).expect("a free port");
        let url = format!("http://{}", server.address());
        let mut browser = Browser::of("ada");
        let back = browser.visit(&url, Some("http://127.0.0.1:1/")).expect("an end");
        assert_eq!(back.location.as_deref(), Some("http://127.0.0.1:1/back?code=7"));
        assert_eq!(browser.visit(&format!("{url}/page"), None).expect("a page").text, "done");
        assert!(browser.visit(&format!("{url}/nowhere"), None).is_err(), "a way without an end");
        assert!(browser.get("https://127.0.0.1/").is_err());
    }
}
