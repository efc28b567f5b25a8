//! Where things are.

use std::path::{Path, PathBuf};

/// The paths that the commands use.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The workspace that this program was built from.
    #[must_use]
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
        Self { root: root.to_owned() }
    }

    /// A path inside the repository.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// The repository's root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's output folder, which also holds the environments that the checks make.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |set| self.root.join(set))
    }

    /// A program that the workspace builds.
    #[must_use]
    pub fn built(&self, name: &str) -> PathBuf {
        self.target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_workspace() {
        assert!(Project::here().path("Cargo.lock").is_file());
    }
}
