//! What operators forbid, hold or narrow.

use alter_server::api::KNOWN_SCOPES;
use http::Method;
use serde_json::{Value, json};

use super::Site;
use crate::harness::{Answer, Signed, token_body};

impl Site {
    async fn policy(&self, name: &str, source: &str) -> Value {
        self.vault.made("/apps/demo/policies", json!({"name": name, "source": source})).await
    }

    async fn posting(&self, body: Value) -> Answer {
        self.call("/mail/messages", json!({"method": "POST", "body": body})).await
    }

    async fn explained(&self, more: Value) -> Value {
        let mut asked = json!({"grant": self.grant, "method": "POST", "url": format!("{}/mail/messages", self.provider.url())});
        asked.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let answer = self.vault.admin(Method::POST, "/apps/demo/policies/explain", asked).await;
        assert!(answer.status.is_success(), "{:?}", answer.json());
        answer.json()
    }

    fn retrieval(&self) -> Signed {
        let mut body = token_body(&self.grant);
        body["request"]["url"] = json!(format!("{}/mail/messages", self.provider.url()));
        Signed::token(&self.key, &body)
    }
}

#[tokio::test]
async fn a_call_that_is_forbidden_is_told_by_which_policy_and_what_would_pass() {
    let site = Site::new().await;
    let no_posts = r#"@reason("Nobody writes on Fridays.") forbid (principal, action, resource) when { context.method == "POST" };"#;
    let made = site.policy("no-posts", no_posts).await;
    assert_eq!((&made["version"], &made["rules"][0]["policy"]), (&json!(1), &json!("no-posts/1")));
    let denied = site.posting(json!({"to": "ada"})).await;
    assert_eq!(denied.refusal(), (403, "policy_denied".into()));
    let (body, rule) = (denied.json(), denied.json()["details"]["policies"][0].clone());
    assert_eq!((&rule["policy"], &rule["reason"]), (&json!("no-posts/1"), &json!("Nobody writes on Fridays.")));
    assert!(body["message"].as_str().is_some_and(|text| text.contains("no-posts/1") && text.contains("Fridays")), "{body}");
    assert!(rule["satisfied_by"].as_str().is_some_and(|text| !text.is_empty()));
    let row = site.vault.last_row().await;
    assert!(row["detail"].to_string().contains("no-posts/1") || row.to_string().contains("no-posts/1"), "{row}");
    assert_eq!(site.call("/mail/messages", json!({})).await.json()["status_code"], 200);
    assert_eq!(site.retrieval().send(&site.vault).await.refusal(), (400, "restricted_grant_requires_proxy".into()));

    let changed = json!({"source": "forbid (principal, action, resource) when { context.method == \"DELETE\" };", "expected_version": 1});
    let update = |body: Value| site.vault.admin(Method::PATCH, "/apps/demo/policies/no-posts", body);
    assert_eq!(update(changed.clone()).await.json()["version"], 2);
    assert_eq!(update(changed).await.refusal(), (409, "policy_changed".into()));
    assert_eq!(site.posting(json!({})).await.json()["status_code"], 200, "what is changed holds at once");
    site.vault.admin(Method::DELETE, "/apps/demo/policies/no-posts", json!(null)).await;
    assert_eq!(site.retrieval().send(&site.vault).await.status, 200);
    assert_eq!(site.provider.seen("/mail/").len(), 2);
}

#[tokio::test]
async fn a_policy_is_about_an_agent_or_a_grant_by_its_id() {
    let site = Site::new().await;
    let agent = site.vault.made("/apps/demo/agents", json!({"name": "planner"})).await["agent_id"].as_str().expect("an id").to_owned();
    site.policy("agents", &format!("forbid (principal == Agent::\"{agent}\", action, resource);")).await;
    assert_eq!(site.posting(json!({})).await.json()["status_code"], 200);
    let spoken = site.signed("/mail/x", json!({})).with("x-alter-caller", &agent).with("x-alter-caller-type", "agent");
    assert_eq!(spoken.send(&site.vault).await.refusal(), (403, "policy_denied".into()));
    site.policy("grants", &format!("forbid (principal, action, resource == Grant::\"{}\");", site.grant)).await;
    assert_eq!(site.posting(json!({})).await.refusal(), (403, "policy_denied".into()));
    assert_eq!(site.retrieval().send(&site.vault).await.refusal(), (403, "policy_denied".into()));
}

