use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oauth::tests::{NOW, answer, provider_of};

fn read(id: &str, kind: &str, body: impl Into<Bytes>) -> Result<Tokens, Failure> {
    Tokens::read(&answer(200, kind, body).expect("an answer"), &provider_of(id), NOW)
}

fn read_json(id: &str, body: &Value) -> Result<Tokens, Failure> {
    read(id, "application/json", body.to_string())
}

fn life(tokens: &Tokens) -> Option<i64> {
    tokens.access_expires_at.map(|end| end.as_secs() - NOW.as_secs())
}

#[test]
fn a_standard_answer() {
    let body = json!({
        "access_token": "at", "refresh_token": "rt", "token_type": "Bearer", "expires_in": 3599, "scope": "a b a", "id_token": "x.y.z"
    });
    let tokens = read_json("google", &body).expect("tokens");
    assert_eq!((tokens.access_token.expose(), tokens.refresh_token.as_ref().map(Secret::expose)), ("at", Some("rt")));
    assert_eq!((life(&tokens), tokens.scopes.as_deref()), (Some(3599), Some(&["a".to_owned(), "b".to_owned()][..])));
    assert!(!format!("{tokens:?}").contains("at\""), "{tokens:?}");
}

#[test]
fn a_form_is_read_like_json() {
    for kind in ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "text/plain"] {
        let tokens = read("github", kind, "access_token=gho_x&scope=repo%2Cread%3Auser&token_type=bearer").expect(kind);
        assert_eq!((tokens.access_token.expose(), tokens.scopes), ("gho_x", Some(vec!["repo".into(), "read:user".into()])));
    }
    let refused = read("github", "application/x-www-form-urlencoded", "error=bad_refresh_token&error_description=x").expect_err("an error");
    assert_eq!(refused.kind, FailureKind::Dead);
}

