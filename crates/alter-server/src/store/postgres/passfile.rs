//! Passwords kept in a file, as libpq reads them: `host:port:database:user:password` by the line, `*` for any.

use std::path::Path;

use alter_core::secret::Secret;

/// What a line has to fit.
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password of the first line that fits. A file that others can read is passed over, as libpq does.
pub(super) fn find(path: &Path, wanted: &Wanted<'_>) -> Option<Secret> {
    let file = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the password file can be read by others and is not used; set its mode to 0600");
        return None;
    }
    if !file.is_file() {
        return None;
    }
    let text = Secret::new(std::fs::read_to_string(path).ok()?);
    text.expose().lines().filter(|line| !line.starts_with('#')).find_map(|line| password(line, wanted))
}

fn password(line: &str, wanted: &Wanted<'_>) -> Option<Secret> {
    let fields = split(line);
    let [host, port, database, user, password] = fields.as_slice() else { return None };
    let port_fits = port == "*" || *port == wanted.port.to_string();
    let fits = |field: &String, value: &str| field == "*" || field == value;
    let all = fits(host, wanted.host) && port_fits && fits(database, wanted.database) && fits(user, wanted.user);
    all.then(|| Secret::new(password.as_str()))
}

/// Splits at colons; a backslash takes the next character as it is.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut().expect("there is always one").extend(characters.next()),
            other => fields.last_mut().expect("there is always one").push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let wanted = Wanted { host: "db", port: 5432, database: "vault", user: "alter" };
        let found = |line: &str| password(line, &wanted).map(|secret| secret.expose().to_owned());
        assert_eq!(found("db:5432:vault:alter:p"), Some("p".to_owned()));
        assert_eq!(found("*:*:*:*:a\\:b\\\\c:d"), Some("a:b\\c:d".to_owned()));
        for other in ["db2:5432:vault:alter:p", "db:5433:vault:alter:p", "db:*:other:alter:p", "db:*:*:eve:p", "db:*:*:p", ""] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_passed_over() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "# mine\n*:*:*:*:p\n").expect("written");
        let wanted = || Wanted { host: "db", port: 1, database: "d", user: "u" };
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).expect("set");
        assert!(find(file.path(), &wanted()).is_none());
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).expect("set");
        assert_eq!(find(file.path(), &wanted()).map(|secret| secret.expose().to_owned()), Some("p".to_owned()));
    }
}
