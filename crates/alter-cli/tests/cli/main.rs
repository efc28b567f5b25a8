//! The real binary as a person or a script meets it: exit code, stdout, stderr, and the stable code of every error.

mod agents;
mod audit;
mod first_steps;
mod help;
mod idp;
mod keys;
mod killing;
mod providers;
mod request;
mod rotation;
mod running;
mod secrets;
mod serve;
mod stopping;
mod tls;
mod world;
