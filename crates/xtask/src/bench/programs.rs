//! The programs that are measured, and how each is started.

use std::path::PathBuf;
use std::process::Command;

use crate::bench::workshop::Workshop;

/// A program that makes calls. The order is that of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// hyper by hand on one thread: what the three exchanges cost at least.
    Floor,
    /// The Rust SDK on one thread.
    Rust,
    /// hyper by hand on tokio's default runtime.
    FloorThreads,
    /// The Rust SDK on tokio's default runtime.
    RustThreads,
    /// Our Python package.
    Python,
    /// httpx by hand.
    Httpx,
    /// The public package as pip installs it.
    Reference,
    /// The public package where `sniffio` happens to be installed.
    ReferenceWithSniffio,
    /// `fetch` by hand.
    Fetch,
    /// Our TypeScript package.
    Node,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Floor,
        Self::Rust,
        Self::FloorThreads,
        Self::RustThreads,
        Self::Python,
        Self::Httpx,
        Self::Reference,
        Self::ReferenceWithSniffio,
        Self::Fetch,
        Self::Node,
    ];

    /// The name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Rust => "rust",
            Self::FloorThreads => "floor-threads",
            Self::RustThreads => "rust-threads",
            Self::Python => "python",
            Self::Httpx => "httpx",
            Self::Reference => "reference",
            Self::ReferenceWithSniffio => "reference-sniffio",
            Self::Fetch => "fetch",
            Self::Node => "node",
        }
    }

    /// The name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Floor => "hyper by hand, one thread (the floor)",
            Self::Rust => "**Alter, Rust**, one thread",
            Self::FloorThreads => "hyper by hand, tokio's default threads",
            Self::RustThreads => "**Alter, Rust**, tokio's default threads",
            Self::Python => "**Alter, Python**",
            Self::Httpx => "httpx by hand",
            Self::Reference => "public `alter-sdk` 0.29.0",
            Self::ReferenceWithSniffio => "public `alter-sdk` 0.29.0, `sniffio` installed",
            Self::Fetch => "Node's `fetch` by hand",
            Self::Node => "**Alter, Node**",
        }
    }

    /// Whether it speaks HTTP/2 where TLS offers it. Node's `fetch` does not.
    pub fn speaks_http2(self) -> bool {
        self != Self::Fetch
    }

    /// By how much fewer calls are enough for a steady figure: a program that takes long for each needs fewer of them.
    pub fn patience(self) -> usize {
        match self {
            Self::Httpx | Self::Reference | Self::ReferenceWithSniffio => 10,
            Self::Fetch => 4,
            _ => 1,
        }
    }

    /// The command that starts it.
    pub fn command(self, workshop: &Workshop) -> Command {
        let mut command = match self {
            Self::Floor => rust(workshop, &["floor", "one"]),
            Self::Rust => rust(workshop, &["sdk", "one"]),
            Self::FloorThreads => rust(workshop, &["floor", "many"]),
            Self::RustThreads => rust(workshop, &["sdk", "many"]),
            Self::Python => Package::Ours.run(workshop, "sdk.py"),
            Self::Httpx => Package::Reference.run(workshop, "httpx_by_hand.py"),
            Self::Reference => Package::Reference.run(workshop, "sdk.py"),
            Self::ReferenceWithSniffio => Package::ReferenceWithSniffio.run(workshop, "sdk.py"),
            Self::Fetch => script("node".into(), workshop.node.join("fetch_by_hand.mjs")),
            Self::Node => script("node".into(), workshop.node.join("sdk.mjs")),
        };
        workshop.surround(&mut command);
        command
    }
}

/// A Python package with the name `alter_sdk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    /// Ours.
    Ours,
    /// The public one as pip installs it.
    Reference,
    /// The public one where `sniffio` happens to be installed.
    ReferenceWithSniffio,
}

impl Package {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Reference, Self::ReferenceWithSniffio];

    /// The program that makes calls with it.
    pub fn program(self) -> Program {
        match self {
            Self::Ours => Program::Python,
            Self::Reference => Program::Reference,
            Self::ReferenceWithSniffio => Program::ReferenceWithSniffio,
        }
    }

    /// The command that runs one of the scripts with it.
    pub fn run(self, workshop: &Workshop, name: &str) -> Command {
        let (python, path) = match self {
            Self::Ours => (&workshop.python, Some(&workshop.package)),
            Self::Reference => (&workshop.reference, None),
            Self::ReferenceWithSniffio => (&workshop.reference, Some(&workshop.sniffio)),
        };
        let mut command = script(python.clone(), workshop.source("python").join(name));
        if let Some(path) = path {
            command.env("PYTHONPATH", path);
        }
        workshop.surround(&mut command);
        command
    }
}

fn rust(workshop: &Workshop, arguments: &[&str]) -> Command {
    let mut command = Command::new(&workshop.programs);
    command.args(arguments);
    command
}

fn script(interpreter: PathBuf, file: PathBuf) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(file);
    command
}
