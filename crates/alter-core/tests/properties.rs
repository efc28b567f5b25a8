//! Properties that hold for any input: nothing panics, and what was accepted keeps its promises.

#![allow(clippy::unwrap_used)]

use alter_core::error::{BackendAnswer, from_backend};
use alter_core::key::{KeyKind, is_valid_key};
use alter_core::signing::canonical_path_and_query;
use alter_core::token::TokenAnswer;
use alter_core::url::{ProviderUrl, base};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| serde_json::Number::from_f64(f).map_or(Value::Null, Value::Number)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

const MEMBERS: &[&str] = &[
    "access_token",
    "grant_id",
    "token_type",
    "expires_in",
    "expires_at",
    "scopes",
    "provider_id",
    "scope_mismatch",
    "token_generation",
    "injection_header",
    "injection_format",
    "additional_credentials",
    "additional_injections",
    "retry_info",
];

proptest! {
    #[test]
    fn one_changed_letter_is_noticed(position in 0usize..38, letter in "[a-z0-9_A-Z-]") {
        let key = KeyKind::Runtime.generate().unwrap();
        let mut typed: Vec<char> = key.expose().chars().collect();
        let new = letter.chars().next().unwrap();
        prop_assume!(typed[position] != new);
        typed[position] = new;
        let typed: String = typed.into_iter().collect();
        // A CRC of 32 bits, 30 of them written, finds every single-letter change.
        prop_assert!(!is_valid_key(&typed), "{typed}");
    }

    #[test]
    fn any_text_is_a_key_or_not(text in ".*") {
        let _ = is_valid_key(&text);
    }

    #[test]
    fn the_order_of_query_pairs_is_not_signed(mut pairs in prop::collection::vec("[a-z%+=]{1,8}", 1..6)) {
        let one = canonical_path_and_query(&format!("/p?{}", pairs.join("&")));
        pairs.reverse();
        prop_assert_eq!(one, canonical_path_and_query(&format!("/p?{}", pairs.join("&"))));
    }

    #[test]
    fn any_target_has_a_canonical_form(target in ".*") {
        let _ = canonical_path_and_query(&target);
    }

    #[test]
    fn an_accepted_url_can_be_sent_and_parses_to_itself(url in "(https://|http://localhost)[ -~é]{0,40}") {
        if let Ok(parsed) = ProviderUrl::parse(&url) {
            prop_assert!(parsed.target().starts_with('/'));
            prop_assert!(parsed.target().is_ascii());
            if parsed.to_uri().is_ok() {
                prop_assert_eq!(ProviderUrl::parse(&parsed.to_text()).unwrap(), parsed);
            }
        }
    }

    #[test]
    fn any_base_url_is_accepted_or_refused(url in ".*") {
        let _ = base::normalize(&url);
    }

    #[test]
    fn one_odd_member_never_breaks_the_reader(member in prop::sample::select(MEMBERS), odd in any_json()) {
        let mut answer = json!({ "access_token": "t", "grant_id": "7a1e6f0e-2222-4333-8444-555566667777" });
        answer[member] = odd;
        if let Ok(token) = TokenAnswer::parse(answer.to_string().as_bytes(), &Value::Null) {
            prop_assert!(!token.access_token.expose().is_empty());
            prop_assert!(!token.access_token.expose().contains(['\r', '\n', '\0']));
            prop_assert!(!alter_core::token::is_forbidden_header(&token.injection_header));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..64), status in 400u16..600) {
        let _ = TokenAnswer::parse(&body, &Value::Null);
        let error = from_backend(&BackendAnswer { status, body: &body, retry_after: None, request_id: None });
        prop_assert_eq!(&error.details()["status_code"], &Value::from(status));
    }

    #[test]
    fn any_refusal_becomes_an_error_with_all_its_attributes(body in any_json(), status in 400u16..600) {
        let body = body.to_string();
        let error = from_backend(&BackendAnswer { status, body: body.as_bytes(), retry_after: Some("5"), request_id: None });
        prop_assert_eq!(error.attributes().len(), error.kind().attributes().len());
        prop_assert!(!error.message().is_empty());
    }
}
