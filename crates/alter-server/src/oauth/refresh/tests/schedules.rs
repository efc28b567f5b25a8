//! Random schedules: several vaults, any behaviour of the provider, callers that give up, processes that die.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::sleep;

use super::world::{Act, World};
use crate::oauth::refresh::NotFresh;
use crate::oauth::refresh::state::MOST_UNANSWERED;

#[derive(Clone, Debug)]
enum Event {
    Call { vault: usize, after_ms: u64 },
    CallAndLeave { vault: usize, after_ms: u64, stays_ms: u64 },
    Kill { vault: usize, after_ms: u64 },
}

const VAULTS: usize = 3;

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Answer),
        1 => Just(Act::BreakAfter),
        1 => Just(Act::BreakBefore),
        1 => Just(Act::Hang),
        1 => Just(Act::Busy),
        1 => Just(Act::Page),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let (vault, after) = (0..VAULTS, 0u64..20_000);
    prop_oneof![
        6 => (vault.clone(), after.clone()).prop_map(|(vault, after_ms)| Event::Call { vault, after_ms }),
        2 => (vault.clone(), after.clone(), 0u64..5000).prop_map(|(vault, after_ms, stays_ms)| Event::CallAndLeave { vault, after_ms, stays_ms }),
        1 => (vault, after).prop_map(|(vault, after_ms)| Event::Kill { vault, after_ms }),
    ]
}

async fn run(world: World, events: Vec<Event>) -> Vec<Result<(), NotFresh>> {
    let mut vaults: Vec<_> = (0..VAULTS).map(|_| world.vault()).collect();
    let mut calls = Vec::new();
    for event in events {
        match event {
            Event::Call { vault, after_ms } => {
                sleep(Duration::from_millis(after_ms)).await;
                let vault = vaults[vault].clone();
                calls.push(tokio::spawn(async move { vault.call().await }));
            }
            Event::CallAndLeave { vault, after_ms, stays_ms } => {
                sleep(Duration::from_millis(after_ms)).await;
                let vault = vaults[vault].clone();
                tokio::spawn(async move { tokio::time::timeout(Duration::from_millis(stays_ms), vault.call()).await });
            }
            Event::Kill { vault, after_ms } => {
                sleep(Duration::from_millis(after_ms)).await;
                vaults[vault].kill();
                vaults[vault] = world.vault();
            }
        }
    }
    // The provider behaves from here on, and every lease and every pause ends.
    world.lock().provider.script.clear();
    sleep(Duration::from_secs(400)).await;
    let mut results = vec![vaults[0].call().await];
    for call in calls {
        // A caller whose vault was killed hears nothing.
        if call.is_finished() {
            results.push(call.await.expect("no panic"));
        }
    }
    results
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_breaks_a_rule(
        script in proptest::collection::vec(acts(), 0..8),
        events in proptest::collection::vec(events(), 1..12),
        rotates: bool,
        grace_s in prop_oneof![Just(0u64), Just(10), Just(1800)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let kills = events.iter().any(|event| matches!(event, Event::Kill { .. }));
        let losses = script.iter().any(|act| matches!(act, Act::BreakAfter | Act::BreakBefore | Act::Hang));
        let world = runtime.block_on(async {
            let world = World::expired(&script);
            {
                let mut state = world.lock();
                state.provider.rotates = rotates;
                state.provider.grace = Duration::from_secs(grace_s);
            }
            let results = run(world.clone(), events).await;
            // `Vault::call` has looked already that what was released had not ended.
            if !(rotates && (kills || losses)) {
                assert!(results[0].is_ok(), "a login was lost for nothing: {results:?}");
            }
            world
        });
        let state = world.lock();
        let exchanges = &state.provider.exchanges;
        if rotates {
            for token in 0..=state.provider.current {
                let silent = exchanges.iter().filter(|(t, _, end)| *t == token && end.is_none()).count();
                prop_assert!(silent <= MOST_UNANSWERED as usize, "token {token} was exchanged too often: {exchanges:?}");
            }
        }
        // Only a process that died may leave an exchange without an end, and only then may another begin before it ends.
        for pair in exchanges.windows(2) {
            if let Some(end) = pair[0].2 {
                prop_assert!(end <= pair[1].1, "two exchanges at once: {exchanges:?}");
            } else {
                prop_assert!(kills);
            }
        }
        if state.login.dead.is_none() && !kills && !losses {
            prop_assert_eq!(state.refresh_token, if rotates { state.provider.current } else { 1 }, "what is kept is what works");
        }
    }
}
