"""Acceptance rows of the seed documents: which errors there are, and when."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

import alter_sdk
from alter_sdk import AlterSDKError, App, exceptions
from matrix import call, failed, refused, run_example
from scripted import APP_KEY, GRANT, SECRET, TOKEN, Scripted

BACKEND = exceptions.BackendError
REAUTH = (exceptions.ReAuthRequiredError, BACKEND)


def provider_error(server: Scripted, status: int, payload: Any = None, **more: Any) -> Any:
    server.answer("/p/", payload if payload is not None else {"error": "no"}, status=status, **more)
    with pytest.raises(AlterSDKError) as caught:
        call(server)
    assert SECRET not in repr(vars(caught.value)) + str(caught.value)
    return caught.value


def check(server: Scripted, code: str, statuses: tuple[int, ...], kind: Any, *bases: Any) -> None:
    """That the vault's answer with this code and each of these statuses is an error of exactly this class."""
    assert kind.__mro__[1 : len(bases) + 1] == bases
    for status in statuses:
        server.reset()
        error = failed(server, code, status)
        assert type(error) is kind, status
        assert (error.details["error"], error.status_code) == (code, status)


def test_m069_a_grant_with_approvals_requires_the_proxy(server: Scripted) -> None:
    check(server, "hitl_grant_requires_proxy", (400,), exceptions.RestrictedGrantRequiresProxyError, BACKEND)


def test_m057_m217_a_grant_that_is_not_there(server: Scripted) -> None:
    check(server, "grant_not_found", (404,), exceptions.GrantNotFoundError, BACKEND)


def test_m057_m213_a_grant_that_has_expired(server: Scripted) -> None:
    check(server, "grant_expired", (403,), exceptions.GrantExpiredError, *REAUTH)


def test_m057_m215_a_grant_that_was_revoked(server: Scripted) -> None:
    check(server, "grant_revoked", (400, 403, 502), exceptions.GrantRevokedError, *REAUTH)


def test_m214_a_credential_that_was_revoked(server: Scripted) -> None:
    check(server, "credential_revoked", (400, 403, 502), exceptions.CredentialRevokedError, *REAUTH)


def test_m216_a_grant_that_the_user_disconnected(server: Scripted) -> None:
    check(server, "grant_deleted", (410,), exceptions.GrantDeletedError, *REAUTH)


def test_m057_m219_a_policy_that_forbids_the_call(server: Scripted) -> None:
    check(server, "outside_hours", (403,), exceptions.PolicyViolationError, BACKEND)


def test_m220_a_key_without_the_scope(server: Scripted) -> None:
    check(server, "insufficient_scope", (403,), exceptions.InsufficientScopeError, BACKEND)


def test_m221_a_token_that_is_being_refreshed(server: Scripted) -> None:
    check(server, "token_refresh_in_progress", (409,), exceptions.TokenRefreshInProgressError, BACKEND)


def test_m057_m222_no_grant_that_is_delegated(server: Scripted) -> None:
    check(server, "no_delegated_grant", (404, 409), exceptions.NoDelegatedGrantError, BACKEND)


def test_m211_a_bad_key_and_a_backend_that_is_down(server: Scripted) -> None:
    check(server, "invalid_key", (401,), exceptions.InvalidKeyError, exceptions.AgentError, BACKEND)
    check(server, "internal_error", (500,), BACKEND, AlterSDKError)
    check(server, "unavailable", (503,), BACKEND, AlterSDKError)


def test_m208_the_base_has_message_and_details() -> None:
    error = AlterSDKError("what happened", {"error": "code"})
    assert (error.message, error.details, str(error)) == ("what happened", {"error": "code"}, "what happened")
    assert AlterSDKError("m").details == {}
    kinds = [getattr(exceptions, name) for name in exceptions.__all__ if name.endswith("Error")]
    assert len(kinds) > 40
    assert all(issubclass(kind, AlterSDKError) for kind in kinds)


