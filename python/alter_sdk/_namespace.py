"""A part of a client that has calls of its own, such as `app.agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alter_sdk._client import Client


class Namespace:
    """Calls of a client under a name of their own. It holds its client, so it can be kept instead of it."""

    __slots__ = ("_client",)

    def __init__(self, vault: Client) -> None:
        self._client = vault

    async def _operate(self, name: str, arguments: dict[str, Any]) -> Any:
        return await self._client._operate(name, arguments, depth=2)  # pyright: ignore[reportPrivateUsage]
