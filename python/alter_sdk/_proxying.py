"""Calls that the vault makes itself, and people's decisions about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from alter_sdk._connecting import Connecting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from alter_sdk._client import JSON
    from alter_sdk.models import ApprovalResult, ApprovalStatus, PendingApproval
    from alter_sdk.providers import HttpMethod, Provider


class Proxying(Connecting):
    """Calls through the vault, and waiting for approvals."""

    __slots__ = ()

    async def proxy_request(
        self,
        method: HttpMethod | str,
        url: str,
        *,
        grant_id: str | UUID | None = None,
        provider: Provider | str | None = None,
        account: str | None = None,
        label: str | None = None,
        json: JSON = None,
        extra_headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
        path_params: Mapping[str, str] | None = None,
        reason: str | None = None,
        context: Mapping[str, str] | None = None,
        caller: str | None = None,
        user_token: str | None = None,
        app_user_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        json_body: JSON = None,
        idempotency_key: str | None = None,
    ) -> ApprovalResult | PendingApproval:
        """Has the vault call a provider, so that the credential never leaves it. It works for every grant, and is the
        only way for those that have limits or need a person's approval.

            result = await app.proxy_request("POST", "https://api.example.com/refunds", grant_id=grant_id,
                                             json={"amount": 5}, reason="The parcel never came")
            if isinstance(result, PendingApproval):
                result = await app.await_approval(result.approval_id)
            print(result.status_code, result.body_json())

        Args:
            method: `HttpMethod` or text, in any case.
            url: The provider's URL; `{name}` parts are filled from `path_params`.
            grant_id: The grant to use. Either this or `provider`.
            provider: The provider whose grant to use.
            account: Picks one of a user's accounts at the provider.
            label: Picks one of several grants of an account.
            json: Body, sent as JSON (also `json_body`).
            extra_headers: More headers (also `headers`). Those that carry credentials are refused.
            query_params: Query parameters, added to the URL's own.
            path_params: Values for the `{name}` parts, percent-encoded.
            reason: Why, in words: for the approver and the audit log.
            context: Text-to-text metadata for the audit log.
            caller: Replaces the client's `caller` for this call.
            user_token: The end user's JWT for this call; otherwise `user_token_getter` is asked.
            app_user_id: Picks the grant of one of the application's users. Needs `provider`.
            idempotency_key: With the same key a call never runs twice, whatever happens in between: 1 to 255 printable
                ASCII characters. Vaults other than this project's may ignore it.

        Returns:
            The provider's answer, whatever its status, or the approval that the call waits for.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            PolicyViolationError: A policy forbids the call.
            BackendError: The vault refused; its other subclasses say why.
            TimeoutError: No answer in time. The call may have been made, or wait for approval.
        """
        arguments = {
            "method": method, "url": url, "grant_id": grant_id, "provider": provider, "account": account,
            "label": label, "json": json, "extra_headers": extra_headers, "query_params": query_params,
            "path_params": path_params, "reason": reason, "context": context, "caller": caller,
            "user_token": user_token, "app_user_id": app_user_id, "headers": headers, "json_body": json_body,
            "idempotency_key": idempotency_key,
        }  # fmt: skip
        return cast("ApprovalResult | PendingApproval", await self._operate("proxy_request", arguments))

    async def get_approval_status(self, approval_id: str | UUID, *, wait: float | None = 0) -> ApprovalStatus:
        """What has become of a call that needs a decision, by now.

        Args:
            approval_id: `approval_id` of the `PendingApproval`.
            wait: Seconds for which the vault may hold the question until something changes; it takes up to 25.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            BackendError: The vault refused; `details["error"]` says why.
        """
        arguments = {"approval_id": approval_id, "wait": wait}
        return cast("ApprovalStatus", await self._operate("get_approval_status", arguments))

    async def await_approval(
        self, approval_id: str | UUID, *, timeout: float = 300.0, poll_interval: float = 2.0
    ) -> ApprovalResult:
        """Waits until people have decided about a call and the vault has made it. Short faults are waited out.

        Args:
            approval_id: `approval_id` of the `PendingApproval`.
            timeout: Seconds to wait.
            poll_interval: Seconds between two questions, each of which the vault may hold.

        Returns:
            The provider's answer, whatever its status.

        Raises:
            ApprovalDeniedError: An approver refused.
            ApprovalExpiredError: Nobody decided in time.
            ApprovalExecutionFailedError: It was approved, and the call failed.
            ApprovalTimeoutError: The wait is over; the approval may still be open. The four above are `ApprovalError`s.
            AlterValueError: An argument was refused; nothing was sent.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {"approval_id": approval_id, "timeout": timeout, "poll_interval": poll_interval}
        return cast("ApprovalResult", await self._operate("await_approval", arguments))
