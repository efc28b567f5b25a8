//! Listening: one address, HTTP/1.1 in clear text, bounded in time and number, stopped without dropping a call.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crate::api::{self, HostPolicy, Vault};
use crate::config::Config;
use crate::error::{StartError, StartErrorKind};
use crate::setup::Opened;

/// Pause after the system refused a connection (out of file descriptors): trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of the listener. The defaults suit one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// How long a connection may go without a whole request head, idle time between requests included. Longer than the 30 s for which clients
    /// keep an idle connection, so that it is the client who closes, and no request meets a closing connection.
    pub head_patience: Duration,
    /// How long a stopping vault waits for calls in flight.
    pub stop_patience: Duration,
    /// Connections that are served at once; more wait in the system's queue.
    pub connections: usize,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { head_patience: Duration::from_secs(75), stop_patience: Duration::from_secs(10), connections: 1024 }
    }
}

/// A vault that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    vault: Arc<Vault>,
    limits: ServeLimits,
}

/// Listens on the configured address. Nothing of the data folder is needed for it, so that a taken port is found before anything is made.
///
/// # Errors
/// [`StartErrorKind::BindRefused`] for an address beyond loopback without the flag, [`StartErrorKind::PortInUse`],
/// [`StartErrorKind::AddressUnavailable`].
pub async fn listen(config: &Config) -> Result<TcpListener, StartError> {
    let address = config.address.value;
    if !address.ip().is_loopback() && !config.insecure_bind.value {
        let message = format!("{address} is reachable from other machines, and this vault does not speak TLS itself yet");
        let help = "listen on 127.0.0.1 behind a TLS proxy, or accept clear text with --insecure-bind";
        return Err(StartError::new(StartErrorKind::BindRefused, message).help(help));
    }
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            return StartError::new(StartErrorKind::PortInUse, format!("another process listens on {address}")).help(format!(
                "is a vault running already? Stop it, or choose another port: --address {}:0 takes a free one",
                address.ip()
            ));
        }
        StartError::new(StartErrorKind::AddressUnavailable, format!("cannot listen on {address}"))
            .caused_by(error)
            .help("choose an address of this machine with --address")
    })
}

impl Server {
    /// Puts an opened data folder behind a listener.
    ///
    /// # Errors
    /// [`StartErrorKind::AddressUnavailable`] if the listener has lost its address.
    pub fn new(listener: TcpListener, opened: Opened, config: &Config) -> Result<Self, StartError> {
        let address = listener
            .local_addr()
            .map_err(|error| StartError::new(StartErrorKind::AddressUnavailable, "the listener has no address").caused_by(error))?;
        let vault = Arc::new(Vault {
            store: opened.store,
            keys: opened.keys,
            audit: opened.audit,
            clock: opened.clock,
            hosts: HostPolicy::new(config.public_url.value.as_deref(), address.ip()),
        });
        Ok(Self { listener, address, vault, limits: ServeLimits::default() })
    }

    /// Replaces the bounds.
    #[must_use]
    pub fn limits(mut self, limits: ServeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The address in use; with port 0 in the settings, the port that was found.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then lets calls in flight finish, and closes the store.
    ///
    /// # Errors
    /// [`StartErrorKind::Storage`] if the store could not finish its last writes.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let router = api::router(Arc::clone(&self.vault));
        let open = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => serve(stream, place, router.clone(), &open, self.limits.head_patience),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.limits.stop_patience, open.shutdown()).await.is_err() {
            tracing::warn!("calls in flight did not finish in time");
        }
        self.vault
            .store
            .close()
            .await
            .map_err(|error| StartError::new(StartErrorKind::Storage(error.code()), "the store did not close cleanly").caused_by(error))
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small; waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// Serves one connection in a task of its own. HTTP/1.1 only: HTTP/2 needs TLS, by which a client learns that it is there.
fn serve(stream: TcpStream, place: OwnedSemaphorePermit, router: axum::Router, open: &GracefulShutdown, head_patience: Duration) {
    let service = TowerToHyperService::new(router.map_request(|request: Request<Incoming>| request.map(Body::new)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_patience);
    let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
