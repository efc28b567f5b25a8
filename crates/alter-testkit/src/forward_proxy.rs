//! An HTTP proxy that opens tunnels with `CONNECT`, and remembers who asked for which.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::http::{Request, Response};
use crate::server::{Reply, Server};

/// A running proxy. Wherever a client wants to go, it is led to one address of the test's choice, so that no name and no network has to exist.
pub struct ForwardProxy {
    server: Server,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl ForwardProxy {
    /// Starts one that leads every tunnel to `to`.
    ///
    /// # Errors
    /// When no port is free.
    pub fn leading_to(to: SocketAddr) -> io::Result<Self> {
        Self::start(move |_| Reply::Tunnel(to))
    }

    /// Starts one that refuses tunnels to hosts that begin with `refused` with this status, and leads others to `to`.
    ///
    /// # Errors
    /// When no port is free.
    pub fn refusing(refused: &'static str, status: u16, to: SocketAddr) -> io::Result<Self> {
        Self::start(move |target| {
            if target.starts_with(refused) { Reply::Send(Response::json(status, &json!({"error": "refused"}))) } else { Reply::Tunnel(to) }
        })
    }

    fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let server = Server::start(Arc::new(move |request: Request| {
            let reply = if request.method == "CONNECT" {
                answer(&request.target)
            } else {
                Reply::Send(Response::json(405, &json!({"error": "CONNECT only"})))
            };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            reply
        }))?;
        Ok(Self { server, asked })
    }

    /// Its address, `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What was asked of it, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it was asked to go, oldest first.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|request| request.target).collect()
    }
}
