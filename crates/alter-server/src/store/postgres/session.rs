//! A connection to PostgreSQL: blocking for its thread, made anew when it was lost, and given up when the server does not answer.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::error::{lost, sql_error};
use super::target::Target;
use super::values::Bound;
use crate::store::sql::database::{Database, Dialect, Reading, Session, SqlError, SqlErrorKind, SqlResult};
use crate::store::sql::value::Value;

static POSTGRES: Dialect = Dialect {
    shared: true,
    json: "::json",
    json_array: ("coalesce(json_agg(", ")::text, '[]')"),
    ids_in_2: "SELECT value::uuid FROM json_array_elements_text(?2::text::json) AS ids (value)",
    hold: " FOR UPDATE",
    hold_free: " FOR UPDATE SKIP LOCKED",
};

/// How long one statement may take, as seen from here. The server's own time-outs are shorter, and leave the connection usable.
const PATIENCE: Duration = Duration::from_secs(25);

/// Statements that are kept prepared. Few are put together at run time, so forgetting all of them now and then bounds the memory at no price.
const KEPT_STATEMENTS: usize = 256;

/// A connection and the small runtime that drives it. Where it was lost, the next statement outside of a transaction connects again.
pub(in crate::store) struct PostgresSession {
    target: Arc<Target>,
    live: RefCell<Option<Live>>,
    in_transaction: Cell<bool>,
    /// Whether a statement of the transaction has failed, so that the server would undo it at its end without a word.
    spoiled: Cell<bool>,
    /// Last: what runs on it ends with it.
    runtime: Runtime,
}

struct Live {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Live {
    async fn prepared(&mut self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(&numbered(sql)).await?;
        if self.statements.len() >= KEPT_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// PostgreSQL writes `$1` for the place of a value. No text of ours has a question mark of another meaning.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

impl PostgresSession {
    /// Connects.
    pub(super) fn connect(target: Arc<Target>) -> SqlResult<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| SqlError::new(SqlErrorKind::Failed, format!("no connection can be driven: {error}")))?;
        let (in_transaction, spoiled) = (Cell::new(false), Cell::new(false));
        let session = Self { target, live: RefCell::new(None), in_transaction, spoiled, runtime };
        session.run(async |_| Ok(()))?;
        Ok(session)
    }

    /// Runs several statements without values.
    pub(super) fn run_script(&self, sql: &str) -> SqlResult<()> {
        self.run(async |live| live.client.batch_execute(sql).await)
    }

    fn run<T>(&self, work: impl AsyncFnOnce(&mut Live) -> Result<T, tokio_postgres::Error>) -> SqlResult<T> {
        let mut slot = self.live.borrow_mut();
        if slot.as_ref().is_some_and(|live| live.client.is_closed()) {
            *slot = None;
        }
        let live = match &mut *slot {
            Some(live) => live,
            None if self.in_transaction.get() => return Err(lost("the connection was lost")),
            None => {
                let client = self.runtime.block_on(self.target.connect())?;
                slot.insert(Live { client, statements: HashMap::new() })
            }
        };
        let done = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, work(live)).await });
        let error = match done {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => sql_error(&error),
            Err(_) => lost(format!("the server did not answer within {} s", PATIENCE.as_secs())),
        };
        self.spoiled.set(true);
        if error.kind == SqlErrorKind::Lost {
            *slot = None;
        }
        Err(error)
    }

    /// Ends the transaction with COMMIT or ROLLBACK.
    fn end(&self, how: &str) -> SqlResult<()> {
        let ended = self.run(async |live| live.client.batch_execute(how).await);
        self.in_transaction.set(false);
        ended
    }
}

impl Database for PostgresSession {
    fn dialect(&self) -> &'static Dialect {
        &POSTGRES
    }

    fn execute(&self, sql: &str, values: &[Value<'_>]) -> SqlResult<u64> {
        let bound = Bounds::of(values);
        let changed = self.run(async |live| {
            let statement = live.prepared(sql).await?;
            live.client.execute(&statement, &bound.places()).await
        })?;
        if sql.starts_with("ROLLBACK TO ") {
            self.spoiled.set(false);
        }
        Ok(changed)
    }

    fn query(&self, sql: &str, values: &[Value<'_>], read: &mut Reading<'_>) -> SqlResult<()> {
        let bound = Bounds::of(values);
        let rows = self.run(async |live| {
            let statement = live.prepared(sql).await?;
            live.client.query(&statement, &bound.places()).await
        })?;
        for row in &rows {
            if read(row)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn in_snapshot(&self, work: &mut dyn FnMut() -> SqlResult<()>) -> SqlResult<()> {
        if self.in_transaction.get() {
            return work();
        }
        self.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        self.in_transaction.set(true);
        let done = work();
        self.roll_back();
        done
    }
}

impl Session for PostgresSession {
    fn begin(&self) -> SqlResult<()> {
        self.run_script("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")?;
        self.in_transaction.set(true);
        self.spoiled.set(false);
        Ok(())
    }

    fn commit(&self) -> SqlResult<()> {
        if self.spoiled.get() {
            return Err(SqlError::new(SqlErrorKind::Failed, "a statement of the transaction has failed"));
        }
        self.end("COMMIT")
    }

    fn roll_back(&self) {
        if !self.in_transaction.get() {
            return;
        }
        // A lost connection has taken the transaction with it.
        if let Err(error) = self.end("ROLLBACK")
            && error.kind != SqlErrorKind::Lost
        {
            tracing::error!(error = %error.text, "a failed transaction could not be rolled back");
            *self.live.borrow_mut() = None;
        }
    }
}

/// The values of one statement.
struct Bounds<'v>(Vec<Bound<'v>>);

impl<'v> Bounds<'v> {
    fn of(values: &[Value<'v>]) -> Self {
        Self(values.iter().map(|value| Bound(*value)).collect())
    }

    fn places(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|bound| bound as &(dyn ToSql + Sync)).collect()
    }
}
