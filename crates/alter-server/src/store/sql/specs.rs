//! Descriptions of providers' APIs.

use serde_json::Value;

use super::columns::{Columns, to_json};
use super::database::{Database, SqlResult};
use super::effects::{Applied, changed, inserted};
use super::value::values;
use crate::model::{AppId, ProviderSpec, SpecId, SpecKind};
use crate::openapi::Operation;
use crate::store::{Declined, Entity, OperationList};

const SPEC: &str =
    "SELECT s.id, s.app, s.kind, s.provider, s.title, s.spec_version, s.version, s.source_url, s.provenance, s.content_hash, s.fetched_at,
    s.changed_at, (SELECT count(*) FROM spec_operations o WHERE o.spec = s.id) FROM provider_specs s";

fn read(columns: &mut Columns<'_>) -> SqlResult<ProviderSpec> {
    Ok(ProviderSpec {
        id: columns.id(SpecId)?,
        app: columns.id(AppId)?,
        kind: columns.word(SpecKind::parse)?,
        provider: columns.get()?,
        title: columns.get()?,
        spec_version: columns.get()?,
        version: columns.get()?,
        source_url: columns.get()?,
        provenance: columns.get()?,
        content_hash: columns.get()?,
        fetched_at: columns.time()?,
        changed_at: columns.time()?,
        operation_count: columns.get()?,
    })
}

/// See [`Store::provider_specs`](crate::store::Store::provider_specs).
pub(super) fn specs(db: &dyn Database, app: AppId, kind: Option<SpecKind>) -> SqlResult<Vec<ProviderSpec>> {
    let sql = format!("{SPEC} WHERE s.app = ?1 AND (s.kind = ?2 OR ?2 IS NULL) ORDER BY s.kind, s.provider");
    db.all(&sql, values![app.0.into_bytes(), kind.map(SpecKind::as_str)], read)
}

/// See [`Store::provider_spec`](crate::store::Store::provider_spec).
pub(super) fn spec(db: &dyn Database, app: AppId, kind: SpecKind, provider: &str) -> SqlResult<Option<ProviderSpec>> {
    let sql = format!("{SPEC} WHERE s.app = ?1 AND s.kind = ?2 AND s.provider = ?3");
    db.first(&sql, values![app.0.into_bytes(), kind.as_str(), provider], read)
}

/// See [`Store::spec_operations`](crate::store::Store::spec_operations).
pub(super) fn operations(db: &dyn Database, spec: SpecId, search: Option<&str>, (limit, offset): (u32, u64)) -> SqlResult<OperationList> {
    let id = spec.0.into_bytes();
    let pattern = search.map(like);
    let matching = "spec = ?1 AND (?2 IS NULL OR lower(operation_id) LIKE ?2 ESCAPE '!' OR lower(path) LIKE ?2 ESCAPE '!'
        OR lower(coalesce(summary, '')) LIKE ?2 ESCAPE '!')";
    let matching = matching.replacen("?2 IS NULL", "CAST(?2 AS TEXT) IS NULL", 1);
    let mut list = OperationList::default();
    db.in_snapshot(&mut || {
        let page = format!(
            "SELECT operation_id, method, path, summary FROM spec_operations WHERE {matching} ORDER BY position LIMIT ?3 OFFSET ?4"
        );
        list.operations = db.all(&page, values![id, pattern, limit, offset], |columns| {
            let (operation_id, method, path_template, summary) = (columns.get()?, columns.get()?, columns.get()?, columns.get()?);
            Ok(Operation { operation_id, method, path_template, summary, ..Operation::default() })
        })?;
        let count = format!("SELECT count(*) FROM spec_operations WHERE {matching}");
        list.total = db.one(&count, values![id, pattern], |columns| columns.get())?;
        Ok(())
    })?;
    Ok(list)
}

