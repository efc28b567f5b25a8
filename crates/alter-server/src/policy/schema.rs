//! The schema of policies, and the policy that is shipped.

use std::sync::LazyLock;

use cedar_policy::{PolicySet, Schema, Validator};

/// What policies speak about, in Cedar's own notation.
pub const SCHEMA: &str = include_str!("alter.cedarschema");
/// The policy that is shipped: a grant in force may be used within its key's scopes.
pub const BASELINE: &str = include_str!("baseline.cedar");

/// What checks policies when they are saved.
pub(super) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).expect("the schema in this program is one");
    Validator::new(schema)
});

/// The baseline, compiled.
pub(super) static BASELINE_SET: LazyLock<PolicySet> = LazyLock::new(|| BASELINE.parse().expect("the baseline in this program is a policy"));

#[cfg(test)]
mod tests {
    use cedar_policy::ValidationMode;

    use super::*;

    #[test]
    fn the_baseline_fits_the_schema() {
        let checked = VALIDATOR.validate(&BASELINE_SET, ValidationMode::Strict);
        assert!(checked.validation_passed(), "{checked}");
    }
}
