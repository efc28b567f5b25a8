"""`keys`: API keys that are made of other API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from alter_sdk._namespace import Namespace

if TYPE_CHECKING:
    from uuid import UUID

    from alter_sdk.models import APIKeyInfo, MintedKey


class KeysNamespace(Namespace):
    """API keys: derive narrower ones, replace one, end one.

    Every method raises `AlterValueError` for an argument that is refused before anything is sent,
    `InsufficientScopeError` if this client's key may not do it, and `BackendError` for whatever else the vault refuses.
    """

    __slots__ = ()

    async def derive(
        self,
        *,
        scopes: list[str],
        expires_in: int,
        cidr_allowlist: list[str] | None = None,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        rate_limit_rpm: int | None = None,
    ) -> MintedKey:
        """Makes a short-lived key that may do less than this client's own.

            key = await app.keys.derive(scopes=["tokens:retrieve"], expires_in=900)

        Args:
            scopes: What it may do: at least one scope, and no more than this client's key.
            expires_in: Seconds that it lives.
            cidr_allowlist: The address ranges from which it may be used; those of this client's key, if not given.
            name: A name for people.
            metadata: Whatever the application wants to keep with it.
            rate_limit_rpm: Most calls a minute; no more than this client's key.
        """
        arguments = {
            "scopes": scopes, "expires_in": expires_in, "cidr_allowlist": cidr_allowlist, "name": name,
            "metadata": metadata, "rate_limit_rpm": rate_limit_rpm,
        }  # fmt: skip
        return cast("MintedKey", await self._operate("keys.derive", arguments))

    async def rotate(self, key_id: str | UUID, overlap_days: int = 7) -> MintedKey:
        """Makes the successor of a key. Both work for a while.

        Args:
            key_id: The key.
            overlap_days: How long the old one still works: 0 to 30 days.
        """
        return cast("MintedKey", await self._operate("keys.rotate", {"key_id": key_id, "overlap_days": overlap_days}))

    async def revoke(self, key_id: str | UUID, force: bool = False) -> APIKeyInfo:
        """Ends a key, and all that were derived from it.

        Args:
            key_id: The key.
            force: Ends it even if an agent has no other.
        """
        return cast("APIKeyInfo", await self._operate("keys.revoke", {"key_id": key_id, "force": force}))
