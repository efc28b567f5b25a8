"""Acceptance rows of the seed documents: packaging and imports."""

from __future__ import annotations

import ast
import re
from importlib.metadata import metadata, packages_distributions
from pathlib import Path
from typing import Any

import pydantic
import pytest

import alter_sdk
from alter_sdk import exceptions

ROOT = Path(__file__).resolve().parents[2]

# Those of the reference page that calls can return or raise so far; the others come with their calls.
ERRORS_OF_THE_PAGE = frozenset(
    """
AlterSDKError AlterValueError BackendError ReAuthRequiredError GrantExpiredError GrantRevokedError
CredentialRevokedError GrantDeletedError GrantNotFoundError AmbiguousGrantError PolicyViolationError
InsufficientScopeError TokenRefreshInProgressError NoDelegatedGrantError ConnectFlowError ConnectDeniedError
ConnectConfigError ConnectTimeoutError ProviderAPIError ScopeReauthRequiredError NetworkError TimeoutError
ApprovalError ApprovalDeniedError ApprovalExpiredError ApprovalTimeoutError ApprovalExecutionFailedError AgentError
""".split()  # noqa: SIM905 (one name a line says no more)
)


def test_m001_the_distribution_is_alter_sdk_and_the_package_alter_sdk() -> None:
    assert set(packages_distributions()["alter_sdk"]) == {"alter-sdk"}
    assert metadata("alter-sdk")["Name"] == "alter-sdk"


def test_m002_python_3_10_is_enough() -> None:
    assert metadata("alter-sdk")["Requires-Python"] == ">=3.10"
    sources = sorted((ROOT / "python/alter_sdk").rglob("*.py"))
    assert len(sources) > 10
    for source in sources:
        ast.parse(source.read_text(encoding="utf-8"), filename=str(source), feature_version=(3, 10))


def test_m003_clients_models_and_errors_come_from_the_root() -> None:
    for name in ["App", "Agent", "TokenResponse", "RetryInfo", "RetryErrorInfo", *sorted(ERRORS_OF_THE_PAGE)]:
        assert isinstance(getattr(alter_sdk, name), type), name
        assert name in alter_sdk.__all__


def test_m004_errors_come_from_exceptions_too_and_are_the_same_objects() -> None:
    assert set(exceptions.__all__) >= ERRORS_OF_THE_PAGE
    for name in exceptions.__all__:
        assert getattr(alter_sdk, name) is getattr(exceptions, name)


def test_m005_http_method_comes_from_the_root() -> None:
    from alter_sdk import HttpMethod

    assert HttpMethod("GET") is HttpMethod.GET


def test_m006_alter_vault_comes_from_the_root_and_warns_of_nothing() -> None:
    # Warnings are errors in this test run, so a deprecation warning would fail the import or the class statement.
    from alter_sdk import AlterVault, App

    class Mine(AlterVault):
        pass

    assert issubclass(Mine, App)


def test_m010_the_index_of_the_documentation_leads_to_pages_that_exist() -> None:
    index = ROOT / "docs/llms.txt"
    links = re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    assert len(links) > 5
    for link in links:
        assert link.startswith("https://") or (index.parent / link).exists(), link


def every_model() -> list[type[pydantic.BaseModel]]:
    found = [getattr(alter_sdk, name) for name in alter_sdk.__all__]
    return [thing for thing in found if isinstance(thing, type) and issubclass(thing, pydantic.BaseModel)]


@pytest.mark.parametrize("model", every_model(), ids=lambda model: model.__name__)
def test_m011_models_are_frozen_but_for_the_audit_row_and_spans(model: Any) -> None:
    thing = model.model_construct()
    name = next(iter(model.model_fields))
    if model in (alter_sdk.APICallAuditLog, alter_sdk.UserSpan, alter_sdk.EmitSpansResult):
        setattr(thing, name, "x")
        assert getattr(thing, name) == "x"
        return
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        setattr(thing, name, "x")
