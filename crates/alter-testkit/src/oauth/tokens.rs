//! What the server has given out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Act, Login, SCOPES};

/// What becomes of a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It stays.
    None,
    /// A new one replaces it. The old one works for this long after; used later, it ends the login with all its tokens.
    Replace {
        /// For how long the old one works.
        grace: Duration,
    },
}

/// A code that waits to be exchanged.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub challenge: String,
    pub redirect_uri: String,
}

/// A refresh token that was given out.
#[derive(Debug, Clone)]
struct Given {
    family: u32,
    replaced_at: Option<Instant>,
    successor: Option<String>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub url: String,
    pub rotation: Rotation,
    pub script: VecDeque<Act>,
    pub revocation_script: VecDeque<Act>,
    pub scopes: String,
    /// Whose account is signed in at the provider.
    pub email: String,
    pub exchanged: Vec<String>,
    pub revoked: Vec<String>,
    pub revocations: usize,
    codes: BTreeMap<String, Code>,
    refresh_tokens: BTreeMap<String, Given>,
    access_tokens: BTreeMap<String, u32>,
    ended: Vec<u32>,
    counter: u32,
}

impl Ledger {
    pub(super) fn new(rotation: Rotation) -> Self {
        Self {
            url: String::new(),
            rotation,
            script: VecDeque::new(),
            revocation_script: VecDeque::new(),
            scopes: SCOPES.to_owned(),
            email: "ada@example.com".to_owned(),
            exchanged: Vec::new(),
            revoked: Vec::new(),
            revocations: 0,
            codes: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            ended: Vec::new(),
            counter: 0,
        }
    }

    fn next(&mut self, kind: &str) -> String {
        self.counter += 1;
        format!("canary-{kind}-{}", self.counter)
    }

    pub(super) fn login(&mut self) -> Login {
        self.counter += 1;
        let family = self.counter;
        Login { access_token: self.access_token(family), refresh_token: self.refresh_token(family) }
    }

    fn access_token(&mut self, family: u32) -> String {
        let token = self.next("access");
        self.access_tokens.insert(token.clone(), family);
        token
    }

    fn refresh_token(&mut self, family: u32) -> String {
        let token = self.next("refresh");
        self.refresh_tokens.insert(token.clone(), Given { family, replaced_at: None, successor: None });
        token
    }

    pub(super) fn code(&mut self, code: Code) -> String {
        let name = self.next("code");
        self.codes.insert(name.clone(), code);
        name
    }

    /// A code works once.
    pub(super) fn take_code(&mut self, name: &str) -> Option<Code> {
        self.codes.remove(name)
    }

    /// Exchanges a refresh token; `None` is `invalid_grant`.
    pub(super) fn refresh(&mut self, token: &str) -> Option<Login> {
        let given = self.refresh_tokens.get(token)?.clone();
        if self.ended.contains(&given.family) {
            return None;
        }
        let Rotation::Replace { grace } = self.rotation else {
            return Some(Login { access_token: self.access_token(given.family), refresh_token: token.to_owned() });
        };
        match (given.replaced_at, given.successor) {
            (Some(at), Some(successor)) if at.elapsed() < grace => {
                Some(Login { access_token: self.access_token(given.family), refresh_token: successor })
            }
            (Some(_), _) => {
                self.ended.push(given.family);
                None
            }
            (None, _) => {
                let successor = self.refresh_token(given.family);
                if let Some(given) = self.refresh_tokens.get_mut(token) {
                    (given.replaced_at, given.successor) = (Some(Instant::now()), Some(successor.clone()));
                }
                Some(Login { access_token: self.access_token(given.family), refresh_token: successor })
            }
        }
    }

    pub(super) fn end_all(&mut self) {
        self.ended = (1..=self.counter).collect();
    }

    pub(super) fn end_family_of(&mut self, token: &str) {
        let family = self.refresh_tokens.get(token).map(|given| given.family).or_else(|| self.access_tokens.get(token).copied());
        self.ended.extend(family);
    }

    pub(super) fn accepts(&self, access_token: &str) -> bool {
        self.access_tokens.get(access_token).is_some_and(|family| !self.ended.contains(family))
    }
}
