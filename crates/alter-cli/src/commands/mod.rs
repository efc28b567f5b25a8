//! One file per noun. Each declares its arguments and runs them.

pub mod agent;
pub mod app;
pub mod approval;
pub mod audit;
pub mod backup;
mod caller;
pub mod completions;
pub mod config;
pub mod connect;
pub mod context;
pub mod grant;
pub mod help;
pub mod idp;
pub mod init;
pub mod key;
pub mod policy;
mod policy_test;
pub mod provider;
pub mod request;
pub mod rotate;
pub mod secret;
pub mod serve;
pub mod spec;
pub mod store;
