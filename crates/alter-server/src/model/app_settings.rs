//! What follows from an app's settings: where browsers may be sent, and who may be told.
//!
//! URLs are read by [`alter_core::url`], which changes nothing but dot segments, so that the URL that is judged is the URL that a browser is sent to.

use alter_core::encoding::percent_decode;
use alter_core::url::ProviderUrl;

use super::AppSettings;

/// Longest return URL or origin, in bytes.
const LONGEST: usize = 2048;

impl AppSettings {
    /// Whether a browser may be sent to this URL: its scheme, host and port are those of a registered one, and its path is that one's or lies below
    /// it. Its query may be any. Fragments, user information, dot segments and escaped slashes, however they are written, are refused: what is
    /// judged here would not be what a browser or a server makes of them.
    ///
    /// ```
    /// use alter_server::model::AppSettings;
    /// let settings = AppSettings { return_urls: vec!["https://shop.example/back".into()], ..AppSettings::default() };
    /// assert!(settings.allows_return("https://shop.example/back/7?step=2"));
    /// assert!(!settings.allows_return("https://shop.example/backdoor"));
    /// assert!(!settings.allows_return("https://shop.example/back/../admin"));
    /// ```
    pub fn allows_return(&self, url: &str) -> bool {
        // Entries are checked when they are stored; one that cannot be read all the same allows nothing.
        let Ok(asked) = plain_url(url) else { return false };
        self.return_urls.iter().filter_map(|entry| plain_url(entry).ok()).any(|entry| lies_below(&asked, &entry))
    }

    /// Whether a page of this origin may be told the result of one of the vault's. `null`, which browsers send for pages without an origin, never
    /// is one.
    pub fn allows_origin(&self, asked: &str) -> bool {
        origin(asked).is_ok_and(|asked| self.allowed_origins.iter().any(|entry| origin(entry).as_ref() == Ok(&asked)))
    }
}

/// Reads a URL that browsers may be sent back to, and everything below it: `https`, or `http` to loopback. Gives it in its one spelling.
///
/// # Errors
/// What is wrong with it and what to do, as a sentence that follows the entry's name.
pub fn return_url(text: &str) -> Result<String, String> {
    if text.contains('?') {
        return Err("has a query. Leave it away: any query is allowed below a registered path.".to_owned());
    }
    plain_url(text).map(|url| url.to_text())
}

/// Reads an origin: scheme and host, and the port if it is not the usual one. Gives it as browsers write it.
///
/// # Errors
/// As of [`return_url`].
pub fn origin(text: &str) -> Result<String, String> {
    let url = plain_url(text)?;
    if text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?'])) {
        let given = format!("{}://{}", url.scheme().as_str(), url.authority());
        return Err(format!("has a path or a slash at its end. An origin is scheme, host and port alone: '{given}'."));
    }
    Ok(format!("{}://{}", url.scheme().as_str(), url.authority()))
}

/// A URL of which a browser makes what this vault makes of it.
fn plain_url(text: &str) -> Result<ProviderUrl, String> {
    if text.len() > LONGEST {
        return Err(format!("must have at most {LONGEST} bytes."));
    }
    if text.contains('#') {
        return Err("has a fragment. Leave out # and what follows it.".to_owned());
    }
    if text.contains('*') {
        return Err("has a wildcard. Give each URL itself.".to_owned());
    }
    if text.contains(char::is_whitespace) {
        return Err("has a space. Remove it, or write %20 for a real one.".to_owned());
    }
    // The parser's sentences begin with the name that the value has elsewhere.
    let url = ProviderUrl::parse(text).map_err(|error| error.message().strip_prefix("url ").unwrap_or(error.message()).to_owned())?;
    let before_query = text.split('?').next().unwrap_or_default();
    let mut segments = before_query.split_once("://").map_or("", |(_, rest)| rest).split('/').skip(1);
    if segments.any(changes_the_path) {
        return Err("has a segment . or .. or an escaped slash in its path. Write the path as it is meant.".to_owned());
    }
    Ok(url)
}

/// Whether somebody on the way may read this segment as something else than one level down: dots, also escaped ones and with parameters behind
/// them (`..;x`), and escaped slashes.
fn changes_the_path(segment: &str) -> bool {
    let decoded = percent_decode(segment);
    let name = decoded.split(';').next().unwrap_or_default();
    name == "." || name == ".." || decoded.contains(['/', '\\'])
}

