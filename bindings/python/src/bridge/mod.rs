//! The bridge between Python and the engine's threads.
//!
//! One rule carries the design: **an engine thread never touches Python.** It takes no lock of the interpreter, holds no
//! reference to a Python object and therefore cannot race the interpreter's end. What it finishes it leaves in a
//! [`queue::Queue`], as plain Rust data, and the event loop's own thread turns it into Python objects.

pub mod blocking;
mod ending;
pub mod fork;
pub mod operation;
pub mod queue;
pub mod runtime;
mod wake;
