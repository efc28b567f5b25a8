//! The operations of providers' APIs.

use serde_json::Value;

use super::answer::{self, Details};
use super::arguments;
use super::outcome::Outcome;
use super::plan::{Once, Plan};
use super::target::{Target, segment};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host};
use crate::model::{Model, PROVIDER_SPEC_KINDS, ProviderSpec, ProviderSpecList, SpecOperationDetail, SpecOperationsPage};

const PATH: &str = "/sdk/provider-specs";
/// Most operations of one page.
const LARGEST_PAGE: i128 = 500;
const DEFAULT_PAGE: i128 = 100;
/// Longest text to search for, in characters.
const LONGEST_SEARCH: usize = 200;
/// Longest id of an operation, in characters.
const LONGEST_OPERATION: usize = 512;

/// `provider_specs.list`.
pub(super) fn list<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let kind = match args.take_or_null("kind") {
        Given::Null => None,
        given => Some(kind(given)?),
    };
    let target = Target::path(PATH).with_some("kind", kind);
    Ok(Plan::Once(Once::get(target, specs).in_context()))
}

fn specs(answer: &Answer) -> Result<Outcome> {
    let Outcome::One(_, mut list) = read(answer, ProviderSpecList::MODEL)? else { return Ok(Outcome::Nothing) };
    let specs = match list.remove("items") {
        Some(Value::Array(specs)) => specs,
        _ => Vec::new(),
    };
    let fields = specs.into_iter().filter_map(|spec| if let Value::Object(fields) = spec { Some(fields) } else { None });
    Ok(Outcome::Many(ProviderSpec::MODEL, fields.collect()))
}

/// `provider_specs.get`.
pub(super) fn get<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = take_path(args)?;
    Ok(Plan::Once(Once::get(path, |answer| read(answer, ProviderSpec::MODEL)).in_context()))
}

/// `provider_specs.list_operations`.
pub(super) fn list_operations<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = take_path(args)?;
    let (limit, offset) = arguments::take_page(args, DEFAULT_PAGE, LARGEST_PAGE)?;
    let search = arguments::optional_filled("search", args.take_or_null("search"))?;
    if search.as_ref().is_some_and(|search| search.chars().count() > LONGEST_SEARCH) {
        return Err(Error::invalid(format!("search is longer than {LONGEST_SEARCH} characters.")));
    }
    let target = Target::path(format!("{path}/operations")).with("limit", limit).with("offset", offset).with_some("search", search);
    Ok(Plan::Once(Once::get(target, |answer| read(answer, SpecOperationsPage::MODEL)).in_context()))
}

/// `provider_specs.get_operation`.
pub(super) fn get_operation<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = take_path(args)?;
    let operation = arguments::not_blank("operation_id", args.take_or_null("operation_id"))?;
    if operation.chars().count() > LONGEST_OPERATION {
        return Err(Error::invalid(format!("operation_id is longer than {LONGEST_OPERATION} characters.")));
    }
    without_control("operation_id", &operation)?;
    let target = Target::path(format!("{path}/operation")).with("operation_id", operation);
    Ok(Plan::Once(Once::get(target, |answer| read(answer, SpecOperationDetail::MODEL)).in_context()))
}

fn read(answer: &Answer, model: &'static Model) -> Result<Outcome> {
    answer::model(answer, model, Details::Faults)
}

/// The path of a provider.
fn take_path(args: &mut Args) -> Result<String> {
    let kind = kind(args.take_or_null("kind"))?;
    let provider = arguments::not_blank("provider_id", args.take_or_null("provider_id"))?;
    without_control("provider_id", &provider)?;
    if provider.contains(['?', '#']) {
        return Err(Error::invalid("provider_id holds \"?\" or \"#\", which no provider's id has."));
    }
    Ok(format!("{PATH}/{kind}/{}", segment("provider_id", &provider)?))
}

fn kind(value: Given) -> Result<&'static str> {
    let known = value.as_text().and_then(|text| PROVIDER_SPEC_KINDS.iter().find(|kind| **kind == text));
    known.copied().ok_or_else(|| Error::invalid("kind must be \"oauth\" or \"managed\"."))
}

fn without_control(field: &str, text: &str) -> Result<()> {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Error::invalid(format!("{field} holds a control character. Remove it.")));
    }
    Ok(())
}
