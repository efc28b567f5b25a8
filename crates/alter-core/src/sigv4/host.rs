//! Which service and region an AWS host stands for.

use super::signing_names::{lookup, signing_name};

/// The scope of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Signing name, for example `bedrock`.
    pub service: String,
    /// For example `eu-central-1`.
    pub region: String,
}

impl Endpoint {
    fn new(service: &str, region: &str) -> Option<Self> {
        Some(Self { service: service.to_owned(), region: region.to_owned() })
    }
}

const GLOBAL: &[&str] = &["budgets", "cloudfront", "health", "iam", "importexport", "route53", "savingsplans", "sts", "waf"];
const GLOBAL_GOV: &[&str] = &["health", "iam", "route53"];
const GLOBAL_CHINA: &[&str] = &["budgets", "health", "route53"];

/// Service and region of a host, or `None` if the host does not say; the credential's own then hold.
///
/// ```
/// use alter_core::sigv4::endpoint_of;
/// let endpoint = endpoint_of("bucket.s3.eu-west-1.amazonaws.com").unwrap();
/// assert_eq!((endpoint.service.as_str(), endpoint.region.as_str()), ("s3", "eu-west-1"));
/// assert_eq!(endpoint_of("minio.example.com"), None);
/// ```
pub fn endpoint_of(host: &str) -> Option<Endpoint> {
    let host = host.to_ascii_lowercase();
    if let Some(labels) = labels_before(&host, ".api.aws") {
        return match labels[..] {
            [label, region] if is_region(region) => Endpoint::new(signing_name(strip_fips(label)), region),
            _ => None,
        };
    }
    if let Some(labels) = labels_before(&host, ".vpce.amazonaws.com") {
        return match labels[..] {
            [id, label, region] if id.starts_with("vpce-") && is_region(region) => Endpoint::new(signing_name(strip_fips(label)), region),
            _ => None,
        };
    }
    let china = labels_before(&host, ".amazonaws.com.cn");
    let is_china = china.is_some();
    let labels = china.or_else(|| labels_before(&host, ".amazonaws.com"))?;
    regional(&labels).or_else(|| s3(&labels)).or_else(|| global(&labels, is_china)).or_else(|| dotted(&labels))
}

fn labels_before<'a>(host: &'a str, suffix: &str) -> Option<Vec<&'a str>> {
    host.strip_suffix(suffix).map(|front| front.split('.').collect())
}

/// `<label>.[dualstack.]<region>`, and the same for a bucket of S3 without dots.
fn regional(labels: &[&str]) -> Option<Endpoint> {
    let (region, front) = labels.split_last()?;
    if !is_region(region) {
        return None;
    }
    let front = front.strip_suffix(&["dualstack"]).unwrap_or(front);
    match front {
        [label] => Endpoint::new(signing_name(strip_fips(label)), region),
        [_bucket, "s3" | "s3-fips"] => Endpoint::new("s3", region),
        _ => None,
    }
}

/// `[<bucket>.]s3-<region>`, `[<bucket>.]s3`, `[<bucket>.]s3-external-1`: the old spellings.
fn s3(labels: &[&str]) -> Option<Endpoint> {
    let label = match labels {
        [label] | [_, label] => *label,
        _ => return None,
    };
    match label {
        "s3" | "s3-external-1" => Endpoint::new("s3", "us-east-1"),
        _ => label.strip_prefix("s3-").filter(|region| is_region(region)).and_then(|region| Endpoint::new("s3", region)),
    }
}

/// Services with one endpoint for a whole partition.
fn global(labels: &[&str], is_china: bool) -> Option<Endpoint> {
    let labels = labels.strip_prefix(&["global"]).unwrap_or(labels);
    let (label, known, region) = match (labels, is_china) {
        ([label], true) => (label, GLOBAL_CHINA, "cn-northwest-1"),
        ([label], false) => (label, GLOBAL, "us-east-1"),
        ([label, "us-gov"], false) => (label, GLOBAL_GOV, "us-gov-west-1"),
        _ => return None,
    };
    known.contains(label).then(|| Endpoint::new(signing_name(label), region)).flatten()
}

/// Labels with dots, such as `data.iot`, count only where the table has them: anything else may be a bucket or an account.
fn dotted(labels: &[&str]) -> Option<Endpoint> {
    let labels = labels.strip_suffix(&["dualstack"]).unwrap_or(labels);
    let (region, front) = labels.split_last()?;
    if !is_region(region) {
        return None;
    }
    let front = front.strip_suffix(&["dualstack"]).unwrap_or(front);
    lookup(strip_fips(&front.join("."))).and_then(|service| Endpoint::new(service, region))
}

fn strip_fips(label: &str) -> &str {
    label.strip_suffix("-fips").unwrap_or(label)
}

/// Two letters, one or more `-part`s, and a number: `eu-central-1`, `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = &parts[..] else { return false };
    first.len() == 2
        && first.bytes().all(|b| b.is_ascii_lowercase())
        && !middle.is_empty()
        && middle.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
        && !last.is_empty()
        && last.bytes().all(|b| b.is_ascii_digit())
}