fn lies_below(asked: &ProviderUrl, entry: &ProviderUrl) -> bool {
    let same_place = (asked.scheme(), asked.host(), asked.port()) == (entry.scheme(), entry.host(), entry.port());
    let rest = asked.path().strip_prefix(entry.path());
    same_place && rest.is_some_and(|rest| rest.is_empty() || entry.path().ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allowing(return_urls: &[&str], allowed_origins: &[&str]) -> AppSettings {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        AppSettings { return_urls: owned(return_urls), allowed_origins: owned(allowed_origins), ..AppSettings::default() }
    }

    #[test]
    fn a_browser_is_sent_to_the_registered_path_and_below() {
        let settings = allowing(&["https://shop.example/back", "https://shop.example:8443/a/", "http://localhost:3000/"], &[]);
        for url in [
            "https://shop.example/back",
            "https://SHOP.example:443/back",
            "https://shop.example/back?grant=1&x=..%2F..",
            "https://shop.example/back/",
            "https://shop.example/back/a%20b",
            "https://shop.example/back/...",
            "https://shop.example:8443/a/b",
            "http://localhost:3000/",
            "http://localhost:3000",
            "http://localhost:3000/any",
        ] {
            assert!(settings.allows_return(url), "{url}");
        }
    }

    #[test]
    fn a_browser_is_sent_nowhere_else() {
        let settings = allowing(&["https://shop.example/back", "https://shop.example:8443/a/", "http://localhost:3000/back"], &[]);
        for url in [
            "",
            "null",
            "/back",
            "//shop.example/back",
            "https://shop.example",
            "https://shop.example/",
            "https://shop.example/backdoor",
            "https://shop.example/Back",
            "https://shop.example//back",
            "https://shop.example/b%61ck",
            "https://shop.example/back/..",
            "https://shop.example/back/../admin",
            "https://shop.example/x/../back",
            "https://shop.example/back/%2e%2e/admin",
            "https://shop.example/back/.%2E/admin",
            "https://shop.example/back/..;a=1/admin",
            "https://shop.example/back/%2e%2e%3bx/admin",
            "https://shop.example/back/..%2fadmin",
            "https://shop.example/back%2f..%2fadmin",
            "https://shop.example/back/..%5cadmin",
            "https://shop.example/back\\..\\admin",
            "https://shop.example\\@evil.example/back",
            "https://shop.example/back#x",
            "https://shop.example/back#",
            "https://shop.example/back\t",
            " https://shop.example/back",
            "https://shop.example/back ",
            "https://shop.example/ba\nck",
            "https://shop.example:8443/a",
            "https://shop.example:8443/back",
            "https://shop.example:444/back",
            "http://shop.example/back",
            "https://user@shop.example/back",
            "https://user:pw@shop.example/back",
            "https://@shop.example/back",
            "https://shop.example@evil.example/back",
            "https://shop.example.evil.example/back",
            "https://evil.example/https://shop.example/back",
            "https://evil.example?https://shop.example/back",
            "https://shop.example./back",
            "http://localhost:3001/back",
            "http://127.0.0.1:3000/back",
            "https://localhost:3000/back",
            "javascript:alert(1)",
            "javascript://shop.example/back",
            "data:text/html,x",
        ] {
            assert!(!settings.allows_return(url), "{url:?}");
        }
        assert!(!allowing(&[], &[]).allows_return("https://shop.example/back"));
        assert!(!allowing(&["", "nonsense", "https://shop.example/back#x"], &[]).allows_return("https://shop.example/back"));
    }

    #[test]
    fn an_origin_is_equal_or_it_is_another() {
        let settings = allowing(&[], &["https://shop.example", "http://localhost:3000"]);
        for asked in ["https://shop.example", "https://SHOP.example:443", "http://localhost:3000"] {
            assert!(settings.allows_origin(asked), "{asked}");
        }
        for asked in [
            "",
            "null",
            "*",
            "https://shop.example/",
            "https://shop.example?",
            "https://shop.example#",
            "https://shop.example:444",
            "http://shop.example",
            "https://a.shop.example",
            "https://shop.example.evil.example",
            "https://u@shop.example",
            "http://localhost",
            "http://127.0.0.1:3000",
        ] {
            assert!(!settings.allows_origin(asked), "{asked}");
        }
        assert!(!allowing(&[], &["null", "*"]).allows_origin("null"));
    }

    #[test]
    fn entries_get_one_spelling_or_a_reason() {
        assert_eq!(return_url("HTTPS://Shop.Example:443/back").as_deref(), Ok("https://shop.example/back"));
        assert_eq!(return_url("http://[::1]:80").as_deref(), Ok("http://[::1]/"));
        assert_eq!(origin("HTTPS://Shop.Example:443").as_deref(), Ok("https://shop.example"));
        assert_eq!(origin("http://127.0.0.1:3000").as_deref(), Ok("http://127.0.0.1:3000"));
        let long = format!("https://shop.example/{}", "a".repeat(LONGEST));
        for (url, reason) in [
            ("", "is empty"),
            ("shop.example/back", "has no scheme and host"),
            ("http://shop.example/back", "may use http only for localhost"),
            ("ftp://shop.example/back", "must begin with https://"),
            ("https://*.shop.example/back", "has a wildcard"),
            ("https://u:p@shop.example/back", "holds a user name"),
            ("https://shop.example/back#x", "has a fragment"),
            ("https://shop.example/back?x=1", "has a query"),
            ("https://shop.example/a/../b", "has a segment"),
            ("https://shop.example/a b", "has a space"),
            (long.as_str(), "must have at most 2048"),
        ] {
            let found = return_url(url).expect_err(url);
            assert!(found.starts_with(reason) && found.ends_with('.'), "{url}: {found}");
        }
        for (text, reason) in [
            ("https://shop.example/", "has a path or a slash at its end"),
            ("https://shop.example/a", "has a path or a slash at its end"),
            ("https://shop.example?", "has a path or a slash at its end"),
            ("null", "has no scheme and host"),
            ("http://shop.example", "may use http only for localhost"),
        ] {
            let found = origin(text).expect_err(text);
            assert!(found.starts_with(reason), "{text}: {found}");
        }
    }

    /// What a browser makes of a path (WHATWG): backslashes are slashes, dot segments are followed, escaped or not.
    fn as_a_browser_walks(path: &str) -> Vec<String> {
        let mut walked: Vec<String> = Vec::new();
        for segment in path.replace('\\', "/").split('/').skip(1) {
            match segment.to_lowercase().replace("%2e", ".").as_str() {
                ".." => drop(walked.pop()),
                "." => {}
                _ => walked.push(segment.to_owned()),
            }
        }
        walked
    }

    proptest! {
        #[test]
        fn no_path_leaves_the_registered_one(tail in r"(/|\\|\.|%2e|%2E|%2f|%5C|;|a|back|%61){0,10}") {
            let settings = allowing(&["https://shop.example/back"], &[]);
            for path in [format!("/back{tail}"), format!("/back/{tail}"), format!("/{tail}")] {
                if settings.allows_return(&format!("https://shop.example{path}")) {
                    let walked = as_a_browser_walks(&path);
                    prop_assert_eq!(walked.first().map(String::as_str), Some("back"), "{}", path);
                }
            }
        }

        #[test]
        fn no_text_before_the_path_changes_the_host(between in r"[ac-z.@:/\\#?%0-9 *\[\]]{0,6}") {
            let settings = allowing(&["https://shop.example/back"], &["https://shop.example"]);
            let url = format!("https://shop.example{between}evil.example/back");
            prop_assert!(!settings.allows_return(&url), "{}", url);
            let url = format!("https://evil.example{between}shop.example/back");
            prop_assert!(!settings.allows_return(&url), "{}", url);
            let asked = format!("https://shop.example{between}evil.example");
            prop_assert!(!settings.allows_origin(&asked), "{}", asked);
        }

        #[test]
        fn an_accepted_entry_allows_itself_and_is_in_its_one_spelling(
            scheme in "https?", host in "(localhost|127\\.0\\.0\\.1|Shop\\.example)", port in "(:[0-9]{1,5})?", path in "(/[a-z.%;0-9~]{0,4}){0,3}"
        ) {
            let text = format!("{scheme}://{host}{port}{path}");
            if let Ok(entry) = return_url(&text) {
                prop_assert_eq!(return_url(&entry), Ok(entry.clone()));
                prop_assert!(allowing(&[&entry], &[]).allows_return(&text));
            }
            let text = format!("{scheme}://{host}{port}");
            if let Ok(entry) = origin(&text) {
                prop_assert_eq!(origin(&entry), Ok(entry.clone()));
                prop_assert!(allowing(&[], &[&entry]).allows_origin(&text));
            }
        }
    }
}
