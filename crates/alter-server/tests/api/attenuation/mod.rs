//! Whatever returns a key, a grant or a session: ten thousand requests, by keys of the application and of agents with any scopes, constraints and rules, for anything. What
//! is made never reaches further than the request that made it, nor than what it was made from.
//!
//! The model here knows what a scope implies, and nothing else of the vault: it is told what each request may do, and looks into the store for what came of it.

mod model;
mod people;
mod walk;

use std::sync::{Arc, Mutex};

use alter_server::api::KNOWN_SCOPES;
use serde_json::{Value, json};

use crate::connect::Site;
use model::{World, grant, key};
use walk::{ROUTES, walk};

const REQUESTS: usize = 10_000;
const WALKERS: usize = 16;

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

    /// One time in so many.
    fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }

    fn some<'a>(&mut self, all: &[&'a str], most: usize) -> Vec<&'a str> {
        (0..=self.roll(most)).map(|_| *self.one(all)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_made_reaches_further_than_the_request_that_made_it() {
    let site = Site::of(&[("ALTER_RATE_LIMIT_RPM", "10000000")]).await;
    let world = furnished(&site).await;
    let (site, world) = (Arc::new(site), Arc::new(Mutex::new(world)));
    let browsers = Arc::new(tokio::sync::Mutex::new(()));
    let mut walkers = tokio::task::JoinSet::new();
    for walker in 0..WALKERS {
        walkers.spawn(walk(Arc::clone(&site), Arc::clone(&world), Arc::clone(&browsers), REQUESTS / WALKERS, Dice(walker as u64)));
    }
    while let Some(walked) = walkers.join_next().await {
        walked.expect("nothing widens");
    }
    let world = world.lock().expect("a world");
    let made: Vec<_> = ROUTES.iter().zip(world.made).collect();
    assert!(world.made.iter().all(|count| *count > 20), "each route has made something: {made:?}");
    assert!(world.completed.iter().all(|count| *count > 5), "sessions came to their end: {:?}", world.completed);
}

/// Keys of many reaches, two agents, a managed secret with grants for the application and for a person, and logins that a person has given to the agents.
async fn furnished(site: &Site) -> World {
    let vault = &site.people.vault;
    let mut world = World::default();
    let sets: [&[&str]; 5] = [
        KNOWN_SCOPES,
        &["keys:admin", "keys:derive", "tokens:retrieve", "grants:read"],
        &["agents:admin", "proxy:execute", "grants:write", "connect:initiate"],
        &["keys:derive", "agents:read", "grants:write", "connect:initiate", "secrets:write"],
        &["agents:write", "keys:derive", "secrets:write", "tokens:retrieve"],
    ];
    for scopes in sets {
        for (life, limit, networks) in [(None, 10_000_000, None), (Some(3600), 500_000, Some(["127.0.0.0/8", "::1"]))] {
            let wanted = json!({"scopes": scopes, "expires_in": life, "rate_limit_rpm": limit, "cidr_allowlist": networks});
            world.keys.push(key(vault, &vault.made("/apps/demo/keys", wanted).await).await);
        }
    }
    let secret = vault.made(
        "/apps/demo/secrets",
        json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": "t"}}),
    );
    world.secret = text(&secret.await, "id");
    for life in [None, Some(7200)] {
        let id = vault.grant(json!({"secret": "mail", "label": format!("{life:?}"), "expires_in": life})).await;
        world.grants.push(grant(vault, &id).await);
    }
    for name in ["planner", "writer"] {
        let made = vault.made("/apps/demo/agents", json!({"name": name})).await;
        let agent = text(&made, "agent_id");
        world.keys.push(key(vault, &vault.made("/apps/demo/keys", json!({"agent": name})).await).await);
        for constraint in [None, Some(["read"])] {
            let label = json!({"label": format!("{constraint:?}")});
            let asked = json!({"agent": name, "delegable": true, "scope_constraint": constraint, "requested_grant": label});
            let told = people::connected(site, asked, "ada").await;
            world.grants.push(grant(vault, told["grant_id"].as_str().expect("an id")).await);
            let held = people::held(site, &world.keys.last().expect("a key").text).await;
            for id in &held {
                world.grants.push(grant(vault, id).await);
            }
        }
        world.agents.push(agent);
    }
    world
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}")).to_owned()
}
