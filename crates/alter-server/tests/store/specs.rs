//! Descriptions of providers' APIs, and spans.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use alter_server::model::{ProviderSpec, Span, SpecId, SpecKind};
use alter_server::openapi::{Operation, Place};
use alter_server::store::{Declined, Effect, Entity};
use serde_json::json;

use super::harness::{Furnished, Vault, declined, many};

fn spec(vault: &Vault, made: &Furnished) -> ProviderSpec {
    ProviderSpec {
        id: SpecId::random(),
        app: made.app.id,
        kind: SpecKind::Oauth,
        provider: "mail".to_owned(),
        title: Some("Mail".to_owned()),
        spec_version: None,
        version: 1,
        source_url: None,
        provenance: "operator".to_owned(),
        content_hash: "a".to_owned(),
        operation_count: 2,
        fetched_at: vault.now(),
        changed_at: vault.now(),
    }
}

fn operation(id: &str, path: &str, summary: Option<&str>) -> Operation {
    Operation {
        operation_id: id.to_owned(),
        method: "GET".to_owned(),
        path_template: path.to_owned(),
        summary: summary.map(str::to_owned),
        params: vec![json!({"name": "id"})],
        request: None,
        response: json!({"type": "object"}).as_object().cloned(),
        places: vec![Place { host: Some("api.example.com".to_owned()), path: path.to_owned() }],
        families: Some(vec!["send".to_owned()]),
        scopes: None,
    }
}

fn put(spec: &ProviderSpec, operations: &[Operation]) -> Effect {
    Effect::PutSpec { spec: Box::new(spec.clone()), operations: operations.to_vec() }
}

async fn ids(vault: &Vault, spec: SpecId, search: Option<&str>) -> Vec<String> {
    let found = vault.store.spec_operations(spec, search.map(str::to_owned), many(), 0).await.unwrap();
    assert_eq!(found.total, found.operations.len() as u64);
    found.operations.into_iter().map(|operation| operation.operation_id).collect()
}

#[tokio::test]
async fn a_description_is_replaced_whole_and_only_by_its_successor() {
    let vault = Vault::new();
    let (made, other) = (vault.furnished("shop").await, vault.furnished("other").await);
    let first = spec(&vault, &made);
    let operations = [operation("b", "/b", Some("One of them")), operation("a", "/a", None)];
    vault.apply(made.chain(), put(&first, &operations)).await.unwrap();
    assert_eq!(vault.store.provider_spec(made.app.id, SpecKind::Oauth, "mail".into()).await.unwrap(), Some(first.clone()));
    assert_eq!(vault.store.provider_spec(other.app.id, SpecKind::Oauth, "mail".into()).await.unwrap(), None);
    assert_eq!(vault.store.provider_specs(made.app.id, Some(SpecKind::Managed)).await.unwrap(), []);
    assert_eq!(ids(&vault, first.id, None).await, ["b", "a"], "in the order of the document");
    assert_eq!(vault.store.spec_operation(first.id, "b".into()).await.unwrap(), Some(operations[0].clone()));
    let outline = |operation: &Operation| Operation { summary: None, request: None, response: None, ..operation.clone() };
    let outlined = vault.store.outlined_operations(first.id).await.unwrap();
    assert_eq!(outlined, operations.iter().map(outline).collect::<Vec<_>>());
    let second = vault.store.spec_operations(first.id, None, NonZeroU32::MIN, 1).await.unwrap();
    assert_eq!((second.operations[0].operation_id.as_str(), second.total), ("a", 2));

    let twin = ProviderSpec { id: SpecId::random(), ..first.clone() };
    assert_eq!(declined(vault.apply(made.chain(), put(&twin, &[])).await), Declined::Exists(Entity::Spec));
    let stale = ProviderSpec { content_hash: "b".into(), ..first.clone() };
    assert_eq!(declined(vault.apply(made.chain(), put(&stale, &[])).await), Declined::Changed(Entity::Spec));
    let next = ProviderSpec { version: 2, operation_count: 1, ..stale };
    vault.apply(made.chain(), put(&next, &[operation("c", "/c", None)])).await.unwrap();
    assert_eq!(ids(&vault, first.id, None).await, ["c"]);
    vault.clock.advance(Duration::from_secs(60));
    let again = ProviderSpec { fetched_at: vault.now(), ..next.clone() };
    vault.apply(made.chain(), put(&again, &[operation("d", "/d", None)])).await.unwrap();
    assert_eq!(vault.store.provider_specs(made.app.id, None).await.unwrap(), [again]);
    assert_eq!(ids(&vault, first.id, None).await, ["d"], "what is read from the same document may have grown with the vault");

    let delete = |app| Effect::DeleteSpec { app, spec: first.id };
    assert_eq!(declined(vault.apply(made.chain(), delete(other.app.id)).await), Declined::NotFound(Entity::Spec));
    vault.apply(made.chain(), delete(made.app.id)).await.unwrap();
    assert_eq!(ids(&vault, first.id, None).await, Vec::<String>::new());
}

#[tokio::test]
async fn operations_are_found_by_any_part_in_any_case() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let described = spec(&vault, &made);
    let operations = [operation("emails/send", "/v1/Emails", Some("50% off_er!")), operation("domains", "/v1/domains", None)];
    vault.apply(made.chain(), put(&described, &operations)).await.unwrap();
    for (search, found) in [
        ("SEND", &["emails/send"][..]),
        ("/v1/e", &["emails/send"]),
        ("v1", &["emails/send", "domains"]),
        ("%", &["emails/send"]),
        ("_", &["emails/send"]),
        ("!", &["emails/send"]),
        ("50%off", &[]),
    ] {
        assert_eq!(ids(&vault, described.id, Some(search)).await, found, "{search}");
    }
}

#[tokio::test]
async fn a_span_is_kept_once_until_it_is_forgotten() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let app = made.app.id;
    let span = |id: &str, name: &str| Span {
        app,
        trace: "run".to_owned(),
        id: id.to_owned(),
        parent: None,
        name: name.to_owned(),
        started_at: vault.now(),
        ended_at: Some(vault.now()),
        attributes: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        key: made.key.id,
        agent: None,
        expires_at: vault.now().plus(Duration::from_secs(60)),
    };
    let (first, second) = (span("1", "one"), span("2", "two"));
    let keep = |spans: &[&Span]| Effect::KeepSpans { app, spans: spans.iter().map(|span| (*span).clone()).collect() };
    vault.apply(made.chain(), keep(&[&first])).await.unwrap();
    vault.apply(made.chain(), keep(&[&span("1", "another"), &second])).await.unwrap();
    assert_eq!(vault.store.spans(app, "run".into()).await.unwrap(), [first.clone(), second]);
    assert_eq!(vault.store.spans(app, "other".into()).await.unwrap(), []);
    vault.clock.advance(Duration::from_secs(60));
    assert_eq!(vault.store.spans(app, "run".into()).await.unwrap(), []);
    let anew = Span { expires_at: vault.now().plus(Duration::from_secs(60)), ..first };
    vault.apply(made.chain(), keep(&[&anew])).await.unwrap();
    assert_eq!(vault.store.spans(app, "run".into()).await.unwrap(), [anew]);
}
