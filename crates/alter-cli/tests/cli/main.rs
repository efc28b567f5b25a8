//! The real binary as a person or a script meets it: exit code, stdout, stderr, and the stable code of every error.

mod agents;
mod approvals;
mod apps;
mod audit;
mod backup;
mod connect;
mod first_steps;
mod help;
mod idp;
mod keys;
mod killing;
#[cfg(target_os = "linux")]
mod memory;
mod policies;
mod providers;
mod request;
mod rotation;
mod running;
#[cfg(target_os = "linux")]
mod secrecy;
mod secrets;
mod serve;
mod specs;
mod stopping;
mod store;
mod telemetry;
mod tls;
mod two_vaults;
mod world;
