"""`Agent`: an AI agent's client."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

from alter_sdk._managing import Managing
from alter_sdk._memory import trust, trusted_assertion
from alter_sdk.providers.enums import CallerType

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from alter_sdk._client import UserTokenGetter
    from alter_sdk._managing import Part
    from alter_sdk.models import (
        AgentInfo,
        DelegationResult,
        GrantPolicyInput,
        IdentityAssertion,
        IdentityContext,
        ManagedSecretConnectSession,
    )


class Agent(Managing):
    """An AI agent's client of the vault. It reaches what was delegated to the agent, and its own grants.

    Args:
        api_key: The agent's key.
        timeout: Seconds for connecting, and for each wait for data; `None` waits without end.
        caller: Who makes the calls, for the audit log: 1 to 255 printable ASCII characters.
        user_token_getter: Returns the signed-in user's JWT; a function or a coroutine function.
        logger: Takes warnings; `logging.getLogger("alter_sdk")` if not given.

    Raises:
        AlterSDKError: The key is malformed (found before anything is sent), `ALTER_BASE_URL` is, the getter cannot be
            called, or the logger cannot take warnings.
        AlterValueError: `caller` or `timeout` is refused.
    """

    __slots__ = ("_trace_name",)

    _trace_name: str

    def __init__(
        self,
        api_key: str,
        *,
        timeout: float | None = 30.0,
        caller: str | None = None,
        user_token_getter: UserTokenGetter | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self._open("agent", api_key, timeout, caller, CallerType.AGENT, user_token_getter, logger)

    def _part(self, kind: type[Part]) -> Part:
        self._check_open()
        return super()._part(kind)

    async def me(self) -> AgentInfo:
        """The agent that this client is, as the vault knows it. It works while the agent is suspended, too.

        Raises:
            MeRequiresAgentKeyError: This client's key is no agent's own.
            KeyRevokedError: The key was revoked.
        """
        return cast("AgentInfo", await self._operate("me", {}))

    def trace(
        self,
        *,
        run_id: str | None = None,
        thread_id: str | None = None,
        parent: str | object | None = ...,
        **metadata: str,
    ) -> AbstractAsyncContextManager[None]:
        """A run: while it is entered, every call of this task and of those that it starts says that it belongs to it.

            async with agent.trace(run_id="run-7", thread_id="thread-1"):
                await agent.request("GET", url, provider="google")

        A trace within a trace takes over what it does not say itself. A call's own `context` stands in its place.

        Args:
            run_id: The run.
            thread_id: The conversation.
            parent: The agent that this one works for: the one of the trace around, if it is not given; `None` for none.
            **metadata: At most 20 further texts.

        Raises:
            AlterValueError: On entering: an argument was refused.
        """
        from alter_sdk._trace import Trace

        arguments: dict[str, Any] = {
            "agent": self._engine.caller or self._local_name(), "run_id": run_id, "thread_id": thread_id,
            "metadata": metadata,
        }  # fmt: skip
        if parent is not ...:
            arguments["parent"] = parent
        return Trace(arguments)

    def _local_name(self) -> str:
        """What stands for this client in traces while it has no caller; it means nothing outside this process."""
        name: str | None = getattr(self, "_trace_name", None)
        if name is None:
            name = self._trace_name = f"agent-local-{uuid.uuid4()}"
        return name

    async def delegate(
        self,
        grant_id: str,
        to_agent_id: str,
        *,
        delegable: bool | None = None,
        scope_constraint: list[str] | None = None,
        ttl_seconds: int | None = None,
    ) -> DelegationResult:
        """Delegates a grant that this agent holds to another agent. It can only be narrowed on the way.

        Args:
            grant_id: The grant.
            to_agent_id: The other agent.
            delegable: Whether the other agent may delegate it on; as before, or not, if it is not given.
            scope_constraint: 1 to 100 scopes to which the other agent is narrowed.
            ttl_seconds: Ends after so many seconds, and never later than this agent's own.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            AgentNotFoundError: There is no such agent.
            GrantNotFoundError: This agent holds no such grant.
            GrantNotDelegableError: It may not be delegated; `detail_reason` says why.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {
            "grant_id": grant_id, "to_agent_id": to_agent_id, "delegable": delegable,
            "scope_constraint": scope_constraint, "ttl_seconds": ttl_seconds,
        }  # fmt: skip
        return cast("DelegationResult", await self._operate("delegate", arguments))

    async def revoke_delegation(self, grant_id: str) -> None:
        """Gives back a grant that was delegated to this agent, and what it delegated on. Giving back twice is fine.

        Args:
            grant_id: The grant that the user delegated from.

        Raises:
            AlterValueError: It is not a UUID; nothing was sent.
            PolicyViolationError: There is no agent behind this client's key.
            GrantNotFoundError: There is no such grant.
        """
        await self._operate("revoke_delegation", {"grant_id": grant_id})

    async def create_managed_secret_connect_session(
        self,
        *,
        provider: str | None = None,
        user_token: str,
        delegable: bool = False,
        requested_grant: Mapping[str, Any] | None = None,
        grant_policy: GrantPolicyInput | Mapping[str, Any] | None = None,
        direct: bool = False,
        allow_user_policy_rules: bool = True,
        allowed_origin: str | None = None,
        return_url: str | None = None,
        requested_ttl_seconds: int | None = None,
        template_slug: str | None = None,
    ) -> ManagedSecretConnectSession:
        """Makes a session in which a person allows this agent to use a stored secret, or brings one.

        The arguments are those of `App.create_managed_secret_connect_session`, and so are the errors.
        """
        arguments = {
            "provider": provider, "user_token": user_token, "delegable": delegable, "requested_grant": requested_grant,
            "grant_policy": grant_policy, "direct": direct, "allow_user_policy_rules": allow_user_policy_rules,
            "allowed_origin": allowed_origin, "return_url": return_url,
            "requested_ttl_seconds": requested_ttl_seconds, "template_slug": template_slug,
        }  # fmt: skip
        session = await self._operate("create_managed_secret_connect_session", arguments)
        return cast("ManagedSecretConnectSession", session)

    async def resolve_identity(
        self, *, user_token: str | None = None, app_user_id: str | None = None, include_profile: bool = False
    ) -> IdentityContext:
        """Who makes this agent's calls, as the vault knows it: itself, or with a user that delegated something to it.

        Args:
            user_token: The user's JWT.
            app_user_id: The vault's id of the user.
            include_profile: Whether to give the user's e-mail address and name.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            ReAuthRequiredError: The user's JWT is not valid.
            GrantNotFoundError: This user has delegated nothing to this agent.
        """
        arguments = {"user_token": user_token, "app_user_id": app_user_id, "include_profile": include_profile}
        return trust(cast("IdentityContext", await self._operate("resolve_identity", arguments)))

    async def assert_identity(
        self,
        *,
        audience: str,
        user_token: str | None = None,
        app_user_id: str | None = None,
        ttl_seconds: int | None = None,
        include_profile: bool = False,
    ) -> IdentityAssertion:
        """The same as a signed token, to show to another service. See `verify_identity_assertion`.

        Args:
            audience: The URI of the service that will verify it.
            user_token: The user's JWT.
            app_user_id: The vault's id of the user.
            ttl_seconds: How long it lives: 10 to 300 seconds.
            include_profile: Whether to give the user's e-mail address and name.

        Raises:
            AlterValueError: An argument was refused; nothing was sent.
            BackendError: The vault refused, or cannot sign.
        """
        arguments = {
            "audience": audience, "user_token": user_token, "app_user_id": app_user_id, "ttl_seconds": ttl_seconds,
            "include_profile": include_profile,
        }  # fmt: skip
        return trusted_assertion(cast("IdentityAssertion", await self._operate("assert_identity", arguments)))
