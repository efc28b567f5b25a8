//! One request after another, each with a random key for a random thing, and the judgement of what it made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use alter_core::signing::headers;
use alter_server::api::KNOWN_SCOPES;
use alter_server::clock::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::model::{self, Grant, Key, World, allows, keep, no_later};
use super::{Dice, people, text};
use crate::connect::{Site, Started};
use crate::harness::Signed;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
/// None of them contains another one, so what a list allows is the list.
const ENDPOINTS: [&str; 3] = ["/v1/mail", "/v1/files", "/v2/users"];
const PROVIDER_SCOPES: [&str; 2] = ["read", "write"];
/// How many sessions of each kind people bring to their end.
const MOST_COMPLETED: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Derive,
    Rotate,
    MintKey,
    CreateAgent,
    Mint,
    Delegate,
    Assign,
    LoginSession,
    KeySession,
}

pub const ROUTES: [Route; 9] = [
    Route::Derive,
    Route::Rotate,
    Route::MintKey,
    Route::CreateAgent,
    Route::Mint,
    Route::Delegate,
    Route::Assign,
    Route::LoginSession,
    Route::KeySession,
];

impl Route {
    /// What whoever uses it has to be allowed.
    const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Derive => &["keys:derive"],
            Self::Rotate => &["keys:admin"],
            Self::MintKey => &["agents:admin"],
            Self::CreateAgent => &["agents:write"],
            Self::Mint | Self::Delegate => &["grants:write"],
            Self::Assign => &["secrets:write"],
            Self::LoginSession => &["connect:initiate"],
            Self::KeySession => &["connect:initiate", "secrets:write"],
        }
    }
}

/// Who asks for what.
struct Step {
    route: Route,
    key: Key,
    /// A key that a rotation is about.
    other: Key,
    /// A grant that is minted from or passed on.
    grant: Grant,
    /// An agent that it is for.
    agent: String,
    secret: String,
}

impl Step {
    fn choose(world: &World, dice: &mut Dice) -> Self {
        let route = *dice.one(&ROUTES);
        let (mut key, mut grant) = (dice.one(&world.keys).clone(), dice.one(&world.grants).clone());
        // Most keys may do little, and what an agent does not hold it does not pass on: a walk by chance alone would hardly make anything.
        let delegating = route == Route::Delegate && !dice.once_in(4);
        if delegating {
            let delegable: Vec<&Grant> = world.grants.iter().filter(|grant| grant.delegable && grant.agent.is_some()).collect();
            grant = (*dice.one(&delegable)).clone();
        }
        if !dice.once_in(4) {
            let able = |key: &&Key| route.needs().iter().all(|needed| allows(&key.scopes, needed));
            let holds = |key: &&Key| match route {
                Route::Delegate => !delegating || key.agent == grant.agent,
                Route::LoginSession | Route::KeySession => true,
                _ => key.agent.is_none(),
            };
            let fitting: Vec<&Key> = world.keys.iter().filter(able).filter(holds).collect();
            if !fitting.is_empty() {
                key = (*dice.one(&fitting)).clone();
            }
        }
        let (other, agent) = (dice.one(&world.keys).clone(), dice.one(&world.agents).clone());
        Self { route, key, other, grant, agent, secret: world.secret.clone() }
    }

    fn path(&self) -> String {
        match self.route {
            Route::Derive => "/sdk/keys/derive".to_owned(),
            Route::Rotate => format!("/sdk/keys/{}/rotate", self.other.id),
            Route::MintKey => format!("/sdk/agents/{}/keys", self.agent),
            Route::CreateAgent => "/sdk/agents".to_owned(),
            Route::Mint => format!("/sdk/grants/{}/mint", self.grant.id),
            Route::Delegate => format!("/sdk/grants/{}/delegate", self.grant.id),
            Route::Assign => format!("/sdk/managed-secrets/{}/grants", self.secret),
            Route::LoginSession => "/sdk/oauth/connect/session".to_owned(),
            Route::KeySession => "/sdk/managed-secrets/connect/session".to_owned(),
        }
    }

