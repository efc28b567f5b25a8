//! What refreshing needs of the store and of the provider.

use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;

use super::state::{Ending, Login};
use crate::clock::Timestamp;
use crate::oauth::failure::Failure;
use crate::store::StoreError;

/// What a [`Keeper`] returns.
pub type KeeperFuture<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// What became of a change that has a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in force.
    Yes,
    /// Its condition did not hold, and nothing was changed.
    No,
}

/// Where logins are kept, and how one is exchanged. Every change is durable, with its audit row, when its future is done.
pub trait Keeper: Debug + Send + Sync + 'static {
    /// Names a login.
    type Id: Copy + Eq + Hash + Debug + Send + Sync + 'static;
    /// What an exchange brings.
    type Tokens: Clone + Send + Sync + 'static;

    /// What is known of a login; `None` if there is none.
    fn read(&self, id: Self::Id) -> KeeperFuture<'_, Option<Login>>;

    /// Records that an exchange for `generation` is about to begin, and takes the lease until `until` under `fence`.
    ///
    /// Only if the login is alive and at this generation, nobody holds the lease, and `fence` is the one after the newest.
    fn lease(&self, id: Self::Id, generation: u32, fence: u32, until: Timestamp) -> KeeperFuture<'_, Kept>;

    /// Exchanges the refresh token of this generation, once.
    fn exchange(&self, id: Self::Id, generation: u32) -> KeeperFuture<'_, Self::Tokens, Failure>;

    /// Keeps new tokens in the place of those of `generation`, and gives the lease back.
    ///
    /// Only if the login is at this generation and, with a `fence`, if that is the newest. Without one it also brings a dead login back to life: tokens that the
    /// provider has just given are good.
    fn renew(&self, id: Self::Id, generation: u32, fence: Option<u32>, tokens: Self::Tokens) -> KeeperFuture<'_, Kept>;

    /// Is given new tokens that were not kept. If that is because the login has ended meanwhile, nobody else knows of them, and the provider is told.
    fn discard(&self, id: Self::Id, tokens: Self::Tokens) -> KeeperFuture<'_, ()>;

    /// Records how an exchange without tokens ended, and gives the lease back. Only if `fence` is the newest.
    fn end(&self, id: Self::Id, fence: u32, ending: Ending) -> KeeperFuture<'_, Kept>;
}
