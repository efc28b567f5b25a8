//! One row of the audit trail: what the caller of a commit drafts, and what is read back.

use std::borrow::Cow;
use std::fmt;

use uuid::Uuid;

use super::RowMac;
use crate::clock::Timestamp;
use crate::model::{ActorId, AppId, CallerType, GrantId, KeyId, OperatorId, words};

/// Longest free text (`reason`, `caller`, `url`, …) that a row keeps, in bytes. What is longer is cut and ends with `…`.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Longest JSON text (`context`, `report`) that a row keeps, in bytes. What is longer is replaced by a note of its size.
pub const MAX_JSON_BYTES: usize = 65_536;

/// Whose chain a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainId {
    /// What belongs to no app: operators, and apps coming into being.
    Vault,
    /// An app's own chain.
    App(AppId),
}

impl ChainId {
    /// The id under which the chain is stored: the app's, or the nil UUID for the vault's own.
    pub const fn as_uuid(self) -> Uuid {
        match self {
            Self::Vault => Uuid::nil(),
            Self::App(app) => app.0,
        }
    }

    /// The chain stored under an id.
    pub const fn from_uuid(id: Uuid) -> Self {
        if id.is_nil() { Self::Vault } else { Self::App(AppId(id)) }
    }
}

impl fmt::Display for ChainId {
    /// `vault`, or the app's id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault => f.write_str("vault"),
            Self::App(app) => app.fmt(f),
        }
    }
}

words! {
    /// What a row says about its own subject. See [`Standing`] for how it is to be read.
    pub enum Outcome {
        /// The vault is about to release something once this row is on disk.
        Intent = "intent",
        /// The change was made in the same commit as this row.
        Done = "done",
        /// Nothing was released or changed; `code` says why.
        Refused = "refused",
    }
}

words! {
    /// How a row reads together with the rows after it.
    pub enum Standing {
        /// An intent that nothing took back: the credential was released, or the vault died between writing the row and answering.
        Released = "released",
        /// A change that was made.
        Done = "done",
        /// A refusal, or an intent whose commit came too late: a later row with `refers_to` says that nothing was released.
        Refused = "refused",
    }
}

/// A URL as the audit keeps it: without user information, query and fragment, which may carry secrets.
///
/// ```
/// use alter_server::audit::AuditUrl;
/// assert_eq!(AuditUrl::of("https://user:pw@api.example.com/v1/x?key=1#top").as_str(), "https://api.example.com/v1/x");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditUrl(String);

impl AuditUrl {
    /// Strips a URL as a client gave it. It need not be a valid URL: refused requests are recorded too.
    pub fn of(url: &str) -> Self {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let url = &url[..end];
        let authority_start = url.find("//").map_or(0, |at| at + 2);
        let authority_end = url[authority_start..].find(['/', '\\']).map_or(url.len(), |at| authority_start + at);
        // The last '@' ends the user information, as in the URL standard: a password may hold an earlier one.
        let host_start = url[authority_start..authority_end].rfind('@').map_or(authority_start, |at| authority_start + at + 1);
        Self(clip(&format!("{}{}", &url[..authority_start], &url[host_start..])))
    }

    /// One that was stripped when it was stored: taken as it is, so that verification sees what is there.
    pub(crate) const fn as_stored(text: String) -> Self {
        Self(text)
    }

