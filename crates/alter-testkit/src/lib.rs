//! Shared test equipment: a [`provider`] that refuses calls without its credential, a [`relay`] that can tamper with or
//! repeat what passes through it, a [`forward_proxy`] that opens tunnels, an OAuth server that misbehaves on request (feature `oauth`), a browser that fills in forms (feature
//! `browser`), a real [`vault`] process, a real [`postgres`] server, and a [`stand_in`] for vault and provider where calls only have to be
//! under way.
//!
//! Everything listens on 127.0.0.1 with a port chosen by the system, and everything stops when its handle is dropped.
//! The servers speak HTTP/1.1 over plain `std` sockets on purpose: the provider has to record what arrived, byte for byte
//! and in its order, and the relay has to send what no well-behaved HTTP library would.

#[cfg(feature = "browser")]
pub mod browser;
pub mod children;
pub mod forward_proxy;
pub mod http;
#[cfg(feature = "oauth")]
pub mod oauth;
pub mod postgres;
pub mod provider;
pub mod relay;
mod server;
pub mod stand_in;
pub mod vault;
