"""`app.agents`: managed agents and their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from alter_sdk._namespace import Namespace

if TYPE_CHECKING:
    from alter_sdk.models import (
        AgentCreateResult,
        AgentInfo,
        AgentKey,
        AgentKeyList,
        AgentKeyMintResult,
        AgentListResult,
    )

__all__ = ["AgentsNamespace"]


class AgentsNamespace(Namespace):
    """Managed agents: each has keys of its own, reaches what was delegated to it, and can be suspended.

    Every method raises `AlterValueError` for an argument that is refused before anything is sent, `AgentError` and its
    subclasses for what the vault refuses, and `BackendError` for an answer that cannot be trusted.
    """

    __slots__ = ()

    async def create(
        self,
        *,
        name: str,
        scopes: dict[str, list[str]] | None = None,
        display_name: str | None = None,
        type: str | None = "agent",
        metadata: dict[str, Any] | None = None,
        policy: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> AgentCreateResult:
        """Makes an agent with a first key, which is shown this once.

            created = await app.agents.create(name="email-assistant", scopes={"google": ["gmail.readonly"]})
            agent = Agent(created.api_key)

        Args:
            name: Unique in the application: lower case, digits, `-` and `_`.
            scopes: What it may ask for: for each provider a list of scopes, and for `managed_secret_slugs` the slugs of
                stored secrets. Nothing, if it is not given.
            display_name: A name for people.
            type: `agent` or `service`.
            metadata: Whatever the application wants to keep with it.
            policy: `requires_approval`, for calls that a person must approve.
            idempotency_key: Makes a repeated call give the same agent, without its key.

        Raises:
            AgentNameExistsError: Another agent has this name.
            IdempotencyKeyBodyMismatchError: The idempotency key was used with other arguments.
        """
        arguments = {
            "name": name, "scopes": {} if scopes is None else scopes, "display_name": display_name, "type": type,
            "metadata": metadata, "policy": policy, "idempotency_key": idempotency_key,
        }  # fmt: skip
        return cast("AgentCreateResult", await self._operate("agents.create", arguments))

    async def list(self, *, include_revoked: bool = False, limit: int = 100, offset: int = 0) -> AgentListResult:
        """One page of the application's agents.

        Args:
            include_revoked: Whether to list those that were deleted, too.
            limit: At most so many, 1 to 1000.
            offset: Leaves out so many.
        """
        arguments = {"include_revoked": include_revoked, "limit": limit, "offset": offset}
        return cast("AgentListResult", await self._operate("agents.list", arguments))

    async def get(self, agent_id: str) -> AgentInfo:
        """An agent.

        Raises:
            AgentNotFoundError: There is no such agent.
        """
        return cast("AgentInfo", await self._operate("agents.get", {"agent_id": agent_id}))

    async def get_by_name(self, name: str) -> AgentInfo | None:
        """The agent of a name; `None` if there is none."""
        return cast("AgentInfo | None", await self._operate("agents.get_by_name", {"name": name}))

    async def update(
        self,
        agent_id: str,
        *,
        display_name: str | None = None,
        metadata: dict[str, Any] | None = None,
        scopes: dict[str, list[str]] | None = None,
        expected_version: int | None = None,
        grace_seconds: int | None = None,
        policy: dict[str, Any] | None = None,
    ) -> AgentInfo:
        """Changes an agent. What is not given stays as it is.

        Args:
            agent_id: The agent.
            display_name: Its name for people.
            metadata: All of it.
            scopes: All that it may ask for. More counts at once, less after a time: see `scopes_pending` of the result.
            expected_version: Changes it only if it has this version. With `scopes` and without this, the version is
                read first.
            grace_seconds: How long a narrowing waits, 0 to 604800; 0 means not at all. Only with `scopes`.
            policy: All of it.

        Raises:
            AgentConcurrentUpdateError: It has another version; read it again.
            AgentNotFoundError: There is no such agent.
        """
        arguments = {
            "agent_id": agent_id, "display_name": display_name, "metadata": metadata, "scopes": scopes,
            "expected_version": expected_version, "grace_seconds": grace_seconds, "policy": policy,
        }  # fmt: skip
        return cast("AgentInfo", await self._operate("agents.update", arguments))

    async def suspend(self, agent_id: str) -> AgentInfo:
        """Lets an agent do nothing until `resume`. Its keys and grants stay."""
        return cast("AgentInfo", await self._operate("agents.suspend", {"agent_id": agent_id}))

    async def resume(self, agent_id: str) -> AgentInfo:
        """Ends a suspension."""
        return cast("AgentInfo", await self._operate("agents.resume", {"agent_id": agent_id}))

    async def delete(self, agent_id: str) -> AgentInfo:
        """Ends an agent for good, and all of its keys. Doing it again is fine."""
        return cast("AgentInfo", await self._operate("agents.delete", {"agent_id": agent_id}))

    async def mint_key(self, agent_id: str) -> AgentKeyMintResult:
        """Makes another key of an agent. It is shown this once.

        Raises:
            AgentKeyLimitError: The agent has as many keys as it may have.
        """
        return cast("AgentKeyMintResult", await self._operate("agents.mint_key", {"agent_id": agent_id}))

    async def list_keys(self, agent_id: str) -> AgentKeyList:
        """All keys of an agent, the oldest first, without the keys themselves."""
        return cast("AgentKeyList", await self._operate("agents.list_keys", {"agent_id": agent_id}))

    async def deprecate_key(self, agent_id: str, key_id: str) -> AgentKey:
        """Has whoever uses a key warned that it will end. It works on.

        Raises:
            KeyNotFoundError: There is no such key.
            KeyAlreadyRevokedError: It was revoked.
        """
        arguments = {"agent_id": agent_id, "key_id": key_id}
        return cast("AgentKey", await self._operate("agents.deprecate_key", arguments))

    async def undeprecate_key(self, agent_id: str, key_id: str) -> AgentKey:
        """Takes such a warning back. The errors are those of `deprecate_key`."""
        arguments = {"agent_id": agent_id, "key_id": key_id}
        return cast("AgentKey", await self._operate("agents.undeprecate_key", arguments))

    async def revoke_key(self, agent_id: str, key_id: str, force: bool = False) -> AgentKey:
        """Ends a key for good.

        Args:
            agent_id: The agent.
            key_id: The key.
            force: Ends it even if it is the agent's last.

        Raises:
            LastActiveKeyError: It is the agent's last, and `force` is not given.
        """
        arguments = {"agent_id": agent_id, "key_id": key_id, "force": force}
        return cast("AgentKey", await self._operate("agents.revoke_key", arguments))