    fn body(&self, site: &Site, dice: &mut Dice) -> Value {
        let label = uuid::Uuid::new_v4().to_string();
        match self.route {
            Route::Derive => {
                let mut body = json!({"scopes": dice.some(KNOWN_SCOPES, 3), "expires_in": dice.one(&[60, 1800, 3600, 86_400])});
                if dice.once_in(2) {
                    body["rate_limit_rpm"] = json!(dice.one(&[1, 1000, 500_000, 10_000_000]));
                }
                if dice.once_in(3) {
                    body["cidr_allowlist"] = json!([dice.one(&["127.0.0.0/8", "127.0.0.1", "0.0.0.0/0", "::/0"])]);
                }
                body
            }
            Route::Rotate | Route::MintKey => json!({}),
            Route::CreateAgent => json!({"name": format!("a{}", label.replace('-', ""))}),
            Route::Mint => json!({"label": label, "grant_policy": policy(dice)}),
            Route::Delegate => {
                let mut body = json!({"to_agent_id": self.agent, "delegable": dice.once_in(2)});
                if dice.once_in(3) {
                    body["scope_constraint"] = json!(dice.some(&PROVIDER_SCOPES, 1));
                }
                if dice.once_in(3) {
                    body["ttl_seconds"] = json!(dice.one(&[60, 3600, 10_000_000]));
                }
                body
            }
            Route::Assign => {
                let principal = if dice.once_in(2) {
                    json!({"type": "system", "label": label})
                } else {
                    json!({"type": "user", "user_token": site.user(["ada", "bob"][dice.roll(2)]), "label": label})
                };
                json!({"principal": principal, "grant_policy": {"max_ttl_seconds": dice.one(&[60, 3600])}})
            }
            Route::LoginSession => {
                let mut body = self.session(site, dice);
                body["allowed_providers"] = json!(["test"]);
                if body["agent"].is_string() && dice.once_in(2) {
                    body["scope_constraint"] = json!(dice.some(&PROVIDER_SCOPES, 1));
                }
                if dice.once_in(2) {
                    body["requested_grant"]["restrictions"] = json!({"allowed_methods": dice.some(&METHODS, 3)});
                }
                body
            }
            Route::KeySession => {
                let mut body = self.session(site, dice);
                body["provider"] = json!("mail");
                body
            }
        }
    }

    /// What both kinds of sessions are asked with. Without a label of its own it would renew a grant, and keep what that was agreed to with.
    fn session(&self, site: &Site, dice: &mut Dice) -> Value {
        let mut body = json!({
            "user_token": site.user("ada"),
            "grant_policy": {"max_ttl_seconds": dice.one(&[60, 3600, 100_000])},
            "requested_grant": {"label": uuid::Uuid::new_v4().to_string()},
        });
        if dice.once_in(2) {
            body["agent"] = json!(self.agent);
        }
        if dice.once_in(2) {
            body["delegable"] = json!(dice.once_in(2));
        }
        body
    }
}

fn policy(dice: &mut Dice) -> Value {
    let mut policy = json!({});
    if dice.once_in(2) {
        policy["requires_approval"] = json!(dice.once_in(2));
    }
    if dice.once_in(2) {
        policy["restrictions"] = json!({"allowed_methods": dice.some(&METHODS, 3)});
    }
    if dice.once_in(3) {
        policy["restrictions"]["allowed_endpoints"] = json!(dice.some(&ENDPOINTS, 2));
    }
    if dice.once_in(2) {
        policy["max_ttl_seconds"] = json!(dice.one(&[60, 3600, 100_000]));
    }
    policy
}

/// What one request was sent with, and may do.
struct Sent {
    step: Step,
    body: Value,
    reach: BTreeSet<String>,
    /// The agent that acts: the key's own, or the one for which the application speaks.
    acting: Option<String>,
    told: Value,
}

