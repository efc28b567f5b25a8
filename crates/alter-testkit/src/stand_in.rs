//! A vault and a provider in one that answer every call alike, for programs whose calls only have to be under way.

use std::io;
use std::sync::Arc;

use serde_json::json;

use crate::http::{Request, Response};
use crate::server::{Reply, Server};

/// A well-formed key.
pub const APP_KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
/// The grant of every call.
pub const GRANT: &str = "11111111-1111-4111-8111-111111111111";

/// A running stand-in. It stops when dropped.
///
/// Paths below `/sdk/` are the vault's. Below `/held/` no request is ever answered; all others are answered at once.
pub struct StandIn(Server);

impl StandIn {
    /// Starts listening on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no loopback port can be opened.
    pub fn start() -> io::Result<Self> {
        Server::start(Arc::new(|request: Request| reply(request.path()))).map(Self)
    }

    /// `http://127.0.0.1:PORT`, the base URL of both.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

fn reply(path: &str) -> Reply {
    let body = match path {
        "/sdk/token" => json!({"access_token": "stand-in-token", "grant_id": GRANT, "provider_id": "google"}),
        _ if path.starts_with("/sdk/") => json!({}),
        _ if path.starts_with("/held/") => return Reply::Hold,
        _ => json!({"ok": true}),
    };
    Reply::Send(Response::json(200, &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;
    use std::io::{BufReader, Read};
    use std::net::{Shutdown, TcpStream};
    use std::time::Duration;

    fn ask(stand_in: &StandIn, target: &str) -> TcpStream {
        let connection = TcpStream::connect(stand_in.0.address()).expect("it listens");
        let request = Request { method: "GET".into(), target: target.into(), headers: Headers::default(), body: vec![] };
        request.write(&mut &connection).expect("it reads");
        connection
    }

    #[test]
    fn the_vault_gives_a_token_and_the_provider_answers() {
        let stand_in = StandIn::start().expect("a free port");
        let answer = |target| Response::read(&mut BufReader::new(ask(&stand_in, target))).expect("an answer").body;
        assert!(String::from_utf8_lossy(&answer("/sdk/token")).contains(GRANT));
        assert_eq!(answer("/sdk/oauth/audit/api-call"), b"{}");
        assert_eq!(answer("/p/1"), br#"{"ok":true}"#);
    }

    #[test]
    fn a_held_request_has_no_answer_and_its_connection_ends_with_the_client() {
        let stand_in = StandIn::start().expect("a free port");
        let mut connection = ask(&stand_in, "/held/1");
        let nothing = connection.set_read_timeout(Some(Duration::from_millis(50))).and_then(|()| connection.read(&mut [0]));
        assert!(matches!(nothing, Err(cause) if cause.kind() == io::ErrorKind::WouldBlock));
        connection.shutdown(Shutdown::Write).expect("the connection is open");
        connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        assert_eq!(connection.read(&mut [0]).expect("the server closes"), 0);
    }
}
