//! Which calls a grant is for: its methods and its paths.
//!
//! An entry of `allowed_endpoints` is a path. In it `*` stands for one segment, and `**` at the end for any further ones:
//! `/repos/*/issues`, `/v1/contacts/**`. An entry that is nothing of the kind allows nothing.

use http::Method;

use crate::api::refusal::Refusal;
use crate::classify::segments;
use crate::model::Restrictions;

/// Judges a call by method and encoded path.
///
/// # Errors
/// 403 `method_not_allowed_by_grant`, `endpoint_not_allowed_by_grant`, which tell what is allowed.
pub fn judge(restrictions: &Restrictions, method: &Method, path: &str) -> Result<(), Refusal> {
    if let Some(allowed) = &restrictions.allowed_methods
        && !allowed.iter().any(|allowed| allowed == method.as_str())
    {
        let message = format!("This grant is for {} only.", listed(allowed));
        return Err(Refusal::forbidden("method_not_allowed_by_grant", message).with("allowed_methods", allowed.clone()));
    }
    if let Some(allowed) = &restrictions.allowed_endpoints
        && !allowed.iter().any(|pattern| fits(pattern, path))
    {
        let message = format!("This grant is for the paths {} only.", listed(allowed));
        return Err(Refusal::forbidden("endpoint_not_allowed_by_grant", message).with("allowed_endpoints", allowed.clone()));
    }
    Ok(())
}

fn listed(allowed: &[String]) -> String {
    if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (Some(pattern), Some(segments)) = (pattern.strip_prefix('/'), segments(path)) else { return false };
    let (pattern, open) = match pattern.strip_suffix("**").filter(|rest| rest.is_empty() || rest.ends_with('/')) {
        Some(rest) => (rest.trim_end_matches('/'), true),
        None => (pattern, false),
    };
    let pattern: Vec<&str> = if open && pattern.is_empty() { Vec::new() } else { pattern.split('/').collect() };
    let long_enough = if open { segments.len() > pattern.len() } else { segments.len() == pattern.len() };
    long_enough && pattern.iter().zip(&segments).all(|(wanted, found)| *wanted == "*" && !found.is_empty() || wanted == found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(methods: Option<&[&str]>, endpoints: Option<&[&str]>, method: &str, path: &str) -> Option<&'static str> {
        let texts = |list: Option<&[&str]>| list.map(|list| list.iter().map(|text| (*text).to_owned()).collect());
        let restrictions = Restrictions { allowed_methods: texts(methods), allowed_endpoints: texts(endpoints) };
        judge(&restrictions, &method.parse().expect("a method"), path).err().map(|refusal| refusal.code())
    }

    #[test]
    fn methods_are_exact() {
        assert_eq!(judged(None, None, "DELETE", "/"), None);
        assert_eq!(judged(Some(&["GET", "HEAD"]), None, "GET", "/x"), None);
        assert_eq!(judged(Some(&["GET"]), None, "POST", "/x"), Some("method_not_allowed_by_grant"));
        assert_eq!(judged(Some(&[]), None, "GET", "/x"), Some("method_not_allowed_by_grant"));
    }

    #[test]
    fn paths_are_matched_segment_by_segment() {
        let allows = |pattern: &str, path: &str| judged(None, Some(&[pattern]), "GET", path).is_none();
        for (pattern, path) in [
            ("/", "/"),
            ("/v1/me", "/v1/me"),
            ("/v1/*/x", "/v1/a/x"),
            ("/v1/**", "/v1/a"),
            ("/v1/**", "/v1/a/b"),
            ("/**", "/anything/at/all"),
            ("/v1/ü b", "/v1/%C3%BC%20b"),
        ] {
            assert!(allows(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/v1/me", "/v1/me/"),
            ("/v1/me", "/v1/ME"),
            ("/v1/*", "/v1/a/b"),
            ("/v1/*", "/v1/"),
            ("/v1/**", "/v1"),
            ("/v1/**", "/v2/a"),
            ("/v1**", "/v1/a"),
            ("/v1/a*", "/v1/ab"),
            ("v1/me", "/v1/me"),
            ("https://h/v1/me", "/v1/me"),
            ("", "/"),
            ("/v1/**", "/v1/%2e%2e/admin"),
            ("/v1/**", "/v1/..%2fadmin"),
            ("/v1/**", "/v1/%5c..%5cadmin"),
            ("/v1/**", "/v1/%252e%252e/admin"),
            ("/v1/**", "/v1/a;b/c"),
            ("/v1/*", "/v1/a%2Fb"),
            ("/v1/*", "/v1/%FF"),
        ] {
            assert!(!allows(pattern, path), "{pattern} {path}");
        }
    }
}
