//! Listening: one address, HTTP/1.1 in clear text or HTTP/2 and 1.1 over TLS, bounded in time and number, stopped without dropping a call.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crate::api::{self, Attendant, HostPolicy, Peer, Vault};
use crate::config::Config;
use crate::egress::Egress;
use crate::error::{StartError, StartErrorKind};
use crate::setup::Opened;
use crate::tls::{Protocol, Tls};

/// Pause after the system refused a connection (out of file descriptors): trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of the listener. The defaults suit one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// How long a connection may go without a whole request head, idle time between requests included. Longer than the 30 s for which clients
    /// keep an idle connection, so that it is the client who closes, and no request meets a closing connection.
    pub head_patience: Duration,
    /// How long a client may take to agree on TLS.
    pub handshake_patience: Duration,
    /// How often a connection over HTTP/2 is asked whether it is alive. One that does not answer is closed.
    pub ping_interval: Duration,
    /// How long a stopping vault waits for calls in flight, its own to providers included.
    pub stop_patience: Duration,
    /// Connections that are served at once; more wait in the system's queue.
    pub connections: usize,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            head_patience: Duration::from_secs(75),
            handshake_patience: Duration::from_secs(5),
            ping_interval: Duration::from_secs(30),
            stop_patience: Duration::from_secs(10),
            connections: 1024,
        }
    }
}

/// A vault that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    vault: Arc<Vault>,
    tls: Option<Tls>,
    limits: ServeLimits,
}

/// Listens on the configured address. Nothing of the data folder is needed for it, so that a taken port is found before anything is made.
///
/// # Errors
/// [`StartErrorKind::BindRefused`] for an address beyond loopback without TLS or the flag, [`StartErrorKind::PortInUse`],
/// [`StartErrorKind::AddressUnavailable`].
pub async fn listen(config: &Config) -> Result<TcpListener, StartError> {
    let address = config.address.value;
    if !address.ip().is_loopback() && !config.speaks_tls() && !config.insecure_bind.value {
        let message = format!("{address} is reachable from other machines, and no certificate is set");
        let help = "give it one with --tls-cert and --tls-key, or accept clear text (behind a TLS proxy) with --insecure-bind";
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
    /// Puts an opened data folder behind a listener; with `tls` clear text is not understood there.
    ///
    /// # Errors
    /// [`StartErrorKind::AddressUnavailable`] if the listener has lost its address, [`StartErrorKind::ConfigInvalid`] if the authorities for outgoing
    /// calls cannot be used.
    pub fn new(listener: TcpListener, tls: Option<Tls>, opened: Opened, config: &Config) -> Result<Self, StartError> {
        let address = listener
            .local_addr()
            .map_err(|error| StartError::new(StartErrorKind::AddressUnavailable, "the listener has no address").caused_by(error))?;
        let public_url = config.public_url.value.clone().unwrap_or_else(|| config.url(address)).trim_end_matches('/').to_owned();
        let hosts = HostPolicy::new(config.public_url.value.as_deref(), address.ip());
        let vault = Vault::new(opened, Egress::new(config.egress())?, hosts, public_url).admitting(config.admission());
        let vault = Arc::new(vault);
        Ok(Self { listener, address, vault, tls, limits: ServeLimits::default() })
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

    /// Serves until `stop` resolves, then lets calls in flight and what providers are being told finish, and closes the store.
    ///
    /// # Errors
    /// [`StartErrorKind::Storage`] if the store could not finish its last writes.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let router = api::router(Arc::clone(&self.vault));
        let open = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.limits.connections));
        // Ends with this function: whoever stops the vault stops looking at its files.
        let _reloading = self.tls.as_ref().map(Tls::keep_current);
        let attending = tokio::spawn(Attendant::attend(Arc::clone(&self.vault)));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let connection = Connection { place, peer, router: router.clone(), watcher: open.watcher(), limits: self.limits };
                    tokio::spawn(connection.serve(stream, self.tls.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        attending.abort();
        let in_flight = async {
            open.shutdown().await;
            // What was ended here is ended at the provider, too: this may be the only one who knows the tokens.
            self.vault.revocations.idle().await;
            // An approved call that has left is not left without an end.
            self.vault.approvals.idle().await;
        };
        if tokio::time::timeout(self.limits.stop_patience, in_flight).await.is_err() {
            tracing::warn!("calls in flight did not finish in time");
        }
        self.vault
            .store
            .close()
            .await
            .map_err(|error| StartError::new(StartErrorKind::Storage(error.code()), "the store did not close cleanly").caused_by(error))
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> std::io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Answers are small; waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    Ok((stream, Peer(peer.ip()), place))
}

/// What one connection needs besides its stream.
struct Connection {
    place: OwnedSemaphorePermit,
    peer: Peer,
    router: axum::Router,
    watcher: Watcher,
    limits: ServeLimits,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Tls>) {
        let Some(tls) = tls else {
            // HTTP/2 needs TLS, by which a client learns that it is there.
            return self.speak(stream, Protocol::Http1).await;
        };
        match tokio::time::timeout(self.limits.handshake_patience, tls.accept(stream)).await {
            Ok(Ok((stream, protocol))) => self.speak(stream, protocol).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client did not agree on TLS"),
            Err(_) => tracing::debug!("a client did not agree on TLS in time"),
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, protocol: Protocol) {
        let peer = self.peer;
        let service = TowerToHyperService::new(self.router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.map(Body::new)
        }));
        let http = auto::Builder::new(TokioExecutor::new());
        let mut http = match protocol {
            Protocol::Http1 => http.http1_only(),
            Protocol::Http2 => http.http2_only(),
        };
        http.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.head_patience);
        http.http2().timer(TokioTimer::new()).keep_alive_interval(self.limits.ping_interval);
        if let Err(error) = self.watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(self.place);
    }
}
