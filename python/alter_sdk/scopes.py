"""`scopes`: what API keys can be allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alter_sdk._namespace import Namespace

if TYPE_CHECKING:
    from alter_sdk.models import ScopeCatalog


class ScopesNamespace(Namespace):
    """The scopes that the vault knows."""

    __slots__ = ()

    async def list(self) -> ScopeCatalog:
        """The scopes that API keys can have.

        Raises:
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        return cast("ScopeCatalog", await self._operate("scopes.list", {}))

    get_catalog = list
    """Another name of it."""
