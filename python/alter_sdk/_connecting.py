"""Connecting a person's accounts and secrets: what an application's and an agent's client both do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from alter_sdk._client import Client
from alter_sdk._operations import error_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from alter_sdk.models import ConnectResult, ConnectSession, GrantPolicyInput, UnifiedGrantListResult


class Connecting(Client):
    """Listing grants, and Connect sessions for accounts."""

    __slots__ = ()

    async def list_grants(
        self,
        *,
        provider_id: str | None = None,
        status: str | None = None,
        account: str | None = None,
        label: str | None = None,
        end_user_token: str | None = None,
        limit: int = 100,
        offset: int = 0,
        grant_kind: str | None = None,
    ) -> UnifiedGrantListResult:
        """One page of the grants that this client can see, of connected accounts and of stored secrets.

        An application sees all of its grants, or those of one user: the one of `end_user_token`, else of
        `user_token_getter`. An agent sees its own and those that were delegated to it.

            page = await app.list_grants(provider_id="google", limit=50)
            for grant in page.grants:
                print(grant.grant_id, grant.status)

        Args:
            provider_id: Only grants of this provider, or of the stored secret with this slug.
            status: Only grants in this state, for example `active`.
            account: Only grants of this account.
            label: Only the grants with this label.
            end_user_token: A user's JWT: only that user's grants.
            limit: At most so many, 1 to 1000.
            offset: Leaves out so many.
            grant_kind: `oauth` or `managed_secret`; both if it is not given.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            ReAuthRequiredError: The user's JWT is not valid.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {
            "provider_id": provider_id, "status": status, "account": account, "label": label,
            "end_user_token": end_user_token, "limit": limit, "offset": offset, "grant_kind": grant_kind,
        }  # fmt: skip
        return cast("UnifiedGrantListResult", await self._operate("list_grants", arguments))

    async def create_connect_session(
        self,
        *,
        allowed_providers: Sequence[str] | None = None,
        direct: bool = False,
        return_url: str | None = None,
        allowed_origin: str | None = None,
        metadata: dict[str, str] | None = None,
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        required_scopes: Mapping[str, list[str]] | None = None,
        agent: str | None = None,
        user_token: str | None = None,
        requested_grant: Mapping[str, Any] | None = None,
        repair_grant_id: str | None = None,
        delegable: bool | None = None,
        scope_constraint: list[str] | None = None,
        switch_account: bool = False,
        allow_user_policy_rules: bool = True,
    ) -> ConnectSession:
        """Makes a session in which a person connects an account. Send the person to its `connect_url`.

            session = await app.create_connect_session(allowed_providers=["google"], return_url="https://app.example/done")
            return redirect(session.connect_url)

        Args:
            allowed_providers: The providers to choose from; all of the application's if it is not given.
            direct: Skips the choice; `allowed_providers` must name one provider.
            return_url: Where the person goes afterwards.
            allowed_origin: The origin of the page that gets the result as a message.
            metadata: `ip_address` and `user_agent` of the person's request.
            grant_policy: Time limits: `expires_at`, `max_ttl_seconds`, `default_ttl_seconds`.
            required_scopes: For each provider the scopes to ask for.
            agent: The agent, by id or name, to which the person delegates the grant.
            user_token: The person's JWT; otherwise `user_token_getter` is asked. Binds session and grant to that
                person.
            requested_grant: `label`, and `restrictions` (`allowed_methods`, `allowed_endpoints`), of the new grant.
            repair_grant_id: Renews the login of this grant instead of making one.
            delegable: Whether the agent may delegate on: never (`False`), or if the person agrees (`True`).
            scope_constraint: The scopes to which the agent is narrowed.
            switch_account: Has the provider ask for the account anew.
            allow_user_policy_rules: Whether the person may set limits.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            AgentNotFoundError: There is no such agent.
            ConnectConfigError: The application or the provider is not set up for this.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {
            "allowed_providers": allowed_providers, "direct": direct, "return_url": return_url,
            "allowed_origin": allowed_origin, "metadata": metadata, "grant_policy": grant_policy,
            "required_scopes": required_scopes, "agent": agent, "user_token": user_token,
            "requested_grant": requested_grant, "repair_grant_id": repair_grant_id, "delegable": delegable,
            "scope_constraint": scope_constraint, "switch_account": switch_account,
            "allow_user_policy_rules": allow_user_policy_rules,
        }  # fmt: skip
        return cast("ConnectSession", await self._operate("create_connect_session", arguments))

    async def create_connect_session_for_error(
        self,
        error: BaseException,
        *,
        allowed_origin: str | None = None,
        return_url: str | None = None,
        metadata: dict[str, str] | None = None,
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        required_scopes: Mapping[str, list[str]] | None = None,
        user_token: str | None = None,
    ) -> ConnectSession:
        """Makes the session that mends what a call raised: for the same provider and agent, and for a login that
        died, for the same grant.

            try:
                await agent.request("GET", url, provider="google")
            except NoDelegatedGrantError as error:
                session = await app.create_connect_session_for_error(error)

        Args:
            error: The exception of a call: `NoDelegatedGrantError`, `CredentialRevokedError`, `GrantExpiredError`,
                or any that names a `provider_id`.
            allowed_origin: As for `create_connect_session`, like the rest.

        Raises:
            AlterValueError: `error` names no provider, or an argument was refused.
            BackendError: As for `create_connect_session`.
        """
        arguments = {
            "error": error_facts(error), "allowed_origin": allowed_origin, "return_url": return_url,
            "metadata": metadata, "grant_policy": grant_policy, "required_scopes": required_scopes,
            "user_token": user_token,
        }  # fmt: skip
        return cast("ConnectSession", await self._operate("create_connect_session_for_error", arguments))

    async def poll_connect_session(
        self,
        session_token: str,
        *,
        timeout: float = 300,
        poll_interval: float = 2.0,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> list[ConnectResult]:
        """Waits until the person has finished in a Connect session.

        Args:
            session_token: The session's token.
            timeout: Seconds to wait.
            poll_interval: Seconds between two questions.
            on_event: Called on this event loop with `{"type": "provider_declined", "provider_id", "error_code",
                "declined_at"}` when the person refuses a provider and goes on. A plain function.

        Returns:
            One result for each connected account.

        Raises:
            ConnectDeniedError: The person refused.
            ConnectTimeoutError: The person did not finish in time.
            ConnectConfigError: The application or the provider is not set up for this.
            ConnectFlowError: It failed otherwise. The three above are subclasses of this one.
            AlterValueError: An argument was refused; nothing was sent.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {
            "session_token": session_token, "timeout": timeout, "poll_interval": poll_interval, "on_event": on_event
        }  # fmt: skip
        return cast("list[ConnectResult]", await self._operate("poll_connect_session", arguments))

    async def connect(
        self,
        *,
        providers: Sequence[str] | None = None,
        timeout: float = 300,
        poll_interval: float = 2.0,
        open_browser: bool = True,
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        allow_user_policy_rules: bool = True,
        direct: bool = False,
        email: str | None = None,
        scopes: Mapping[str, list[str]] | list[str] | None = None,
    ) -> list[ConnectResult]:
        """Lets the person at this machine connect an account: opens the browser, prints the address, and waits.

        For command lines, notebooks and scripts. A web application makes a session and sends its user there.

            results = await app.connect(providers=["google"])
            print(results[0].grant_id)

        Cancelling it (Ctrl-C) gives the session up on the vault too, if the vault offers that.

        Args:
            providers: The providers to choose from; all of the application's if it is not given.
            timeout: Seconds to wait.
            poll_interval: Seconds between two questions.
            open_browser: If false, the address is only printed.
            grant_policy: Time limits: `expires_at`, `max_ttl_seconds`, `default_ttl_seconds`.
            allow_user_policy_rules: Whether the person may set limits.
            direct: Skips the choice; `providers` must name one provider.
            email: The account that the provider should suggest.
            scopes: The scopes to ask for: a list for one provider, or for each provider a list.

        Raises:
            ConnectFlowError: As for `poll_connect_session`.
            AlterValueError: An argument was refused; nothing was sent.
        """
        arguments = {
            "providers": providers, "timeout": timeout, "poll_interval": poll_interval, "open_browser": open_browser,
            "grant_policy": grant_policy, "allow_user_policy_rules": allow_user_policy_rules, "direct": direct,
            "email": email, "scopes": scopes,
        }  # fmt: skip
        return cast("list[ConnectResult]", await self._operate("connect", arguments))
