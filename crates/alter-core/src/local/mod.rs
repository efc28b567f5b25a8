//! Calls that send nothing: rules, traces and memory scopes, made of arguments by name as operations are.

mod content_rule;
mod memory;
mod time_windows;
mod trace;

use crate::error::{Error, Kind, Result};
use crate::given::Args;

macro_rules! local_calls {
    ($($variant:ident = $name:literal, $run:path;)+) => {
        /// Names such a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LocalCall {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl LocalCall {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in snake case.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Runs it: JSON text of the result.
            ///
            /// # Errors
            /// `AlterValueError` for an argument that is refused, `MemoryIsolationError` for memory that is nobody's to ask for.
            pub fn run(self, mut args: Args) -> Result<String> {
                match self {
                    $(Self::$variant => $run(&mut args),)+
                }
            }
        }
    };
}

local_calls! {
    ContentMatchRule = "content_match_rule", content_rule::content_match_rule;
    TraceContext = "trace_context", trace::trace_context;
    MemoryScope = "memory_scope", memory::scope;
    MemoryNamespace = "memory_namespace", memory::namespace;
    MemoryResult = "memory_result", memory::result;
}

/// Runs the call of a name, see [`LocalCall::run`].
///
/// # Errors
/// As [`LocalCall::run`]; `AlterSDKError` for a name that is none.
pub fn run(name: &str, args: Args) -> Result<String> {
    let call = LocalCall::ALL.iter().find(|call| call.name() == name);
    let call = call.ok_or_else(|| Error::new(Kind::AlterSdk, format!("The engine has no call {name}. Please report this.")))?;
    call.run(args)
}
