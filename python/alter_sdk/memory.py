"""Memory of an agent for one user, in a store of the application's own."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any, Protocol

from alter_sdk import _memory
from alter_sdk.exceptions import AlterValueError
from alter_sdk.identity import verify_identity_assertion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from alter_sdk.models import IdentityContext, MemoryScope

__all__ = ["MemoryItem", "NamespaceStore", "ScopedMemoryStore", "verify_identity_assertion"]


class MemoryItem(Protocol):
    """What a store gives back."""

    @property
    def namespace(self) -> tuple[str, ...]: ...

    @property
    def key(self) -> str: ...

    @property
    def value(self) -> dict[str, Any]: ...


class NamespaceStore(Protocol):
    """The part of a LangGraph store that is used."""

    async def aget(self, namespace: tuple[str, ...], key: str) -> MemoryItem | None: ...

    async def aput(self, namespace: tuple[str, ...], key: str, value: dict[str, Any]) -> None: ...

    async def adelete(self, namespace: tuple[str, ...], key: str) -> None: ...

    async def asearch(
        self,
        namespace_prefix: tuple[str, ...],
        /,
        *,
        query: str | None = None,
        filter: dict[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[MemoryItem]: ...

    async def alist_namespaces(
        self, *, prefix: tuple[str, ...], limit: int = 100, offset: int = 0
    ) -> Sequence[tuple[str, ...]]: ...


class ScopedMemoryStore:
    """A store that holds one agent's memory for one user, and cannot be asked for anybody else's.

        identity = await agent.resolve_identity(user_token=jwt)
        memory = ScopedMemoryStore(store, identity, refresh_identity=lambda: agent.resolve_identity(user_token=jwt))
        await memory.put(["notes"], "coffee", {"text": "black"})

    Every call proves the identity again: by asking `refresh_identity`, or, without it, by the end of the assertion that
    the identity is from. What the store gives is checked; its own exceptions pass through.

    Args:
        store: Where the memory is kept.
        identity: Whose it is: what `resolve_identity`, `assert_identity` or `verify_identity_assertion` gave.
        refresh_identity: Asks for the same identity anew.
        agent_only: The agent's own memory, of an identity without a user.

    Raises:
        MemoryIsolationError: The identity has no memory of its own, or does not hold any more; `code` says why.
        AlterValueError: An argument is of a wrong type.
    """

    __slots__ = ("_agent_only", "_identity", "_refresh", "_scope", "_store")

    def __init__(
        self,
        store: NamespaceStore,
        identity: IdentityContext,
        *,
        refresh_identity: Callable[[], Awaitable[IdentityContext]] | None = None,
        agent_only: bool = False,
    ) -> None:
        if refresh_identity is not None and not callable(refresh_identity):
            raise AlterValueError("refresh_identity must be a function that asks for the identity.")
        self._scope = _memory.scope_of(identity, needs_end=refresh_identity is None, agent_only=agent_only)
        self._store = store
        self._identity = identity
        self._refresh = refresh_identity
        self._agent_only = agent_only

    @property
    def scope(self) -> MemoryScope:
        """Where this memory is kept."""
        return self._scope

    async def _prove(self) -> None:
        """Sees that the identity still holds."""
        identity, asked_at = self._identity, None
        if self._refresh is not None:
            asked_at = time.monotonic()
            asked = self._refresh()
            if not inspect.isawaitable(asked):
                raise AlterValueError("refresh_identity must give something to be awaited.")
            identity = await asked
        partition = self._scope.partition_key
        _memory.scope_of(identity, asked_at=asked_at, agent_only=self._agent_only, partition=partition)

    async def get(self, path: Sequence[str], key: str) -> MemoryItem | None:
        """What is kept under a key; `None` if there is nothing."""
        namespace = _memory.namespace_for(self._scope.namespace, path=path, key=key)
        await self._prove()
        item = await self._store.aget(namespace, key)
        if item is not None:
            found = (getattr(item, "namespace", None), getattr(item, "key", None))
            _memory.check_result(namespace, found[0], key=key, found_key=found[1])
        return item

    async def put(self, path: Sequence[str], key: str, value: dict[str, Any]) -> None:
        """Keeps a value under a key."""
        namespace = _memory.namespace_for(self._scope.namespace, path=path, key=key, value=value)
        await self._prove()
        await self._store.aput(namespace, key, value)

    async def delete(self, path: Sequence[str], key: str) -> None:
        """Forgets what is kept under a key."""
        namespace = _memory.namespace_for(self._scope.namespace, path=path, key=key)
        await self._prove()
        await self._store.adelete(namespace, key)

    async def search(
        self,
        path: Sequence[str] = (),
        *,
        query: str | None = None,
        filter: dict[str, Any] | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[MemoryItem]:
        """Looks for items at a path and below it; the store says what `query` and `filter` mean."""
        how = {"query": query, "filter": filter, "limit": limit, "offset": offset}
        namespace = _memory.namespace_for(self._scope.namespace, path=path, **how)
        await self._prove()
        items = list(await self._store.asearch(namespace, query=query, filter=filter, limit=limit, offset=offset))
        for item in items:
            _memory.check_result(namespace, getattr(item, "namespace", None), prefix=True)
        return items

    async def list_namespaces(
        self, path: Sequence[str] = (), *, limit: int = 100, offset: int = 0
    ) -> list[tuple[str, ...]]:
        """The namespaces at a path and below it."""
        namespace = _memory.namespace_for(self._scope.namespace, path=path, limit=limit, offset=offset)
        await self._prove()
        found = list(await self._store.alist_namespaces(prefix=namespace, limit=limit, offset=offset))
        for one in found:
            _memory.check_result(namespace, one, prefix=True)
        return found
