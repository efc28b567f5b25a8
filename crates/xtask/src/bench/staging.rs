//! Our packages with the engine of the bench's own build, in folders of their own: the ones that the tests installed stay as they are.

use std::fs;
use std::path::Path;

use crate::command::Run;
use crate::project::Project;
use crate::report::Failure;
use crate::tools;

/// Puts the Python package into `folder`, which becomes an entry of `PYTHONPATH`.
///
/// # Errors
/// When a file cannot be copied.
pub fn python(source: &Path, engine: &Path, folder: &Path) -> Result<(), Failure> {
    let package = folder.join("alter_sdk");
    begin(&package)?;
    copy(source, &package, &["py", "pyi", "typed"])?;
    fs::copy(engine, package.join("_engine.abi3.so"))?;
    Ok(())
}

/// Puts the programs of `benches/node` into `folder`, and the TypeScript package where they find it.
///
/// # Errors
/// When the package does not compile or a file cannot be copied.
pub fn node(project: &Project, addon: &Path, folder: &Path) -> Result<(), Failure> {
    let package = folder.join("node_modules/@alter-ai/alter-sdk");
    begin(folder)?;
    copy(&project.path("benches/node"), folder, &["mjs"])?;
    fs::create_dir_all(&package)?;
    fs::copy(project.path("node/package.json"), package.join("package.json"))?;
    let compiler = tools::node_modules(project)?.join("tsc");
    Run::new(compiler).arg("-p").arg(project.path("node")).arg("--outDir").arg(package.join("dist")).success()?;
    // The package tries this name first on Linux, which the bench needs, and loads whatever C library the addon was made for.
    let architecture = Run::new("node").args(["-p", "process.arch"]).success()?;
    fs::copy(addon, package.join(format!("alter.linux-{}-gnu.node", architecture.trim())))?;
    Ok(())
}

/// An empty folder, whatever was there.
fn begin(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

/// Copies the files with these extensions, and those of folders inside.
fn copy(from: &Path, to: &Path, kinds: &[&str]) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&path, &target, kinds)?;
        } else if path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_package_has_the_sources_and_this_build_s_engine_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |inside: &str| folder.path().join(inside);
        fs::create_dir_all(at("source/models")).expect("it can be made");
        for (name, text) in [("source/py.typed", ""), ("source/models/x.py", "b"), ("source/_engine.abi3.so", "old"), ("built.so", "new")] {
            fs::write(at(name), text).expect("it can be written");
        }
        for _ in 0..2 {
            python(&at("source"), &at("built.so"), &at("staged")).expect("it can be staged, and again");
        }
        let read = |name: &str| fs::read_to_string(at("staged/alter_sdk").join(name)).expect("it is there");
        assert_eq!((read("py.typed"), read("models/x.py"), read("_engine.abi3.so")), (String::new(), "b".to_owned(), "new".to_owned()));
    }
}
