//! Whatever returns a key or a grant: ten thousand requests, by keys with any scopes, constraints and rules, for anything. What is made never reaches further than the
//! request that made it.
//!
//! The model here knows what a scope implies, and nothing else of the vault: it is told what each request may do, and looks at what came of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use alter_core::signing::headers;
use alter_server::api::KNOWN_SCOPES;
use alter_server::clock::Timestamp;
use alter_server::model::{GrantId, KeyId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Signed, TestVault};

const REQUESTS: usize = 10_000;
const WALKERS: usize = 16;
/// Keys and grants that are kept to go on with; later ones take the places of earlier ones.
const KEPT: usize = 200;
/// The limit of keys that have none of their own.
const USUAL_LIMIT: u32 = 10_000_000;
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("small")
    }

    fn some<'a>(&mut self, all: &[&'a str], most: usize) -> Vec<&'a str> {
        (0..=self.roll(most)).map(|_| all[self.roll(all.len())]).collect()
    }
}

#[derive(Clone)]
struct Key {
    text: String,
    id: String,
    scopes: BTreeSet<String>,
    ends: Option<Timestamp>,
    limit: u64,
}

#[derive(Clone)]
struct Grant {
    id: String,
    approval: bool,
    methods: Option<BTreeSet<String>>,
    ends: Option<Timestamp>,
}

#[derive(Default)]
struct World {
    keys: Vec<Key>,
    grants: Vec<Grant>,
    made: [usize; 5],
}

/// Whether a held scope allows what another one does: `admin` holds `write` holds `read`, and a scope holds those below it.
fn allows(held: &BTreeSet<String>, wanted: &str) -> bool {
    let rank = |verb: &str| ["read", "write", "admin"].iter().position(|known| *known == verb);
    held.iter().any(|held| {
        let (Some((of, verb)), Some((asked_of, asked))) = (held.split_once(':'), wanted.split_once(':')) else { return held == wanted };
        let higher = rank(verb).zip(rank(asked)).is_some_and(|(held, asked)| held >= asked);
        held == wanted || wanted.starts_with(&format!("{held}:")) || (of == asked_of && higher)
    })
}

fn ends(value: &Value) -> Option<Timestamp> {
    value.as_str().map(|text| Timestamp::parse(text).expect("a time"))
}