def test_m209_m210_bad_input_is_caught_by_either_class(server: Scripted) -> None:
    assert exceptions.AlterValueError.__mro__[1] is AlterSDKError
    with pytest.raises(AlterSDKError, match="api_key"):
        App("alter_key_...")
    for wrong in ({"path": "/p/{id}"}, {"path": "/p/\n"}, {"context": {"k": 5}}):
        refused(server, exceptions.AlterValueError, **wrong)


def test_m212_re_authorization_is_a_refusal_of_the_backend() -> None:
    assert exceptions.ReAuthRequiredError.__mro__[1] is BACKEND
    assert issubclass(exceptions.GrantDeletedError, exceptions.ReAuthRequiredError)


def test_m057_m218_an_ambiguous_grant_carries_the_candidates(server: Scripted) -> None:
    accounts = ["ada@example.com", "bob@example.com"]
    error = failed(server, "ambiguous_grant", 409, provider_id="google", account_identifiers=accounts)
    assert type(error) is exceptions.AmbiguousGrantError
    assert isinstance(error, BACKEND)
    assert (error.provider_id, error.account_identifiers) == ("google", accounts)


def test_m219_a_policy_violation_says_which_rule(server: Scripted) -> None:
    error = failed(server, "outside_hours", 403, rule="office hours")
    assert (error.policy_error, error.message) == ("outside_hours", "said by the vault")
    assert error.details["rule"] == "office hours"


def test_m223_the_errors_of_the_connect_flow() -> None:
    assert exceptions.ConnectFlowError.__mro__[1] is AlterSDKError
    for kind in (exceptions.ConnectDeniedError, exceptions.ConnectConfigError, exceptions.ConnectTimeoutError):
        assert kind.__mro__[1] is exceptions.ConnectFlowError


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_m224_a_providers_error_has_status_and_body(status: int, server: Scripted) -> None:
    error = provider_error(server, status, {"error": "its own words"})
    assert type(error) is exceptions.ProviderAPIError
    assert type(error).__mro__[1] is AlterSDKError
    assert error.status_code == status
    assert "its own words" in error.response_body


CHALLENGE = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="calendar.read"'}


@pytest.mark.parametrize(
    ("token", "headers"), [({"scope_mismatch": True}, {}), ({}, CHALLENGE)], ids=["vault", "provider"]
)
def test_m225_a_403_with_outdated_scopes_asks_for_them(token: Any, headers: Any, server: Scripted) -> None:
    server.answer("/sdk/token", {**TOKEN, **token})
    error = provider_error(server, 403, headers=headers)
    assert type(error) is exceptions.ScopeReauthRequiredError
    assert isinstance(error, exceptions.ProviderAPIError)
    assert (error.grant_id, error.status_code) == (GRANT, 403)


