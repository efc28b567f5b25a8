//! A man in the middle between a client and the vault.
//!
//! The first segment of the path names the client, the second says what to do with its request; the rest goes to the vault. A
//! client is led through it by its base URL, `http://127.0.0.1:PORT/someone/repeat` for example: the signed path does not
//! include the base URL's prefix.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::http::{Request, Response};
use crate::server::{Reply, Server};

/// Something that an attacker in the middle might do to a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Pass everything on as it is.
    None,
    /// Change the body and leave the headers.
    Body,
    /// Change the body's hash and leave the body.
    BodyHash,
    /// Add a query to the signed path.
    Query,
    /// Change one digit of the signature.
    Signature,
    /// Claim another caller.
    Caller,
    /// Move the timestamp ten minutes back.
    OldTimestamp,
    /// Leave out the nonce.
    NoNonce,
    /// Send the request twice and answer with what the second attempt got.
    Repeat,
}

impl Attack {
    /// Every attack with the name that selects it in a path.
    pub const ALL: [(&'static str, Self); 9] = [
        ("none", Self::None),
        ("body", Self::Body),
        ("body-hash", Self::BodyHash),
        ("query", Self::Query),
        ("signature", Self::Signature),
        ("caller", Self::Caller),
        ("old-timestamp", Self::OldTimestamp),
        ("no-nonce", Self::NoNonce),
        ("repeat", Self::Repeat),
    ];

    /// The attack with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, attack)| *attack)
    }

    /// Changes the request as the attack says. `Repeat` changes nothing; it is about sending.
    fn change(self, request: &mut Request) {
        match self {
            Self::None | Self::Repeat => {}
            // A space outside any string: the JSON still means the same, so only the hash can find it.
            Self::Body => request.body.push(b' '),
            Self::BodyHash => flip_last_digit(request, "x-alter-content-sha256"),
            Self::Query => request.target.push_str("?dry_run=true"),
            Self::Signature => flip_last_digit(request, "x-alter-signature"),
            Self::Caller => request.headers.set("x-alter-caller", "somebody-else"),
            Self::OldTimestamp => {
                let now: u64 = request.headers.get("x-alter-timestamp").and_then(|v| v.parse().ok()).unwrap_or_default();
                request.headers.set("x-alter-timestamp", &now.saturating_sub(600).to_string());
            }
            Self::NoNonce => request.headers.remove("x-alter-nonce"),
        }
    }
}

fn flip_last_digit(request: &mut Request, header: &str) {
    let mut value = request.headers.get(header).unwrap_or_default().to_owned();
    let flipped = if value.pop() == Some('0') { '1' } else { '0' };
    value.push(flipped);
    request.headers.set(header, &value);
}

/// A running relay. It stops when dropped.
pub struct Relay {
    server: Server,
    token_requests: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// Starts a relay to the vault at `vault`.
    ///
    /// # Errors
    /// When no loopback port can be opened.
    pub fn start(vault: SocketAddr) -> io::Result<Self> {
        let token_requests = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&token_requests);
        let server = Server::start(Arc::new(move |request| Reply::Send(pass_on(vault, request, &log))))?;
        Ok(Self { server, token_requests })
    }

    /// The base URL that leads the client `who` (one path segment) through `attack`.
    #[must_use]
    pub fn url(&self, who: &str, attack: Attack) -> String {
        let name = Attack::ALL.iter().find(|(_, known)| *known == attack).map_or("none", |(name, _)| name);
        format!("http://{}/{who}/{name}", self.server.address())
    }

    /// How many token requests the client `who` has sent.
    #[must_use]
    pub fn token_requests(&self, who: &str) -> usize {
        let log = self.token_requests.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|known| *known == who).count()
    }
}

/// Splits `/who/attack/rest` into the client, the attack and `/rest`.
fn route(target: &str) -> Option<(&str, Attack, &str)> {
    let (who, rest) = target.strip_prefix('/')?.split_once('/')?;
    let (attack, rest) = rest.split_at(rest.find('/')?);
    Some((who, Attack::named(attack)?, rest))
}

