//! The OpenAPI 3.1 document of the whole API, served at `/openapi.json`.
//!
//! It is written here and not derived from the handlers: they read bodies member by member and answer `json!`, so there are no types to derive
//! it from. What keeps it true are the tests. `tests/api/document.rs` compares its paths and methods with those of the router, both ways; every
//! answer that any test of the API gets is held against the schema of its operation and status; and `tests/openapi` lets schemathesis invent
//! requests.
//!
//! Anybody may read it: it describes the software and nothing of this vault, and whoever writes a client needs it before they have a key.

mod admin;
mod admin_shapes;
mod approvals;
mod apps;
mod connect;
mod health;
mod operation;
mod proxy;
mod schema;
mod shapes;
mod wire;

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use operation::Operation;

/// Where it is served.
pub const PATH: &str = "/openapi.json";

/// How a request is signed, for whoever has no SDK.
const SIGNATURE: &str = "An API key of the application or of one of its agents, with a signature of the request. Every signed request carries \
    `X-API-Key` (the whole key), `X-Alter-Timestamp` (Unix seconds, at most 300 off), `X-Alter-Nonce` (32 lower-case hexadecimal characters, \
    used once), `X-Alter-Content-SHA256` (of the body, in lower-case hexadecimal) and `X-Alter-Signature`: HMAC-SHA256 in lower-case hexadecimal, \
    whose key is HMAC-SHA256 with the API key over the text `alter-signing-v1`. What is signed, joined by line feeds: the method; the path, decoded \
    once, with the query, its pairs sorted and encoded as a form; timestamp; nonce; digest of the body; and the value of `X-Alter-Scope-Constraints`, \
    empty if there is none. Further lines follow for headers that are sent: `request-rule:VALUE` for `X-Alter-Request-Rule`, and for who is calling \
    `caller:`, `caller-type:`, `actor-id:` and `actor-context:` with the values of `X-Alter-Caller`, `X-Alter-Caller-Type`, `X-Alter-Actor-Id` and \
    `X-Alter-Context`. With one of these last four the signature is repeated in `X-Alter-Signature-V2`. The SDKs do all of it.";

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let (path, method, value) = operation.finish();
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = value;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Alter",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The credential vault for AI agents",
            "description": "`/sdk` is the wire protocol of the SDKs, `/admin/v1` the admin plane that `alter` and the console use. Every answer carries \
                `X-Request-Id`. A refusal is JSON with a stable `error`, a `message` for people, and for some codes more members.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "tags": [
            { "name": "sdk", "description": "Signed requests of applications and agents." },
            { "name": "admin", "description": "Requests of operators. Reading needs any role, changing needs `admin`." },
            { "name": "health", "description": "Requests without a key." },
        ],
        "paths": paths,
        "components": {
            "schemas": shapes::all(),
            "securitySchemes": {
                "signature": { "type": "apiKey", "in": "header", "name": "X-API-Key", "description": SIGNATURE },
                "operator": { "type": "http", "scheme": "bearer", "description": "An operator key, `alter_pat_…`." },
            },
        },
    })
}

fn operations() -> impl Iterator<Item = Operation> {
    let wire = wire::operations().into_iter().chain(connect::operations()).chain(proxy::operations());
    let wire = wire.chain(approvals::operations());
    wire.chain(admin::operations()).chain(apps::operations()).chain(health::operations())
}

/// `GET /openapi.json`
pub async fn serve() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_string());
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")], text.as_str()).into_response()
}