    /// The stripped text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the caller of a commit knows about a row. The store adds sequence, time and MAC, and turns it into a refusal if the commit is declined.
///
/// Texts are bounded here (the setters cut them), so a long `reason` can never make a call fail for want of its audit row. An entry never
/// holds a key or a credential: there is no field for one.
///
/// ```
/// use alter_server::audit::{AuditEntry, ChainId, Outcome};
/// let entry = AuditEntry::new(ChainId::Vault, "app.create", Outcome::Done).reason("first app").request_id("req-1");
/// assert_eq!(entry.action, "app.create");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The chain it goes to.
    pub chain: ChainId,
    /// What was asked for, as `noun.verb`: `token.retrieve`, `call.report`, `grant.create`.
    pub action: Cow<'static, str>,
    /// How it went, as far as the caller of the commit knows.
    pub outcome: Outcome,
    /// Why it was refused: the code that the client got. Present exactly when `outcome` is refused.
    pub code: Option<String>,
    /// The API key that asked.
    pub key: Option<KeyId>,
    /// The operator who asked.
    pub operator: Option<OperatorId>,
    /// Who the request said it is (`X-Alter-Caller`).
    pub caller: Option<String>,
    /// What kind of caller it said it is.
    pub caller_type: Option<CallerType>,
    /// The caller's actor id.
    pub actor: Option<ActorId>,
    /// The grant that it was about, if the vault knows it.
    pub grant: Option<GrantId>,
    /// The provider id or secret slug that it was about.
    pub provider: Option<String>,
    /// What was created or changed, as `kind:id`.
    pub subject: Option<String>,
    /// The reason that the client gave.
    pub reason: Option<String>,
    /// The context that the client gave, as JSON text.
    pub context: Option<String>,
    /// Method of the call to the provider.
    pub method: Option<String>,
    /// URL of the call to the provider.
    pub url: Option<AuditUrl>,
    /// What really happened, where the client is told less (an unknown grant, a foreign one, …).
    pub detail: Option<String>,
    /// The request id that the client got.
    pub request_id: Option<String>,
    /// The trace that the request was part of: 32 hexadecimal digits, from the client's `traceparent` or our own.
    pub trace: Option<String>,
    /// What a client reported about its call, as JSON text.
    pub report: Option<String>,
    /// Sequence of an earlier row of the same chain that this one takes back. Set by the store only.
    pub refers_to: Option<u64>,
}

impl AuditEntry {
    /// A row with nothing but where it goes, what was asked for, and how it went. For refusals use [`AuditEntry::refused`].
    pub const fn new(chain: ChainId, action: &'static str, outcome: Outcome) -> Self {
        Self {
            chain,
            action: Cow::Borrowed(action),
            outcome,
            code: None,
            key: None,
            operator: None,
            caller: None,
            caller_type: None,
            actor: None,
            grant: None,
            provider: None,
            subject: None,
            reason: None,
            context: None,
            method: None,
            url: None,
            detail: None,
            request_id: None,
            trace: None,
            report: None,
            refers_to: None,
        }
    }

    /// Makes it a refusal: `code` is what the client is told, `detail` what really happened.
    #[must_use]
    pub fn refused(mut self, code: &str, detail: Option<&str>) -> Self {
        self.outcome = Outcome::Refused;
        self.code = Some(clip(code));
        if let Some(detail) = detail {
            self.detail = Some(clip(detail));
        }
        self
    }

    /// The API key that asked.
    #[must_use]
    pub const fn key(mut self, key: KeyId) -> Self {
        self.key = Some(key);
        self
    }

    /// The operator who asked.
    #[must_use]
    pub const fn operator(mut self, operator: OperatorId) -> Self {
        self.operator = Some(operator);
        self
    }

    /// The caller that the request named.
    #[must_use]
    pub fn caller(mut self, caller_type: CallerType, caller: &str, actor: Option<ActorId>) -> Self {
        self.caller = Some(clip(caller));
        self.caller_type = Some(caller_type);
        self.actor = actor;
        self
    }

    /// The grant that it was about.
    #[must_use]
    pub const fn grant(mut self, grant: GrantId) -> Self {
        self.grant = Some(grant);
        self
    }

    /// The provider id or secret slug that it was about.
    #[must_use]
    pub fn provider(mut self, provider: &str) -> Self {
        self.provider = Some(clip(provider));
        self
    }

    /// What was created or changed: its kind and id.
    #[must_use]
    pub fn subject(mut self, kind: &str, id: impl fmt::Display) -> Self {
        self.subject = Some(clip(&format!("{kind}:{id}")));
        self
    }

    /// The reason that the client gave.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(clip(reason));
        self
    }

    /// The context that the client gave, as JSON text.
    #[must_use]
    pub fn context(mut self, json: &str) -> Self {
        self.context = Some(bounded_json(json));
        self
    }

    /// Method and URL of the call to the provider.
    #[must_use]
    pub fn call(mut self, method: &str, url: &str) -> Self {
        self.method = Some(clip(method));
        self.url = Some(AuditUrl::of(url));
        self
    }

    /// What really happened, where nobody is told.
    #[must_use]
    pub fn detail(mut self, text: &str) -> Self {
        self.detail = Some(clip(text));
        self
    }

    /// The request id that the client got.
    #[must_use]
    pub fn request_id(mut self, id: &str) -> Self {
        self.request_id = Some(clip(id));
        self
    }

    /// The trace that the request was part of.
    #[must_use]
    pub fn trace(mut self, id: &str) -> Self {
        self.trace = Some(clip(id));
        self
    }

    /// What a client reported about its call, as JSON text of at most [`MAX_JSON_BYTES`]. Longer text is replaced by a note of its size, so
    /// shorten the long members (bodies) before.
    #[must_use]
    pub fn report(mut self, json: &str) -> Self {
        self.report = Some(bounded_json(json));
        self
    }
}