fn no_later(child: Option<Timestamp>, parent: Option<Timestamp>) -> bool {
    parent.is_none_or(|parent| child.is_some_and(|child| child <= parent))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_made_reaches_further_than_the_request_that_made_it() {
    let vault = TestVault::start_in(&[("ALTER_RATE_LIMIT_RPM", "10000000")]).await;
    vault.made("/apps", json!({"name": "demo"})).await;
    let mut world = World::default();
    let sets: [&[&str]; 5] = [
        KNOWN_SCOPES,
        &["keys:admin", "keys:derive", "tokens:retrieve", "grants:read"],
        &["agents:admin", "proxy:execute", "grants:write"],
        &["keys:derive", "agents:read", "grants:write"],
        &["agents:write", "keys:derive", "secrets:write", "tokens:retrieve"],
    ];
    for scopes in sets {
        for (life, limit) in [(None, 10_000_000), (Some(3600), 500_000)] {
            let wanted = json!({"scopes": scopes, "expires_in": life, "rate_limit_rpm": limit});
            let made = vault.made("/apps/demo/keys", wanted).await;
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let text = |member: &str| made[member].as_str().expect("text").to_owned();
            world.keys.push(Key { text: text("api_key"), id: text("id"), scopes, ends: ends(&made["expires_at"]), limit });
        }
    }
    vault
        .made(
            "/apps/demo/secrets",
            json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": "t"}}),
        )
        .await;
    for life in [None, Some(7200)] {
        let id = vault.grant(json!({"secret": "mail", "label": format!("{life:?}"), "expires_in": life})).await;
        let ends = life.map(|seconds| Timestamp::from_millis(1_767_225_600_000 + seconds * 1000));
        world.grants.push(Grant { id, approval: false, methods: None, ends });
    }
    let agent = vault.made("/apps/demo/agents", json!({"name": "planner"})).await["agent_id"].as_str().expect("an id").to_owned();
    let (vault, world) = (Arc::new(vault), Arc::new(Mutex::new(world)));
    let mut walkers = tokio::task::JoinSet::new();
    for walker in 0..WALKERS {
        walkers.spawn(walk(Arc::clone(&vault), Arc::clone(&world), agent.clone(), Dice(walker as u64)));
    }
    while let Some(walked) = walkers.join_next().await {
        walked.expect("nothing widens");
    }
    let made = world.lock().expect("a world").made;
    assert!(made.iter().all(|count| *count > 5), "each route has made something: {made:?}");
}

async fn walk(vault: Arc<TestVault>, world: Arc<Mutex<World>>, agent: String, mut dice: Dice) {
    for _ in 0..REQUESTS / WALKERS {
        let (key, other, grant) = {
            let world = world.lock().expect("a world");
            let keys = &world.keys;
            (keys[dice.roll(keys.len())].clone(), keys[dice.roll(keys.len())].clone(), world.grants[dice.roll(world.grants.len())].clone())
        };
        let route = dice.roll(5);
        let limit = [1, 1000, 500_000, 10_000_000][dice.roll(4)];
        let mut body = json!({});
        let path = match route {
            0 => {
                let life = [60, 1800, 3600, 86_400][dice.roll(4)];
                body = json!({"scopes": dice.some(KNOWN_SCOPES, 3), "expires_in": life});
                if dice.roll(2) == 0 {
                    body["rate_limit_rpm"] = json!(limit);
                }
                "/sdk/keys/derive".to_owned()
            }
            1 => format!("/sdk/keys/{}/rotate", other.id),
            2 => format!("/sdk/agents/{agent}/keys"),
            _ => {
                let mut policy = json!({});
                if dice.roll(2) == 0 {
                    policy["requires_approval"] = json!(dice.roll(2) == 0);
                }
                if dice.roll(2) == 0 {
                    policy["restrictions"] = json!({"allowed_methods": dice.some(&METHODS, 3)});
                }
                if dice.roll(2) == 0 {
                    let longest = [60, 3600, 100_000][dice.roll(3)];
                    policy["max_ttl_seconds"] = json!(longest);
                }
                body = json!({"label": uuid::Uuid::new_v4().to_string(), "grant_policy": policy});
                format!("/sdk/grants/{}/mint", grant.id)
            }
        };
        let mut request = Signed::post(&path, &key.text, &body);
        let mut reach = key.scopes.clone();
        if dice.roll(3) == 0 {
            let narrowed = dice.some(KNOWN_SCOPES, 4);
            request = request.with(headers::SCOPE_CONSTRAINTS, &narrowed.join(","));
            reach = narrowed.iter().filter(|scope| allows(&key.scopes, scope)).map(|scope| (*scope).to_owned()).collect();
        }
        let ruled = dice.roll(8) == 0;
        if ruled {
            let rule = json!({"rule_type": "content_match", "rule_body": {"match": {"families": ["write"]}, "effect": "deny"}});
            request = request.with(headers::REQUEST_RULE, &URL_SAFE_NO_PAD.encode(rule.to_string()));
        }
        let answer = request.send(&vault).await;
        assert!(!answer.status.is_server_error(), "{path} {body}: {:?}", answer.json());
        if !answer.status.is_success() {
            continue;
        }
        assert!(!ruled, "{path}: what a client with a rule makes would be used without it");
        let told = answer.json();
        if route < 3 {
            let made = key_of(&vault, &told).await;
            assert!(made.scopes.iter().all(|scope| allows(&reach, scope)), "{path} {body}: {:?} of {reach:?}", made.scopes);
            assert!(no_later(made.ends, key.ends), "{path} {body}: {told}");
            assert!(made.limit <= key.limit, "{path} {body}: {told}");
            keep(&world, route, &mut dice, |world| &mut world.keys, made);
        } else {
            let made = grant_of(&vault, &told).await;
            assert!(made.approval || !grant.approval, "{path} {body}: {told}");
            let within = |narrow: &BTreeSet<String>| made.methods.as_ref().is_some_and(|methods| methods.is_subset(narrow));
            assert!(grant.methods.as_ref().is_none_or(within), "{path} {body}: {told}");
            assert!(no_later(made.ends, grant.ends), "{path} {body}: {told}");
            keep(&world, route, &mut dice, |world| &mut world.grants, made);
        }
    }
}

/// What a key may do, from the store: not every answer tells it.
async fn key_of(vault: &TestVault, told: &Value) -> Key {
    let id = ["id", "key_id"].iter().find_map(|member| told[*member].as_str()).expect("an id").to_owned();
    let app = vault.store.app_by_name("demo".to_owned()).await.expect("a read").expect("an app").id;
    let stored = vault.store.key(app, KeyId::parse(&id).expect("an id")).await.expect("a read").found().expect("a key");
    let (limit, ends) = (u64::from(stored.rate.limit(USUAL_LIMIT)), stored.expires_at);
    Key { text: told["api_key"].as_str().expect("a key").to_owned(), id, scopes: stored.scopes.into_iter().collect(), ends, limit }
}

/// What a grant allows, from the store: answers tell less.
async fn grant_of(vault: &TestVault, told: &Value) -> Grant {
    let id = told["grant_id"].as_str().expect("an id").to_owned();
    let app = vault.store.app_by_name("demo".to_owned()).await.expect("a read").expect("an app").id;
    let stored = vault.store.grant(app, GrantId::parse(&id).expect("an id")).await.expect("a read").found().expect("a grant");
    let methods = stored.policy.restrictions.and_then(|restrictions| restrictions.allowed_methods);
    Grant {
        id,
        approval: stored.policy.requires_approval,
        methods: methods.map(|list| list.into_iter().collect()),
        ends: stored.expires_at,
    }
}

fn keep<T>(world: &Mutex<World>, route: usize, dice: &mut Dice, of: impl Fn(&mut World) -> &mut Vec<T>, made: T) {
    let mut world = world.lock().expect("a world");
    world.made[route] += 1;
    let kept = of(&mut world);
    if kept.len() < KEPT {
        kept.push(made);
    } else {
        // The first ones reach furthest, and stay.
        let place = 12 + dice.roll(KEPT - 12);
        kept[place] = made;
    }
}
