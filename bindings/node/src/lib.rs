//! The Rust engine as the TypeScript package sees it: the addon behind `@alter-ai/alter-sdk`.
//!
//! Types in, types out; no rule of the protocol lives here. The classes are private: `node/src` makes the public ones of them.
//!
//! What crosses is little and plain: arguments and answers as one JSON text each, bodies as bytes. A crossing costs about as much per
//! value as parsing a short text does, so one text is cheaper than twenty properties, and its shape is declared once, with serde.

use alter_core::client::is_sensitive_header as is_sensitive;
use alter_core::key;
use models::Reading;
use napi_derive::napi;

mod arguments;
mod client;
mod failure;
mod given;
mod host;
mod models;
mod operations;
mod queue;
mod response;
mod runtime;

/// Whether a text is a well-formed API key.
#[napi]
pub fn is_valid_key(text: String) -> bool {
    key::is_valid_key(&text)
}

/// The fields of a public model, read from JSON as the vault's answers are.
#[napi]
pub fn read_model(name: String, text: String) -> Reading {
    models::fields(&name, &text).into()
}

/// A call that sends nothing, by its name; its result is JSON text. `arguments` is JSON as `node/src/given.ts` writes it.
#[napi]
pub fn local_call(name: String, arguments: String) -> Reading {
    operations::local_call(&name, &arguments).into()
}

/// The identity that a signed assertion proves. `arguments` is JSON as `node/src/given.ts` writes it.
#[napi]
pub fn verify_identity_assertion(arguments: String) -> Reading {
    operations::verify_assertion(&arguments).into()
}

/// Whether a header of this name carries credentials, so that no row may have it.
#[napi]
pub fn is_sensitive_header(name: String) -> bool {
    is_sensitive(&name)
}