fn pass_on(vault: SocketAddr, mut request: Request, log: &Mutex<Vec<String>>) -> Response {
    let Some((who, attack, rest)) = route(&request.target) else {
        return Response::json(500, &json!({"error": "relay", "message": "the path does not begin with a client and an attack"}));
    };
    let (who, rest) = (who.to_owned(), rest.to_owned());
    request.target = rest;
    // Reports after the call are not what is under attack here.
    let attacked = request.path() == "/sdk/token";
    if attacked {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(who);
        attack.change(&mut request);
    }
    let times = if attacked && attack == Attack::Repeat { 2 } else { 1 };
    let mut response = send(vault, &request);
    for _ in 1..times {
        response = send(vault, &request);
    }
    response
        .unwrap_or_else(|cause| Response::json(500, &json!({"error": "relay", "message": format!("the vault did not answer: {cause}")})))
}

fn send(vault: SocketAddr, request: &Request) -> io::Result<Response> {
    let connection = TcpStream::connect(vault)?;
    let mut request = request.clone();
    request.headers.set("Connection", "close");
    request.write(&mut &connection)?;
    Response::read(&mut BufReader::new(&connection))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use crate::provider::{Account, Provider};

    fn token_request(target: &str) -> Request {
        let lines = [
            ("Host", "relay"),
            ("X-Alter-Timestamp", "1000"),
            ("X-Alter-Nonce", "n"),
            ("X-Alter-Content-SHA256", "ab0"),
            ("X-Alter-Signature", "ab1"),
        ];
        let headers = lines.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Request { method: "POST".into(), target: target.into(), headers: Headers(headers), body: b"{}".to_vec() }
    }

    fn through(attack: Attack) -> Vec<Request> {
        let vault = Provider::start().expect("a free port");
        vault.open("/sdk/", Account { credentials: vec![], answer: None });
        let relay = Relay::start(vault.address()).expect("a free port");
        let base = relay.url("me", attack);
        let prefix = base.split_once("/me/").expect("a prefix").1.to_owned();
        let connection = TcpStream::connect(relay.server.address()).expect("the relay listens");
        token_request(&format!("/me/{prefix}/sdk/token")).write(&mut &connection).expect("the relay reads");
        assert_eq!(Response::read(&mut BufReader::new(&connection)).expect("an answer").status, 200);
        assert_eq!((relay.token_requests("me"), relay.token_requests("you")), (1, 0));
        vault.seen("/").into_iter().map(|seen| seen.request).collect()
    }

    #[test]
    fn each_attack_changes_exactly_its_part() {
        let header = |request: &Request, name: &str| request.headers.get(name).map(str::to_owned);
        let plain = through(Attack::None).remove(0);
        assert_eq!((plain.target.as_str(), plain.body.as_slice()), ("/sdk/token", &b"{}"[..]));
        assert_eq!(through(Attack::Body)[0].body, b"{} ");
        assert_eq!(header(&through(Attack::BodyHash)[0], "x-alter-content-sha256").as_deref(), Some("ab1"));
        assert_eq!(through(Attack::Query)[0].target, "/sdk/token?dry_run=true");
        assert_eq!(header(&through(Attack::Signature)[0], "x-alter-signature").as_deref(), Some("ab0"));
        assert_eq!(header(&through(Attack::Caller)[0], "x-alter-caller").as_deref(), Some("somebody-else"));
        assert_eq!(header(&through(Attack::OldTimestamp)[0], "x-alter-timestamp").as_deref(), Some("400"));
        assert_eq!(header(&through(Attack::NoNonce)[0], "x-alter-nonce"), None);
    }

    #[test]
    fn a_repeated_request_arrives_twice_and_unchanged() {
        let requests = through(Attack::Repeat);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0], requests[1]);
    }

    #[test]
    fn a_path_without_an_attack_is_refused() {
        let relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], 9))).expect("a free port");
        for target in ["/sdk/token", "/me/sdk/token", "/me", "/"] {
            let connection = TcpStream::connect(relay.server.address()).expect("the relay listens");
            token_request(target).write(&mut &connection).expect("the relay reads");
            assert_eq!(Response::read(&mut BufReader::new(&connection)).expect("an answer").status, 500);
        }
    }
}
