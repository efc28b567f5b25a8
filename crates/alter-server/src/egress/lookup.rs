//! Where names lead.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Finds the addresses of a host. By default the system is asked.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String, u16) -> Addresses + Send + Sync>);

impl Lookup {
    /// Asks `find` instead, with the host's name and the port.
    pub fn with<F>(find: impl Fn(String, u16) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |host, port| Box::pin(find(host, port))))
    }

    /// The addresses of a host, with the port.
    ///
    /// # Errors
    /// The system's, when the name is not known or nobody who knows can be asked.
    pub(super) async fn find(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (self.0)(host.to_owned(), port).await
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::with(|host, port| async move { Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect()) })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
