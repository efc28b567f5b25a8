"""Alter: call any API through a vault, so that your code never holds the credential.

    from alter_sdk import App

    async with App(api_key) as app:
        response = await app.request("GET", "https://api.example.com/v1/me", grant_id=grant_id)

Names are imported when they are first used: `import alter_sdk` alone loads neither httpx nor pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alter_sdk import exceptions as _exceptions
from alter_sdk.exceptions import *  # noqa: F403 (its __all__ is the list)

if TYPE_CHECKING:
    from alter_sdk._keys import is_valid_key
    from alter_sdk.agent import Agent
    from alter_sdk.app import App
    from alter_sdk.models import (
        APICallAuditLog,
        RateLimitSnapshot,
        RequestRule,
        RetryErrorInfo,
        RetryInfo,
        TokenResponse,
    )
    from alter_sdk.providers.enums import CallerType, HttpMethod, Provider
    from alter_sdk.vault import AlterVault

__all__ = [
    "APICallAuditLog",
    "Agent",
    "AlterVault",
    "App",
    "CallerType",
    "HttpMethod",
    "Provider",
    "RateLimitSnapshot",
    "RequestRule",
    "RetryErrorInfo",
    "RetryInfo",
    "TokenResponse",
    "is_valid_key",
]
__all__ += _exceptions.__all__

_HOMES = {
    "APICallAuditLog": "alter_sdk.models",
    "Agent": "alter_sdk.agent",
    "AlterVault": "alter_sdk.vault",
    "App": "alter_sdk.app",
    "CallerType": "alter_sdk.providers.enums",
    "HttpMethod": "alter_sdk.providers.enums",
    "Provider": "alter_sdk.providers.enums",
    "RateLimitSnapshot": "alter_sdk.models",
    "RequestRule": "alter_sdk.models",
    "RetryErrorInfo": "alter_sdk.models",
    "RetryInfo": "alter_sdk.models",
    "TokenResponse": "alter_sdk.models",
    "is_valid_key": "alter_sdk._keys",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
