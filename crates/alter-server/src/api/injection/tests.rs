use super::*;

fn prepared(kind: SecretKind, description: Value, values: Value) -> Result<Value, String> {
    let description = serde_json::from_value(description).map_err(|error| error.to_string())?;
    let values = serde_json::from_value(values).map_err(|error| error.to_string())?;
    let prepared = Prepared::new(kind, description, values).map_err(|unusable| unusable.to_string())?;
    let sample = Sample { grant: GrantId::random(), injection: &prepared.injection, parameters: &prepared.parameters };
    Ok(answer(&sample, &prepared.fields))
}

fn refused(kind: SecretKind, description: Value, values: Value) -> String {
    prepared(kind, description, values).expect_err("must be refused")
}

#[test]
fn each_kind_becomes_its_injection() {
    let bearer = prepared(SecretKind::Bearer, json!({}), json!({"token": "t-1"})).expect("bearer");
    assert_eq!((&bearer["access_token"], &bearer["injection_format"]), (&json!("t-1"), &json!("Bearer {token}")));

    let header = prepared(SecretKind::Header, json!({"header": "X-API-Key"}), json!({"token": "t-1"})).expect("header");
    assert_eq!((&header["injection_header"], &header["injection_format"]), (&json!("X-API-Key"), &json!("{token}")));

    let basic = prepared(SecretKind::Basic, json!({}), json!({"username": "ada", "password": "p:w"})).expect("basic");
    assert_eq!((&basic["access_token"], &basic["injection_format"]), (&json!("YWRhOnA6dw=="), &json!("Basic {token}")));

    let query = prepared(SecretKind::Query, json!({"query": "api_key"}), json!({"token": "t-1"})).expect("query");
    assert_eq!(query["access_token"], json!("query"), "the header says nothing");
    assert_eq!(query["additional_credentials"], json!({"value": "t-1"}));
    assert_eq!(query["additional_injections"][0]["key"], json!("api_key"));

    let aws = json!({"access_key_id": "AKIA", "secret_access_key": "s", "session_token": "st"});
    let aws = prepared(SecretKind::Aws, json!({"region": "eu-central-1"}), aws).expect("aws");
    assert_eq!((&aws["access_token"], &aws["injection_format"]), (&json!("AKIA"), &json!("AWS4-HMAC-SHA256")));
    assert_eq!(aws["additional_credentials"], json!({"region": "eu-central-1", "secret_key": "s", "session_token": "st"}));

    let rule = json!({"target": "header", "key": "X-App", "value_source": "additional_credentials.app"});
    let custom = json!({"header": "X-Key", "format": "Key {token}", "additional_injections": [rule]});
    let custom = prepared(SecretKind::Custom, custom, json!({"token": "t-1", "app": "a-1"})).expect("custom");
    assert_eq!((&custom["injection_header"], &custom["additional_credentials"]), (&json!("X-Key"), &json!({"app": "a-1"})));
}

#[test]
fn what_a_client_would_refuse_is_not_stored() {
    let token = json!({"token": "t"});
    for (header, what) in [("Host", "header names"), ("cookie", "header names"), ("X Key", "header is not"), ("", "header is not")] {
        let reason = refused(SecretKind::Header, json!({"header": header}), token.clone());
        assert!(reason.starts_with(what), "{reason}");
    }
    assert!(refused(SecretKind::Header, json!({"header": "X", "format": "Key"}), token.clone()).starts_with("format "));
    for bad in ["aaa\nbbb", "schlüssel", " untrimmed", ""] {
        let reason = refused(SecretKind::Bearer, json!({}), json!({"token": bad}));
        assert!(reason.starts_with("values"), "{reason}");
        assert!(bad.is_empty() || !reason.contains(bad), "the value leaked: {reason}");
    }
    assert!(refused(SecretKind::Query, json!({"query": "1bad"}), token.clone()).starts_with("additional_injections[0]"));
    let rule = json!({"target": "header", "key": "X-App", "value_source": "additional_credentials.app"});
    let custom = json!({"format": "{token}", "additional_injections": [rule]});
    assert!(refused(SecretKind::Custom, custom.clone(), token).starts_with("values.app is missing"));
    assert!(refused(SecretKind::Custom, custom, json!({"token": "t", "app": "a\nb"})).starts_with("values.app"));
    let long = json!({"access_key_id": "AKIA", "secret_access_key": "s".repeat(8193)});
    assert!(refused(SecretKind::Aws, json!({}), long).starts_with("secret "));
}

#[test]
fn missing_and_foreign_members_are_named() {
    assert!(refused(SecretKind::Bearer, json!({}), json!({})).starts_with("values.token is missing"));
    assert!(refused(SecretKind::Bearer, json!({}), json!({"token": "t", "tokne": "x"})).starts_with("values.tokne does not belong"));
    assert!(refused(SecretKind::Bearer, json!({"header": "X"}), json!({"token": "t"})).starts_with("header does not belong"));
    assert!(refused(SecretKind::Header, json!({}), json!({"token": "t"})).starts_with("header is missing"));
    assert!(refused(SecretKind::Custom, json!({}), json!({"token": "t"})).starts_with("format is missing"));
    assert!(
        refused(SecretKind::Basic, json!({}), json!({"username": "a:b", "password": "p"})).starts_with("values.username contains a colon")
    );
    assert!(refused(SecretKind::Basic, json!({}), json!({"username": "a"})).starts_with("values.password is missing"));
    assert!(refused(SecretKind::Aws, json!({"query": "q"}), json!({})).starts_with("query does not belong"));
    assert!(refused(SecretKind::Bearer, json!({"colour": "red"}), json!({})).contains("unknown field"));
}

#[test]
fn values_are_not_shown_by_debug() {
    let values = Values::from([("token", "hunter2")]);
    assert!(!format!("{values:?}").contains("hunter2"));
    let prepared = Prepared::new(SecretKind::Bearer, Description::default(), values).expect("fine");
    assert!(!format!("{prepared:?}").contains("hunter2"));
}
