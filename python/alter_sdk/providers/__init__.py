"""Names that the package accepts wherever it also accepts text."""

from alter_sdk.providers.enums import CallerType, HttpMethod, Provider

__all__ = ["CallerType", "HttpMethod", "Provider"]
