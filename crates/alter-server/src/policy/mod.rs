//! Policies: what operators forbid, hold or narrow, in [Cedar](https://www.cedarpolicy.com).
//!
//! * `schema`: what policies speak about, and the baseline that every call starts from.
//! * `lint`: what a policy may not say, because it could not fail closed.
//! * `rule`: a `forbid` with its annotations: what it does when it applies.
//! * `compile`: from an operator's text to rules, with the line of what is wrong.
//! * `input`: one call, as Cedar sees it. What is not known about it is left out.
//! * `decide`: all rules together.
//!
//! Nothing is permitted but by the baseline, so operators write `forbid` only: a policy can narrow and never widen. Cedar skips a policy whose evaluation
//! fails; here such a rule counts as one that applies and refuses. What is not known about a call is an attribute that is missing, reading it fails, and so
//! no rule that needs it is passed over.

mod compile;
mod decide;
mod input;
mod lint;
mod rule;
mod schema;
mod times;

pub use compile::{Compiled, Fault, LONGEST_SOURCE, compile};
pub use decide::{Decision, Outcome, Policies, baseline_permits};
pub use input::{Input, Kind};
pub use rule::{Effect, Per, Rate, Rule};
pub use schema::{BASELINE, SCHEMA};

#[cfg(test)]
mod tests;
