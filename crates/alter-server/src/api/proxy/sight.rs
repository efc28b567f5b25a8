//! A call as it will be sent, without the credential: what people see, and what they agree to.

use alter_core::encoding::hex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::request::ProxyRequest;
use crate::model::GrantId;

/// Names what the digest is of, so that no digest of anything else can be mistaken for one.
const LABEL: &str = "alter approval v1";

/// The call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// The method.
    pub method: String,
    /// The URL with the client's parameters, before the credential's are added.
    pub url: String,
    /// The client's headers, as they are spelt and in their order.
    pub headers: Vec<(String, String)>,
    /// The body: JSON text, after fields were taken out of it.
    pub body: Option<String>,
}

impl Sight {
    /// What a request amounts to.
    pub fn of(asked: &ProxyRequest) -> Self {
        Self {
            method: asked.method.as_str().to_owned(),
            url: asked.url.to_text(),
            headers: asked.headers.clone(),
            body: asked.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned()),
        }
    }

    /// SHA-256 of the JSON array `["alter approval v1", grant_id, method, url, [[name, value], …], sha256(body) in hex or null]`, without blanks.
    ///
    /// Whoever has the call can compute it; one character more or less anywhere gives another one.
    pub fn digest(&self, grant: GrantId) -> [u8; 32] {
        let body = self.body.as_ref().map(|body| hex(&Sha256::digest(body.as_bytes())));
        let text = json!([LABEL, grant, self.method, self.url, self.headers, body]).to_string();
        Sha256::digest(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sight() -> Sight {
        Sight {
            method: "POST".into(),
            url: "https://api.example.com/v1/x?a=1".into(),
            headers: vec![("X-A".into(), "1".into()), ("X-B".into(), "2".into())],
            body: Some(r#"{"to":"ada"}"#.into()),
        }
    }

    #[test]
    fn anybody_can_compute_it() {
        let grant = GrantId::parse("00000000-0000-4000-8000-000000000001").expect("an id");
        let body = hex(&Sha256::digest(br#"{"to":"ada"}"#));
        let text =
            format!(r#"["alter approval v1","{grant}","POST","https://api.example.com/v1/x?a=1",[["X-A","1"],["X-B","2"]],"{body}"]"#);
        assert_eq!(sight().digest(grant), <[u8; 32]>::from(Sha256::digest(text.as_bytes())));
    }

    proptest! {
        #[test]
        fn another_call_has_another_digest(text in "[a-zA-Z0-9]{1,8}", part in 0..6_usize) {
            let (grant, mut other) = (GrantId::random(), sight());
            match part {
                0 => other.method = text,
                1 => other.url.push_str(&text),
                2 => other.headers[0].1.push_str(&text),
                3 => other.headers.swap(0, 1),
                4 => other.body.as_mut().expect("a body").push_str(&text),
                _ => other.body = None,
            }
            prop_assert_ne!(other.digest(grant), sight().digest(grant));
            prop_assert_ne!(sight().digest(grant), sight().digest(GrantId::random()));
        }
    }
}
