use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::api::judge::reach::KNOWN_SCOPES;

const NOW: i64 = 1_795_000_000_000;

fn scopes(texts: &[&str]) -> Vec<Scope> {
    texts.iter().map(|text| Scope::parse(text).expect("a scope")).collect()
}

fn wide() -> Bounds {
    Bounds {
        scopes: scopes(&["grants:write", "keys:derive", "tokens:retrieve"]),
        expires_at: Some(Timestamp::from_millis(NOW + 1000)),
        networks: Some(Networks::parse(&["10.0.0.0/8"]).expect("a network")),
        limit: 100,
    }
}

fn narrowing() -> Narrowing {
    Narrowing { scopes: scopes(&["grants:read"]), expires_at: Timestamp::from_millis(NOW + 1000), networks: None, limit: None }
}

#[test]
fn what_a_derived_key_is_not_told_it_inherits() {
    let derived = wide().derive(narrowing()).expect("narrower");
    assert_eq!(derived, Bounds { scopes: scopes(&["grants:read"]), ..wide() });
    let with_derive = Narrowing { scopes: scopes(&["tokens:retrieve", "keys:derive"]), ..narrowing() };
    assert_eq!(wide().derive(with_derive).expect("narrower").scopes, scopes(&["tokens:retrieve"]));
}

#[test]
fn whatever_goes_beyond_is_named() {
    let networks = |text: &str| Some(Networks::parse(&[text]).expect("a network"));
    for (wanted, beyond) in [
        (Narrowing { scopes: scopes(&["grants:admin"]), ..narrowing() }, Beyond::Scopes(scopes(&["grants:admin"]))),
        (Narrowing { expires_at: Timestamp::from_millis(NOW + 1001), ..narrowing() }, Beyond::Lifetime),
        (Narrowing { networks: networks("11.0.0.0/8"), ..narrowing() }, Beyond::Networks),
        (Narrowing { limit: Some(101), ..narrowing() }, Beyond::Limit),
    ] {
        assert_eq!(wide().derive(wanted), Err(beyond.clone()), "{}", beyond.reason());
    }
    for (changed, beyond) in [
        (Bounds { expires_at: None, ..wide() }, Beyond::Lifetime),
        (Bounds { networks: None, ..wide() }, Beyond::Networks),
        (Bounds { limit: 101, ..wide() }, Beyond::Limit),
    ] {
        assert_eq!(wide().succeed(&changed), Err(beyond));
    }
    assert_eq!(wide().succeed(&wide()), Ok(wide()));
}

#[test]
fn an_agents_key_is_within_what_agents_may_do_and_what_made_it() {
    let maker = Bounds { scopes: scopes(&["agents:admin", "grants:write", "secrets:write", "tokens:retrieve"]), ..wide() };
    let expected = Bounds { scopes: scopes(&["grants:read", "grants:write", "tokens:retrieve"]), ..wide() };
    assert_eq!(maker.for_agent(), expected);
    assert!(AGENT_SCOPES.iter().all(|scope| KNOWN_SCOPES.contains(scope) && !scope.starts_with("agents:")));
}

/// One use of a key: a scope that a call needs, at a time, from an address, as so many calls in one minute.
#[derive(Clone, Debug)]
struct Use {
    scope: Scope,
    at: i64,
    from: IpAddr,
    calls: u32,
}

/// Said anew and not by [`Bounds::beyond`], so that the two can disagree.
fn allows(bounds: &Bounds, used: &Use) -> bool {
    bounds.scopes.iter().any(|held| held.implies(&used.scope))
        && bounds.expires_at.is_none_or(|end| used.at < end.as_millis())
        && bounds.networks.as_ref().is_none_or(|networks| networks.contains(used.from))
        && used.calls <= bounds.limit
}

/// What is done with one of the keys that there are.
#[derive(Clone, Debug)]
enum Step {
    Derive(Box<Narrowing>),
    /// Rotates the key at this place.
    Rotate(usize),
    MakeAgentKey,
}

fn any_scopes() -> impl Strategy<Value = Vec<Scope>> {
    prop::sample::subsequence(KNOWN_SCOPES.to_vec(), 0..=KNOWN_SCOPES.len()).prop_map(|texts| scopes(&texts))
}

const NETWORKS: [&str; 6] = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32"];
const ADDRESSES: [&str; 6] = ["10.1.2.3", "10.1.3.4", "10.2.3.4", "192.0.2.7", "198.51.100.7", "2001:db8::7"];

fn any_networks() -> impl Strategy<Value = Option<Networks>> {
    let some = prop::sample::subsequence(NETWORKS.to_vec(), 1..=2).prop_map(|texts| Networks::parse(&texts).expect("networks"));
    prop::option::of(some)
}

fn any_end() -> impl Strategy<Value = Timestamp> {
    (0..5_i64).prop_map(|second| Timestamp::from_millis(NOW + second * 1000))
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    (any_scopes(), prop::option::of(any_end()), any_networks(), 1..5_u32).prop_map(|(scopes, expires_at, networks, limit)| Bounds {
        scopes,
        expires_at,
        networks,
        limit,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let narrowing = (any_scopes(), any_end(), any_networks(), prop::option::of(1..5_u32));
    prop_oneof![
        narrowing.prop_map(|(scopes, expires_at, networks, limit)| Step::Derive(Box::new(Narrowing {
            scopes,
            expires_at,
            networks,
            limit
        }))),
        (0..8_usize).prop_map(Step::Rotate),
        Just(Step::MakeAgentKey),
    ]
}

fn any_use() -> impl Strategy<Value = Use> {
    let parts = (prop::sample::select(KNOWN_SCOPES.to_vec()), 0..5_i64, prop::sample::select(ADDRESSES.to_vec()), 1..5_u32);
    parts.prop_map(|(scope, second, from, calls)| Use {
        scope: Scope::parse(scope).expect("a scope"),
        at: NOW + second * 1000 - 500,
        from: from.parse().expect("an address"),
        calls,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two keys of an app to begin with. In every step one of the keys that there are makes another, under constraints or without.
    #[test]
    fn no_sequence_of_steps_makes_a_key_that_may_do_what_its_maker_may_not(
        first in prop::array::uniform2(any_bounds()),
        steps in prop::collection::vec((0..8_usize, any_step(), prop::option::of(any_scopes())), 1..8),
        uses in prop::collection::vec(any_use(), 16),
    ) {
        let mut keys: Vec<Bounds> = first.to_vec();
        for (by, step, constraints) in steps {
            let key = keys[by % keys.len()].clone();
            let texts = |scopes: &[Scope]| scopes.iter().map(Scope::to_string).collect::<Vec<_>>();
            let constraint = constraints.map(|scopes| texts(&scopes).join(",")).unwrap_or_default();
            // A constraint that asks for more is refused, and with it the request.
            let Ok(reach) = Reach::of(&texts(&key.scopes), &constraint) else { continue };
            let request = Bounds { scopes: reach.scopes().to_vec(), ..key.clone() };
            let made = match step {
                Step::Derive(wanted) => request.derive(*wanted).ok(),
                Step::Rotate(which) => request.succeed(&keys[which % keys.len()]).ok(),
                Step::MakeAgentKey => Some(request.for_agent()),
            };
            let Some(made) = made else { continue };
            for used in &uses {
                prop_assert!(!allows(&made, used) || allows(&request, used), "{used:?} by {made:?}, made by {request:?}");
                prop_assert!(!allows(&request, used) || allows(&key, used), "{used:?} by {request:?}, a request of {key:?}");
            }
            keys.push(made);
        }
    }
}
