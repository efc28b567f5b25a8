//! Families of calls: what an operation does, in one of the words that rules use.
//!
//! `read`, `write` and `delete` follow from the method. That an operation sends something to people, moves money or administers is nothing that an
//! OpenAPI document says; its author or the operator who loads it says so: `"x-alter-families": ["send"]` in the operation, or a map from operation ids
//! to families beside the document, in which `*` stands for all others. An empty list says that there is nothing but the method's family. The operator's
//! map wins over the document.

use std::collections::BTreeMap;

use alter_core::content_match::FAMILIES;
use serde_json::Value;

use super::{Fault, Operation, fault};

const MEMBER: &str = "x-alter-families";
/// Stands for every operation that the map does not name.
const OTHERS: &str = "*";

/// Families by operation.
pub type Families = BTreeMap<String, Vec<String>>;

/// What an operation of a document says.
///
/// # Errors
/// A clause that says what is wrong.
pub(super) fn declared(described: &Value) -> Result<Option<Vec<String>>, String> {
    let Some(value) = described.get(MEMBER) else { return Ok(None) };
    let words: Option<Vec<String>> = value.as_array().and_then(|list| list.iter().map(|word| word.as_str().map(str::to_owned)).collect());
    let words = words.filter(|words| words.iter().all(|word| is_known(word)));
    words.map(Some).ok_or_else(|| format!("has an {MEMBER} that is no list of {}.", FAMILIES.join(", ")))
}

/// Writes an operator's map into the operations.
///
/// # Errors
/// [`Fault`] for an operation that there is none of, and for a word that is no family.
pub fn apply(families: &Families, operations: &mut [Operation]) -> Result<(), Fault> {
    for (operation, words) in families {
        if operation != OTHERS && !operations.iter().any(|known| known.operation_id == *operation) {
            return Err(fault(format!("families names {operation:?}, and the document has no such operation.")));
        }
        if let Some(unknown) = words.iter().find(|word| !is_known(word)) {
            return Err(fault(format!("families[{operation:?}] has {unknown:?}; known are {}.", FAMILIES.join(", "))));
        }
    }
    for operation in operations {
        let own = families.get(&operation.operation_id);
        // What the document says of one operation is more than what the operator says of all others.
        let chosen = own.or_else(|| families.get(OTHERS).filter(|_| operation.families.is_none()));
        if let Some(chosen) = chosen {
            operation.families = Some(chosen.clone());
        }
    }
    Ok(())
}

fn is_known(word: &str) -> bool {
    FAMILIES.contains(&word)
}
