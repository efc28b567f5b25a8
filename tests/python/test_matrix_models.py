"""Acceptance rows of the seed documents: enums and models."""

from __future__ import annotations

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
