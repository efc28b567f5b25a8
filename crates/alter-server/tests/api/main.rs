//! A real vault on loopback, called the way clients and operators call it: every refusal, every kind of injection.

mod admin;
mod admission;
mod agents;
mod approvals;
mod attenuation;
mod audit_trail;
mod backup;
mod catalogues;
#[path = "../egress/certified.rs"]
mod certified;
mod connect;
mod console;
mod document;
mod grants;
mod harness;
mod injections;
#[path = "../identity/issuer.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "it belongs to the tests of tokens by themselves, which use more of it")]
mod issuer;
mod keys;
mod login_lists;
mod logins;
mod master_key;
mod metrics;
mod people;
mod providers;
mod proxy;
mod reports;
mod revocations;
mod seed;
mod tenancy;
mod token;
mod transport;
mod wallet;
