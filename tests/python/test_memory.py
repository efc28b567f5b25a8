"""Memory of one agent for one user: nobody else's can be asked for."""

from __future__ import annotations

import copy
import gc
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest

from alter_sdk import (
    Agent,
    AlterValueError,
    IdentityContext,
    MemoryIsolationError,
    MemoryScope,
    ScopedMemoryStore,
)
from matrix import run
from scripted import AGENT_KEY, Scripted

IDENTITY = {"app_id": "A", "agent_id": "g", "app_user_id": "u", "user_status": "active"}
OTHER = {**IDENTITY, "app_user_id": "v"}
NAMESPACE = ("alter", "v2", "agent-user", "QQ", "Zw", "dQ")


class Item(NamedTuple):
    namespace: tuple[str, ...]
    key: str
    value: dict[str, Any]


class Kept:
    """A store in memory that gives back whatever it has, also of others if it is told to lie."""

    def __init__(self) -> None:
        self.items: dict[tuple[tuple[str, ...], str], Item] = {}
        self.lies = False

    async def aget(self, namespace: tuple[str, ...], key: str) -> Item | None:
        item = self.items.get((namespace, key))
        return Item(("alter",), key, {}) if self.lies else item

    async def aput(self, namespace: tuple[str, ...], key: str, value: dict[str, Any]) -> None:
        self.items[namespace, key] = Item(namespace, key, value)

    async def adelete(self, namespace: tuple[str, ...], key: str) -> None:
        self.items.pop((namespace, key), None)

    async def asearch(self, namespace_prefix: tuple[str, ...], /, **how: Any) -> list[Item]:
        fits = [item for item in self.items.values() if item.namespace[: len(namespace_prefix)] == namespace_prefix]
        return [Item(("alter",), "k", {})] if self.lies else fits[: how["limit"]]

    async def alist_namespaces(self, *, prefix: tuple[str, ...], limit: int = 100, offset: int = 0) -> list[Any]:
        return ["alter"] if self.lies else [item.namespace for item in self.items.values()][offset:limit]


def with_agent(server: Scripted, work: Any) -> Any:
    """Runs a coroutine function with an agent's client and the identity that the vault gives it."""
    server.answer("/sdk/identity/resolve", IDENTITY)

    async def main() -> Any:
        async with Agent(AGENT_KEY) as agent:
            return await work(agent, await agent.resolve_identity())

    return run(main())


def code_of(call: Any) -> str:
    with pytest.raises(MemoryIsolationError) as caught:
        call()
    return str(caught.value.code)


def test_a_scope_is_of_the_object_that_the_vault_gave_and_of_no_copy(server: Scripted) -> None:
    async def work(_: Agent, identity: IdentityContext) -> None:
        scope = identity.memory_scope()
        assert isinstance(scope, MemoryScope)
        assert (scope.namespace, scope.user_key) == (NAMESPACE, "alter:user:u")
        assert scope.namespace_for(["notes"]) == (*NAMESPACE, "bm90ZXM")
        for copied in (copy.copy(identity), IdentityContext(**IDENTITY), identity.model_copy()):
            assert code_of(copied.memory_scope) == "memory_identity_unverified"
        assert code_of(lambda: identity.memory_scope(agent_only=True)) == "memory_user_cannot_be_dropped"
        with pytest.raises(AlterValueError, match="agent_only"):
            identity.memory_scope(agent_only=1)  # pyright: ignore
        with pytest.raises(AlterValueError, match="path"):
            scope.namespace_for("notes")

    with_agent(server, work)


def test_what_is_known_of_an_identity_goes_with_it(server: Scripted) -> None:
    from alter_sdk import _memory

    async def work(_: Agent, identity: IdentityContext) -> int:
        assert _memory.facts(identity)["verified"]
        return id(identity)

    key = with_agent(server, work)
    gc.collect()
    assert key not in _memory._records


def test_a_store_keeps_and_finds_what_is_its_users(server: Scripted) -> None:
    async def work(agent: Agent, identity: IdentityContext) -> None:
        kept = Kept()
        memory = ScopedMemoryStore(kept, identity, refresh_identity=agent.resolve_identity)
        await memory.put(["notes"], "coffee", {"text": "black"})
        item = await memory.get(["notes"], "coffee")
        assert item is not None
        assert item.value == {"text": "black"}
        assert [found.key for found in await memory.search()] == ["coffee"]
        assert await memory.list_namespaces(limit=5) == [(*NAMESPACE, "bm90ZXM")]
        await memory.delete(["notes"], "coffee")
        assert await memory.get(["notes"], "coffee") is None
        kept.lies = True
        for call in (memory.get(["notes"], "k"), memory.search(), memory.list_namespaces()):
            with pytest.raises(MemoryIsolationError) as caught:
                await call
            assert caught.value.code == "memory_store_scope_violation"

    with_agent(server, work)


def test_every_call_proves_the_identity_again(server: Scripted) -> None:
    async def work(agent: Agent, identity: IdentityContext) -> None:
        async def same() -> IdentityContext:
            return identity

        for refresh, code in ((same, "memory_refresh_not_live"), (agent.resolve_identity, "memory_identity_changed")):
            memory = ScopedMemoryStore(Kept(), identity, refresh_identity=refresh)
            server.answer("/sdk/identity/resolve", OTHER)
            with pytest.raises(MemoryIsolationError) as caught:
                await memory.get([], "k")
            assert caught.value.code == code
        not_awaitable: Any = lambda: identity  # noqa: E731
        memory = ScopedMemoryStore(Kept(), identity, refresh_identity=not_awaitable)
        with pytest.raises(AlterValueError, match="refresh_identity"):
            await memory.get([], "k")
        for wrong in ({"key": ""}, {"key": "k", "path": "notes"}):
            with pytest.raises(AlterValueError):
                await memory.get(**{"path": [], **wrong})

    with_agent(server, work)


def test_without_asking_again_only_an_assertion_will_do_and_no_longer_than_it_holds(server: Scripted) -> None:
    def assertion(seconds: int) -> dict[str, Any]:
        ends = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        return {"token": "t", "expires_at": ends.isoformat(), "identity": IDENTITY}

    async def work(agent: Agent, identity: IdentityContext) -> None:
        assert code_of(lambda: ScopedMemoryStore(Kept(), identity)) == "memory_live_refresh_required"
        server.answer("/sdk/identity/assert", assertion(300))
        proven = await agent.assert_identity(audience="https://a.example")
        memory = ScopedMemoryStore(Kept(), proven.identity)
        assert memory.scope.namespace == NAMESPACE
        assert await memory.get([], "k") is None
        server.answer("/sdk/identity/assert", assertion(-5))
        ended = await agent.assert_identity(audience="https://a.example")
        assert code_of(ended.identity.memory_scope) == "memory_identity_expired"

    with_agent(server, work)