/// What `LIKE` finds a text by, whatever stands around it.
pub(super) fn like(search: &str) -> String {
    let mut pattern = String::from("%");
    for c in search.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// See [`Store::spec_operation`](crate::store::Store::spec_operation).
pub(super) fn operation(db: &dyn Database, spec: SpecId, operation: &str) -> SqlResult<Option<Operation>> {
    let sql = "SELECT operation_id, method, path, params, places, families, scopes, summary, request, response FROM spec_operations WHERE spec = ?1 AND operation_id = ?2";
    db.first(sql, values![spec.0.into_bytes(), operation], |columns| {
        let outline = outline(columns)?;
        Ok(Operation { summary: columns.get()?, request: columns.maybe_json()?, response: columns.maybe_json()?, ..outline })
    })
}

/// See [`Store::outlined_operations`](crate::store::Store::outlined_operations).
pub(super) fn outlined(db: &dyn Database, spec: SpecId) -> SqlResult<Vec<Operation>> {
    let sql = "SELECT operation_id, method, path, params, places, families, scopes FROM spec_operations WHERE spec = ?1 ORDER BY position";
    db.all(sql, values![spec.0.into_bytes()], outline)
}

/// What calls are classified by.
fn outline(columns: &mut Columns<'_>) -> SqlResult<Operation> {
    Ok(Operation {
        operation_id: columns.get()?,
        method: columns.get()?,
        path_template: columns.get()?,
        params: columns.json()?,
        places: columns.json()?,
        families: columns.maybe_json()?,
        scopes: columns.maybe_json()?,
        ..Operation::default()
    })
}

/// See [`Effect::PutSpec`](crate::store::Effect::PutSpec).
pub(super) fn put(db: &dyn Database, spec: &ProviderSpec, operations: &[Operation]) -> Applied {
    let known: Option<(u32, String)> = db.first(
        "SELECT version, content_hash FROM provider_specs WHERE id = ?1 AND app = ?2",
        values![spec.id.0.into_bytes(), spec.app.0.into_bytes()],
        |columns| Ok((columns.get()?, columns.get()?)),
    )?;
    let Some((version, hash)) = known else {
        create(db, spec)?;
        return write_operations(db, spec.id, operations);
    };
    let same = hash == spec.content_hash;
    if spec.version != if same { version } else { version + 1 } {
        return Err(Declined::Changed(Entity::Spec).into());
    }
    db.execute(
        "UPDATE provider_specs SET title = ?2, spec_version = ?3, version = ?4, source_url = ?5, content_hash = ?6, fetched_at = ?7, changed_at = ?8 WHERE id = ?1",
        values![
            spec.id.0.into_bytes(),
            spec.title,
            spec.spec_version,
            spec.version,
            spec.source_url,
            spec.content_hash,
            spec.fetched_at.as_millis(),
            spec.changed_at.as_millis(),
        ],
    )?;
    // What is read from the same document may have grown with the vault.
    db.execute("DELETE FROM spec_operations WHERE spec = ?1", values![spec.id.0.into_bytes()])?;
    write_operations(db, spec.id, operations)
}

fn create(db: &dyn Database, spec: &ProviderSpec) -> Applied {
    let insert = db.execute(
        "INSERT INTO provider_specs (id, app, kind, provider, title, spec_version, version, source_url, provenance, content_hash, fetched_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11)",
        values![
            spec.id.0.into_bytes(),
            spec.app.0.into_bytes(),
            spec.kind.as_str(),
            spec.provider,
            spec.title,
            spec.spec_version,
            spec.source_url,
            spec.provenance,
            spec.content_hash,
            spec.fetched_at.as_millis(),
            spec.changed_at.as_millis(),
        ],
    );
    inserted(insert, Entity::Spec, Entity::App)
}

fn write_operations(db: &dyn Database, spec: SpecId, operations: &[Operation]) -> Applied {
    for (position, operation) in operations.iter().enumerate() {
        let schema = |schema: &Option<serde_json::Map<String, Value>>| schema.as_ref().map(to_json);
        db.execute(
            "INSERT INTO spec_operations (spec, position, operation_id, method, path, summary, params, request, response, places, families, scopes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            values![
                spec.0.into_bytes(),
                position as u64,
                operation.operation_id,
                operation.method,
                operation.path_template,
                operation.summary,
                to_json(&operation.params),
                schema(&operation.request),
                schema(&operation.response),
                to_json(&operation.places),
                operation.families.as_ref().map(to_json),
                operation.scopes.as_ref().map(to_json),
            ],
        )?;
    }
    Ok(())
}

/// See [`Effect::DeleteSpec`](crate::store::Effect::DeleteSpec).
pub(super) fn delete(db: &dyn Database, app: AppId, spec: SpecId) -> Applied {
    changed(
        db.execute("DELETE FROM provider_specs WHERE id = ?1 AND app = ?2", values![spec.0.into_bytes(), app.0.into_bytes()]),
        Entity::Spec,
    )
}
