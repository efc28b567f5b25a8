//! The providers that the vault knows by name.
//!
//! The facts are data: one file per provider in `catalogue/providers`, with its sources and how sure each entry is, in a shape that
//! `catalogue/provider.schema.json` describes. One driver ([`super::driver`]) reads them; no provider has code of its own. What an operator adds has the
//! same shape and passes the same [`check()`].

mod check;
mod entry;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

pub use check::{Wrong, check, check_settings};
pub use entry::{
    AccountLookup, AnswerShape, Api, Authorization, Call, ClientAuthentication, Confidence, Delimiter, Format, Kept, LargeLifetime, Method,
    Pkce, Place, Provider, RedirectUri, Refresh, Revocation, Source, StandardError, TokenEndpoint, TokenKind, ZeroLifetime,
};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalogue/providers");

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
    let read = |file: &include_dir::File<'_>| -> Provider {
        // The files are part of the program, and a test reads every one of them.
        serde_json::from_slice(file.contents()).unwrap_or_else(|error| panic!("catalogue/providers/{}: {error}", file.path().display()))
    };
    Catalogue(FILES.files().map(read).map(|provider| (provider.id.clone(), provider)).collect())
});

/// Providers by id.
///
/// ```
/// let github = alter_server::oauth::catalogue::Catalogue::shipped().get("github").expect("it is one of the 71");
/// assert_eq!(github.token.url, "https://github.com/login/oauth/access_token");
/// ```
#[derive(Debug)]
pub struct Catalogue(BTreeMap<String, Provider>);

impl Catalogue {
    /// The catalogue that comes with the program.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// A provider by its id.
    pub fn get(&self, id: &str) -> Option<&Provider> {
        self.0.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Provider> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests;