#[tokio::test]
async fn what_is_not_known_of_a_call_refuses_it_until_it_is_described() {
    let site = Site::new().await;
    site.policy("no-sending", "forbid (principal, action, resource) when { context.family.send };").await;
    let unknown = site.posting(json!({})).await;
    assert_eq!(unknown.refusal(), (403, "policy_not_evaluable".into()));
    assert_eq!(unknown.json()["details"]["policies"][0]["not_known"], json!(["family.send"]));
    let document = json!({"openapi": "3.1.0", "paths": {"/mail/messages": {"post": {"operationId": "send"}}, "/mail/search": {"post": {"operationId": "search"}}}});
    let loaded = json!({"document": document, "families": {"send": ["send"], "search": []}});
    site.vault.admin(Method::PUT, "/apps/demo/specs/mail", loaded).await;
    assert_eq!(site.posting(json!({})).await.refusal(), (403, "policy_denied".into()));
    assert_eq!(site.call("/mail/search", json!({"method": "POST"})).await.json()["status_code"], 200);
    assert_eq!(site.call("/mail/other", json!({"method": "POST"})).await.refusal(), (403, "policy_not_evaluable".into()));
}

#[tokio::test]
async fn rules_hold_narrow_and_ask_for_a_session() {
    let site = Site::new().await;
    site.policy("ssn", r#"@effect("redact") @fields("ssn") forbid (principal, action, resource) when { context.path like "/mail/*" };"#)
        .await;
    assert_eq!(site.posting(json!({"n": 1, "ssn": "canary"})).await.json()["status_code"], 200);
    assert_eq!(site.provider.seen("/mail/")[0].request.body, br#"{"n":1}"#);
    assert_eq!(site.retrieval().send(&site.vault).await.refusal(), (400, "restricted_grant_requires_proxy".into()));
    site.vault.admin(Method::DELETE, "/apps/demo/policies/ssn", json!(null)).await;

    site.policy("session", r#"@effect("step_up") @max_session_age_seconds("300") forbid (principal, action, resource);"#).await;
    let asked = site.posting(json!({})).await;
    assert_eq!((asked.refusal(), &asked.json()["max_session_age_seconds"]), ((403, "step_up_required".into()), &json!(300)));
    assert_eq!(site.retrieval().send(&site.vault).await.refusal(), (403, "step_up_required".into()));
    site.vault.admin(Method::DELETE, "/apps/demo/policies/session", json!(null)).await;

    site.policy(
        "ask",
        r#"@effect("approval") @approvers("operator:bob") forbid (principal, action, resource) when { context.method == "POST" };"#,
    )
    .await;
    site.policy("ask-too", r#"@effect("approval") @approvers("ada@example.com") forbid (principal, action == Action::"proxy", resource);"#)
        .await;
    let held = site.posting(json!({"to": "ada"})).await;
    assert_eq!((held.status.as_u16(), held.json()["gates"].as_array().map(Vec::len)), (202, Some(2)), "{:?}", held.json());
    assert_eq!(site.call("/mail/x", json!({})).await.json()["gates"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        site.retrieval().send(&site.vault).await.refusal(),
        (400, "restricted_grant_requires_proxy".into()),
        "it asks for the method"
    );
    assert_eq!(site.provider.seen("/mail/").len(), 1);
}

#[tokio::test]
async fn no_more_calls_pass_than_a_rate_lets_pass() {
    let site = Site::new().await;
    site.policy("slow", r#"@rate("2/minute") @per("key") forbid (principal, action, resource) when { context.method == "POST" };"#).await;
    for _ in 0..2 {
        assert_eq!(site.posting(json!({})).await.json()["status_code"], 200);
    }
    let full = site.posting(json!({})).await;
    assert_eq!((full.refusal(), full.header("retry-after").is_some()), ((429, "rate_limit_exceeded".into()), true));
    assert_eq!(full.json()["details"]["policies"][0]["policy"], "slow/1");
    assert_eq!(site.call("/mail/x", json!({})).await.json()["status_code"], 200, "the rule is not about it");
    let other = site.vault.key(json!({"scopes": KNOWN_SCOPES})).await;
    let body = site.asking("/mail/messages", json!({"method": "POST"}));
    assert_eq!(
        Signed::post("/sdk/proxy", &other, &body).send(&site.vault).await.json()["status_code"],
        200,
        "another key has a count of its own"
    );
    site.vault.advance(60);
    assert_eq!(site.posting(json!({})).await.json()["status_code"], 200);
    assert_eq!(site.provider.seen("/mail/").len(), 5);
}

#[tokio::test]
async fn of_calls_at_once_only_so_many_pass() {
    let site = Site::new().await;
    site.policy("three", r#"@rate("3/day") forbid (principal, action, resource);"#).await;
    let calls = (0..10).map(|_| site.posting(json!({})));
    let mut passed = 0;
    for answer in futures_of(calls).await {
        match answer.status.as_u16() {
            200 => passed += 1,
            429 => {}
            other => panic!("{other}: {:?}", answer.json()),
        }
    }
    assert_eq!((passed, site.provider.seen("/mail/").len()), (3, 3));
}

/// All of them at once.
async fn futures_of<F: Future<Output = Answer>>(calls: impl Iterator<Item = F>) -> Vec<Answer> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers
}

#[tokio::test]
async fn a_policy_is_checked_before_it_is_saved() {
    let site = Site::new().await;
    let create = async |name: &str, source: &str| {
        site.vault.admin(Method::POST, "/apps/demo/policies", json!({"name": name, "source": source})).await
    };
    let forbid = "forbid (principal, action, resource);";
    let wrong = create("wrong", &format!("{forbid}\nforbid (principal, action, resource) when {{ context.weather == 1 }};")).await;
    assert_eq!((wrong.refusal(), &wrong.json()["details"]["line"]), ((422, "policy_invalid".into()), &json!(2)));
    let nobody = format!("forbid (principal == Agent::\"{}\", action, resource);", uuid::Uuid::new_v4());
    for source in [nobody.as_str(), "forbid (principal == Agent::\"planner\", action, resource);", "permit (principal, action, resource);"]
    {
        assert_eq!(create("wrong", source).await.refusal(), (422, "policy_invalid".into()), "{source}");
    }
    assert_eq!(create("baseline", forbid).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(create("No Good", forbid).await.refusal().0, 400);
    site.policy("all", forbid).await;
    assert_eq!(create("all", forbid).await.refusal(), (409, "policy_exists".into()));
    let listed = site.vault.read("/apps/demo/policies").await;
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["built_in"], &listed["items"][1]["name"]),
        (&json!("baseline"), &json!(true), &json!("all"))
    );
    let admin = async |method: Method, path: &str, body: Value| site.vault.admin(method, path, body).await.refusal();
    assert_eq!(admin(Method::PATCH, "/apps/demo/policies/baseline", json!({"source": forbid})).await, (409, "policy_built_in".into()));
    assert_eq!(admin(Method::DELETE, "/apps/demo/policies/none", json!(null)).await, (404, "policy_not_found".into()));
    let checked = site.vault.admin(Method::POST, "/apps/demo/policies/check", json!({"source": format!("@id(\"a\") {forbid}")})).await;
    assert_eq!((&checked.json()["valid"], &checked.json()["rules"][0]["effect"]), (&json!(true), &json!("deny")));
    let bad = site.vault.admin(Method::POST, "/apps/demo/policies/check", json!({"source": "x"})).await;
    assert_eq!(bad.refusal(), (422, "policy_invalid".into()));
}

#[tokio::test]
async fn it_is_explained_why_a_call_passes_or_not() {
    let site = Site::new().await;
    site.policy("office", r#"@outside_windows("mon-fri 09:00-17:00 Europe/Berlin") forbid (principal, action, resource);"#).await;
    let friday = site.explained(json!({"at": "2026-11-27T10:00:00Z"})).await;
    assert_eq!((&friday["decision"], &friday["rules"]), (&json!("allow"), &json!([])));
    let saturday = site.explained(json!({"at": "2026-11-28T10:00:00Z"})).await;
    assert_eq!(
        (&saturday["decision"], &saturday["refusal"]["code"], &saturday["rules"][0]["policy"]),
        (&json!("deny"), &json!("policy_denied"), &json!("office/1"))
    );
    let tried =
        json!({"office": null, "ask": r#"@effect("approval") @approvers("ada@example.com") forbid (principal, action, resource);"#});
    let held = site.explained(json!({"at": "2026-11-28T10:00:00Z", "policies": tried})).await;
    assert_eq!((&held["decision"], &held["approvals"]), (&json!("approval"), &json!([["ada@example.com"]])));
    let elsewhere = site.explained(json!({"url": "https://elsewhere.example/", "at": "2026-11-27T10:00:00Z"})).await;
    assert_eq!((&elsewhere["decision"], &elsewhere["refusal"]["code"]), (&json!("deny"), &json!("blocked_destination")));
    assert!(site.provider.seen("/").is_empty());
    let refused = async |body: Value| site.vault.admin(Method::POST, "/apps/demo/policies/explain", body).await.refusal();
    assert_eq!(refused(json!({"url": "https://h.example/"})).await, (400, "invalid_request".into()));
    assert_eq!(refused(json!({"url": "/x", "grant": site.grant})).await, (400, "invalid_request".into()));
    assert_eq!(refused(json!({"url": "https://h.example/", "provider": "nobody"})).await.0, 404);
}
