//! `alter request`: like curl, but the credential is the vault's.

use crate::world::{CREDENTIAL, World, alter, on};
use alter_testkit::http::{Headers, Response};
use alter_testkit::provider::Account;
use serde_json::Value;

#[test]
fn the_provider_sees_the_credential_and_the_caller_does_not() {
    let world = World::new();
    let ran =
        world.request(&["GET", &world.at("/v1/me?a=1"), "--grant", &world.grant, "-H", "Accept: application/json", "--reason", "test"]);
    assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
    assert!(serde_json::from_str::<Value>(ran.stdout.trim()).is_ok(), "{}", ran.stdout);
    assert!(!ran.stdout.contains(CREDENTIAL));
    let seen = world.provider.seen("/v1/").remove(0);
    assert!(seen.authorized && seen.request.target == "/v1/me?a=1");
    assert_eq!(seen.request.headers.get("accept"), Some("application/json"));
    let tail = on(&world.vault, &["audit", "tail", "--json"]).stdout;
    let rows: Vec<Value> = tail.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |action: &str| rows.iter().find(|row| row["action"] == action).unwrap_or_else(|| panic!("no {action} in {tail}")).clone();
    assert_eq!((&of("token.retrieve")["outcome"], &of("token.retrieve")["reason"]), (&"released".into(), &"test".into()));
    assert_eq!(of("call.report")["report"]["response_status"], 200);
}

