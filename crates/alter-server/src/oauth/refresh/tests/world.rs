//! A store and a provider in memory, in tokio's paused time: minutes pass in microseconds, and every run is the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock::{Clock, Timestamp};
use crate::oauth::driver::EXCHANGE_TIMEOUT;
use crate::oauth::failure::{Failure, FailureKind};
use crate::oauth::refresh::keeper::{Keeper, KeeperFuture, Kept};
use crate::oauth::refresh::state::{Ending, LEEWAY, Login, Policy};
use crate::oauth::refresh::{NotFresh, Refresher};
use crate::oauth::tests::NOW;
use crate::store::StoreError;

/// How long a new access token lives.
pub const LIFE: Duration = Duration::from_secs(3600);
/// How long the provider takes.
const PACE: Duration = Duration::from_millis(200);
/// The one login.
pub const LOGIN: u32 = 1;

/// What the provider does with one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Answer,
    /// It acts, and the connection breaks.
    BreakAfter,
    /// The connection breaks, and it has not acted.
    BreakBefore,
    /// It acts, and answers after everybody has gone.
    Hang,
    Unreachable,
    Busy,
    Page,
    RefuseClient,
}

#[derive(Debug)]
pub struct Provider {
    pub script: VecDeque<Act>,
    pub rotates: bool,
    pub grace: Duration,
    /// The refresh token that works, and when it was made.
    pub current: u32,
    made_at: Instant,
    pub ended: bool,
    /// Each exchange: token, begin, end.
    pub exchanges: Vec<(u32, Instant, Option<Instant>)>,
}

impl Provider {
    /// What a real one does with a refresh token: the newest is replaced, the one before works within the grace, anything else ends the login.
    fn process(&mut self, token: u32) -> Result<u32, Failure> {
        let refused = Failure::new(FailureKind::Dead, "the provider answered 400 with error \"invalid_grant\"");
        if self.ended {
            return Err(refused);
        }
        if !self.rotates {
            return Ok(token);
        }
        if token == self.current {
            self.current += 1;
            self.made_at = Instant::now();
            return Ok(self.current);
        }
        if token + 1 == self.current && self.made_at.elapsed() < self.grace {
            return Ok(self.current);
        }
        self.ended = true;
        Err(refused)
    }
}

#[derive(Debug)]
pub struct State {
    pub login: Login,
    pub refresh_token: u32,
    pub provider: Provider,
    pub endings: Vec<Ending>,
    /// The store refuses to keep new tokens until then.
    pub full_until: Option<Instant>,
}

/// What all vaults of a test share.
#[derive(Clone, Debug)]
pub struct World(pub Arc<Mutex<State>>, Instant);

impl World {
    /// A login whose access token has ended, at a provider that rotates without grace.
    pub fn expired(script: &[Act]) -> Self {
        let provider = Provider {
            script: script.iter().copied().collect(),
            rotates: true,
            grace: Duration::ZERO,
            current: 1,
            made_at: Instant::now(),
            ended: false,
            exchanges: Vec::new(),
        };
        let login = Login {
            generation: 1,
            access_expires_at: Some(NOW),
            refreshable: true,
            dead: None,
            fence: 0,
            leased_until: None,
            unanswered: 0,
        };
        let state = State { login, refresh_token: 1, provider, endings: Vec::new(), full_until: None };
        Self(Arc::new(Mutex::new(state)), Instant::now())
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while it is held")
    }

    pub fn now(&self) -> Timestamp {
        NOW.plus(self.1.elapsed())
    }

    pub fn exchanges(&self) -> usize {
        self.lock().provider.exchanges.len()
    }

    pub fn policy(&self) -> Policy {
        Policy { leeway: LEEWAY, spends: self.lock().provider.rotates }
    }

