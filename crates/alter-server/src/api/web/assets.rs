//! The stylesheet and the script of the pages, under names that change with their content, so that browsers may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use sha2::{Digest, Sha256};

/// The route under which they are served.
pub const ROUTE: &str = "/assets/{name}";

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| Asset::new(include_str!("../../../assets/pages.css"), "css", "text/css"));
static CONSOLE_STYLESHEET: LazyLock<Asset> = LazyLock::new(|| Asset::new(include_str!("../../../assets/console.css"), "css", "text/css"));
static CONSOLE_SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::new(include_str!("../../../assets/console.js"), "js", "text/javascript"));
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::new(include_str!("../../../assets/pages.js"), "js", "text/javascript"));

struct Asset {
    text: &'static str,
    name: String,
    path: String,
    kind: String,
}

impl Asset {
    fn new(text: &'static str, ending: &str, kind: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let fingerprint: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{fingerprint}.{ending}");
        Self { text, path: format!("/assets/{name}"), name, kind: format!("{kind}; charset=utf-8") }
    }
}

/// The path of the stylesheet.
pub fn stylesheet() -> &'static str {
    &STYLESHEET.path
}

/// The path of the script.
pub fn script() -> &'static str {
    &SCRIPT.path
}

/// The path of what the console adds to the stylesheet.
pub fn console_stylesheet() -> &'static str {
    &CONSOLE_STYLESHEET.path
}

/// The path of the console's script.
pub fn console_script() -> &'static str {
    &CONSOLE_SCRIPT.path
}

/// `GET /assets/{name}`
pub async fn serve(name: Result<Path<String>, PathRejection>) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let Some(asset) = [&*STYLESHEET, &*SCRIPT, &*CONSOLE_STYLESHEET, &*CONSOLE_SCRIPT].into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers =
        [(CONTENT_TYPE, asset.kind.as_str()), (CACHE_CONTROL, "public, max-age=31536000, immutable"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, asset.text).into_response()
}
