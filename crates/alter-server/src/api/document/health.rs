//! What needs no key (health, this document, the keys that verify assertions), and the metrics.

use super::operation::Operation;
use super::schema::{list, object, record, text, word};
use crate::api::metrics;

pub fn operations() -> Vec<Operation> {
    let key_set = record([("keys", list(object()))]);
    vec![
        Operation::open("/healthz", "health", "Whether the process answers")
            .answers(200, record([("status", word(&["ok"])), ("version", text())])),
        Operation::open("/readyz", "ready", "Whether the vault could serve a call now")
            .answers(200, record([("status", word(&["ready"]))]))
            .refuses(503, &["not_ready"]),
        Operation::open(super::PATH, "openApiDocument", "This document").answers(200, object()),
        Operation::open("/.well-known/jwks.json", "keySet", "The public keys that verify what `/sdk/identity/assert` signs")
            .answers_as(200, "application/jwk-set+json", key_set)
            .refuses(503, &["signing_unavailable"]),
        Operation::reading(metrics::PATH, "metrics", "What happened since the process started, for Prometheus").answers_as(
            200,
            metrics::KIND,
            text(),
        ),
    ]
}
