"""Acceptance rows of the seed documents: who is signed in."""

from __future__ import annotations

import asyncio
import webbrowser
from contextvars import ContextVar
from typing import Any

import pytest

from alter_sdk import AlterSDKError, App, AuthResult
from alter_sdk.exceptions import BackendError
from people import SIGN_IN, USER_TOKEN, ask, sent
from scripted import APP_KEY, GRANT, Scripted

SESSION = "/sdk/auth/session"
POLL = "/sdk/auth/poll"
VERIFY = "/sdk/auth/verify-token"


def test_m161_m118_authenticate_signs_in_and_its_token_goes_with_later_calls(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer(SESSION, SIGN_IN, status=201)
    server.answer(POLL, {"status": "completed", "user_token": USER_TOKEN, "user_info": {"sub": "ada"}})
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)

    async def main() -> AuthResult:
        async with App(APP_KEY) as app:
            result = await app.authenticate()
            await app.request("GET", f"{server.url}/p/x", provider="google")
            return result

    result = asyncio.run(main())
    assert (result.user_token, repr(result)) == (USER_TOKEN, "AuthResult(sub='ada')")
    assert opened == [SIGN_IN["auth_url"]]
    assert SIGN_IN["auth_url"] in capsys.readouterr().out
    assert sent(server, "/sdk/token")["user_token"] == USER_TOKEN


@pytest.mark.parametrize(("status", "answer", "sub"), [(200, {"sub": "ada"}, "ada"), (401, {}, None), (503, {}, None)])
def test_m162_verify_user_token_gives_the_sub(status: int, answer: Any, sub: str | None, server: Scripted) -> None:
    server.answer(VERIFY, answer, status=status)
    assert ask("verify_user_token", USER_TOKEN) == sub
    assert sent(server, VERIFY) == {"token": USER_TOKEN}


def test_m162_nothing_is_asked_about_no_token(server: Scripted) -> None:
    assert [ask("verify_user_token", token) for token in ("", " ", None)] == [None, None, None]
    assert server.requests() == []


def test_m164_m167_a_context_variable_carries_the_users_token(server: Scripted) -> None:
    current: ContextVar[str] = ContextVar("current")

    async def handle(app: App, token: str) -> None:
        current.set(token)
        await app.request("GET", f"{server.url}/p/x", provider="google")

    async def main() -> None:
        async with App(APP_KEY, user_token_getter=lambda: current.get()) as app:
            await asyncio.gather(*(handle(app, f"jwt-{n}") for n in range(3)))

    asyncio.run(main())
    assert sorted(seen.json()["user_token"] for seen in server.requests("/sdk/token")) == ["jwt-0", "jwt-1", "jwt-2"]


@pytest.mark.parametrize("getter", [lambda: None, lambda: "", lambda: 5, lambda: {}["nobody"]])
@pytest.mark.parametrize("method", ["list_grants", "revoke_grant", "create_connect_session", "resolve_identity"])
def test_m165_a_getter_without_a_token_is_an_error_and_nothing_is_sent(
    method: str, getter: Any, server: Scripted
) -> None:
    arguments = [GRANT] if method == "revoke_grant" else []
    with pytest.raises(AlterSDKError) as caught:
        ask(method, *arguments, client=App(APP_KEY, user_token_getter=getter))
    assert type(caught.value) is AlterSDKError
    assert "401" in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert server.requests() == []


def test_m165_the_identity_of_an_app_without_a_provider_is_refused_by_the_vault(server: Scripted) -> None:
    server.answer("/sdk/identity/resolve", {"error": "idp_not_configured"}, status=400)
    with pytest.raises(BackendError):
        ask("resolve_identity", user_token=USER_TOKEN)
