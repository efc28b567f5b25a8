"""`oauth_providers`: the providers that people can connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alter_sdk._namespace import Namespace

if TYPE_CHECKING:
    from alter_sdk.models import OAuthProviderCatalog


class OAuthProvidersNamespace(Namespace):
    """The OAuth providers of the application."""

    __slots__ = ()

    async def list(self, *, force_refresh: bool = False) -> OAuthProviderCatalog:
        """The OAuth providers that people can connect, with their scopes.

        The catalogue is kept for five minutes, and answered from there without a request.

        Args:
            force_refresh: Asks the vault in any case.

        Raises:
            InsufficientScopeError: This client's key may not ask.
            BackendError: The vault refused, or its answer cannot be trusted.
        """
        arguments = {"force_refresh": force_refresh}
        return cast("OAuthProviderCatalog", await self._operate("oauth_providers.list", arguments))
