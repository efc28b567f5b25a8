"""The package as such: what importing it costs and offers."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import pydantic
import pytest

import alter_sdk
from alter_sdk import exceptions, models, providers


def test_importing_loads_neither_httpx_nor_pydantic() -> None:
    program = "import sys, alter_sdk; from alter_sdk.exceptions import NetworkError; alter_sdk.App; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"httpx", "pydantic", "boto3", "opentelemetry"}
    assert "alter_sdk" in loaded


def test_every_name_of_the_root_can_be_had() -> None:
    assert len(set(alter_sdk.__all__)) == len(alter_sdk.__all__)
    assert set(alter_sdk.__all__) <= set(dir(alter_sdk))
    for name in alter_sdk.__all__:
        assert getattr(alter_sdk, name) is not None
    with pytest.raises(AttributeError, match="NoSuchName"):
        alter_sdk.NoSuchName  # noqa: B018


def test_both_import_paths_give_the_same_objects() -> None:
    for name in exceptions.__all__:
        assert getattr(alter_sdk, name) is getattr(exceptions, name)
    for name in models.__all__:
        assert getattr(alter_sdk, name) is getattr(models, name)
    assert alter_sdk.Provider is providers.Provider


def test_enums_are_their_text() -> None:
    assert [method.value for method in alter_sdk.HttpMethod] == [
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "HEAD",
        "OPTIONS",
    ]
    assert f"{alter_sdk.CallerType.AGENT} {alter_sdk.CallerType.SERVICE!s}" == "agent service"
    assert len(alter_sdk.Provider) == 71
    for member in alter_sdk.Provider:
        assert member.name == member.value.upper().replace("-", "_")
        assert str(member) == member == member.value


@pytest.mark.parametrize("name", [n for n in exceptions.__all__ if n.endswith("Error")])
def test_exceptions_survive_pickling(name: str) -> None:
    kind: Any = getattr(exceptions, name)
    if issubclass(kind, exceptions.ApprovalError):
        error = kind(approval_id="a-1", message="m")
    elif kind is exceptions.MemoryIsolationError:
        error = kind("memory_agent_required", "m")
    else:
        error = kind("m", details={"status_code": 400})
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert (str(twin), vars(twin)) == (str(error), vars(error))


def test_the_exceptions_of_the_examples_are_caught_in_their_order() -> None:
    order = ["ReAuthRequiredError", "PolicyViolationError", "GrantNotFoundError", "BackendError", "NetworkError"]
    order += ["ScopeReauthRequiredError", "ProviderAPIError", "AlterSDKError"]
    for place, name in enumerate(order):
        kind = getattr(exceptions, name)
        assert not any(issubclass(kind, getattr(exceptions, earlier)) for earlier in order[:place])


def test_exceptions_keep_what_they_are_given() -> None:
    backend = exceptions.BackendError("m", {"status_code": 404})
    assert (str(backend), backend.status_code) == ("m", 404)
    assert exceptions.BackendError("m", {"status_code": True}).status_code is None
    assert exceptions.BackendError("m", "no dict").details == {}  # type: ignore[arg-type]
    assert str(exceptions.InvalidKeyError()) == "invalid_key"
    scope = exceptions.InsufficientScopeError.from_error_body(
        {"required": ["a", 5], "missing": "x", "scope_version": 2}
    )
    assert (scope.required_scopes, scope.missing, scope.scope_version, scope.docs_url) == (["a"], [], 2, None)
    assert exceptions.StepUpRequiredError("m", 60).policy_error == "step_up_required"
    assert str(exceptions.MemoryIsolationError("memory_agent_required", "m")) == "memory_agent_required: m"


def test_retry_info_is_strict_and_frozen() -> None:
    info = alter_sdk.RetryInfo(total_attempts=2, successful_attempt=1)
    assert info.errors == ()
    with pytest.raises(pydantic.ValidationError):
        info.total_attempts = 3  # type: ignore[misc]
    for wrong in ({"total_attempts": 0}, {"total_attempts": "2"}, {"successful_attempt": 3}, {"total_attempts": True}):
        with pytest.raises(pydantic.ValidationError):
            alter_sdk.RetryInfo(**{"total_attempts": 2, "successful_attempt": 1, **wrong})  # type: ignore[arg-type]
    with pytest.raises(pydantic.ValidationError):
        alter_sdk.RetryErrorInfo(attempt=1, error="e" * 501, error_type="t", delay_s=0)


def test_a_token_response_has_no_token() -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=60)
    token = alter_sdk.TokenResponse(
        access_token="tok-canary",
        grant_id="g",
        expires_at=soon.replace(tzinfo=None),
        additional_credentials={"secret_key": "canary-too", "region": "us-east-1"},
    )
    assert token.additional_credentials == {"region": "us-east-1"}
    assert "canary" not in f"{token!r} {token} {token.model_dump()} {vars(token)}"
    assert set(token.model_dump()).isdisjoint({"injection_header", "additional_credentials"})
    assert not token.is_expired()
    assert token.is_expired(buffer_seconds=120)
    assert token.needs_refresh()
    later = alter_sdk.TokenResponse(access_token="t", grant_id="g", expires_at=soon, grant_expires_at=soon)
    assert not later.needs_refresh()
    with pytest.raises(TypeError, match="access_token"):
        alter_sdk.TokenResponse(grant_id="g")  # type: ignore[call-arg]


def test_an_audit_row_can_be_stored_without_credentials() -> None:
    row = alter_sdk.APICallAuditLog(
        grant_id="8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f",  # type: ignore[arg-type]
        provider_id="google",
        method="GET",
        url="https://h/x",
        request_headers={"Authorization": "canary", "X-A": "1"},
        response_headers={"Set-Cookie": "canary"},
        response_status=200,
        latency_ms=3,
    )
    stored = row.sanitize()
    assert (stored["request_headers"], stored["response_headers"]) == ({"X-A": "1"}, {})
    assert "timestamp" not in stored
    row.latency_ms = 4


def test_the_trace_of_opentelemetry_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = importlib.import_module("alter_sdk._telemetry")

    class Span:
        def __init__(self, **context: Any) -> None:
            self.context = type("Context", (), context)

        def get_span_context(self) -> Any:
            return self.context

    def current(**context: Any) -> str | None:
        monkeypatch.setattr(telemetry, "current_span", lambda: lambda: Span(**context))
        return telemetry.traceparent()

    assert current(trace_id=0xAB, span_id=0xCD, trace_flags=1) == f"00-{0xAB:032x}-{0xCD:016x}-01"
    assert current(trace_id=1, span_id=1, trace_flags="x") == f"00-{1:032x}-{1:016x}-00"
    assert current(trace_id=0, span_id=1, trace_flags=1) is None
    assert current(trace_id=1 << 128, span_id=1, trace_flags=1) is None
    assert current(trace_id="1", span_id=1, trace_flags=1) is None
    assert current() is None


def test_opentelemetry_is_found_by_its_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = importlib.import_module("alter_sdk._telemetry")
    module, trace = ModuleType("opentelemetry"), ModuleType("opentelemetry.trace")
    monkeypatch.setattr(trace, "get_current_span", object(), raising=False)
    monkeypatch.setattr(module, "trace", trace, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", module)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)
    assert telemetry.current_span.__wrapped__() is trace.get_current_span
