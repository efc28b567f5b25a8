//! How a queue's owner is told that something waits for it.

use std::sync::{Condvar, Mutex, PoisonError};

/// Wakes the owner: through a readable file descriptor where the platform has socket pairs, and through a condition
/// variable for a thread that waits on behalf of a loop without `add_reader`.
pub struct Waker {
    #[cfg(unix)]
    pair: (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream),
    state: Mutex<WakeState>,
    changed: Condvar,
}

#[derive(Default)]
struct WakeState {
    signalled: bool,
    closed: bool,
}

impl Waker {
    /// # Errors
    ///
    /// The operating system's, if it gives no socket pair (out of file descriptors).
    pub fn new() -> std::io::Result<Self> {
        #[cfg(unix)]
        let pair = {
            let pair = std::os::unix::net::UnixStream::pair()?;
            pair.0.set_nonblocking(true)?;
            pair.1.set_nonblocking(true)?;
            pair
        };
        Ok(Self {
            #[cfg(unix)]
            pair,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// The descriptor that becomes readable, or `None` on a platform without socket pairs.
    pub fn descriptor(&self) -> Option<i32> {
        #[cfg(unix)]
        {
            use std::os::fd::AsRawFd;
            Some(self.pair.0.as_raw_fd())
        }
        #[cfg(not(unix))]
        None
    }

    /// Signals the owner. Called once per batch, by whoever puts the first event into an empty queue.
    pub fn wake(&self) {
        #[cfg(unix)]
        {
            use std::io::Write;
            // A full buffer means that the owner has unread bytes, which is all that this one would say.
            let _already_signalled = (&self.pair.1).write(&[1]);
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).signalled = true;
        self.changed.notify_all();
    }

    /// Takes the signal back, before the owner looks into the queue.
    pub fn clear(&self) {
        #[cfg(unix)]
        {
            use std::io::Read;
            let mut bytes = [0; 64];
            while matches!((&self.pair.0).read(&mut bytes), Ok(n) if n == bytes.len()) {}
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner).signalled = false;
    }

    /// Waits for a signal. `false` once [`close`](Self::close) was called.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.signalled && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.signalled = false;
        !state.closed
    }

    /// Ends every [`wait`](Self::wait), now and later.
    pub fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}
