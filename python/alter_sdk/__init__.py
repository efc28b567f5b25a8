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
    from alter_sdk.identity import verify_identity_assertion
    from alter_sdk.models import (
        AgentPrincipal,
        APICallAuditLog,
        AuthResult,
        AuthSession,
        ConnectDelegation,
        ConnectFailedGrant,
        ConnectResult,
        ConnectSession,
        CreateGrantResult,
        DelegationResult,
        GrantInfo,
        GrantListItem,
        GrantListResult,
        GrantPolicy,
        GrantPolicyInput,
        GroupPrincipal,
        IdentityAssertion,
        IdentityContext,
        IdentityTrace,
        ManagedSecretConnectSession,
        ManagedSecretGrantItem,
        NonGroupPrincipalType,
        OAuthGrantItem,
        Principal,
        PrincipalType,
        RateLimitSnapshot,
        RequestRule,
        RetryErrorInfo,
        RetryInfo,
        RevokeGrantResult,
        SystemPrincipal,
        TokenResponse,
        UnifiedGrantListResult,
        UserPrincipal,
    )
    from alter_sdk.providers.enums import CallerType, HttpMethod, Provider
    from alter_sdk.vault import AlterVault

__all__ = [
    "APICallAuditLog",
    "Agent",
    "AgentPrincipal",
    "AlterVault",
    "App",
    "AuthResult",
    "AuthSession",
    "CallerType",
    "ConnectDelegation",
    "ConnectFailedGrant",
    "ConnectResult",
    "ConnectSession",
    "CreateGrantResult",
    "DelegationResult",
    "GrantInfo",
    "GrantListItem",
    "GrantListResult",
    "GrantPolicy",
    "GrantPolicyInput",
    "GroupPrincipal",
    "HttpMethod",
    "IdentityAssertion",
    "IdentityContext",
    "IdentityTrace",
    "ManagedSecretConnectSession",
    "ManagedSecretGrantItem",
    "NonGroupPrincipalType",
    "OAuthGrantItem",
    "Principal",
    "PrincipalType",
    "Provider",
    "RateLimitSnapshot",
    "RequestRule",
    "RetryErrorInfo",
    "RetryInfo",
    "RevokeGrantResult",
    "SystemPrincipal",
    "TokenResponse",
    "UnifiedGrantListResult",
    "UserPrincipal",
    "is_valid_key",
    "verify_identity_assertion",
]
__all__ += _exceptions.__all__

_MODELS = "alter_sdk.models"
_HOMES = {
    "APICallAuditLog": _MODELS,
    "Agent": "alter_sdk.agent",
    "AgentPrincipal": _MODELS,
    "AlterVault": "alter_sdk.vault",
    "App": "alter_sdk.app",
    "AuthResult": _MODELS,
    "AuthSession": _MODELS,
    "CallerType": "alter_sdk.providers.enums",
    "ConnectDelegation": _MODELS,
    "ConnectFailedGrant": _MODELS,
    "ConnectResult": _MODELS,
    "ConnectSession": _MODELS,
    "CreateGrantResult": _MODELS,
    "DelegationResult": _MODELS,
    "GrantInfo": _MODELS,
    "GrantListItem": _MODELS,
    "GrantListResult": _MODELS,
    "GrantPolicy": _MODELS,
    "GrantPolicyInput": _MODELS,
    "GroupPrincipal": _MODELS,
    "HttpMethod": "alter_sdk.providers.enums",
    "IdentityAssertion": _MODELS,
    "IdentityContext": _MODELS,
    "IdentityTrace": _MODELS,
    "ManagedSecretConnectSession": _MODELS,
    "ManagedSecretGrantItem": _MODELS,
    "NonGroupPrincipalType": _MODELS,
    "OAuthGrantItem": _MODELS,
    "Principal": _MODELS,
    "PrincipalType": _MODELS,
    "Provider": "alter_sdk.providers.enums",
    "RateLimitSnapshot": _MODELS,
    "RequestRule": _MODELS,
    "RetryErrorInfo": _MODELS,
    "RetryInfo": _MODELS,
    "RevokeGrantResult": _MODELS,
    "SystemPrincipal": _MODELS,
    "TokenResponse": _MODELS,
    "UnifiedGrantListResult": _MODELS,
    "UserPrincipal": _MODELS,
    "is_valid_key": "alter_sdk._keys",
    "verify_identity_assertion": "alter_sdk.identity",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
