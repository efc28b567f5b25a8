//! Work that goes on after a call has returned: counted, bounded, and waited for on close.

use std::sync::Mutex;
use std::task::{Poll, Waker};

/// Reports that may be under way at once. Beyond it reports are dropped with a warning: a vault that is down must not eat the program's memory.
pub const MOST_PENDING: usize = 1024;

/// Counts tasks and wakes whoever waits for the last one.
#[derive(Debug, Default)]
pub(crate) struct Background(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pending: usize,
    waiting: Vec<Waker>,
}

/// One task under way; dropping it, however the task ends, counts it as done.
#[derive(Debug)]
pub(crate) struct Ticket(std::sync::Arc<Background>);

impl Background {
    /// Counts a task in, unless there are too many.
    pub(crate) fn begin(self: &std::sync::Arc<Self>) -> Option<Ticket> {
        let mut state = self.lock();
        if state.pending >= MOST_PENDING {
            return None;
        }
        state.pending += 1;
        Some(Ticket(self.clone()))
    }

    /// Ends when no task is under way.
    pub(crate) async fn drained(&self) {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            if state.pending == 0 {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned lock still guards whole data.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pending -= 1;
        let wake = if state.pending == 0 { std::mem::take(&mut state.waiting) } else { Vec::new() };
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn draining_waits_for_the_last_ticket_and_the_bound_holds() {
        let background = Arc::new(Background::default());
        let mut tickets: Vec<Ticket> = (0..MOST_PENDING).map(|_| background.begin().unwrap()).collect();
        assert!(background.begin().is_none());
        let waiter = tokio::spawn({
            let background = background.clone();
            async move { background.drained().await }
        });
        while let Some(ticket) = tickets.pop() {
            assert!(!waiter.is_finished());
            drop(ticket);
        }
        waiter.await.unwrap();
        assert!(background.begin().is_some());
    }
}
