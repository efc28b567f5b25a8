//! What PostgreSQL's errors mean.

use std::error::Error as _;

use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::store::sql::database::{SqlError, SqlErrorKind};

/// Only the server's message is taken: its details would show stored values. Whatever is not an answer of the server leaves open what became of the
/// statement, so it counts as a lost connection.
pub(super) fn sql_error(error: &tokio_postgres::Error) -> SqlError {
    match error.as_db_error() {
        Some(answer) => SqlError::new(kind(answer), format!("{} ({})", answer.message(), answer.code().code())),
        None => lost(match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
    }
}

/// A connection that is not there any more.
pub(super) fn lost(text: impl Into<String>) -> SqlError {
    SqlError::new(SqlErrorKind::Lost, text)
}

fn kind(answer: &DbError) -> SqlErrorKind {
    use SqlErrorKind::{Conflict, Constraint, Corrupt, Dangling, Duplicate, Failed, Full, Lost};
    if matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
        return Lost;
    }
    let code = answer.code();
    match code.code() {
        "23505" => Duplicate,
        "23503" => Dangling,
        "53100" => Full,
        "XX001" | "XX002" => Corrupt,
        // A time-out in waiting for a lock of another transaction is one of the two being in each other's way, too.
        "40001" | "40P01" | "55P03" => Conflict,
        // What a newer vault has changed under prepared statements, and a server that has become a standby: a new connection helps.
        "0A000" | "25006" | "40003" => Lost,
        other => match &other[..2.min(other.len())] {
            "08" => Lost,
            "22" | "23" => Constraint,
            _ if *code == SqlState::ADMIN_SHUTDOWN || *code == SqlState::CRASH_SHUTDOWN || *code == SqlState::CANNOT_CONNECT_NOW => Lost,
            _ => Failed,
        },
    }
}
