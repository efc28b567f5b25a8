//! Steps of a program, told to the vault.

use super::answer::{self, Details};
use super::plan::{Body, Once, Plan};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::Host;
use crate::model::{EmitSpansResult, UserSpan};

/// Most spans of one call.
pub const MOST_SPANS: usize = 50;

/// `spans.emit`.
pub(super) fn emit<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let spans = match args.take_or_null("spans") {
        nothing if nothing.is_falsy() => return Err(Error::invalid("spans is empty. Give at least one UserSpan.")),
        Given::List(spans) | Given::Tuple(spans) => spans,
        other => return Err(Error::wrong_type("spans", "a list of UserSpans", other.type_name())),
    };
    if spans.len() > MOST_SPANS {
        return Err(Error::invalid(format!("spans has {} spans; {MOST_SPANS} is the most. Send the rest in another call.", spans.len())));
    }
    let spans = spans.into_iter().enumerate().map(|(position, span)| one(position, span)).collect::<Result<Vec<_>>>()?;
    let body = Body::default().json("spans", format!("[{}]", spans.join(",")));
    Ok(Plan::Once(
        Once::post("/sdk/spans", body, |answer| answer::model(answer, EmitSpansResult::MODEL, Details::StatusAndFaults)).in_context(),
    ))
}

/// A span as JSON, in the order of the model's fields. It may have been changed since it was made, so it is judged here.
fn one(position: usize, span: Given) -> Result<String> {
    let field = format!("spans[{position}]");
    let fields = match span {
        Given::Model(name, fields) if name == UserSpan::MODEL.name => fields,
        Given::Map(fields) => {
            let known = |name: &Given| name.as_text().is_some_and(|name| UserSpan::MODEL.field(name).is_some());
            if !fields.iter().all(|(name, _)| known(name)) {
                return Err(Error::invalid(format!("{field} has a member that is no field of a UserSpan.")));
            }
            fields
        }
        other => return Err(Error::wrong_type(&field, "a UserSpan", other.type_name())),
    };
    let text = Given::Map(fields.into_iter().filter(|(_, value)| !value.is_null()).collect()).to_json(&field)?;
    let value = serde_json::from_str(&text).map_err(|_| Error::invalid(format!("{field} cannot be sent.")))?;
    UserSpan::MODEL.read(&value).map_err(|fault| Error::invalid(format!("{field}.{fault}.")))?;
    Ok(text)
}
