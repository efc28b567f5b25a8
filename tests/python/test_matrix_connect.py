"""Acceptance rows of the seed documents: connecting accounts and secrets."""

from __future__ import annotations

import warnings
import webbrowser
from typing import Any

import pytest

from alter_sdk import (
    AlterSDKError,
    AlterValueError,
    App,
    ConnectSession,
    GrantPolicyInput,
    ManagedSecretConnectSession,
)
from alter_sdk.exceptions import ConnectDeniedError, ConnectFlowError, ConnectTimeoutError, GrantExpiredError
from matrix import failed
from people import CONNECT, CONNECTED, MANAGED_CONNECT, POLL, SESSION, SESSION_TOKEN, SOON, USER_TOKEN, ask, sent
from scripted import AGENT_ID, APP_KEY, GRANT, Scripted

MANAGED_SESSION = {**SESSION, "path": "key_entry", "secret_slug": "openai", "delegable_requested": False}
QUICK = {"open_browser": False, "poll_interval": 0.01}


@pytest.fixture(autouse=True)
def _vault(server: Scripted) -> None:
    server.answer(CONNECT, SESSION)
    server.answer(POLL, CONNECTED)
    server.answer(MANAGED_CONNECT, MANAGED_SESSION)


def test_m130_m133_m134_a_session_has_an_address_a_token_and_an_end(server: Scripted) -> None:
    session = ask(
        "create_connect_session", allowed_providers=["google"], allowed_origin="https://a.example", agent="bot"
    )
    assert isinstance(session, ConnectSession)
    assert (session.session_token, session.connect_url) == (SESSION_TOKEN, SESSION["connect_url"])
    assert (session.expires_in, session.expires_at) == (600, SOON)
    body = sent(server, CONNECT)
    assert (body["allowed_providers"], body["agent"]) == (["google"], "bot")
    server.reset()
    server.answer(CONNECT, SESSION)
    ask("create_connect_session")
    nothing = {"allowed_providers": None, "return_url": None, "allowed_origin": None, "metadata": None}
    assert sent(server, CONNECT) == nothing


@pytest.mark.parametrize("given", [{"max_ttl_seconds": 60}, GrantPolicyInput(max_ttl_seconds=60)], ids=["map", "model"])
def test_m131_m151_a_session_takes_time_limits(given: Any, server: Scripted) -> None:
    ask("create_connect_session", grant_policy=given)
    assert sent(server, CONNECT)["grant_policy"] == {"max_ttl_seconds": 60}


def test_m132_m159_return_url_and_limits(server: Scripted) -> None:
    policy = {"max_ttl_seconds": 2592000, "default_ttl_seconds": 604800}
    ask(
        "create_connect_session", allowed_providers=["google"], return_url="https://a.example/done", grant_policy=policy
    )
    body = sent(server, CONNECT)
    assert (body["return_url"], body["grant_policy"]) == ("https://a.example/done", policy)


def test_m135_a_getter_ties_the_session_to_the_caller(server: Scripted) -> None:
    ask("create_connect_session", client=App(APP_KEY, user_token_getter=lambda: "the-jwt"))
    assert sent(server, CONNECT)["user_token"] == "the-jwt"


def test_m136_m141_a_secrets_session_takes_its_older_arguments_too(server: Scripted) -> None:
    server.answer(MANAGED_CONNECT, {**MANAGED_SESSION, "delegation_expires_at": "2027-01-01T00:00:00Z"})
    old = {"template_slug": "OpenAI", "delegated_agent_id": AGENT_ID, "requested_ttl_seconds": 60}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = ask("create_managed_secret_connect_session", user_token=USER_TOKEN, delegated_agent_name="Bot", **old)
    assert isinstance(session, ManagedSecretConnectSession)
    assert (session.expires_at, session.delegation_expires_at) == (SOON, "2027-01-01T00:00:00Z")
    assert sent(server, MANAGED_CONNECT) == {**old, "template_slug": "openai", "user_token": USER_TOKEN}
    # Once in the program's life each, so an earlier test may have had them.
    assert {warning.category for warning in caught} <= {DeprecationWarning}