pub async fn walk(site: Arc<Site>, world: Arc<Mutex<World>>, browsers: Arc<tokio::sync::Mutex<()>>, requests: usize, mut dice: Dice) {
    let locked = || world.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..requests {
        let step = Step::choose(&locked(), &mut dice);
        let Some(sent) = send(&site, step, &mut dice).await else { continue };
        let route = sent.step.route;
        match route {
            Route::Derive | Route::Rotate | Route::MintKey | Route::CreateAgent => {
                let made = judged_key(&site, &sent).await;
                if route == Route::CreateAgent {
                    keep(&mut locked().agents, &mut dice, text(&sent.told, "id"));
                }
                keep(&mut locked().keys, &mut dice, made);
            }
            Route::Mint | Route::Delegate | Route::Assign => {
                let made = judged_grant(&site, &sent).await;
                keep(&mut locked().grants, &mut dice, made);
            }
            Route::LoginSession | Route::KeySession => {
                let kind = usize::from(route == Route::KeySession);
                judge_session(&sent);
                let browser = browsers.lock().await;
                if locked().completed[kind] < MOST_COMPLETED
                    && let Some(told) = completed(&site, &sent).await
                {
                    let made = judged_outcome(&site, &sent, &told).await;
                    let mut world = locked();
                    world.completed[kind] += 1;
                    for grant in made {
                        keep(&mut world.grants, &mut dice, grant);
                    }
                }
                drop(browser);
            }
        }
        locked().made[ROUTES.iter().position(|known| *known == route).expect("a route")] += 1;
    }
}

/// Sends a request, perhaps narrowed, under a rule, or for an agent. Gives what was allowed.
async fn send(site: &Site, step: Step, dice: &mut Dice) -> Option<Sent> {
    let (path, body) = (step.path(), step.body(site, dice));
    let mut request = Signed::post(&path, &step.key.text, &body);
    let mut reach = step.key.scopes.clone();
    if dice.once_in(3) {
        let mut narrowed = dice.some(KNOWN_SCOPES, 2);
        narrowed.retain(|scope| dice.once_in(4) || allows(&step.key.scopes, scope));
        narrowed.extend(step.route.needs().iter().filter(|_| !dice.once_in(4)));
        // An empty header is none.
        if !narrowed.is_empty() {
            request = request.with(headers::SCOPE_CONSTRAINTS, &narrowed.join(","));
            reach = narrowed.iter().filter(|scope| allows(&step.key.scopes, scope)).map(|scope| (*scope).to_owned()).collect();
        }
    }
    let ruled = dice.once_in(12);
    if ruled {
        let rule = json!({"rule_type": "content_match", "rule_body": {"match": {"families": ["write"]}, "effect": "deny"}});
        request = request.with(headers::REQUEST_RULE, &URL_SAFE_NO_PAD.encode(rule.to_string()));
    }
    let mut acting = step.key.agent.clone();
    if dice.once_in(6) {
        request = request.with(headers::CALLER, &step.agent).with(headers::CALLER_TYPE, "agent");
        acting = Some(step.agent.clone());
    }
    let answer = request.send(&site.people.vault).await;
    let told = answer.json();
    assert!(!answer.status.is_server_error(), "{path} {body}: {told}");
    if !answer.status.is_success() {
        return None;
    }
    assert!(!ruled, "{path}: what a client with a rule makes would be used without it");
    for needed in step.route.needs() {
        assert!(allows(&reach, needed), "{path} without {needed}: {reach:?}");
    }
    assert!(acting.is_none() || step.key.agent == acting || allows(&reach, "agents:admin"), "{path}: spoke for an agent with {reach:?}");
    Some(Sent { step, body, reach, acting, told })
}

async fn judged_key(site: &Site, sent: &Sent) -> Key {
    let Sent { step, reach, told, body, .. } = sent;
    let made = model::key(&site.people.vault, told).await;
    assert!(made.is_within(&step.key, reach), "{:?} {body}: {made:?} by {:?} with {reach:?}", step.route, step.key);
    if step.route == Route::Rotate {
        assert!(made.is_within(&step.other, &step.other.scopes) && made.agent == step.other.agent, "{made:?} for {:?}", step.other);
    }
    // Keys of agents are made by the application, and an agent's key makes its own alone.
    assert!(step.key.agent.is_none() || made.agent == step.key.agent, "{:?} {body}: {made:?} by {:?}", step.route, step.key);
    made
}