def test_m226_m232_no_answer_is_a_network_error_without_a_status(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exceptions.NetworkError.__mro__[1] is AlterSDKError
    assert exceptions.TimeoutError.__mro__[1] is exceptions.NetworkError
    assert builtins.TimeoutError is not exceptions.TimeoutError
    server.answer("/p/", {}, hold=True)
    with pytest.raises(exceptions.TimeoutError) as late:
        call(server, client=App(APP_KEY, timeout=0.05))
    # Port 1 is privileged and has no service: the connection is refused at once.
    monkeypatch.setenv("ALTER_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(exceptions.NetworkError) as refusal:
        call(server)
    assert type(refusal.value) is exceptions.NetworkError
    assert not hasattr(late.value, "status_code")
    assert not hasattr(refusal.value, "status_code")


def test_m227_the_errors_of_approvals() -> None:
    names = ["ApprovalDeniedError", "ApprovalExpiredError", "ApprovalTimeoutError", "ApprovalExecutionFailedError"]
    assert exceptions.ApprovalError.__mro__[1] is AlterSDKError
    for name in names:
        kind = getattr(exceptions, name)
        assert kind.__mro__[1] is exceptions.ApprovalError
        assert kind(approval_id="a-1", message="m").approval_id == "a-1"


def test_m228_the_errors_of_agents() -> None:
    kinds = [getattr(exceptions, name) for name in exceptions.__all__ if name.startswith("Agent")]
    of_agents = [kind for kind in kinds if issubclass(kind, exceptions.AgentError)]
    assert len(of_agents) >= 8
    assert exceptions.AgentScopeNarrowingNotSupportedError in of_agents
    assert issubclass(exceptions.AgentError, exceptions.BackendError)
    assert alter_sdk.AgentInactiveError is exceptions.AgentInactiveError


SAFE_CALL = """
from alter_sdk import AlterVault, HttpMethod
from alter_sdk.exceptions import (
    ReAuthRequiredError,
    PolicyViolationError,
    GrantNotFoundError,
    BackendError,
    ScopeReauthRequiredError,
    NetworkError,
    ProviderAPIError,
)

async def safe_api_call(grant_id: str):
    async with AlterVault(
        api_key="alter_key_...",
        caller="my-agent",
    ) as vault:
        try:
            response = await vault.request(
                HttpMethod.GET,
                "https://www.googleapis.com/calendar/v3/calendars/primary/events",
                grant_id=grant_id,
            )
            return response.json()
        except ReAuthRequiredError:
            # Grant expired, revoked, or deleted — user must re-authorize
            print("User must re-authorize via Alter Connect")
        except PolicyViolationError as e:
            # Policy denied access (403) — check the reason
            print(f"Access denied by policy: {e.message} (rule: {e.policy_error})")
            print(f"Details: {e.details}")
        except GrantNotFoundError:
            # No OAuth grant for this user/provider (404)
            print("User hasn't connected Google yet")
        except BackendError as e:
            # Other backend errors (401 invalid API key, 500/503 backend down)
            print(f"Backend error: {e.message}")
        except NetworkError as e:
            # Connection failure or timeout (TimeoutError is a subclass)
            print(f"Network issue: {e.message}")
        except ScopeReauthRequiredError as e:
            # Provider returned 403 and grant has outdated scopes
            print(f"Scope mismatch on {e.grant_id}: re-auth needed")
        except ProviderAPIError as e:
            # Provider API returned an error (4xx/5xx from Google, Slack, etc.)
            print(f"Provider error {e.status_code}: {e.response_body}")
"""

BRANCHES = [
    ("/sdk/token", {"error": "grant_expired"}, 403, "User must re-authorize via Alter Connect"),
    (
        "/sdk/token",
        {"error": "outside_hours", "message": "No."},
        403,
        "Access denied by policy: No. (rule: outside_hours)",
    ),
    ("/sdk/token", {"error": "grant_not_found"}, 404, "User hasn't connected Google yet"),
    ("/sdk/token", {"error": "internal_error"}, 500, "Backend error: "),
    ("/calendar", {"error": "scopes"}, 403, f"Scope mismatch on {GRANT}: re-auth needed"),
    ("/calendar", {"error": "broken"}, 500, 'Provider error 500: {"error": "broken"}'),
]


@pytest.mark.parametrize(("at", "payload", "status", "printed"), BRANCHES, ids=[branch[3] for branch in BRANCHES])
def test_m229_each_branch_of_the_example_is_reached(
    at: str, payload: Any, status: int, printed: str, server: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer("/sdk/token", {**TOKEN, "scope_mismatch": status == 403})
    server.answer(at, payload, status=status)
    run_example(f"{SAFE_CALL}\nawait safe_api_call({GRANT!r})", server)
    assert capsys.readouterr().out.startswith(printed)


def test_m229_the_network_branch_and_the_answer_of_the_example(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer("/calendar", {"items": [1]})
    use = f"\nresult = await safe_api_call({GRANT!r})"
    assert run_example(SAFE_CALL + use, server)["result"] == {"items": [1]}
    monkeypatch.setenv("ALTER_BASE_URL", "http://127.0.0.1:1")
    assert run_example(SAFE_CALL + use, server)["result"] is None
    assert capsys.readouterr().out.startswith("Network issue: ")


def test_m231_the_classes_say_what_to_do() -> None:
    def documented(kind: type) -> str:
        return (kind.__doc__ or "").lower()

    assert "authorize again" in documented(exceptions.ReAuthRequiredError)
    assert "authorize again" in documented(exceptions.ScopeReauthRequiredError)
    assert "policy forbids" in documented(exceptions.PolicyViolationError)
    assert "provider answered" in documented(exceptions.ProviderAPIError)
