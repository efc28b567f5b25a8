//! The server that all programs call: one process, whose own time is not counted, and which says what it was asked.

use std::io::BufReader;
use std::net::TcpStream;
use std::process::Command;

use alter_testkit::http::{Headers, Request, Response};
use serde::Deserialize;

use crate::bench::worker::Worker;
use crate::bench::workshop::Workshop;
use crate::report::Failure;

/// The running server. It ends when this is dropped.
pub struct Stub {
    addresses: Addresses,
    // Held for its end.
    _worker: Worker,
}

#[derive(Deserialize)]
struct Addresses {
    http: String,
    https: String,
}

/// The requests of one measurement, as the server counted them.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Seen {
    /// Credentials asked for.
    pub token: usize,
    /// Calls to the provider.
    pub provider: usize,
    /// Calls reported.
    pub audit: usize,
    /// Requests of any kind that came by HTTP/2.
    pub http2: usize,
}

impl Stub {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(workshop: &Workshop) -> Result<Self, Failure> {
        let mut command = Command::new(&workshop.programs);
        command.arg("stub").arg(workshop.scratch.path());
        let mut worker = Worker::start("the stub server", command, workshop.scratch.path().join("stub.log"))?;
        Ok(Self { addresses: worker.answer()?, _worker: worker })
    }

    /// Where it listens, in clear text or with TLS.
    pub fn url(&self, tls: bool) -> &str {
        if tls { &self.addresses.https } else { &self.addresses.http }
    }

    /// What came in since this was asked last.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn seen(&self) -> Result<Seen, Failure> {
        let host = self.addresses.http.trim_start_matches("http://").to_owned();
        let connection = TcpStream::connect(&host)?;
        let headers = Headers(vec![("Host".to_owned(), host), ("Connection".to_owned(), "close".to_owned())]);
        let request = Request { method: "GET".to_owned(), target: "/bench/seen".to_owned(), headers, body: Vec::new() };
        request.write(&mut &connection)?;
        Ok(serde_json::from_slice(&Response::read(&mut BufReader::new(&connection))?.body)?)
    }
}
