use serde_json::{Value, json};

use super::*;

fn mail() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Mail", "version": "2026-11"},
        "paths": {
            "/emails": {
                "parameters": [{"name": "region", "in": "query", "schema": {"type": "string"}}],
                "post": {
                    "description": "\n  Send an e-mail.\nIt is sent at once.",
                    "parameters": [{"$ref": "#/components/parameters/Trace"}, {"name": "region", "in": "query", "required": true, "schema": {"type": "integer"}}],
                    "requestBody": {"$ref": "#/components/requestBodies/Email"},
                    "responses": {"201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Sent"}}}}, "default": {}},
                },
                "get": {"operationId": "emails/list", "summary": "List e-mails", "responses": {"200": {"description": "ok"}}},
            },
        },
        "components": {
            "parameters": {"Trace": {"name": "trace", "in": "header"}},
            "requestBodies": {"Email": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Email"}}}}},
            "schemas": {
                "Email": {"type": "object", "properties": {"to": {"$ref": "#/components/schemas/Address"}, "re": {"$ref": "#/components/schemas/Email"}}},
                "Address": {"type": "string", "format": "email"},
                "Sent": {"type": "object", "properties": {"id": {"type": "string"}}},
            },
        },
    })
}

#[test]
fn operations_are_read_with_what_goes_in_and_comes_out() {
    let read = read(&mail()).expect("readable");
    assert_eq!((read.title.as_deref(), read.version.as_deref(), read.operations.len()), (Some("Mail"), Some("2026-11"), 2));
    let (list, send) = (&read.operations[0], &read.operations[1]);
    assert_eq!((list.operation_id.as_str(), list.method.as_str(), list.response.is_some()), ("emails/list", "GET", false));
    assert_eq!((send.operation_id.as_str(), send.method.as_str(), send.path_template.as_str()), ("post:/emails", "POST", "/emails"));
    assert_eq!(send.summary.as_deref(), Some("Send an e-mail."));
    let expected = [
        json!({"name": "trace", "in": "header", "required": false, "schema": {}}),
        json!({"name": "region", "in": "query", "required": true, "schema": {"type": "integer"}}),
    ];
    assert_eq!(send.params, expected, "the operation's own parameter wins");
    let request = Value::Object(send.request.clone().expect("a schema"));
    assert_eq!(request["properties"]["to"], json!({"type": "string", "format": "email"}));
    assert_eq!(request["properties"]["re"], json!({"$ref": "#/components/schemas/Email"}), "what holds itself stays a reference");
    assert_eq!(send.response.as_ref().map(|schema| schema["properties"]["id"].clone()), Some(json!({"type": "string"})));
}

#[test]
fn the_older_version_is_read_as_well() {
    let document = json!({
        "swagger": "2.0",
        "paths": {"/pets/{id}": {"put": {
            "operationId": "putPet",
            "parameters": [
                {"name": "id", "in": "path", "required": true, "type": "integer"},
                {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}},
            ],
            "responses": {"200": {"schema": {"$ref": "#/definitions/Pet"}}},
        }}},
        "definitions": {"Pet": {"type": "object"}},
    });
    let put = read(&document).expect("readable").operations.remove(0);
    assert_eq!(put.params, [json!({"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}})]);
    assert_eq!(
        (put.request, put.response),
        (json!({"type": "object"}).as_object().cloned(), json!({"type": "object"}).as_object().cloned())
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let of = |paths: Value| json!({"openapi": "3.1.0", "paths": paths});
    let get = || json!({"get": {}});
    for (document, part) in [
        (json!([]), "no OpenAPI document"),
        (json!({"openapi": "4.0.0"}), "4.0.0"),
        (json!({"openapi": "3.0.0"}), "paths"),
        (of(json!({})), "no operation"),
        (of(json!({"emails": get()})), "begin with /"),
        (of(json!({"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}})), "id \"x\""),
        (of(json!({"/a": {"get": {"operationId": "x".repeat(513)}}})), "512"),
    ] {
        let fault = read(&document).expect_err("unusable");
        assert!(fault.to_string().contains(part), "{document}: {fault}");
    }
    let many: serde_json::Map<String, Value> = (0..=5000).map(|number| (format!("/{number}"), get())).collect();
    assert!(read(&of(Value::Object(many))).expect_err("too many").to_string().contains("5000"));
}

#[test]
fn references_cannot_be_used_to_make_it_grow() {
    // Each schema holds the next one twice: 2^30 values if all were written out.
    let schemas: serde_json::Map<String, Value> = (0..30)
        .map(|number| {
            let next = json!({"$ref": format!("#/components/schemas/S{}", number + 1)});
            (format!("S{number}"), json!({"type": "object", "properties": {"a": next, "b": next}}))
        })
        .collect();
    let document = json!({
        "openapi": "3.0.0",
        "paths": {"/a": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}}}},
        "components": {"schemas": schemas},
    });
    let request = read(&document).expect("readable").operations.remove(0).request.expect("a schema");
    assert!(serde_json::to_string(&request).expect("text").len() < 200_000);
    let round = json!({"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}});
    assert!(read(&round).is_err());
}
