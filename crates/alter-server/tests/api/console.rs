//! The console: an operator signs in with a browser, sees what the admin API tells, and decides.

use http::Method;
use serde_json::{Value, json};

use crate::approvals::{Waiting, text};
use crate::harness::{CREDENTIAL, TestVault};
use crate::people::browser::{Browser, Page};

/// Signs in with an operator key.
async fn sign_in(vault: &TestVault, key: &str) -> (Browser, Page) {
    let mut browser = Browser::new();
    let url = format!("{}/console/sign-in", vault.url);
    let answer = browser.post(&url, &url, &[("key", key)]).await;
    let page = browser.follow(answer).await;
    (browser, page)
}

async fn open(browser: &mut Browser, vault: &TestVault, path: &str) -> Page {
    let page = browser.get(&format!("{}{path}", vault.url)).await;
    browser.follow(page).await
}

#[tokio::test]
async fn an_operator_sees_everything_but_secrets() {
    let waiting = Waiting::new().await;
    let vault = &waiting.site.vault;
    assert_eq!(waiting.site.call("/mail/x", json!({})).await.status, 200);
    assert_eq!(waiting.asked(json!({"url": "https://elsewhere.example/"})).await.status, 422);
    let asked = waiting.ask(json!({"query_params": {"q": "canary-query"}})).await;
    let (mut browser, page) = sign_in(vault, &vault.operator_key).await;
    assert!(page.url.ends_with("/console") && page.text.contains("One call waits"), "{}", page.text);
    for plot in ["at most 1 in one", "Refusals", "The vault is ready"] {
        assert!(page.text.contains(plot), "{plot}: {}", page.text);
    }
    let pages = [
        ("/", "Overview"),
        ("/console/apps", "demo"),
        ("/console/operators", "owner"),
        ("/console/apps/demo", "Keys"),
        ("/console/apps/demo/keys", "proxy:execute"),
        ("/console/apps/demo/grants", waiting.grant.as_str()),
        ("/console/apps/demo/secrets", "mail"),
        ("/console/apps/demo/agents", "It has no agents"),
        ("/console/apps/demo/policies", "baseline"),
        ("/console/apps/demo/providers", "registered at no provider"),
        ("/console/apps/demo/specs", "No description"),
        ("/console/approvals", "to say hello"),
        ("/console/audit", "blocked_destination"),
    ];
    for (path, shown) in pages {
        let page = open(&mut browser, vault, path).await;
        assert!(page.status == 200 && page.text.contains(shown), "{path}: {}", page.text);
        assert!(
            !page.text.contains(CREDENTIAL) && !page.text.contains(&waiting.site.key) && !page.text.contains(&vault.operator_key),
            "{path}"
        );
        assert!(!page.text.contains("canary-query"), "{path}: lists have no query");
    }
    let detail = open(&mut browser, vault, &format!("/console/approvals/{}", text(&asked["approval_group_id"]))).await;
    assert!(detail.text.contains("canary-query") && !detail.text.contains(CREDENTIAL), "who decides sees the whole call: {}", detail.text);
    for missing in ["/console/apps/nobody/keys", "/console/apps/demo/nothing", "/console/approvals/x"] {
        assert_eq!(open(&mut browser, vault, missing).await.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn a_table_is_searched_sorted_and_paged_by_its_address() {
    let vault = TestVault::start().await;
    vault.made("/apps", json!({"name": "demo"})).await;
    for number in 0..60 {
        vault.made("/apps/demo/agents", json!({"name": format!("agent-{number:02}")})).await;
    }
    let (mut browser, _) = sign_in(&vault, &vault.operator_key).await;
    let first = open(&mut browser, &vault, "/console/apps/demo/agents").await.text;
    assert!(first.contains("1 to 50 of 60") && first.contains("agent-49") && !first.contains("agent-50"), "{first}");
    let next = open(&mut browser, &vault, "/console/apps/demo/agents?q=&sort=-name&from=50").await.text;
    assert!(next.contains("agent-09") && !next.contains("agent-10") && next.contains("aria-sort=\"descending\""), "{next}");
    let found = open(&mut browser, &vault, "/console/apps/demo/agents?q=AGENT-17").await.text;
    assert!(found.contains("1 in all") && found.contains("agent-17") && !found.contains("agent-18"), "{found}");
    let none = open(&mut browser, &vault, "/console/apps/demo/agents?q=%3Cscript%3E").await.text;
    assert!(none.contains("Nothing here has") && !none.contains("<script>"), "{none}");
}

#[tokio::test]
async fn the_audit_is_searched_and_exported() {
    let waiting = Waiting::new().await;
    let vault = &waiting.site.vault;
    waiting.site.call("/mail/x", json!({"reason": "=1+1, \"quoted\""})).await;
    waiting.asked(json!({"url": "https://elsewhere.example/", "reason": "an errand"})).await;
    let search = async |query: &str| vault.read(&format!("/audit/search?{query}")).await["items"].as_array().cloned().expect("rows");
    assert_eq!(search("action=proxy.call").await.len(), 2);
    assert_eq!(search("action=proxy.call&outcome=released").await.len(), 1);
    assert_eq!(search("text=ERRAND").await[0]["code"], "blocked_destination");
    assert_eq!(search(&format!("grant={}&outcome=done", waiting.site.grant)).await.len(), 3, "made, minted from, and answered");
    assert_eq!(search("app=vault&action=app.create").await.len(), 1);
    assert_eq!(search("until=2026-01-01T00%3A00%3A00Z").await.len(), 0);
    assert!(!search("from=2026-01-01T00%3A00").await.is_empty(), "as a browser's field writes it");
    let newest = vault.read("/audit/search?limit=2").await;
    let older = vault.read(&format!("/audit/search?limit=1000&after={}", text(&newest["next"]))).await;
    let all = search("limit=1000").await;
    assert_eq!([newest["items"].as_array().expect("rows").clone(), older["items"].as_array().expect("rows").clone()].concat(), all);
    for wrong in ["from=yesterday", "outcome=maybe", "grant=x", "app=nobody"] {
        let answer = vault.admin(Method::GET, &format!("/audit/search?{wrong}"), Value::Null).await;
        assert!(answer.status.is_client_error(), "{wrong}: {:?}", answer.json());
    }
    for (hours, status) in [("24", 200), ("0", 400), ("169", 400)] {
        assert_eq!(vault.admin(Method::GET, &format!("/activity?hours={hours}"), Value::Null).await.status, status);
    }
    let activity = vault.read("/activity").await;
    let last = &activity["items"][23];
    assert_eq!((activity["items"].as_array().map(Vec::len), &last["calls"], &last["refusals"]), (Some(24), &json!(1), &json!(1)));

    let (mut browser, _) = sign_in(vault, &vault.operator_key).await;
    let page = open(&mut browser, vault, "/console/audit?text=errand&from=nonsense").await;
    assert!(page.text.contains("from must be a time"), "{}", page.text);
    let csv = open(&mut browser, vault, "/console/audit/export?format=csv&action=proxy.call").await;
    assert_eq!(csv.text.lines().count(), 3, "{}", csv.text);
    assert!(csv.text.contains("\"'=1+1, \"\"quoted\"\"\""), "no formula: {}", csv.text);
    let lines = open(&mut browser, vault, "/console/audit/export?format=jsonl").await;
    let rows: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(rows.len() >= all.len());
}

#[tokio::test]
async fn an_operator_decides_about_a_call_here_too() {
    let waiting = Waiting::new().await;
    let vault = &waiting.site.vault;
    let asked = waiting.ask(json!({})).await;
    let (mut browser, _) = sign_in(vault, &vault.operator_key).await;
    let path = format!("/console/approvals/{}", text(&asked["approval_group_id"]));
    let url = format!("{}{path}", vault.url);
    let digest = text(&waiting.shown(&asked).await["digest"]);
    let nothing = browser.post(&url, &url, &[]).await;
    assert_eq!(nothing.status, 400);
    let foreign = browser.post(&url, "https://evil.example/", &[("decision", "approve"), ("digest", &digest)]).await;
    assert_eq!(foreign.status, 403);
    let other = browser.post(&url, &url, &[("decision", "approve"), ("digest", "00")]).await;
    assert!(other.text.contains("is not the call that waits"), "{}", other.text);
    assert_eq!(waiting.status(&asked).await["status"], "pending");
    let decided = browser.post(&url, &url, &[("decision", "approve"), ("digest", &digest), ("reason", "fine")]).await;
    assert_eq!(decided.status, 303);
    waiting.until(&asked, "executed").await;
    let page = open(&mut browser, vault, &path).await;
    assert!(page.text.contains("A call: executed") && page.text.contains("by operator owner"), "{}", page.text);
    assert_eq!(waiting.received().len(), 1);
}

#[tokio::test]
async fn who_is_not_signed_in_sees_nothing() {
    let waiting = Waiting::new().await;
    let vault = &waiting.site.vault;
    for path in ["/console", "/console/audit", "/console/audit/export", "/console/apps/demo/grants", "/console/approvals"] {
        let page = open(&mut Browser::new(), vault, path).await;
        assert!(page.url.ends_with("/console/sign-in"), "{path}: {page:?}");
    }
    for key in ["", "alter_pat_unknown", &waiting.site.key] {
        let (_, page) = sign_in(vault, key).await;
        assert!(page.status == 401 && page.text.contains("no operator key"), "{key}: {page:?}");
    }
    let mut forged = Browser::new();
    let operator = vault.read("/operators").await["items"][0]["id"].clone();
    let claimed = format!("{}.{}.{}.AAAA", text(&operator).replace('-', ""), 1_767_225_600_000_i64, 1_767_225_600_000_i64);
    let request = http::Request::get(format!("{}/console", vault.url)).header("cookie", format!("alter_console={claimed}"));
    let page = forged.answer(request.body(Default::default()).expect("a request"), &vault.url).await;
    assert_eq!(
        (page.status, page.location().map(|url| url.ends_with("/console/sign-in"))),
        (303, Some(true)),
        "nobody makes a cookie but the vault"
    );
}

#[tokio::test]
async fn a_sign_in_ends() {
    let vault = TestVault::start().await;
    let (mut browser, _) = sign_in(&vault, &vault.operator_key).await;
    for _ in 0..23 {
        vault.advance(29 * 60);
        assert!(open(&mut browser, &vault, "/console").await.url.ends_with("/console"), "it goes on while it is used");
    }
    vault.advance(53 * 60);
    assert!(open(&mut browser, &vault, "/console").await.url.ends_with("/sign-in"), "half an hour without use");
    let (mut browser, _) = sign_in(&vault, &vault.operator_key).await;
    for _ in 0..24 {
        vault.advance(29 * 60);
        open(&mut browser, &vault, "/console").await;
    }
    vault.advance(25 * 60);
    assert!(open(&mut browser, &vault, "/console").await.url.ends_with("/sign-in"), "twelve hours in all");

    let made = vault.made("/operators", json!({"name": "eve", "role": "auditor"})).await;
    let (mut eve, page) = sign_in(&vault, &text(&made["operator_key"])).await;
    assert!(page.text.contains("eve (auditor)"), "{}", page.text);
    vault.made("/operators/eve/revoke", json!({})).await;
    assert!(open(&mut eve, &vault, "/console").await.url.ends_with("/sign-in"), "who is revoked is out");

    let (mut browser, _) = sign_in(&vault, &vault.operator_key).await;
    let out = browser.post(&format!("{}/console/sign-out", vault.url), &vault.url, &[]).await;
    assert_eq!(out.status, 303);
    assert!(open(&mut browser, &vault, "/console").await.url.ends_with("/sign-in"));
}

#[tokio::test]
async fn an_auditor_reads_and_does_not_decide() {
    let waiting = Waiting::new().await;
    let vault = &waiting.site.vault;
    let asked = waiting.ask(json!({})).await;
    let key = waiting.operator("eve", "auditor").await;
    let (mut browser, _) = sign_in(vault, &key).await;
    assert_eq!(open(&mut browser, vault, "/console/audit").await.status, 200);
    let path = format!("{}/console/approvals/{}", vault.url, text(&asked["approval_group_id"]));
    assert_eq!(browser.get(&path).await.status, 403, "what a call says is for those who decide");
    assert_eq!(browser.post(&path, &path, &[("decision", "deny")]).await.status, 403);
    assert_eq!(waiting.status(&asked).await["status"], "pending");
}
