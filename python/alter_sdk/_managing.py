"""Keys, catalogues and spans: what an application's and an agent's client both have under names of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from alter_sdk._proxying import Proxying

if TYPE_CHECKING:
    from alter_sdk._namespace import Namespace
    from alter_sdk.keys import KeysNamespace
    from alter_sdk.oauth_providers import OAuthProvidersNamespace
    from alter_sdk.provider_specs import ProviderSpecsNamespace
    from alter_sdk.scopes import ScopesNamespace
    from alter_sdk.spans import SpansNamespace

    Part = TypeVar("Part", bound=Namespace)


class Managing(Proxying):
    """A client's parts that have calls of their own. They are made when somebody looks at them."""

    __slots__ = ()

    def _part(self, kind: type[Part]) -> Part:
        return kind(self)

    @property
    def keys(self) -> KeysNamespace:
        """API keys that are made of this client's own."""
        from alter_sdk.keys import KeysNamespace

        return self._part(KeysNamespace)

    @property
    def scopes(self) -> ScopesNamespace:
        """The scopes that API keys can have."""
        from alter_sdk.scopes import ScopesNamespace

        return self._part(ScopesNamespace)

    @property
    def oauth_providers(self) -> OAuthProvidersNamespace:
        """The providers that people can connect."""
        from alter_sdk.oauth_providers import OAuthProvidersNamespace

        return self._part(OAuthProvidersNamespace)

    @property
    def provider_specs(self) -> ProviderSpecsNamespace:
        """The operations of providers' APIs."""
        from alter_sdk.provider_specs import ProviderSpecsNamespace

        return self._part(ProviderSpecsNamespace)

    @property
    def spans(self) -> SpansNamespace:
        """This program's own steps, for the vault's records."""
        from alter_sdk.spans import SpansNamespace

        return self._part(SpansNamespace)
