//! Passwords and TLS: `sslmode` means what libpq says.

use alter_server::store::postgres::{self, PostgresOptions, PostgresUrl};
use alter_server::store::{Access, OpenError};
use alter_testkit::postgres::PostgresServer;
use tempfile::TempDir;

/// A server that wants TLS and a password from whoever comes over TCP, and a file with its certificate.
struct Guarded {
    server: PostgresServer,
    folder: TempDir,
}

impl Guarded {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let server = PostgresServer::start_with_tls(&made.cert.pem(), &made.signing_key.serialize_pem());
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("other.pem"), other.cert.pem()).unwrap();
        server.database("vault");
        server.run("postgres", "ALTER ROLE postgres PASSWORD 'swordfish'");
        Self { server, folder }
    }

    /// Opens over TCP; `FOLDER` in the query is where the certificates are.
    fn open(&self, password: &str, host: &str, query: &str) -> Result<(), OpenError> {
        let query = query.replace("FOLDER", &self.folder.path().display().to_string());
        let url = format!("postgres://postgres:{password}@{host}:{}/vault?{query}", self.server.port());
        let options = PostgresOptions::new(PostgresUrl::parse(&url).unwrap(), self.folder.path().join("data"), Access::Create);
        postgres::open(&options).map(drop)
    }
}

#[test]
fn sslmode_and_password_are_as_the_url_says() {
    let guarded = Guarded::start();
    for (host, query) in [
        ("127.0.0.1", ""),
        ("127.0.0.1", "sslmode=allow"),
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=FOLDER/ca.pem"),
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER/ca.pem"),
    ] {
        guarded.open("swordfish", host, query).unwrap_or_else(|error| panic!("{host} {query}: {error}"));
    }
    let encrypted = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.client_addr IS NOT NULL AND NOT s.ssl";
    assert_eq!(guarded.server.run("vault", encrypted), "0");
    for (password, host, query, what) in [
        ("swordfish", "127.0.0.1", "sslmode=disable", "no pg_hba.conf entry"),
        ("wrong", "127.0.0.1", "sslmode=require", "password authentication failed"),
        ("swordfish", "127.0.0.1", "sslmode=verify-full&sslrootcert=FOLDER/ca.pem", "not valid for name"),
        ("swordfish", "127.0.0.1", "sslmode=verify-ca&sslrootcert=FOLDER/other.pem", "invalid peer certificate"),
        ("swordfish", "127.0.0.1", "sslmode=require&sslrootcert=FOLDER/other.pem", "invalid peer certificate"),
        ("swordfish", "localhost", "sslmode=verify-full&sslrootcert=FOLDER/none.pem", "none.pem cannot be read"),
    ] {
        let error = guarded.open(password, host, query).expect_err(query);
        assert!(matches!(error, OpenError::Unreachable { .. }), "{query}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(what), "{query}: {text}");
        assert!(!format!("{error:?}").contains("swordfish"), "{query}");
    }
}
