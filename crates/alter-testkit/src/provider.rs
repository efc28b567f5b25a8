//! A third-party API on loopback: it refuses calls without the right credential and remembers what it saw.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;

use crate::http::{Request, Response};
use crate::server::{Reply, Server};

/// One thing that a request must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A header with exactly this value, on exactly one line.
    Header {
        /// The header's name, in any case.
        name: String,
        /// Its value.
        value: String,
    },
    /// A query parameter with exactly this value (letters, digits and `-._~` only, so that no escaping is involved).
    Query {
        /// The parameter's name.
        name: String,
        /// Its value.
        value: String,
    },
    /// An AWS Signature Version 4 made with this access key for this region and service. The signature itself is not
    /// recomputed here: the vectors in `tests/vectors/sigv4.json` do that.
    SigV4 {
        /// The access key id.
        access_key_id: String,
        /// The region in the credential scope.
        region: String,
        /// The service in the credential scope.
        service: String,
    },
}

impl Credential {
    fn is_in(&self, request: &Request) -> bool {
        match self {
            Self::Header { name, value } => {
                let mut lines = request.headers.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
                lines.next().is_some_and(|(_, v)| v == value) && lines.next().is_none()
            }
            Self::Query { name, value } => request.query().split('&').any(|pair| pair == format!("{name}={value}")),
            Self::SigV4 { access_key_id, region, service } => {
                let authorization = request.headers.get("authorization").unwrap_or_default();
                authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={access_key_id}/"))
                    && authorization.contains(&format!("/{region}/{service}/aws4_request"))
                    && request.headers.get("x-amz-date").is_some()
            }
        }
    }
}

/// What the provider does for the paths below one prefix.
#[derive(Debug, Clone)]
pub struct Account {
    /// All of these must be there, else the answer is 401.
    pub credentials: Vec<Credential>,
    /// The answer to an authorized request; `None` is 200 with a small JSON object.
    pub answer: Option<Response>,
}

/// How the provider misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It reads the request and closes the connection.
    HangsUp,
    /// It reads the request and never answers.
    Silent,
}

/// A request that the provider received.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request as it arrived.
    pub request: Request,
    /// Whether every credential was there.
    pub authorized: bool,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<String, Account>,
    trouble: BTreeMap<String, Trouble>,
    seen: Vec<Seen>,
}

/// A running provider. It stops when dropped.
pub struct Provider {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl Provider {
    /// Starts a provider that knows no account yet, so it answers 404 to everything.
    ///
    /// # Errors
    /// When no loopback port can be opened.
    pub fn start() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(Arc::new(move |request| reply(&mut lock(&shared), request)))?;
        Ok(Self { server, state })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Closes every connection that a client keeps open, as a provider does after a while.
    pub fn hang_up(&self) {
        self.server.hang_up();
    }

    /// Decides what happens to requests whose path begins with `prefix` (which begins and ends with a slash).
    pub fn open(&self, prefix: &str, account: Account) {
        lock(&self.state).accounts.insert(prefix.to_owned(), account);
    }

    /// Makes it misbehave for requests whose path begins with `prefix`; it still remembers them.
    pub fn trouble(&self, prefix: &str, trouble: Trouble) {
        lock(&self.state).trouble.insert(prefix.to_owned(), trouble);
    }

    /// Every request received below `prefix`, in order.
    #[must_use]
    pub fn seen(&self, prefix: &str) -> Vec<Seen> {
        lock(&self.state).seen.iter().filter(|s| s.request.path().starts_with(prefix)).cloned().collect()
    }
}

/// A panicking holder cannot leave this state half-changed, so a poisoned lock is still good.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn reply(state: &mut State, request: Request) -> Reply {
    let trouble = state.trouble.iter().find(|(prefix, _)| request.path().starts_with(prefix.as_str())).map(|(_, trouble)| *trouble);
    let answer = answer(state, request);
    match trouble {
        None => Reply::Send(answer),
        Some(Trouble::HangsUp) => Reply::Close,
        Some(Trouble::Silent) => Reply::Hold,
    }
}

fn answer(state: &mut State, request: Request) -> Response {
    let account = state.accounts.iter().find(|(prefix, _)| request.path().starts_with(prefix.as_str()));
    let Some((prefix, account)) = account else {
        state.seen.push(Seen { request, authorized: false });
        return Response::json(404, &json!({"error": "no_such_account"}));
    };
    let authorized = account.credentials.iter().all(|credential| credential.is_in(&request));
    let response = if !authorized {
        Response::json(401, &json!({"error": "credential_missing", "message": "This API needs its credential."}))
    } else if let Some(response) = &account.answer {
        response.clone()
    } else {
        let resource = &request.path()[prefix.len()..];
        Response::json(200, &json!({"ok": true, "method": request.method, "resource": resource}))
    };
    state.seen.push(Seen { request, authorized });
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use std::io::BufReader;
    use std::net::TcpStream;

    fn get(provider: &Provider, target: &str, headers: &[(&str, &str)]) -> Response {
        let connection = TcpStream::connect(provider.address()).expect("the provider listens");
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = Request { method: "GET".into(), target: target.into(), headers: Headers(headers), body: vec![] };
        request.write(&mut &connection).expect("the provider reads");
        Response::read(&mut BufReader::new(&connection)).expect("the provider answers")
    }

    fn with(credentials: Vec<Credential>) -> Provider {
        let provider = Provider::start().expect("a free port");
        provider.open("/a/", Account { credentials, answer: None });
        provider
    }

    #[test]
    fn a_header_must_be_there_exactly_once() {
        let provider = with(vec![Credential::Header { name: "authorization".into(), value: "Bearer t".into() }]);
        assert_eq!(get(&provider, "/a/x", &[]).status, 401);
        assert_eq!(get(&provider, "/a/x", &[("Authorization", "Bearer u")]).status, 401);
        let twice = [("Authorization", "Bearer t"), ("authorization", "Bearer t")];
        assert_eq!(get(&provider, "/a/x", &twice).status, 401);
        assert_eq!(get(&provider, "/a/x", &[("Authorization", "Bearer t")]).status, 200);
        let authorized: Vec<_> = provider.seen("/a/").iter().map(|s| s.authorized).collect();
        assert_eq!(authorized, [false, false, false, true]);
    }

    #[test]
    fn a_query_parameter_must_match_whole() {
        let provider = with(vec![Credential::Query { name: "k".into(), value: "v".into() }]);
        assert_eq!(get(&provider, "/a/x?k=vv", &[]).status, 401);
        assert_eq!(get(&provider, "/a/x?a=1&k=v", &[]).status, 200);
    }

    #[test]
    fn a_signature_is_judged_by_its_scope() {
        let provider = with(vec![Credential::SigV4 { access_key_id: "AK".into(), region: "eu-west-1".into(), service: "sqs".into() }]);
        let line = |scope: &str| format!("AWS4-HMAC-SHA256 Credential=AK/20260101/{scope}/aws4_request, SignedHeaders=host");
        let call = |scope: &str| get(&provider, "/a/x", &[("Authorization", &line(scope)), ("x-amz-date", "d")]).status;
        assert_eq!(call("eu-west-1/s3"), 401);
        assert_eq!(call("eu-west-1/sqs"), 200);
    }

    #[test]
    fn an_unknown_path_is_not_found_and_remembered() {
        let provider = with(vec![]);
        assert_eq!(get(&provider, "/b/x", &[]).status, 404);
        assert_eq!(provider.seen("/b/").len(), 1);
    }
}
