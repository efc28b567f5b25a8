//! Writing path and query the way they go out.

use crate::encoding::push_escape;

/// Encodes what may not stand in a path. Escapes that are there stay, malformed ones too.
pub(super) fn encode_path(path: &str) -> String {
    encode_except(path, |b| matches!(b, b' ' | b'"' | b'#' | b'<' | b'>' | b'?' | b'`' | b'{' | b'}'))
}

/// Encodes what may not stand in a query.
pub(super) fn encode_query(query: &str) -> String {
    encode_except(query, |b| matches!(b, b' ' | b'"' | b'#' | b'<' | b'>'))
}

fn encode_except(text: &str, forbidden: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii() && !byte.is_ascii_control() && !forbidden(byte) {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
    }
    out
}

/// Removes `.` and `..` segments (RFC 3986, 5.2.4). Empty segments and escaped dots stay.
pub(super) fn remove_dot_segments(path: &str) -> String {
    if !path.split('/').any(|segment| segment == "." || segment == "..") {
        return path.to_owned();
    }
    let segments: Vec<&str> = path.split('/').collect();
    let last = segments.len() - 1;
    let mut kept: Vec<&str> = Vec::with_capacity(segments.len());
    for (i, segment) in segments.iter().enumerate() {
        match *segment {
            ".." => {
                // The first entry is the empty text before the leading slash: it stays.
                if kept.len() > 1 {
                    kept.pop();
                }
            }
            "." => {}
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if i == last {
            kept.push("");
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dot_segments_are_removed_as_the_rfc_has_it() {
        for (path, want) in [
            ("/a/../b/./c", "/b/c"),
            ("/..", "/"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/../../x", "/x"),
            ("/a//../b", "/a/b"),
            ("/%2e%2e/x", "/%2e%2e/x"),
        ] {
            assert_eq!(remove_dot_segments(path), want, "{path}");
        }
    }

    proptest! {
        #[test]
        fn removing_twice_is_removing_once(path in "(/[a-c.]{0,3}){0,8}") {
            let once = remove_dot_segments(&format!("/{path}"));
            prop_assert_eq!(remove_dot_segments(&once), once.clone());
            prop_assert!(once.starts_with('/'));
        }
    }
}