#[test]
fn bodies_headers_and_parts_go_out_as_given() {
    let world = World::new();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), r#"{"from": "file"}"#).expect("writable");
    let at_file = format!("@{}", file.path().display());
    let url = world.at("/v1/{id}");
    for arguments in [
        &["--path", "id=a/b", "--json-body", r#"{"n": 1}"#][..],
        &["--path", "id=x", "--json-body", &at_file],
        &["--path", "id=x", "--data", "raw", "-q", "k=v w"],
    ] {
        let all: Vec<&str> = ["POST", &url, "--provider", "mail", "-f"].into_iter().chain(arguments.iter().copied()).collect();
        let ran = world.request(&all);
        assert_eq!(ran.exit, 0, "{ran:?}");
    }
    let seen: Vec<(String, String)> =
        world.provider.seen("/v1/").into_iter().map(|s| (s.request.target, String::from_utf8(s.request.body).expect("text"))).collect();
    assert_eq!(seen[0], ("/v1/a%2Fb".into(), r#"{"n": 1}"#.into()));
    assert_eq!(seen[1].1, r#"{"from": "file"}"#);
    assert_eq!(seen[2], ("/v1/x?k=v+w".into(), "raw".into()));
}

#[test]
fn the_answer_can_be_shown_wrapped_or_kept() {
    let world = World::new();
    let answer = Response { status: 200, headers: Headers(vec![("X-Note".into(), "hi".into())]), body: b"plain".to_vec() };
    world.provider.open("/plain/", Account { credentials: Vec::new(), answer: Some(answer) });
    let url = world.at("/plain/");
    assert_eq!(world.request(&["GET", &url, "--grant", &world.grant]).stdout, "plain");
    let shown = world.request(&["GET", &url, "--grant", &world.grant, "-i"]).stdout;
    assert!(shown.starts_with("HTTP 200\n") && shown.contains("x-note: hi\n") && shown.ends_with("\nplain"), "{shown}");
    let wrapped: Value = serde_json::from_str(&world.request(&["GET", &url, "--grant", &world.grant, "--json"]).stdout).expect("JSON");
    assert_eq!((&wrapped["status"], &wrapped["body"]), (&200.into(), &"plain".into()));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("body");
    let kept = world.request(&["GET", &url, "--grant", &world.grant, "-o", path.to_str().expect("text")]);
    assert_eq!((kept.exit, kept.stdout.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(path).expect("written"), "plain");
}

#[test]
fn a_refusing_provider_is_an_answer_unless_failing_is_asked_for() {
    let world = World::new();
    let url = world.at("/v1/x");
    on(&world.vault, &["secret", "update", "mail", "--env", "PATH"]);
    let answered = world.request(&["GET", &url, "--grant", &world.grant]);
    assert_eq!(answered.exit, 0, "{answered:?}");
    assert!(!answered.stdout.is_empty());
    let failed = world.request(&["GET", &url, "--grant", &world.grant, "--fail"]);
    assert_eq!(failed.exit, 1);
    assert!(failed.stderr.contains("401"), "{failed:?}");
}

#[test]
fn mistakes_are_found_before_anything_is_sent() {
    let world = World::new();
    let url = world.at("/v1/x");
    let grant = world.grant.as_str();
    let cases: [(&[&str], &str); 7] = [
        (&["GET", "http://api.example.com/", "--grant", grant], "https"),
        (&["GET", "api.example.com", "--grant", grant], "https://"),
        (&["GET", "https://user:pw@api.example.com/", "--grant", grant], "user name"),
        (&["GET", &world.at("/v1/{id}"), "--grant", grant], "{id}"),
        (&["POST", &url, "--grant", grant, "--json-body", "{not json"], "not JSON"),
        (&["GET", &url, "--grant", grant, "-H", "no-colon"], "NAME: VALUE"),
        (&["GET", &url, "--grant", grant, "--caller", ""], "caller"),
    ];
    for (arguments, word) in cases {
        let ran = world.request(arguments);
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(word), "{word}: {ran:?}");
        assert!(!ran.stderr.contains("pw@"), "{ran:?}");
    }
    assert!(world.provider.seen("/v1/").is_empty());
    let tail = on(&world.vault, &["audit", "tail", "--json"]).stdout;
    assert!(!tail.contains("token.retrieve"), "nothing reached the vault: {tail}");
}

#[test]
fn a_mistyped_key_is_found_without_a_vault() {
    let call = |key: &str| alter(&["request", "GET", "https://api.example.com/", "--grant", "x", "--json"], &[("ALTER_API_KEY", key)], "");
    assert_eq!(call("").error(), ("api_key_missing".into(), 2));
    let mistyped = call("alter_rk_abcdefghijklmnopqrstuv_iwpykm");
    assert_eq!(mistyped.error(), ("api_key_malformed".into(), 2));
    assert!(!mistyped.stderr.contains("alter_rk_abc"));
}

#[test]
fn what_the_vault_refuses_has_its_exit_code() {
    let world = World::new();
    let url = world.at("/v1/x");
    let refusal = |url: &str, grant: &str| world.request(&["GET", url, "--grant", grant, "--json"]).error();
    assert_eq!(refusal(&url, "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f"), ("grant_not_found".into(), 5));
    assert_eq!(refusal(&url, "abc"), ("grant_not_found".into(), 5));
    assert_eq!(refusal("https://elsewhere.example/", &world.grant), ("blocked_destination".into(), 4));
    assert_eq!(world.request(&["GET", &url, "--provider", "nope", "--json"]).error(), ("grant_not_found".into(), 5));
    on(&world.vault, &["grant", "create", "--secret", "mail"]);
    assert_eq!(world.request(&["GET", &url, "--provider", "mail", "--json"]).error(), ("ambiguous_grant".into(), 6));
    assert_eq!(on(&world.vault, &["grant", "revoke", &world.grant, "--yes"]).exit, 0);
    assert_eq!(refusal(&url, &world.grant), ("grant_revoked".into(), 4));
    let told = world.request(&["GET", &url, "--grant", "abc"]);
    assert!(told.reads_well().stderr.contains("alter grant list"));
}

#[test]
fn an_absent_vault_and_an_absent_provider_are_told_apart() {
    let world = World::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address").to_string();
    let key = [("ALTER_API_KEY", world.key.as_str())];
    let no_vault =
        alter(&["request", "GET", "https://x.example/", "--grant", "x", "--json", "--vault", &format!("http://{free}")], &key, "");
    assert_eq!(no_vault.error(), ("vault_unreachable".into(), 3));
    on(&world.vault, &["secret", "update", "mail", "--allow-host", &free]);
    let no_provider = world.request(&["GET", &format!("http://{free}/"), "--grant", &world.grant, "--json"]);
    assert_eq!(no_provider.exit, 1, "{no_provider:?}");
}