/// A row as it was read back, together with what later rows say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the chain, counted from 1.
    pub sequence: u64,
    /// When it was written, by the vault's clock.
    pub at: Timestamp,
    /// What it says.
    pub entry: AuditEntry,
    /// MAC over the row and the MAC of the row before it.
    pub mac: RowMac,
    /// Sequence of the row that takes this intent back, if there is one.
    pub voided_by: Option<u64>,
}

impl AuditRow {
    /// How the row is to be read.
    pub const fn standing(&self) -> Standing {
        match (self.entry.outcome, self.voided_by) {
            (Outcome::Intent, None) => Standing::Released,
            (Outcome::Intent, Some(_)) | (Outcome::Refused, _) => Standing::Refused,
            (Outcome::Done, _) => Standing::Done,
        }
    }
}

/// Cuts a text to [`MAX_TEXT_BYTES`], at a character's end. NUL becomes U+FFFD: a text in PostgreSQL cannot hold it, and the row must be as it was
/// chained.
fn clip(text: &str) -> String {
    if text.contains('\0') {
        return clip(&text.replace('\0', "\u{fffd}"));
    }
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    const MARK: char = '…';
    let most = MAX_TEXT_BYTES - MARK.len_utf8();
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{MARK}", &text[..end])
}

fn bounded_json(json: &str) -> String {
    if json.len() <= MAX_JSON_BYTES { json.to_owned() } else { format!(r#"{{"omitted_bytes":{}}}"#, json.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_holds_a_nul() {
        let row = AuditEntry::new(ChainId::Vault, "token.retrieve", Outcome::Intent).reason("a\0b");
        assert_eq!(row.reason.as_deref(), Some("a\u{fffd}b"));
    }

    #[test]
    fn urls_lose_everything_that_may_be_secret() {
        for (url, kept) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://u:p@ss@api.example.com:8443/a@b?k=v", "https://api.example.com:8443/a@b"),
            ("https://u:p@api.example.com#f", "https://api.example.com"),
            ("https://api.example.com/?next=https://u:p@x", "https://api.example.com/"),
            ("u:p@host/path", "host/path"),
            ("https://u:p@", "https://"),
            ("", ""),
        ] {
            assert_eq!(AuditUrl::of(url).as_str(), kept, "{url}");
        }
    }

    #[test]
    fn long_texts_are_cut_and_long_json_is_replaced() {
        let entry = AuditEntry::new(ChainId::Vault, "call.report", Outcome::Done)
            .reason(&"é".repeat(MAX_TEXT_BYTES))
            .report(&format!("\"{}\"", "x".repeat(MAX_JSON_BYTES)))
            .context(r#"{"a":1}"#);
        let reason = entry.reason.unwrap();
        assert!(reason.len() <= MAX_TEXT_BYTES && reason.ends_with("é…"));
        assert_eq!(entry.report.unwrap(), r#"{"omitted_bytes":65538}"#);
        assert_eq!(entry.context.unwrap(), r#"{"a":1}"#);
    }

    #[test]
    fn an_intent_that_was_taken_back_reads_as_refused() {
        let row = |outcome, voided_by| AuditRow {
            sequence: 1,
            at: Timestamp::from_millis(0),
            entry: AuditEntry::new(ChainId::Vault, "token.retrieve", outcome),
            mac: RowMac([0; 32]),
            voided_by,
        };
        assert_eq!(row(Outcome::Intent, None).standing(), Standing::Released);
        assert_eq!(row(Outcome::Intent, Some(2)).standing(), Standing::Refused);
        assert_eq!(row(Outcome::Refused, None).standing(), Standing::Refused);
        assert_eq!(row(Outcome::Done, None).standing(), Standing::Done);
    }
}
