"""Acceptance rows of the seed documents: enums and models."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import alter_sdk
from alter_sdk import CallerType, HttpMethod, RetryErrorInfo, RetryInfo, TokenResponse

CANARY = "tok-canary-9f3b77"


def test_m233_http_methods_are_their_names() -> None:
    names = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    assert [(method.name, method.value) for method in HttpMethod] == [(name, name) for name in names]


def test_m234_caller_types() -> None:
    assert {kind.name: kind.value for kind in CallerType} == {"SERVICE": "service", "AGENT": "agent"}


def test_m235_a_token_response_is_metadata_only() -> None:
    token = TokenResponse(access_token=CANARY, grant_id="g", scopes=["calendar.read"], expires_in=3600)
    assert (token.grant_id, token.scopes, token.expires_in, token.token_type) == (
        "g",
        ["calendar.read"],
        3600,
        "Bearer",
    )
    shown = f"{token!r} {token} {vars(token)} {token.model_dump()} {token.model_dump_json()}"
    assert CANARY not in shown
    assert not hasattr(token, "access_token")
    with pytest.raises(ValidationError, match="frozen"):
        token.grant_id = "h"  # type: ignore[misc]


def test_m241_retry_models_are_exported() -> None:
    failed = RetryErrorInfo(attempt=1, error="timed out", error_type="timeout", delay_s=0.5)
    info = RetryInfo(total_attempts=2, successful_attempt=2, errors=(failed,))
    assert info.errors[0].delay_s == 0.5
    assert {"RetryInfo", "RetryErrorInfo"} <= set(alter_sdk.__all__)


def test_m236_m237_m238_m239_the_models_of_grants_and_sessions_are_exported() -> None:
    names = {"GrantInfo", "OAuthGrantItem", "ManagedSecretGrantItem", "UnifiedGrantListResult"}
    names |= {"ConnectSession", "ManagedSecretConnectSession", "ConnectResult", "AuthResult"}
    names |= {"Principal", "UserPrincipal", "GroupPrincipal", "SystemPrincipal", "AgentPrincipal"}
    names |= {"GrantPolicy", "GrantPolicyInput"}
    assert names <= set(alter_sdk.__all__)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("UserPrincipal", {"user_token": CANARY}),
        ("UserPrincipal", {"user_token": CANARY * 999, "label": "l"}),
        ("UserPrincipal", {"user_token": CANARY, "label": "l", "more": 1}),
        ("GroupPrincipal", {"external_group_id": "", "idp_id": "i", "label": "l"}),
        ("SystemPrincipal", {"label": "x" * 256}),
        ("AgentPrincipal", {"type": "user"}),
        ("GrantPolicyInput", {"max_ttl_seconds": 0}),
        ("GrantPolicyInput", {"expires_at": "soon"}),
        ("GrantPolicyInput", {"limit": 1}),
        ("ConnectSession", {"session_token": CANARY, "connect_url": "u", "expires_in": "600", "expires_at": "x"}),
        ("RevokeGrantResult", {"success": 1, "message": "m", "grant_id": "g", "revoked_at": "x"}),
    ],
)
def test_m238_m239_a_model_built_by_hand_meets_the_same_rules(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        getattr(alter_sdk, name)(**fields)
    assert CANARY not in str(caught.value)


def test_m237_m238_no_printed_form_shows_a_token() -> None:
    session = {"session_token": CANARY, "expires_in": 1, "expires_at": "x"}
    for shown in (
        alter_sdk.ConnectSession(**session, connect_url=f"u#{CANARY}"),
        alter_sdk.ManagedSecretConnectSession(**session, connect_url=f"u#{CANARY}"),
        alter_sdk.AuthSession(**session, auth_url=f"u#{CANARY}"),
        alter_sdk.AuthResult(user_token=CANARY, user_info={"sub": "ada"}),
        alter_sdk.UserPrincipal(user_token=CANARY, label="l"),
        alter_sdk.IdentityAssertion(token=CANARY, expires_at="2026-01-02", identity={"app_id": "a"}),  # type: ignore[arg-type]
    ):
        assert CANARY not in f"{shown!r} {shown} {[shown]}"
        assert CANARY in str(shown.model_dump())