    /// One more process.
    pub fn vault(&self) -> Vault {
        let health = Arc::new(Mutex::new(Health::Well));
        let site = Site { world: self.clone(), health: Arc::clone(&health) };
        Vault { refresher: Arc::new(Refresher::new(site, Arc::new(self.clone()))), world: self.clone(), health }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// How a process fares.
#[derive(Clone, Copy, Debug)]
enum Health {
    Well,
    Killed,
    Frozen(Instant),
}

#[derive(Clone, Debug)]
pub struct Vault {
    refresher: Arc<Refresher<Site>>,
    pub world: World,
    health: Arc<Mutex<Health>>,
}

impl Vault {
    pub async fn call(&self) -> Result<(), NotFresh> {
        let result = self.refresher.make_fresh(LOGIN, self.world.policy()).await;
        if result.is_ok() {
            assert!(self.world.lock().login.is_unexpired(self.world.now()), "an expired token was released");
        }
        result
    }

    /// Asks for any login.
    pub async fn refresh_of(&self, id: u32) -> Result<(), NotFresh> {
        self.refresher.make_fresh(id, self.world.policy()).await
    }

    /// `kill -9`: nothing that it does has any effect from here on.
    pub fn kill(&self) {
        *self.health.lock().expect("no panic") = Health::Killed;
    }

    /// What the process does next waits until then.
    pub fn freeze(&self, span: Duration) {
        *self.health.lock().expect("no panic") = Health::Frozen(Instant::now() + span);
    }
}

/// One process's view.
#[derive(Debug)]
pub struct Site {
    world: World,
    health: Arc<Mutex<Health>>,
}

impl Site {
    async fn step(&self) {
        tokio::task::yield_now().await;
        let health = *self.health.lock().expect("no panic");
        match health {
            Health::Well => {}
            Health::Killed => std::future::pending().await,
            Health::Frozen(until) => tokio::time::sleep_until(until).await,
        }
    }
}

impl Keeper for Site {
    type Id = u32;
    type Tokens = u32;

    fn read(&self, id: u32) -> KeeperFuture<'_, Option<Login>> {
        Box::pin(async move {
            self.step().await;
            Ok((id == LOGIN).then(|| self.world.lock().login.clone()))
        })
    }

    fn lease(&self, _: u32, generation: u32, fence: u32, until: Timestamp) -> KeeperFuture<'_, Kept> {
        Box::pin(async move {
            self.step().await;
            let now = self.world.now();
            let login = &mut self.world.lock().login;
            let held = login.leased_until.is_some_and(|end| end > now);
            if login.dead.is_some() || held || login.generation != generation || login.fence + 1 != fence {
                return Ok(Kept::No);
            }
            (login.fence, login.leased_until, login.unanswered) = (fence, Some(until), login.unanswered + 1);
            Ok(Kept::Yes)
        })
    }

    fn exchange(&self, _: u32, generation: u32) -> KeeperFuture<'_, u32, Failure> {
        Box::pin(async move {
            self.step().await;
            let (act, token, index) = {
                let mut state = self.world.lock();
                assert_eq!(state.login.generation, generation, "nobody exchanges what is replaced");
                let token = state.refresh_token;
                state.provider.exchanges.push((token, Instant::now(), None));
                (state.provider.script.pop_front().unwrap_or(Act::Answer), token, state.provider.exchanges.len() - 1)
            };
            sleep(PACE).await;
            let acts = matches!(act, Act::Answer | Act::BreakAfter | Act::Hang);
            let answer = if acts { self.world.lock().provider.process(token) } else { Ok(0) };
            if act == Act::Hang {
                sleep(EXCHANGE_TIMEOUT - PACE).await;
            }
            self.step().await;
            self.world.lock().provider.exchanges[index].2 = Some(Instant::now());
            let failed = |kind| Err(Failure::new(kind, format!("{act:?}")));
            match act {
                Act::Answer => answer,
                Act::BreakAfter | Act::BreakBefore | Act::Hang => failed(FailureKind::Lost),
                Act::Unreachable | Act::Busy => failed(FailureKind::Transient),
                Act::Page => failed(FailureKind::Unclear),
                Act::RefuseClient => failed(FailureKind::Misconfigured),
            }
        })
    }

    fn renew(&self, _: u32, generation: u32, fence: Option<u32>, tokens: u32) -> KeeperFuture<'_, Kept> {
        Box::pin(async move {
            self.step().await;
            let end = self.world.now().plus(LIFE);
            let mut state = self.world.lock();
            if state.full_until.is_some_and(|until| until > Instant::now()) {
                return Err(StoreError::Full);
            }
            let login = &mut state.login;
            if login.generation != generation || fence.is_some_and(|fence| fence != login.fence) {
                return Ok(Kept::No);
            }
            *login = Login {
                generation: generation + 1,
                access_expires_at: Some(end),
                dead: None,
                leased_until: None,
                unanswered: 0,
                ..login.clone()
            };
            state.refresh_token = tokens;
            Ok(Kept::Yes)
        })
    }

    fn discard(&self, _: u32, _: u32) -> KeeperFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn end(&self, _: u32, fence: u32, ending: Ending) -> KeeperFuture<'_, Kept> {
        Box::pin(async move {
            self.step().await;
            let mut state = self.world.lock();
            if state.login.fence != fence {
                return Ok(Kept::No);
            }
            state.login.leased_until = None;
            match &ending {
                Ending::Answered { .. } => state.login.unanswered -= 1,
                Ending::Lost { .. } => {}
                Ending::Dead { cause, .. } => state.login.dead = Some((*cause).to_owned()),
            }
            state.endings.push(ending);
            Ok(Kept::Yes)
        })
    }
}
