//! The clients: how each is started, what it is given, and what it reports.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command::Run;
use crate::project::Project;
use crate::report::Failure;
use crate::tools::Venv;

/// Longer than any run of the list takes; a client that hangs must not hang the check.
const LIMIT: Duration = Duration::from_secs(300);

/// Who makes the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// The public package, unmodified.
    Reference,
    /// Our Rust SDK.
    Rust,
    /// Our Python package.
    Python,
    /// Our TypeScript package.
    TypeScript,
}

/// One call for a driver.
#[derive(Debug, Serialize)]
pub struct Call {
    /// The scenario.
    pub id: String,
    /// Where the client finds the vault.
    pub base_url: String,
    /// The key of the client.
    pub api_key: String,
    /// `with_constraints(scopes=…)`.
    pub scopes: Option<Vec<String>>,
    /// `with_constraints(rule=…)`.
    pub rule: Option<Value>,
    /// The arguments of `request()`.
    pub request: Map<String, Value>,
}

/// What a driver reports of one call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The scenario.
    pub id: String,
    /// The status of the response.
    pub status: Option<u16>,
    /// The class of the exception.
    pub error: Option<String>,
    /// That class and its bases inside the package.
    #[serde(default)]
    pub bases: Vec<String>,
    /// The exception's public attributes.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Everything that the caller can look at.
    #[serde(default)]
    pub visible: Vec<String>,
}

impl Client {
    /// The name in paths and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Rust => "rust",
            Self::Python => "python",
            Self::TypeScript => "node",
        }
    }

    /// The name in headings.
    pub fn title(self) -> &'static str {
        match self {
            Self::Reference => "public package 0.29.0",
            Self::Rust => "Rust SDK",
            Self::Python => "Python package",
            Self::TypeScript => "TypeScript package",
        }
    }

    /// Whether the client is this project's.
    pub fn is_ours(self) -> bool {
        self != Self::Reference
    }

    /// Makes all calls in a process of its own.
    ///
    /// # Errors
    /// When the driver cannot be started, fails, or does not report each call once and in order.
    pub fn run(self, project: &Project, calls: &[Call]) -> Result<Vec<Observed>, Failure> {
        let driver = match self {
            Self::Reference => python(project, &Venv::reference(project)?),
            Self::Python => python(project, &Venv::development(project)?),
            Self::Rust => Run::new(project.built("alter-conformance")),
            Self::TypeScript => Run::new("node").arg(project.path("tests/conformance/drivers/driver.mjs")),
        };
        // The calls go to loopback: whatever proxy the machine uses is not meant for them.
        let driver = driver.env("NO_PROXY", "*").env("no_proxy", "*").limit(LIMIT);
        let input = serde_json::to_vec(&serde_json::json!({ "calls": calls }))?;
        let (status, output, errors) = driver.input(input).separate()?;
        if !status.success() {
            return Err(Failure::new(format!("the driver ended with {status}")).output(errors));
        }
        if !errors.trim().is_empty() {
            return Err(Failure::new("the driver printed something on standard error").output(errors));
        }
        let observed = output.lines().map(serde_json::from_str).collect::<Result<Vec<Observed>, _>>()?;
        if !observed.iter().map(|o| &o.id).eq(calls.iter().map(|c| &c.id)) {
            return Err(Failure::new("the driver did not report each call once and in order").output(output));
        }
        Ok(observed)
    }
}

fn python(project: &Project, venv: &Venv) -> Run {
    Run::new(venv.python()).arg(project.path("tests/conformance/drivers/driver.py"))
}
