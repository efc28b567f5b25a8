//! Two vaults on one PostgreSQL database: what is settled once is settled for both.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use alter_sdk::{App, Proxied, ProxyRequest, WaitForApproval};
use alter_testkit::postgres::PostgresServer;
use alter_testkit::provider::{Account, Credential, Provider};
use alter_testkit::vault::Vault;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::world::{CREDENTIAL, Ran, on_with, program};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The vaults, which share a master key, and what they call.
struct Pair {
    vaults: [Vault; 2],
    provider: Provider,
    key: String,
    /// The keys of two operators.
    operators: [String; 2],
}

impl Pair {
    /// On a database of this name.
    fn new(database: &str) -> Self {
        let provider = Provider::start().expect("a provider");
        let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/v1/", Account { credentials: vec![credential], answer: None });
        let (store, host) = (PostgresServer::shared().database(database), provider.address().to_string());
        let settings = [("ALTER_STORE", store.as_str()), ("ALTER_EGRESS_ALLOW", &host)];
        let first = Vault::start_in(program(), &settings).expect("the vault starts");
        let master = std::fs::read_to_string(first.data().join("master.key")).expect("a key");
        let second = Vault::start_in(program(), &[&settings[..], &[("ALTER_MASTER_KEY", master.trim())]].concat());
        let one = |arguments: &[&str], input: &str| first.records(arguments, input).expect("it works").remove(0);
        let text = |record: Value, member: &str| record[member].as_str().expect("text").to_owned();
        one(&["app", "create", "demo"], "");
        let key = text(one(&["key", "create", "--scope", "proxy:execute"], ""), "api_key");
        one(&["secret", "create", "mail", "--bearer", "--allow-host", &host, "--stdin"], CREDENTIAL);
        let operators = ["ada", "bob"].map(|name| text(one(&["key", "create", "--operator", name], ""), "operator_key"));
        Self { vaults: [first, second.expect("the second vault starts")], provider, key, operators }
    }

    fn grant(&self, more: &[&str]) -> String {
        let made = self.vaults[0].records(&[&["grant", "create", "--secret", "mail"], more].concat(), "").expect("a grant");
        made[0]["grant_id"].as_str().expect("an id").to_owned()
    }

    /// A client of one of them.
    fn client(&self, vault: usize) -> App {
        App::builder(self.key.as_str()).base_url(self.vaults[vault].url()).build().expect("a client")
    }

    fn url(&self) -> String {
        format!("{}/v1/send", self.provider.url())
    }
}

#[test]
fn two_people_who_agree_at_once_at_a_vault_each_make_one_call() {
    let pair = Pair::new("deciding");
    let grant = pair.grant(&["--requires-approval"]);
    let runtime = Runtime::new().expect("a runtime");
    for turn in 1..=3 {
        let asked = runtime.block_on(pair.client(0).proxy_request("POST", &pair.url(), ProxyRequest::new().grant_id(grant.as_str())));
        let Proxied::Pending(pending) = asked.expect("it waits") else { panic!("nobody was asked") };
        let start = Barrier::new(2);
        let decide = |place: usize| -> Ran {
            let operator = [("ALTER_OPERATOR_KEY", pair.operators[place].as_str())];
            start.wait();
            on_with(&pair.vaults[place], &["approval", "approve", &pending.approval_id, "--yes", "--json"], &operator, "")
        };
        let decided = thread::scope(|scope| {
            let other = scope.spawn(|| decide(1));
            [decide(0), other.join().expect("no panic")]
        });
        let (won, lost): (Vec<&Ran>, Vec<&Ran>) = decided.iter().partition(|ran| ran.exit == 0);
        assert_eq!((won.len(), lost.len()), (1, 1), "{decided:?}");
        assert_eq!(lost[0].error().0, "approval_decided", "{decided:?}");
        // Whoever asks, at whichever vault, gets the one answer.
        for vault in [0, 1] {
            let wait = WaitForApproval::new().timeout(PATIENCE);
            let result = runtime.block_on(pair.client(vault).await_approval(&pending.approval_id, wait));
            assert_eq!(result.expect("a result").status_code, 200);
        }
        assert_eq!(pair.provider.seen("/v1/").len(), turn);
    }
}

#[test]
fn a_rate_is_counted_for_both() {
    const MOST: usize = 7;
    let pair = Arc::new(Pair::new("counting"));
    let grant = pair.grant(&[]);
    let policy = format!("@rate(\"{MOST}/day\") forbid (principal, action, resource);");
    pair.vaults[0].records(&["policy", "create", "seven", "--stdin"], &policy).expect("a policy");
    let runtime = Runtime::new().expect("a runtime");
    let outcomes = runtime.block_on(async {
        let calls: Vec<_> = (0..20)
            .map(|n| {
                let (client, url, call) = (pair.client(n % 2), pair.url(), ProxyRequest::new().grant_id(grant.as_str()));
                tokio::spawn(async move { client.proxy_request("POST", &url, call).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(call.await.expect("no panic"));
        }
        outcomes
    });
    let passed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(
        outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|error| error.code() == "rate_limit_exceeded"),
        "{outcomes:?}"
    );
    assert_eq!((passed, pair.provider.seen("/v1/").len()), (MOST, MOST));
}
