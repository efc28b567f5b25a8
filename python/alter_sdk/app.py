"""`App`: an application's client."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

from alter_sdk._logging import Reporter
from alter_sdk._managing import Managing
from alter_sdk._memory import trust, trusted_assertion
from alter_sdk.agent import Agent
from alter_sdk.exceptions import AlterValueError
from alter_sdk.providers.enums import CallerType

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from alter_sdk._client import UserTokenGetter
    from alter_sdk.agents import AgentsNamespace
    from alter_sdk.models import (
        AuthResult,
        AuthSession,
        CreateGrantResult,
        GrantInfo,
        GrantPolicyInput,
        IdentityAssertion,
        IdentityContext,
        ManagedSecretConnectSession,
        Principal,
        RevokeGrantResult,
    )


class App(Managing):
    """An application's client of the vault.

        async with App(os.environ["ALTER_KEY"]) as app:
            response = await app.request("GET", "https://api.example.com/v1/me", grant_id=grant_id)

    Args:
        api_key: The application's key, `alter_rk_…` (or one of the older `alter_key_…` form).
        timeout: Seconds for connecting, and for each wait for data; `None` waits without end.
        caller: Who makes the calls, for the audit log: 1 to 255 printable ASCII characters. An agent's id acts as it.
        caller_type: `CallerType.SERVICE` or `CallerType.AGENT`; groups the audit log.
        user_token_getter: Returns the signed-in user's JWT; a function or a coroutine function. Asked for every call
            that brings no `user_token`.
        logger: Takes warnings; `logging.getLogger("alter_sdk")` if not given.

    Raises:
        AlterSDKError: The key is malformed (found before anything is sent), `ALTER_BASE_URL` is, the getter cannot be
            called, or the logger cannot take warnings.
        AlterValueError: `caller`, `caller_type` or `timeout` is refused.
    """

    __slots__ = ()

    def __init__(
        self,
        api_key: str,
        *,
        timeout: float | None = 30.0,
        caller: str | None = None,
        caller_type: CallerType | str = CallerType.SERVICE,
        user_token_getter: UserTokenGetter | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self._open("app", api_key, timeout, caller, caller_type, user_token_getter, logger)

    @property
    def agents(self) -> AgentsNamespace:
        """The application's managed agents."""
        from alter_sdk.agents import AgentsNamespace

        return self._part(AgentsNamespace)

    def get_agent(self, agent_id: str | uuid.UUID) -> Agent:
        """A client that acts as one of the application's agents, with the application's key.

        It is attribution, not a boundary: whatever the key may do, this client may do. It has connections of its own,
        so it must be closed by itself.

        Raises:
            AlterValueError: `agent_id` is not a UUID, or this client is closed.
        """
        try:
            canonical = str(agent_id if isinstance(agent_id, uuid.UUID) else uuid.UUID(agent_id))
        except (AttributeError, TypeError, ValueError):
            raise AlterValueError(
                f"agent_id is not a UUID: {agent_id!r:.80}. Use the id that the vault gave the agent."
            ) from None
        agent = Agent.__new__(Agent)
        reporter = Reporter(self._reporter.logger)
        agent._adopt(self._engine.agent(canonical, reporter.number), reporter, None, None)
        return agent

    async def mint_grant(
        self,
        source_grant_id: str,
        *,
        label: str,
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        grant_tags: list[str] | None = None,
    ) -> GrantInfo:
        """Makes a second grant on the credential of a grant, for the same user, with limits and delegations of its own.

        Args:
            source_grant_id: The grant to start from.
            label: The new grant's name, unlike any other of this credential.
            grant_policy: Its limits; which keys there are is the vault's to say.
            grant_tags: Words for policies to go by.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            SiblingLabelConflictError: Another grant of this credential has the label; `list_grants(label=…)` finds it.
            GrantNotFoundError: There is no such grant.
            PolicyViolationError: This grant cannot be minted from; `policy_error` says why.
        """
        arguments = {
            "source_grant_id": source_grant_id, "label": label, "grant_policy": grant_policy, "grant_tags": grant_tags
        }  # fmt: skip
        return cast("GrantInfo", await self._operate("mint_grant", arguments))

    async def revoke_grant(self, grant_id: str, *, reason: str | None = None) -> RevokeGrantResult:
        """Ends a grant for good. With a `user_token_getter` only a grant of the signed-in user.

        Args:
            grant_id: The grant.
            reason: Why, for the audit log.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            GrantNotFoundError: There is no such grant, it is not this user's, or it was revoked before.
        """
        return cast("RevokeGrantResult", await self._operate("revoke_grant", {"grant_id": grant_id, "reason": reason}))

    async def revoke_delegation(self, grant_id: str, agent_id: str) -> None:
        """Ends an agent's delegation, and everything that was delegated on from it. The grant stays.

        Args:
            grant_id: The grant that the user delegated from.
            agent_id: The agent.

        Raises:
            AlterValueError: One of them is not a UUID; nothing was sent.
            GrantNotFoundError: There is no such grant.
        """
        await self._operate("revoke_delegation", {"grant_id": grant_id, "agent_id": agent_id})

    async def create_managed_secret_grant(
        self,
        managed_secret_id: str,
        *,
        principal: Principal | Mapping[str, Any],
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        credential_id: str | None = None,
    ) -> CreateGrantResult:
        """Grants the use of a stored secret to somebody.

            await app.create_managed_secret_grant(secret_id, principal=SystemPrincipal(label="nightly job"))

        Args:
            managed_secret_id: The secret.
            principal: `UserPrincipal`, `GroupPrincipal` or `SystemPrincipal`; also a map with its `type`.
            grant_policy: Time limits: `expires_at`, `max_ttl_seconds`, `default_ttl_seconds`.
            credential_id: Which of the secret's credentials, if it has several.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            CredentialIdRequiredError: The secret has several credentials; `credentials` lists them.
            EndUserCredentialNotAssignableError: The credential is an end user's own.
            SiblingLabelConflictError: The label is taken.
            ConnectConfigError: There is no such secret.
        """
        arguments = {
            "managed_secret_id": managed_secret_id, "principal": principal, "grant_policy": grant_policy,
            "credential_id": credential_id,
        }  # fmt: skip
        return cast("CreateGrantResult", await self._operate("create_managed_secret_grant", arguments))

    async def create_managed_secret_connect_session(
        self,
        *,
        provider: str | None = None,
        user_token: str,
        agent: str | None = None,
        delegable: bool = False,
        requested_grant: Mapping[str, Any] | None = None,
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        direct: bool = False,
        repair_grant_id: str | None = None,
        allow_user_policy_rules: bool = True,
        allowed_origin: str | None = None,
        return_url: str | None = None,
        requested_ttl_seconds: int | None = None,
        template_slug: str | None = None,
        delegated_agent_id: str | None = None,
        delegated_agent_name: str | None = None,
    ) -> ManagedSecretConnectSession:
        """Makes a session in which a person allows the use of a stored secret, or brings one. The outcome reaches the
        application in the browser, or by `list_grants`.

        Args:
            provider: The secret's slug.
            user_token: The person's JWT.
            agent: The agent, by id or name, that may use it; the application itself if it is not given.
            delegable: Whether to ask that the agent may delegate it on.
            requested_grant: `{"label": …}` of the new grant.
            grant_policy: Time limits: `expires_at`, `max_ttl_seconds`, `default_ttl_seconds`.
            direct: Skips the first page.
            repair_grant_id: Brings a new key for this grant.
            allow_user_policy_rules: Whether the person may set limits.
            allowed_origin: The origin of the page that gets the result as a message.
            return_url: Where the person goes afterwards.
            requested_ttl_seconds: Ends after so many seconds; `grant_policy` is the newer way.
            template_slug: The older name of `provider`, deprecated.
            delegated_agent_id: The older name of `agent`, deprecated.
            delegated_agent_name: Ignored: the vault shows the agent's own name.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            AgentNotFoundError: There is no such agent.
            ConnectConfigError: The application or the secret is not set up for this.
            ServerFeatureUnsupportedError: The vault is older than what was asked of it.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {
            "provider": provider, "user_token": user_token, "agent": agent, "delegable": delegable,
            "requested_grant": requested_grant, "grant_policy": grant_policy, "direct": direct,
            "repair_grant_id": repair_grant_id, "allow_user_policy_rules": allow_user_policy_rules,
            "allowed_origin": allowed_origin, "return_url": return_url,
            "requested_ttl_seconds": requested_ttl_seconds, "template_slug": template_slug,
            "delegated_agent_id": delegated_agent_id, "delegated_agent_name": delegated_agent_name,
        }  # fmt: skip
        session = await self._operate("create_managed_secret_connect_session", arguments)
        return cast("ManagedSecretConnectSession", session)

    async def create_auth_session(self) -> AuthSession:
        """Makes a session in which a person signs in at the application's identity provider. Send the person to its
        `auth_url`.

        Raises:
            BackendError: The application has no identity provider, or the vault refused.
        """
        return cast("AuthSession", await self._operate("create_auth_session", {}))

    async def poll_auth_session(
        self,
        session_token: str,
        *,
        timeout: float = 300.0,
        poll_interval: float = 2.0,
    ) -> AuthResult:
        """Waits until the person has signed in. Short faults of the vault are waited out.

        Args:
            session_token: The session's token.
            timeout: Seconds to wait.
            poll_interval: Seconds between two questions.

        Raises:
            ConnectTimeoutError: The person did not sign in in time.
            AlterSDKError: The sign-in failed or expired.
            BackendError: The vault refused, or the identity provider is not available.
        """
        arguments = {"session_token": session_token, "timeout": timeout, "poll_interval": poll_interval}
        return cast("AuthResult", await self._operate("poll_auth_session", arguments))

    async def authenticate(
        self,
        *,
        timeout: float = 300.0,
    ) -> AuthResult:
        """Signs in the person at this machine: opens the browser, prints the address, and waits.

        The person's JWT becomes this client's `user_token_getter` for all later calls; it is not renewed.

        Args:
            timeout: Seconds to wait.

        Raises:
            ConnectTimeoutError: The person did not sign in in time.
            AlterSDKError: The sign-in failed or expired.
        """
        result = cast("AuthResult", await self._operate("authenticate", {"timeout": timeout}))
        if self._user_token_getter is not None:
            self._reporter.log("warning", "authenticate() replaces the user_token_getter that this client had.")
        token = result.user_token
        self._user_token_getter = lambda: token
        return result

    async def verify_user_token(self, token: str) -> str | None:
        """The user (the `sub` claim) that a JWT stands for, if the application's identity provider vouches for it.

        Returns:
            `None` if the token is refused, and also if it cannot be verified now; the log tells the two apart.

        Raises:
            AlterValueError: `token` is not text.
        """
        return cast("str | None", await self._operate("verify_user_token", {"token": token}))

    async def resolve_identity(
        self, *, user_token: str | None = None, include_profile: bool = False
    ) -> IdentityContext:
        """Who makes the calls, as the vault knows it: the application, and its user if there is one.

        Args:
            user_token: The user's JWT; otherwise `user_token_getter` is asked.
            include_profile: Whether to give the user's e-mail address and name.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            ReAuthRequiredError: The user's JWT is not valid.
        """
        arguments = {"user_token": user_token, "include_profile": include_profile}
        return trust(cast("IdentityContext", await self._operate("resolve_identity", arguments)))

    async def assert_identity(
        self,
        *,
        audience: str,
        user_token: str | None = None,
        ttl_seconds: int | None = None,
        include_profile: bool = False,
    ) -> IdentityAssertion:
        """The same as a signed token, to show to another service. See `verify_identity_assertion`.

        Args:
            audience: The URI of the service that will verify it.
            user_token: The user's JWT; otherwise `user_token_getter` is asked.
            ttl_seconds: How long it lives: 10 to 300 seconds.
            include_profile: Whether to give the user's e-mail address and name.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            BackendError: The vault refused, or cannot sign.
        """
        arguments = {
            "audience": audience, "user_token": user_token, "ttl_seconds": ttl_seconds,
            "include_profile": include_profile,
        }  # fmt: skip
        return trusted_assertion(cast("IdentityAssertion", await self._operate("assert_identity", arguments)))
