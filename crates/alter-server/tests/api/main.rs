//! A real vault on loopback, called the way clients and operators call it: every refusal, every kind of injection.

mod admin;
mod admission;
mod audit_trail;
mod harness;
mod injections;
mod master_key;
mod reports;
mod token;
mod transport;
