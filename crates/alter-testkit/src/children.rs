//! Child processes that never outlive their owner: not after an error, not after Ctrl-C, not after `kill`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};

/// Exit status after an interruption, as a shell reports it.
const INTERRUPTED: i32 = 130;

static RUNNING: Mutex<Vec<Weak<Mutex<Child>>>> = Mutex::new(Vec::new());
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static HANDLER: Once = Once::new();

/// A child process that is stopped when this handle is dropped, and when this process is told to end.
pub struct Guarded(Arc<Mutex<Child>>);

impl Guarded {
    /// Starts `command`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        install_handler();
        // Holding the lock while starting closes the gap in which an interruption would miss the new child.
        let mut running = lock(&RUNNING);
        let child = Arc::new(Mutex::new(command.spawn()?));
        running.retain(|known| known.strong_count() > 0);
        running.push(Arc::downgrade(&child));
        Ok(Self(child))
    }

    /// The exit status, or `None` while the child runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        lock(&self.0).try_wait()
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        lock(&self.0).id()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        end(&self.0);
    }
}

/// Removes `folder` as well when this process is told to end: destructors do not run then.
pub fn remove_when_interrupted(folder: &Path) {
    install_handler();
    lock(&FOLDERS).push(folder.to_owned());
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end(child: &Mutex<Child>) {
    let mut child = lock(child);
    // Both fail only for a child that has already ended, which is the wanted state.
    let _ = child.kill();
    let _ = child.wait();
}

fn install_handler() {
    HANDLER.call_once(|| {
        let installed = ctrlc::set_handler(|| {
            for child in lock(&RUNNING).iter().filter_map(Weak::upgrade) {
                end(&child);
            }
            for folder in lock(&FOLDERS).iter() {
                // Most are gone already, with their owners; for the rest there is nobody left to tell.
                let _ = fs::remove_dir_all(folder);
            }
            std::process::exit(INTERRUPTED);
        });
        // Only a second handler in the same process is refused, and there is one call site.
        installed.expect("no other handler is installed in this process");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn dropping_the_handle_ends_the_child() {
        let child = Guarded::spawn(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null())).expect("cat runs");
        assert!(child.try_wait().expect("it can be asked").is_none());
        let shared = Arc::clone(&child.0);
        drop(child);
        let status = lock(&shared).try_wait().expect("it can be asked");
        assert!(status.is_some_and(|status| !status.success()));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(Guarded::spawn(&mut Command::new("/nonexistent/program")).is_err());
    }
}
