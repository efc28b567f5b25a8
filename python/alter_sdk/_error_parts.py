"""What exceptions carry besides text and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast, get_args

_Error = TypeVar("_Error", bound=Exception)

MemoryIsolationCode = Literal[
    "memory_identity_unverified",
    "memory_live_refresh_required",
    "memory_refresh_not_live",
    "memory_identity_expired",
    "memory_assertion_invalid",
    "memory_agent_required",
    "memory_user_required",
    "memory_user_not_active",
    "memory_user_cannot_be_dropped",
    "memory_identity_changed",
    "memory_store_scope_violation",
]

MEMORY_ISOLATION_CODES: tuple[str, ...] = get_args(MemoryIsolationCode)
"""Every code of a `MemoryIsolationError`."""

RATE_LIMIT_SCOPE_VALUES: tuple[str, ...] = ("ip", "api_key", "organization")
"""What a rate limit can be counted for."""


@dataclass(frozen=True)
class GrantCandidate:
    """One of the grants that an ambiguous call could have meant."""

    grant_id: str
    label: str | None = None
    account_identifier: str | None = None
    account_display_name: str | None = None


@dataclass(frozen=True)
class CredentialChoice:
    """One of the credentials that could be used."""

    credential_id: str
    label: str


def insufficient_scope_fields(body: dict[str, Any]) -> dict[str, Any]:
    """What a vault's answer says about missing scopes. A field of a wrong type counts as absent."""

    def texts(name: str) -> list[str]:
        value = body.get(name)
        entries = cast("list[object]", value) if isinstance(value, list) else []
        return [entry for entry in entries if isinstance(entry, str)]

    def whole(name: str) -> int | None:
        value = body.get(name)
        return value if type(value) is int else None

    url = body.get("documentation_url")
    return {
        "required": texts("required"),
        "granted": texts("granted"),
        "missing": texts("missing"),
        "scope_version": whole("scope_version"),
        "current_scope_version": whole("current_scope_version"),
        "scope_version_mismatch": body.get("scope_version_mismatch") is True,
        "documentation_url": url if isinstance(url, str) else None,
        "required_any_of": body.get("required_any_of") is True,
    }


def restore(kind: type[_Error], message: str, attributes: dict[str, Any]) -> _Error:
    """An exception from its parts, without its constructor: for `pickle`, `copy` and the engine's errors."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(attributes)
    return error
