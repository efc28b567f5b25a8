"""Verifying who another service's caller is."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any, cast

from alter_sdk import _engine
from alter_sdk._memory import trust

if TYPE_CHECKING:
    from alter_sdk.models import IdentityContext

__all__ = ["verify_identity_assertion"]


def verify_identity_assertion(
    token: str,
    *,
    issuer: str,
    audience: str,
    jwks: dict[str, Any],
    expected_app_id: str,
    expected_agent_id: str | None = None,
) -> IdentityContext:
    """The identity that a signed token of `assert_identity` proves. Nothing is sent, and nothing is remembered: whoever
    must not take the same token twice has to keep its `jti`.

    Args:
        token: The token.
        issuer: The vault that must have signed it.
        audience: The URI of this service.
        jwks: The vault's public keys, as its JWKS address gives them.
        expected_app_id: The application that it must be about.
        expected_agent_id: The agent that must act; any, or none, if it is not given.

    Returns:
        `app_id`, `agent_id`, `app_user_id` and `user_status`. Everything else of the token is left out.

    Raises:
        AlterValueError: An argument is of a wrong type.
        MemoryIsolationError: The token is not accepted; `details["reason"]` says why in a word.
    """
    arguments = {
        "token": token, "issuer": issuer, "audience": audience, "jwks": jwks, "expected_app_id": expected_app_id,
        "expected_agent_id": expected_agent_id,
    }  # fmt: skip
    return trust(cast("IdentityContext", _engine.verify_identity_assertion(arguments)), _end_of(token))


def _end_of(token: str) -> float:
    """The `exp` claim of a token that has been verified."""
    claims = token.split(".")[1]
    return float(json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
