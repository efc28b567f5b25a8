//! A raw HTTP/1.1 server on loopback that answers by a function and shows the bytes that arrived.

#![allow(dead_code, clippy::unwrap_used, missing_docs)]

pub mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
pub const GRANT: &str = "7a1e6f0e-2222-4333-8444-555566667777";

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Request line and headers, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Arrived {
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Server {
    /// `answer` gives the bytes of a whole HTTP answer; `None` leaves the connection open and silent.
    pub async fn start(answer: impl Fn(&Arrived) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), arrived: Arc::default() };
        let (answer, arrived) = (Arc::new(answer), server.arrived.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), arrived.clone()));
            }
        });
        server
    }

    /// A vault that hands out the token `SECRET`.
    pub async fn vault() -> Self {
        Self::start(|request| {
            let token = json!({ "access_token": "SECRET", "grant_id": GRANT, "provider_id": "p" });
            Some(if request.target() == "/sdk/token" { http(200, "", token.to_string().as_bytes()) } else { http(204, "", b"") })
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<impl Fn(&Arrived) -> Option<Vec<u8>>>, arrived: Arc<Mutex<Vec<Arrived>>>) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        arrived.lock().unwrap().push(request.clone());
        let Some(bytes) = answer(&request) else {
            std::future::pending::<()>().await;
            return;
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Reads one request with a `content-length` body; `None` at the end of the connection.
pub async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Arrived> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    buffer.drain(..end + 4);
    let mut request = Arrived { head, body: Vec::new() };
    let length: usize = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}

/// The bytes of an answer. `headers` are whole lines, each with its line break.
pub fn http(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let mut bytes = format!("HTTP/1.1 {status} Words\r\n{headers}{length}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
