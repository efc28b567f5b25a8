//! The URL of a database, and where its password comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use alter_core::secret::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::passfile::{self, Wanted};
use super::tls::{Mode, Roots, Tls};

/// `postgres://USER@HOST[:PORT]/DATABASE[?sslmode=…]`, as libpq reads it. What it shows has no password.
///
/// ```
/// use alter_server::store::postgres::PostgresUrl;
///
/// let url = PostgresUrl::parse("postgres://alter:swordfish@db.example.com/vault?sslmode=verify-full").unwrap();
/// assert_eq!(url.to_string(), "postgres://alter@db.example.com/vault");
/// assert!(url.has_password());
/// ```
#[derive(Clone)]
pub struct PostgresUrl {
    /// Large, and of little use without a connection.
    config: Box<Config>,
    tls: Tls,
}

impl PostgresUrl {
    /// Whether a text is meant to be such a URL.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without showing it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !Self::is_meant(text) {
            return Err("it must begin with postgres://".to_owned());
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut tls = Tls { mode: Mode::Prefer, roots: None };
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => tls.mode = Mode::parse(&value).ok_or_else(|| format!("sslmode must be {}", Mode::NAMES))?,
                "sslrootcert" if value == "system" => tls.roots = Some(Roots::System),
                "sslrootcert" => tls.roots = Some(Roots::File(PathBuf::from(&*value))),
                _ => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        // Forms write a blank as `+`, and URLs of databases do not.
        let rest = rest.finish().replace('+', "%20");
        let config: Config = format!("{base}?{rest}").parse().map_err(|error: tokio_postgres::Error| reason(&error))?;
        if config.get_hosts().is_empty() {
            return Err("it names no host".to_owned());
        }
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            // Nothing leaves the machine, and servers offer no TLS there.
            tls.mode = Mode::Disable;
        }
        Ok(Self { config: Box::new(config), tls })
    }

    /// Whether it holds a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    pub(super) const fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What to connect with: the password is the URL's, else `PGPASSWORD`, else the one in `PGPASSFILE` or `~/.pgpass`.
    pub(super) fn with_password(&self, env: impl Fn(&str) -> Option<String>) -> Config {
        let mut config = (*self.config).clone();
        if config.get_password().is_some() {
            return config;
        }
        if let Some(password) = env("PGPASSWORD").filter(|password| !password.is_empty()) {
            config.password(Secret::new(password).expose());
            return config;
        }
        let home = || env("HOME").map(|home| Path::new(&home).join(".pgpass"));
        if let Some(file) = env("PGPASSFILE").filter(|path| !path.is_empty()).map(PathBuf::from).or_else(home)
            && let Some(password) = passfile::find(&file, &self.wanted())
        {
            config.password(password.expose());
        }
        config
    }

    /// What a line of a password file has to fit.
    fn wanted(&self) -> Wanted<'_> {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host,
            _ => "localhost",
        };
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or(user);
        Wanted { host, port: self.port(), database, user }
    }

    fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }
}

/// The first host, and nothing secret.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) if host.contains(':') => write!(f, "[{host}]")?,
            Some(Host::Tcp(host)) => f.write_str(host)?,
            _ => {}
        }
        if self.port() != 5432 {
            write!(f, ":{}", self.port())?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())?;
        match self.config.get_hosts().first() {
            Some(Host::Unix(path)) => write!(f, "?host={}", path.display()),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

fn reason(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    // The cause names an option and not its value.
    error.source().map_or_else(|| "it cannot be read".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(config: &Config) -> Option<&str> {
        config.get_password().map(|password| std::str::from_utf8(password).expect("text"))
    }

    #[test]
    fn what_is_shown_says_where_and_not_how() {
        for (text, shown) in [
            ("postgres://u:secret@h/d", "postgres://u@h/d"),
            ("postgresql://h:6000/d?password=secret&user=u", "postgres://u@h:6000/d"),
            ("postgres:///d?host=/run/pg&user=u", "postgres://u@/d?host=/run/pg"),
            ("postgres://u:secret@[::1]:5433/d", "postgres://u@[::1]:5433/d"),
        ] {
            let url = PostgresUrl::parse(text).expect(text);
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), format!("PostgresUrl({shown})")));
        }
    }

    #[test]
    fn a_mistake_is_named_without_the_password() {
        for (text, part) in [
            ("mysql://u:secret@h/d", "postgres://"),
            ("postgres://u:secret@h/d?sslmode=maybe", "sslmode must be disable, allow"),
            ("postgres://u:secret@h/d?shoes=2", "shoes"),
            ("postgres://u:secret@h:port/d", "port"),
            ("postgres:///d?user=secret", "host"),
        ] {
            let error = PostgresUrl::parse(text).expect_err(text);
            assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn tls_is_as_the_url_says() {
        let tls = |query: &str| PostgresUrl::parse(&format!("postgres://h/d?{query}")).expect("a URL").tls;
        assert_eq!(tls(""), Tls { mode: Mode::Prefer, roots: None });
        assert_eq!(tls("sslmode=verify-full&sslrootcert=system"), Tls { mode: Mode::VerifyFull, roots: Some(Roots::System) });
        let file = Some(Roots::File("/etc/my ca.pem".into()));
        assert_eq!(tls("sslrootcert=/etc/my%20ca.pem&sslmode=verify-ca"), Tls { mode: Mode::VerifyCa, roots: file });
        let local = PostgresUrl::parse("postgres:///d?host=/run/pg&sslmode=require").expect("a URL");
        assert_eq!(local.tls.mode, Mode::Disable);
    }

    #[test]
    fn the_password_comes_from_the_nearest_place() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".pgpass");
        std::fs::write(&file, "h:*:d:u:from-file\n").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
        let home = folder.path().display().to_string();
        let with = |text: &str, variable: Option<&str>| {
            let env = |name: &str| match name {
                "HOME" => Some(home.clone()),
                "PGPASSWORD" => variable.map(str::to_owned),
                _ => None,
            };
            PostgresUrl::parse(text).expect("a URL").with_password(env)
        };
        assert_eq!(password(&with("postgres://u:from-url@h/d", Some("from-env"))), Some("from-url"));
        assert_eq!(password(&with("postgres://u@h/d", Some("from-env"))), Some("from-env"));
        assert_eq!(password(&with("postgres://u@h/d", None)), Some("from-file"));
        assert_eq!(password(&with("postgres://other@h/d", None)), None);
    }
}