async fn judged_grant(site: &Site, sent: &Sent) -> Grant {
    let Sent { step, told, body, acting, .. } = sent;
    let vault = &site.people.vault;
    let made = model::grant(vault, &text(told, "grant_id")).await;
    let what = || format!("{:?} {body}: {made:?}", step.route);
    match step.route {
        Route::Mint => {
            let source = &step.grant;
            assert!(made.is_within(source) && made.depth == source.depth && made.agent == source.agent, "{} of {source:?}", what());
            assert!(source.delegable || !made.delegable || source.agent.is_none(), "{} of {source:?}", what());
        }
        Route::Delegate => {
            // By the id of the grant that it came from the agent passes on its own.
            let source = model::grant(vault, &text(told, "parent_grant_id")).await;
            assert!(source.id == step.grant.id || source.parent.as_ref() == Some(&step.grant.id), "{} of {source:?}", what());
            assert!(made.is_within(&source) && made.depth == source.depth + 1, "{} of {source:?}", what());
            assert!(source.delegable && source.of_person && source.agent.is_some() && source.agent == *acting, "{} of {source:?}", what());
            assert!(made.agent.as_deref() == body["to_agent_id"].as_str() && made.agent != source.agent, "{}", what());
            assert!(!made.delegable || body["delegable"] == true, "{}", what());
        }
        _ => {
            assert!(acting.is_none(), "{} by an agent", what());
            let end = ends_with(site, body);
            assert!(made.agent.is_none() && made.parent.is_none() && no_later(made.ends, end), "{}", what());
        }
    }
    made
}

/// When the `grant_policy` of a request makes a grant end at the latest.
fn ends_with(site: &Site, body: &Value) -> Option<Timestamp> {
    let now = site.people.vault.now();
    body["grant_policy"]["max_ttl_seconds"].as_i64().map(|seconds| Timestamp::from_millis((now + seconds) * 1000))
}

/// For whom the session asks.
fn for_agent(sent: &Sent) -> Option<String> {
    let own = sent.step.key.agent.clone();
    sent.body["agent"].as_str().map(str::to_owned).or(own)
}

fn judge_session(sent: &Sent) {
    let own = &sent.step.key.agent;
    assert!(own.is_none() || for_agent(sent) == *own, "an agent asked for another one: {} by {own:?}", sent.body);
}

async fn completed(site: &Site, sent: &Sent) -> Option<Value> {
    let started = Started::told(sent.told.clone());
    match sent.step.route {
        Route::LoginSession => people::agree_to_login(site, &started, "ada").await,
        _ => people::agree_to_key(site, &started, "ada").await,
    }
}

/// The grant that a person has agreed to, and what the agent got of it.
async fn judged_outcome(site: &Site, sent: &Sent, told: &Value) -> Vec<Grant> {
    let vault = &site.people.vault;
    let made = model::grant(vault, &text(told, "grant_id")).await;
    let body = &sent.body;
    assert!(made.agent.is_none() && made.of_person && made.parent.is_none(), "{body}: {made:?}");
    assert!(no_later(made.ends, ends_with(site, body)), "{body}: {made:?}");
    if let Some(methods) = body["requested_grant"]["restrictions"]["allowed_methods"].as_array() {
        let asked: BTreeSet<String> = methods.iter().map(|method| method.as_str().expect("text").to_owned()).collect();
        assert!(made.methods.as_ref().is_some_and(|methods| methods.is_subset(&asked)), "{body}: {made:?}");
    }
    let Some(agent) = for_agent(sent) else {
        assert!(told["delegation"].is_null(), "{body}: {told}");
        return vec![made];
    };
    let held = model::held_by(vault, &agent, &made.id).await;
    for child in &held {
        assert!(child.is_within(&made) && child.depth == 1, "{body}: {child:?} of {made:?}");
        assert!(!child.delegable || body["delegable"] == true, "{body}: {child:?}");
        if let Some(scopes) = body["scope_constraint"].as_array() {
            let asked: BTreeSet<String> = scopes.iter().map(|scope| scope.as_str().expect("text").to_owned()).collect();
            assert!(child.scopes.as_ref().is_some_and(|scopes| scopes.is_subset(&asked)), "{body}: {child:?}");
        }
    }
    assert!(held.len() <= 1, "{body}: {held:?}");
    held.into_iter().chain([made]).collect()
}
