//! A thread-per-connection HTTP/1.1 server that stops when dropped.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::http::{Request, Response};

/// How long an idle connection is kept, so that no thread outlives a test by much.
const IDLE: Duration = Duration::from_secs(60);

/// What a request gets.
pub(crate) enum Reply {
    /// An answer.
    Send(Response),
    /// None, for as long as the client keeps its connection open.
    Hold,
    /// None: the connection is closed.
    Close,
    /// Success, and from then on the bytes of a connection to there, as a proxy answers `CONNECT`.
    Tunnel(SocketAddr),
}

/// Decides what a request gets.
pub(crate) type Handler = dyn Fn(Request) -> Reply + Send + Sync;

/// The connections that are open, by a number of their own.
#[derive(Default)]
struct Connections(Mutex<HashMap<u64, TcpStream>>);

impl Connections {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close_all(&self) {
        for connection in self.open().values() {
            // One that has ended by itself needs no end.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// A connection's place among those that are open; given up when its thread ends, in whatever way.
struct Listed(Arc<Connections>, u64);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.open().remove(&self.1);
    }
}

/// A running server on 127.0.0.1.
pub(crate) struct Server {
    address: SocketAddr,
    connections: Arc<Connections>,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts listening on a free port.
    pub(crate) fn start(handler: Arc<Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let connections = Arc::new(Connections::default());
        let kept = Arc::clone(&connections);
        let acceptor = thread::spawn(move || {
            for (number, connection) in (0..).zip(listener.incoming()) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A peer that went away between connect and accept is its own business.
                let Ok(connection) = connection else { continue };
                let Ok(copy) = connection.try_clone() else { continue };
                kept.open().insert(number, copy);
                let (handler, listed) = (Arc::clone(&handler), Listed(Arc::clone(&kept), number));
                thread::spawn(move || {
                    serve(&connection, &*handler);
                    drop(listed);
                });
            }
        });
        Ok(Self { address, connections, stopping, acceptor: Some(acceptor) })
    }

    /// Closes every connection that is open, and goes on listening.
    pub(crate) fn hang_up(&self) {
        self.connections.close_all();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // One connection of our own lets `accept` return and see the flag.
        let woken = TcpStream::connect(self.address).is_ok();
        if let (true, Some(acceptor)) = (woken, self.acceptor.take()) {
            // The accept loop cannot panic, so there is nothing to learn from the result.
            let _ = acceptor.join();
        }
        self.connections.close_all();
    }
}

fn serve(connection: &TcpStream, handler: &Handler) {
    let prepared = connection.set_read_timeout(Some(IDLE)).and_then(|()| connection.set_nodelay(true));
    if prepared.is_err() {
        return;
    }
    let mut reader = BufReader::new(connection);
    let mut writer = connection;
    // A broken or foreign request ends the connection; the client sees that and reports it.
    while let Ok(Some(request)) = Request::read(&mut reader) {
        match handler(request) {
            Reply::Send(response) if response.write(&mut writer).is_ok() => {}
            Reply::Send(_) => return,
            Reply::Hold => return wait_for_end(&mut reader),
            Reply::Close => return,
            Reply::Tunnel(to) => {
                // Either side may end a tunnel in any way.
                let _ = tunnel(connection, reader, to);
                return;
            }
        }
    }
}

fn tunnel(mut client: &TcpStream, mut sent: BufReader<&TcpStream>, to: SocketAddr) -> io::Result<()> {
    let target = TcpStream::connect(to)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut sent, &mut &target);
            let _ = target.shutdown(Shutdown::Write);
        });
        let copied = io::copy(&mut &target, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        copied.map(drop)
    })
}

/// Returns when the client has closed the connection, or has said nothing for too long.
fn wait_for_end(connection: &mut impl Read) {
    let mut ignored = [0; 1024];
    while matches!(connection.read(&mut ignored), Ok(1..)) {}
}
