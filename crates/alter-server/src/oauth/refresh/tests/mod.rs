mod schedules;
mod world;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::NotFresh;
use super::state::{CAUSE_LOST, CAUSE_REFUSED, CAUSE_SPENT, Login};
use world::{Act, World};

fn cause(result: Result<(), NotFresh>) -> String {
    match result {
        Err(NotFresh::Dead(cause)) => cause,
        other => panic!("not dead: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_at_four_vaults_are_one_exchange() {
    let world = World::expired(&[]);
    let vaults: Vec<_> = (0..4).map(|_| world.vault()).collect();
    let calls: Vec<_> = (0..1000)
        .map(|n| {
            let vault = vaults[n % 4].clone();
            tokio::spawn(async move { vault.call().await })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic").expect("served");
    }
    assert_eq!((world.exchanges(), world.lock().login.generation), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_costs_nothing() {
    let world = World::expired(&[]);
    let vault = world.vault();
    for _ in 0..100 {
        vault.call().await.expect("served");
    }
    assert_eq!(world.exchanges(), 1);
    sleep(world::LIFE).await;
    vault.call().await.expect("served");
    assert_eq!((world.exchanges(), world.lock().refresh_token), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_nobody_with_it() {
    let world = World::expired(&[]);
    let vault = world.vault();
    let first = tokio::spawn({
        let vault = vault.clone();
        async move { vault.call().await }
    });
    sleep(Duration::from_millis(50)).await;
    assert_eq!(world.exchanges(), 1, "it leads");
    let second = tokio::spawn(async move { vault.call().await });
    sleep(Duration::from_millis(1)).await;
    first.abort();
    second.await.expect("no panic").expect("served");
    assert_eq!(world.exchanges(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_tried_once_more_at_once() {
    for (act, grace, survives) in [
        (Act::BreakBefore, 0, true),
        (Act::BreakAfter, 10, true),
        (Act::BreakAfter, 1800, true),
        (Act::Hang, 1800, true),
        (Act::BreakAfter, 0, false),
        (Act::Hang, 5, false),
    ] {
        let world = World::expired(&[act]);
        world.lock().provider.grace = Duration::from_secs(grace);
        let result = world.vault().call().await;
        assert_eq!(world.exchanges(), 2, "{act:?} {grace}");
        if survives {
            result.unwrap_or_else(|error| panic!("{act:?} {grace}: {error}"));
        } else {
            assert_eq!(cause(result), CAUSE_SPENT, "{act:?} {grace}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_lost_answers_end_the_login_with_the_cause() {
    let world = World::expired(&[Act::BreakBefore, Act::BreakBefore]);
    assert_eq!(cause(world.vault().call().await), CAUSE_LOST);
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_nothing_where_tokens_are_not_spent() {
    let world = World::expired(&[Act::Hang, Act::BreakAfter, Act::BreakBefore]);
    world.lock().provider.rotates = false;
    world.vault().call().await.expect("served");
    assert_eq!(world.exchanges(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_dead_login_is_one_flag_and_no_storm() {
    let world = World::expired(&[]);
    world.lock().provider.ended = true;
    let vault = world.vault();
    for _ in 0..100 {
        assert_eq!(cause(vault.call().await), CAUSE_REFUSED);
    }
    assert_eq!((world.exchanges(), world.lock().endings.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_busy_is_asked_again_while_the_caller_waits() {
    for act in [Act::Busy, Act::Unreachable, Act::Page] {
        let world = World::expired(&[act, act]);
        let began = Instant::now();
        world.vault().call().await.expect("served");
        assert_eq!(world.exchanges(), 3);
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_stays_away_is_said_to_be_and_not_stormed() {
    let world = World::expired(&[Act::Busy; 100]);
    let vault = world.vault();
    let began = Instant::now();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.call().await })
        })
        .collect();
    for call in calls {
        let error = call.await.expect("no panic").expect_err("nothing to serve");
        assert!(matches!(error, NotFresh::Unavailable { retry_after: 1.., .. }), "{error:?}");
    }
    assert!(began.elapsed() <= super::LONGEST_HOLD, "{:?}", began.elapsed());
    assert!(world.exchanges() <= 6, "{}", world.exchanges());
    assert!(world.lock().login.dead.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_not_ended_is_used_while_the_provider_is_away() {
    let world = World::expired(&[Act::Busy; 3]);
    world.lock().login.access_expires_at = Some(world.now().plus(Duration::from_secs(30)));
    let vault = world.vault();
    vault.call().await.expect("not ended yet");
    vault.call().await.expect("not ended yet");
    assert_eq!((world.exchanges(), world.lock().login.generation), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_refused_is_the_operators_matter_at_once() {
    let world = World::expired(&[Act::RefuseClient; 5]);
    let vault = world.vault();
    let began = Instant::now();
    for _ in 0..10 {
        assert!(matches!(vault.call().await, Err(NotFresh::Misconfigured(_))));
    }
    assert!(world.exchanges() == 1 && began.elapsed() < Duration::from_secs(1));
    sleep(Duration::from_secs(10)).await;
    world.lock().provider.script.clear();
    vault.call().await.expect("put right");
}

#[tokio::test(start_paused = true)]
async fn another_vault_takes_over_when_the_lease_of_a_killed_one_ends() {
    let world = World::expired(&[]);
    world.lock().provider.grace = Duration::from_secs(1800);
    let (killed, other) = (world.vault(), world.vault());
    let stuck = tokio::spawn({
        let killed = killed.clone();
        async move { killed.call().await }
    });
    sleep(Duration::from_millis(50)).await;
    killed.kill();
    let began = Instant::now();
    assert!(matches!(other.call().await, Err(NotFresh::InProgress)), "held no longer than a caller is");
    assert_eq!(began.elapsed(), super::LONGEST_HOLD);
    other.call().await.expect("recovered");
    assert!(began.elapsed() <= super::state::LEASE + Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((world.exchanges(), world.lock().login.unanswered), (2, 0));
    stuck.abort();
}

#[tokio::test(start_paused = true)]
async fn vaults_that_are_killed_twice_over_one_token_end_it_without_a_third_exchange() {
    let world = World::expired(&[]);
    for _ in 0..2 {
        let vault = world.vault();
        let stuck = tokio::spawn({
            let vault = vault.clone();
            async move { vault.call().await }
        });
        sleep(Duration::from_millis(50)).await;
        vault.kill();
        sleep(super::state::LEASE).await;
        stuck.abort();
    }
    assert_eq!(cause(world.vault().call().await), CAUSE_LOST);
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_come_late_are_kept_and_bring_the_login_back() {
    let world = World::expired(&[]);
    let (frozen, other) = (world.vault(), world.vault());
    let late = tokio::spawn({
        let frozen = frozen.clone();
        async move { frozen.call().await }
    });
    sleep(Duration::from_millis(50)).await;
    frozen.freeze(Duration::from_secs(60));
    sleep(super::state::LEASE).await;
    assert_eq!(cause(other.call().await), CAUSE_SPENT);
    sleep(Duration::from_secs(60)).await;
    assert!(late.await.expect("no panic").is_err(), "its caller was not held that long");
    other.call().await.expect("the provider's newest tokens are there");
    assert_eq!(world.lock().login.generation, 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_outlive_a_store_that_is_full_for_a_moment() {
    let world = World::expired(&[]);
    world.lock().full_until = Some(Instant::now() + Duration::from_secs(5));
    world.vault().call().await.expect("served");
    assert_eq!((world.exchanges(), world.lock().refresh_token), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_new_consent_in_the_midst_of_an_exchange_is_not_overwritten() {
    let world = World::expired(&[]);
    let vault = world.vault();
    let call = tokio::spawn(async move { vault.call().await });
    sleep(Duration::from_millis(50)).await;
    let end = world.now().plus(world::LIFE);
    {
        let mut state = world.lock();
        let login = state.login.clone();
        state.login = Login { generation: 2, access_expires_at: Some(end), leased_until: None, unanswered: 0, ..login };
        state.refresh_token = 77;
    }
    call.await.expect("no panic").expect("served");
    let state = world.lock();
    assert_eq!((state.login.generation, state.refresh_token), (2, 77));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_login_is_said_to_be() {
    let world = World::expired(&[]);
    let refresher = world.vault();
    let unknown = refresher.refresh_of(world::LOGIN + 1).await;
    assert!(matches!(unknown, Err(NotFresh::Unknown)));
}
