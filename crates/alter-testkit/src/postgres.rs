//! A real PostgreSQL server from the machine's packages, on a Unix socket in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Runs the server and does what it is told, line by line. It ends when its input does, so however this process ends the server ends with it.
///
/// A crash of the server is what tests ask for, not one of the machine: nothing needs to reach the disk.
const SCRIPT: &str = r#"
trap '' INT TERM
# A database is some hundred small files, which disks are slow to forget: in memory, if there is room.
place=/tmp
[ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')" -ge 2097152 ] 2>/dev/null && place=/dev/shm
folder=$(mktemp -d "$place/alter-postgres.XXXXXX") && chmod 0755 "$folder"
fail() { echo "failed: $1 $(tail -n 3 "$folder/log" 2>/dev/null | tr '\n' ' ')"; rm -rf "$folder"; exit 1; }
initdb -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$folder/log" 2>&1 || fail initdb
cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$folder'
fsync = off
full_page_writes = off
max_connections = 400
shared_buffers = 32MB
max_wal_size = 128MB
autovacuum_naptime = 600
END
if [ -n "$TLS_CERTIFICATE" ]; then
    (umask 077 && printf '%s' "$TLS_CERTIFICATE" >"$folder/cert.pem" && printf '%s' "$TLS_KEY" >"$folder/key.pem")
    cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $TLS_PORT
ssl = on
ssl_cert_file = '$folder/cert.pem'
ssl_key_file = '$folder/key.pem'
END
    printf 'local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n' >"$folder/data/pg_hba.conf"
fi
start() { pg_ctl -D "$folder/data" -l "$folder/log" -w -t 60 start >/dev/null 2>&1; }
start || fail "pg_ctl start"
echo "ready $folder"
while read -r order; do
    case $order in
        kill) pg_ctl -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 ;;
        start) start ;;
    esac && echo done || echo "failed: $order $(tail -n 3 "$folder/log" | tr '\n' ' ')"
done
pg_ctl -D "$folder/data" -m immediate -w stop >/dev/null 2>&1
rm -rf "$folder"
"#;

/// A server that runs as long as this handle, or this process, does.
#[derive(Debug)]
pub struct PostgresServer {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    talk: Mutex<Talk>,
}

#[derive(Debug)]
struct Talk {
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    child: Child,
}

impl PostgresServer {
    /// Makes a new cluster and starts it: some seconds.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the message says why.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(5432, &[])
    }

    /// As [`PostgresServer::start`], and over TCP on loopback as well: with this certificate and its key, PEM, and for those who know a password.
    ///
    /// # Panics
    /// As [`PostgresServer::start`].
    #[must_use]
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port");
        let port = free.port().to_string();
        Self::start_with(free.port(), &[("TLS_CERTIFICATE", certificate), ("TLS_KEY", key), ("TLS_PORT", &port)])
    }

    fn start_with(port: u16, variables: &[(&str, &str)]) -> Self {
        let bin = installed().expect("PostgreSQL is not installed: `cargo xtask setup` installs it (Debian: apt-get install postgresql)");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        // PostgreSQL refuses to run as root.
        let mut command = if is_root() { Command::new("runuser") } else { Command::new("sh") };
        if is_root() {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", SCRIPT]).env("PATH", path).envs(variables.iter().copied()).current_dir("/");
        // Not the test's own errors: whoever reads those would wait for the server's end, which comes a little after the test's.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell for PostgreSQL");
        let (orders, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("piped")));
        let mut talk = Talk { orders, answers, child };
        let answer = talk.answer();
        let folder = answer.strip_prefix("ready ").unwrap_or_else(|| panic!("PostgreSQL does not start: {answer}")).into();
        Self { bin, folder, port, talk: Mutex::new(talk) }
    }

    /// The one server of this process, started when it is first asked for.
    pub fn shared() -> &'static Self {
        static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);
        &SERVER
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// When it cannot be made, or there is one of this name.
    pub fn database(&self, name: &str) -> String {
        let mut create = Command::new(self.bin.join("createdb"));
        create.args(["-U", "postgres", "-T", "template0", "-p", &self.port.to_string(), "-h"]).arg(&self.folder).arg(name);
        let made = create.output().expect("createdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.url(name)
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("postgres:///{name}?host={}&port={}&user=postgres", self.folder.display(), self.port)
    }

    /// The port, of the socket and over TCP.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL in a database, and returns what `psql` prints of the rows: one line each, columns divided by `|`.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-U", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1", "-p", &self.port.to_string(), "-h"])
            .arg(&self.folder)
            .args(["-d", database, "-c", sql]);
        let ran = psql.output().expect("psql runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()
    }

    /// Ends the server at once, as a crash does: `pg_ctl stop -m immediate`.
    pub fn kill(&self) {
        self.order("kill");
    }

    /// Starts it again after [`PostgresServer::kill`]: it recovers.
    pub fn start_again(&self) {
        self.order("start");
    }

    fn order(&self, order: &str) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = talk.orders.as_mut().expect("it runs");
        writeln!(orders, "{order}").and_then(|()| orders.flush()).expect("the shell listens");
        let answer = talk.answer();
        assert_eq!(answer, "done", "PostgreSQL did not {order}");
    }
}

impl Talk {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the shell answers");
        line.trim_end().to_owned()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let talk = self.talk.get_mut().unwrap_or_else(PoisonError::into_inner);
        talk.orders = None;
        // It ends by the end of its input; how it ended is nobody's concern any more.
        let _ = talk.child.wait();
    }
}

/// The folder with the server's programs, the newest version's first.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .collect();
    versions.sort();
    let packaged = versions.into_iter().rev().map(|(_, bin)| bin);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    packaged.chain(on_path).find(|folder| has_server(folder))
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres", "createdb", "psql"].iter().all(|program| folder.join(program).exists())
}

/// Whether this process runs as root: what it makes belongs to user 0.
fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}
