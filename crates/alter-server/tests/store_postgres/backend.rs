//! The backend of this program: one real PostgreSQL server, a database for each test.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use alter_server::store::postgres::{self, PostgresOptions, PostgresUrl};
use alter_server::store::{OpenError, Opened};
use alter_testkit::postgres::PostgresServer;

use super::harness::Options;

/// A new database.
pub struct Database {
    pub name: String,
    pub url: PostgresUrl,
}

impl Database {
    pub fn new() -> Self {
        Self::on(PostgresServer::shared())
    }

    pub fn on(server: &PostgresServer) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(1);
        let name = format!("vault_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let url = PostgresUrl::parse(&server.database(&name)).unwrap();
        Self { name, url }
    }

    pub fn open(&self, folder: &Path, options: Options) -> Result<Opened, OpenError> {
        let Options { access, keys, limits, clock, faults } = options;
        postgres::open(&PostgresOptions { keys, limits, clock, faults, ..PostgresOptions::new(self.url.clone(), folder, access) })
    }

    /// Runs SQL in it, past the store.
    pub fn run(&self, sql: &str) -> String {
        PostgresServer::shared().run(&self.name, sql)
    }
}