def test_m142_connect_takes_an_email_and_scopes(server: Scripted) -> None:
    ask("connect", providers=["google"], email="ada@example.com", scopes=["calendar.read"], **QUICK)
    body = sent(server, CONNECT)
    assert (body["login_hint"], body["required_scopes"]) == ("ada@example.com", {"google": ["calendar.read"]})


def test_m143_m149_who_is_too_slow_raises_a_flow_error(server: Scripted) -> None:
    server.answer(POLL, {"status": "pending"})
    with pytest.raises(ConnectFlowError) as caught:
        ask("connect", timeout=0.05, **QUICK)
    assert type(caught.value) is ConnectTimeoutError
    assert caught.value.details == {"reason": "poll_deadline_elapsed", "timeout": 0.05}


@pytest.mark.parametrize("opens", [True, False])
def test_m144_the_address_is_opened_and_printed(
    opens: bool, server: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    ask("connect", open_browser=opens, poll_interval=0.01)
    assert opened == ([SESSION["connect_url"]] if opens else [])
    printed = capsys.readouterr()
    assert SESSION["connect_url"] in printed.out
    # Not a terminal: nothing says that it waits.
    assert printed.err == ""


def test_m144_a_browser_that_cannot_be_opened_is_no_error(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(url: str) -> bool:
        raise webbrowser.Error(url)

    monkeypatch.setattr(webbrowser, "open", broken)
    assert len(ask("connect", poll_interval=0.01)) == 1
    assert capsys.readouterr().out.startswith("Please visit: ")


def test_m146_m147_m148_one_result_for_each_provider(server: Scripted) -> None:
    second = {"grant_id": "44444444-4444-4444-8444-444444444444", "provider_id": "slack"}
    server.answer(POLL, {**CONNECTED, "grants": [*CONNECTED["grants"], second]})
    google, slack = ask("connect", providers=["google", "slack"], **QUICK)
    assert (google.grant_id, google.provider_id, google.account_identifier) == (GRANT, "google", "ada@example.com")
    assert (google.scopes, google.grant_policy.expires_at) == (["calendar.read"], SOON)
    assert (slack.provider_id, slack.grant_policy) == ("slack", None)
    assert sent(server, CONNECT)["allowed_providers"] == ["google", "slack"]


def test_m149_who_refuses_raises_a_flow_error(server: Scripted) -> None:
    server.answer(POLL, {"status": "error", "error": {"error_code": "connect_denied", "error_message": "No, thanks."}})
    with pytest.raises(ConnectFlowError) as caught:
        ask("connect", **QUICK)
    assert (type(caught.value), caught.value.message) == (ConnectDeniedError, "No, thanks.")


@pytest.mark.parametrize("policy", [{"max_ttl_seconds": 0}, {"max_ttl": 60}, {"expires_at": "soon"}, 60])
def test_m151_other_limits_are_refused(policy: Any, server: Scripted) -> None:
    with pytest.raises(AlterValueError, match="grant_policy"):
        ask("connect", grant_policy=policy, **QUICK)
    assert server.requests() == []


def test_m157_an_expired_grant_says_that_the_user_must_authorize_again(server: Scripted) -> None:
    error = failed(server, "grant_expired", 403, provider_id="google")
    assert (type(error), error.provider_id) == (GrantExpiredError, "google")
    session = ask("create_connect_session_for_error", error)
    assert session.session_token == SESSION_TOKEN
    assert sent(server, CONNECT)["allowed_providers"] == ["google"]


def test_m157_an_error_that_names_no_provider_cannot_be_mended(server: Scripted) -> None:
    with pytest.raises(AlterValueError, match="provider"):
        ask("create_connect_session_for_error", AlterSDKError("m"))
    assert server.requests() == []


def test_m158_at_most_a_week_with_a_day_preselected(server: Scripted) -> None:
    policy = {"max_ttl_seconds": 604800, "default_ttl_seconds": 86400}
    ask("connect", providers=["google"], grant_policy=policy, **QUICK)
    assert sent(server, CONNECT)["grant_policy"] == policy


def test_m160_the_id_of_a_bootstrap_works_in_a_request(server: Scripted) -> None:
    (result,) = ask("connect", providers=["google"], **QUICK)
    ask("request", "GET", f"{server.url}/p/x", grant_id=result.grant_id)
    assert sent(server, "/sdk/token")["grant_id"] == GRANT
