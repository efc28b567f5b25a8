use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::*;

fn file(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file, read anew from disk: its name without `.json`, and what is in it.
fn files() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue/providers");
    let names = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    names.map(|name| (name.strip_suffix(".json").expect("only JSON").to_owned(), file(&format!("catalogue/providers/{name}")))).collect()
}

#[test]
fn the_program_reads_what_the_files_say() {
    let files = files();
    assert_eq!(Catalogue::shipped().iter().len(), files.len());
    for (name, entry) in files {
        let provider =
            Catalogue::shipped().get(&name).unwrap_or_else(|| panic!("{name}.json has another id, or the program was not built anew"));
        assert_eq!(serde_json::to_value(provider).expect("JSON"), entry, "{name}: what was read is not what stands there");
        assert_eq!(check(provider), Ok(()), "{name}");
    }
}

#[test]
fn the_ids_are_those_of_the_public_enum() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/alter_sdk/providers/enums.py");
    let source = std::fs::read_to_string(source).expect("the enum");
    let (_, provider) = source.split_once("class Provider(StrEnum):").expect("the class");
    let ids: BTreeSet<&str> = provider.lines().filter_map(|line| line.split_once(" = \"")?.1.strip_suffix('"')).collect();
    assert_eq!(ids.len(), 71);
    assert_eq!(Catalogue::shipped().iter().map(|provider| provider.id.as_str()).collect::<BTreeSet<_>>(), ids);
}

#[test]
fn every_entry_says_where_it_is_from_and_how_sure_it_is() {
    for (name, entry) in files() {
        for path in entry["from_memory"].as_array().expect("a list").iter().filter_map(Value::as_str) {
            assert!(
                entry.pointer(&format!("/{}", path.replace('.', "/"))).is_some(),
                "{name}: from_memory names {path}, which is not there"
            );
        }
    }
}

#[test]
fn what_an_entry_must_not_say_is_named() {
    let refused = |change: fn(&mut Provider)| {
        let mut provider = Catalogue::shipped().get("github").expect("shipped").clone();
        change(&mut provider);
        check(&provider).expect_err("refused").member
    };
    type Change = fn(&mut Provider);
    let cases: [(&str, Change); 21] = [
        ("id", |p| p.id = "Git".into()),
        ("id", |p| p.id = "a--b".into()),
        ("name", |p| p.name = "\n".into()),
        ("settings", |p| p.settings = vec!["access_token".into()]),
        ("authorization.url", |p| p.authorization.url = "http://github.com/authorize".into()),
        ("authorization.url", |p| p.authorization.url = "https://github.com/authorize?x=1".into()),
        ("authorization.url", |p| p.authorization.url = "https://github.com/#/authorize".into()),
        ("authorization.url", |p| p.authorization.url = "https://{host}/authorize".into()),
        ("token.url", |p| p.token.url = "https://user@github.com/token".into()),
        ("refresh.url", |p| p.refresh.url = Some("ftp://github.com".into())),
        ("authorization.parameters.state", |p| drop(p.authorization.parameters.insert("state".into(), "x".into()))),
        ("token.parameters.code_verifier", |p| drop(p.token.parameters.insert("code_verifier".into(), "x".into()))),
        ("refresh.parameters.refresh_token", |p| drop(p.refresh.parameters.insert("refresh_token".into(), "x".into()))),
        ("token.answer.scope", |p| p.token.answer.scope = Some("scope".into())),
        ("api.hosts", |p| p.api.hosts.clear()),
        ("api.hosts[0]", |p| p.api.hosts[0] = "https://api.github.com/".into()),
        ("api.base_url", |p| p.api.base_url = Some("https://evil.example".into())),
        ("api.base_url", |p| p.api.base_url = Some("https://api.github.com/".into())),
        ("revocation.call", |p| p.revocation.as_mut().expect("it has one").call.authorization_header = Some("Bearer {unknown}".into())),
        ("revocation.call.url", |p| p.revocation.as_mut().expect("it has one").call.url = "https://api.github.com/{access_token}".into()),
        ("account.call.url", |p| p.account.as_mut().expect("it has one").call.url = "http://api.github.com/user".into()),
    ];
    for (member, change) in cases {
        assert_eq!(refused(change), member);
    }
}

#[test]
fn settings_become_parts_of_urls_and_nothing_else() {
    let rippling = Catalogue::shipped().get("rippling").expect("shipped");
    let judged =
        |name: &str, value: &str| check_settings(rippling, &BTreeMap::from([(name.to_owned(), value.to_owned())])).map_err(|w| w.member);
    assert_eq!(judged("app_name", "My_App-2.0"), Ok(()));
    for value in ["", "a/b", "a?b", "..", "a.", "ä", "a b", "a@b", "%2e"] {
        assert_eq!(judged("app_name", value), Err("settings.app_name".into()), "{value:?}");
    }
    assert_eq!(
        check_settings(rippling, &BTreeMap::new()).map_err(|w| w.to_string()),
        Err("settings.app_name is missing: the URLs of rippling need it".into())
    );
    let github = Catalogue::shipped().get("github").expect("shipped");
    assert!(check_settings(github, &BTreeMap::from([("host".into(), "x".into())])).is_err());
}

#[test]
fn scopes_are_explained_where_that_is_known() {
    let mut provider = Catalogue::shipped().get("google").expect("an entry").clone();
    provider.scopes = [("email".to_owned(), "Read your address".to_owned()), ("x".to_owned(), "Do x".to_owned())].into();
    let meanings = ["email", "x", "offline_access", "y"].map(|scope| provider.meaning(scope));
    assert_eq!(meanings, [Some("Read your address"), Some("Do x"), Some("Use this while you are away"), None]);
}
