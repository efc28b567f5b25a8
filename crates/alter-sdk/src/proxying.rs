//! Calls that the vault makes itself, and people's decisions about them, as methods of [`App`] and [`Agent`].

use std::time::Duration;

use alter_core::client::{Operation, Outcome};
use alter_core::encoding::base64_bytes;
use alter_core::error::Result;
use alter_core::given::Args;
use alter_core::model::{ApprovalResult, ApprovalStatus, PendingApproval};
use serde_json::Value;

use crate::arguments::{IntoArgument, arguments};
use crate::client::{Agent, App};

arguments! {
    /// A call that the vault makes. Either `grant_id` or `provider` is required.
    ///
    /// ```
    /// use alter_sdk::ProxyRequest;
    /// let refund = ProxyRequest::new()
    ///     .grant_id("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")
    ///     .json(serde_json::json!({ "amount": 1000 }))
    ///     .reason("The parcel never came")
    ///     .idempotency_key("refund-4421");
    /// ```
    ProxyRequest {
        /// The grant to use.
        grant_id: impl IntoArgument,
        /// The provider whose grant to use.
        provider: impl IntoArgument,
        /// Picks one of a user's accounts at the provider.
        account: impl IntoArgument,
        /// Picks one of several grants of an account.
        label: impl IntoArgument,
        /// Body, sent as JSON.
        json: Value,
        /// More headers, as a JSON object of texts. Those that carry credentials are refused.
        extra_headers: Value,
        /// Query parameters as a JSON object, added to the URL's own.
        query_params: Value,
        /// Values for the `{name}` parts of the URL, as a JSON object of texts.
        path_params: Value,
        /// Why, in words: for the approver and the audit log.
        reason: impl IntoArgument,
        /// Text-to-text metadata for the audit log, as a JSON object.
        context: Value,
        /// Replaces the client's caller for this call.
        caller: impl IntoArgument,
        /// The end user's JWT for this call; otherwise the client's getter is asked.
        user_token: impl IntoArgument,
        /// Picks the grant of one of the application's users. Needs `provider`.
        app_user_id: impl IntoArgument,
        /// With the same key a call never runs twice, whatever happens in between: 1 to 255 printable ASCII characters.
        idempotency_key: impl IntoArgument,
        /// The trace that the call is part of (W3C Trace Context), for the vault's audit.
        traceparent: impl IntoArgument,
    }

    /// How long to wait for an approval.
    WaitForApproval {
        /// How long in all; 5 minutes by default.
        timeout: Duration,
        /// The time between two questions, each of which the vault may hold; 2 seconds by default.
        poll_interval: Duration,
    }
}

/// What came of a call that the vault was asked to make.
#[derive(Clone, Debug, PartialEq)]
pub enum Proxied {
    /// The provider answered, whatever its status is.
    Answered(ApprovalResult),
    /// People have to decide first.
    Pending(PendingApproval),
}

impl Proxied {
    /// The provider's body, if it answered.
    pub fn body(&self) -> Option<Vec<u8>> {
        match self {
            Self::Answered(result) => base64_bytes(&result.body_b64),
            Self::Pending(_) => None,
        }
    }
}

macro_rules! shared_calls {
    ($client:ident) => {
        impl $client {
            /// Has the vault call a provider, so that the credential never leaves it. It works for every grant, and is the only way for
            /// those that have limits or need a person's approval.
            ///
            /// # Errors
            /// `AlterValueError` before anything is sent; `PolicyViolationError`; what else the vault refuses. After a `TimeoutError` the
            /// call may have been made, or wait for approval.
            pub async fn proxy_request(&self, method: &str, url: &str, call: ProxyRequest) -> Result<Proxied> {
                let args = call.0.with("method", method).with("url", url);
                match self.0.operate(Operation::ProxyRequest, args).await? {
                    pending @ Outcome::One(model, _) if model.name == PendingApproval::MODEL.name => pending.one().map(Proxied::Pending),
                    answered => answered.one().map(Proxied::Answered),
                }
            }

            /// What has become of a call that needs a decision. The vault may hold the question for `wait`, up to 25 seconds.
            ///
            /// # Errors
            /// `AlterValueError` for an id that is none; `BackendError` for whatever the vault refuses.
            pub async fn get_approval_status(&self, approval_id: &str, wait: Duration) -> Result<ApprovalStatus> {
                let args = Args::new().with("approval_id", approval_id).with("wait", wait.as_secs_f64());
                self.0.operate(Operation::GetApprovalStatus, args).await?.one()
            }

            /// Waits until people have decided about a call and the vault has made it. Short faults are waited out.
            ///
            /// # Errors
            /// `ApprovalDeniedError`, `ApprovalExpiredError`, `ApprovalExecutionFailedError`; `ApprovalTimeoutError` when the wait is over;
            /// what the vault refuses.
            pub async fn await_approval(&self, approval_id: &str, wait: WaitForApproval) -> Result<ApprovalResult> {
                self.0.operate(Operation::AwaitApproval, wait.0.with("approval_id", approval_id)).await?.one()
            }
        }
    };
}

shared_calls!(App);
shared_calls!(Agent);