#[test]
fn lifetimes_in_every_spelling() {
    let lifetime = |id: &str, more: Value| {
        let mut body = json!({ "access_token": "at", "refresh_token": "rt" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        life(&read_json(id, &body).expect("tokens"))
    };
    assert_eq!(lifetime("google", json!({ "expires_in": "3600" })), Some(3600));
    assert_eq!(lifetime("google", json!({ "expires_in": " 3600.7 " })), Some(3600));
    assert_eq!(lifetime("google", json!({ "expires_in": 3600.0 })), Some(3600));
    // Google's own default stands in for what says nothing.
    for nothing in
        [json!({}), json!({ "expires_in": null }), json!({ "expires_in": 0 }), json!({ "expires_in": -5 }), json!({ "expires_in": "soon" })]
    {
        assert_eq!(lifetime("google", nothing.clone()), Some(3600), "{nothing}");
    }
    assert_eq!(lifetime("salesforce", json!({})), None, "nobody knows how long");
    assert_eq!(lifetime("mailchimp", json!({ "expires_in": 0 })), None);
    assert_eq!(lifetime("typeform", json!({ "expires_in": 1_700_000_600 })), Some(600), "a moment in time");
    assert_eq!(lifetime("google", json!({ "expires_in": 1_700_000_600 })), Some(3600), "too long to be a lifetime");
    assert_eq!(lifetime("square", json!({ "expires_at": "2023-11-14T23:13:20Z" })), Some(3600));
    assert_eq!(lifetime("square", json!({ "expires_at": "later" })), Some(2_592_000));
}

#[test]
fn a_token_without_a_refresh_token_has_no_end_that_nobody_told() {
    let tokens = read_json("todoist", &json!({ "access_token": "at" })).expect("tokens");
    assert_eq!(tokens.access_expires_at, None);
}

#[test]
fn a_refresh_token_ends_when_the_answer_or_else_the_entry_says() {
    let end = |id: &str, more: &str| {
        let body = format!(r#"{{"access_token":"at","refresh_token":"rt"{more}}}"#);
        read(id, "application/json", body).expect("tokens").refresh_expires_at.map(|end| end.as_secs() - NOW.as_secs())
    };
    assert_eq!(end("ebay", r#","refresh_token_expires_in":100"#), Some(100));
    assert_eq!(end("quickbooks", r#","x_refresh_token_expires_in":100"#), Some(100));
    assert_eq!(end("quickbooks", ""), Some(8_640_000));
    assert_eq!(end("squarespace", r#","refresh_token_expires_at":"2023-11-14T22:15:00Z""#), Some(100));
    assert_eq!(end("google", ""), None);
}

#[test]
fn scopes_may_be_a_list_or_elsewhere() {
    let scopes = |id: &str, body: Value| read_json(id, &body).expect("tokens").scopes;
    let two = Some(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(scopes("google", json!({ "access_token": "t", "scope": ["a", "b", 3, ""] })), two);
    assert_eq!(scopes("bitbucket", json!({ "access_token": "t", "scopes": "a b" })), two);
    assert_eq!(scopes("linear", json!({ "access_token": "t", "scope": "a,b" })), two);
    assert_eq!(scopes("google", json!({ "access_token": "t", "scope": "a,b" })), Some(vec!["a,b".to_owned()]));
    assert_eq!(scopes("google", json!({ "access_token": "t" })), None);
    assert_eq!(scopes("google", json!({ "access_token": "t", "scope": "" })), Some(Vec::new()), "nothing was granted");
}

#[test]
fn what_is_no_token_is_refused() {
    let kind = |body: Value| read_json("google", &body).expect_err("refused").kind;
    assert_eq!(kind(json!({ "access_token": "at", "error": "invalid_grant" })), FailureKind::Dead);
    assert_eq!(kind(json!({ "access_token": "at", "ok": false })), FailureKind::Unclear);
    assert_eq!(kind(json!({ "access_token": "" })), FailureKind::Unclear);
    assert_eq!(kind(json!({ "access_token": 5 })), FailureKind::Unclear);
    assert_eq!(kind(json!({ "access_token": "a\nb" })), FailureKind::Unclear);
    assert_eq!(kind(json!({ "access_token": "x".repeat(LONGEST_TOKEN + 1) })), FailureKind::Unclear);
    assert_eq!(kind(json!({ "access_token": "at", "refresh_token": "r\u{e9}" })), FailureKind::Unclear);
    assert_eq!(kind(json!({ "access_token": "at", "token_type": "DPoP" })), FailureKind::Misconfigured);
    assert_eq!(kind(json!({ "ok": false, "error": "invalid_grant" })), FailureKind::Dead);
    let page = "<!doctype html><title>access_token=x&error</title>";
    for kind in ["text/html", "text/html; charset=utf-8", "application/json", ""] {
        assert_eq!(read("google", kind, page).expect_err("a page").kind, FailureKind::Unclear, "{kind}");
    }
}

#[test]
fn an_error_that_is_empty_or_null_is_none() {
    for error in [Value::Null, json!(""), json!(false)] {
        assert!(read_json("google", &json!({ "access_token": "at", "error": error, "ok": true })).is_ok());
    }
}

#[test]
fn no_text_of_a_failure_repeats_a_token() {
    let body = json!({ "error": "invalid_grant", "error_description": "token CANARY is dead", "refresh_token": "CANARY" });
    let failure = read_json("google", &body).expect_err("refused");
    assert!(!format!("{failure:?} {failure}").contains("CANARY"));
}

proptest! {
    /// Whatever arrives, reading ends; what it takes for a token can be sent.
    #[test]
    fn any_body_is_read_or_refused(status in 200u16..600, kind in "[a-z/;= -]{0,40}", body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let answer = Response::builder().status(status).header("content-type", kind).body(Bytes::from(body)).expect("a response");
        if let Ok(tokens) = Tokens::read(&answer, &provider_of("google"), NOW) {
            prop_assert!(check_access_token(tokens.access_token.expose()).is_ok());
        }
    }

    #[test]
    fn any_lifetime_is_read_or_ignored(text in "[-0-9.eE ]{0,30}") {
        let body = json!({ "access_token": "at", "refresh_token": "rt", "expires_in": text });
        let end = read_json("google", &body).expect("tokens").access_expires_at.expect("the entry has a default");
        prop_assert!(end > NOW);
    }
}
