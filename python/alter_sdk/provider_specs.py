"""`provider_specs`: the operations of providers' APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alter_sdk._namespace import Namespace

if TYPE_CHECKING:
    import builtins

    from alter_sdk.models import ProviderSpec, ProviderSpecKind, SpecOperationDetail, SpecOperationsPage


class ProviderSpecsNamespace(Namespace):
    """The operations of providers' APIs, as the vault read them in the providers' own documents.

    Every method raises `AlterValueError` for an argument that is refused before anything is sent, and `BackendError`
    and its subclasses for what the vault refuses; `GrantNotFoundError` if it has no such document or operation.
    """

    __slots__ = ()

    async def list(self, kind: ProviderSpecKind | None = None) -> builtins.list[ProviderSpec]:
        """All documents, without what is in them.

        Args:
            kind: Only those of `oauth` or of `managed` providers.
        """
        return cast("builtins.list[ProviderSpec]", await self._operate("provider_specs.list", {"kind": kind}))

    async def get(self, kind: ProviderSpecKind, provider_id: str) -> ProviderSpec:
        """A provider's document, without what is in it."""
        arguments = {"kind": kind, "provider_id": provider_id}
        return cast("ProviderSpec", await self._operate("provider_specs.get", arguments))

    async def list_operations(
        self, kind: ProviderSpecKind, provider_id: str, *, search: str | None = None, limit: int = 100, offset: int = 0
    ) -> SpecOperationsPage:
        """One page of a provider's operations.

        Args:
            kind: `oauth` or `managed`.
            provider_id: The provider.
            search: Only operations with this text in id, path or summary: 1 to 200 characters.
            limit: At most so many, 1 to 500.
            offset: Leaves out so many.
        """
        arguments = {
            "kind": kind, "provider_id": provider_id, "search": search, "limit": limit, "offset": offset,
        }  # fmt: skip
        return cast("SpecOperationsPage", await self._operate("provider_specs.list_operations", arguments))

    async def get_operation(self, kind: ProviderSpecKind, provider_id: str, operation_id: str) -> SpecOperationDetail:
        """One operation with its parameters.

        Args:
            kind: `oauth` or `managed`.
            provider_id: The provider.
            operation_id: The operation, for example `repos/get`.
        """
        arguments = {"kind": kind, "provider_id": provider_id, "operation_id": operation_id}
        return cast("SpecOperationDetail", await self._operate("provider_specs.get_operation", arguments))
