"""Grants, connecting and identity: what is Python's own about them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from alter_sdk import Agent, AlterSDKError, AlterValueError, App, Provider, verify_identity_assertion
from alter_sdk.exceptions import ConnectTimeoutError, GrantNotFoundError, MemoryIsolationError
from conftest import vectors
from people import (
    CONNECT,
    CONNECTED,
    LIST,
    MANAGED_CONNECT,
    POLL,
    SESSION,
    SESSION_TOKEN,
    SIGN_IN,
    USER_TOKEN,
    ask,
    page,
    sent,
)
from scripted import AGENT_ID, APP_KEY, GRANT, Scripted
from test_canary import texts_within

PROGRAMS = Path(__file__).resolve().parent / "programs"
CANCEL = "/sdk/oauth/connect/session/cancel"
MARKED = {"x-alter-session-cancel": "true"}


def pending(provider: str) -> dict[str, Any]:
    return {"status": "pending", "declined_providers": [{"provider_id": provider, "error_code": "access_denied"}]}


async def waiting_for_poll(server: Scripted, app: App) -> asyncio.Task[Any]:
    """A `connect` that waits for a person."""
    task = asyncio.ensure_future(app.connect(open_browser=False, poll_interval=0.01))
    await asyncio.to_thread(server.wait_for_requests, POLL, 1)
    return task


@pytest.mark.parametrize(("headers", "cancellations"), [(MARKED, 1), ({}, 0)], ids=["marked", "unmarked"])
def test_a_cancelled_connection_is_given_up_on_the_vault_too(
    headers: dict[str, str], cancellations: int, server: Scripted
) -> None:
    server.answer(CONNECT, SESSION, headers=headers)
    server.answer(POLL, {"status": "pending"})
    server.answer(CANCEL, status=204)

    async def main() -> None:
        async with App(APP_KEY) as app:
            task = await waiting_for_poll(server, app)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    # The client is closed, so whatever was to be sent has been sent.
    bodies = [seen.json() for seen in server.requests(CANCEL)]
    assert bodies == [{"session_token": SESSION_TOKEN}] * cancellations


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_does_not_give_up_the_connection_of_its_parent(server: Scripted) -> None:
    server.answer(CONNECT, SESSION, headers=MARKED)
    server.answer(POLL, {"status": "pending"})
    server.answer(CANCEL, status=204)
    app = App(APP_KEY)
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(waiting_for_poll(server, app))

    child = os.fork()
    if child == 0:
        # Nothing of pytest may run here: the exit status is the verdict.
        status = 1
        try:
            asyncio.run(app.request("GET", f"{server.url}/p/1", grant_id=GRANT))
            connection.get_coro().close()  # as Python does at its end
            asyncio.run(app.close())
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert server.requests(CANCEL) == []

    connection.cancel()
    loop.run_until_complete(asyncio.gather(connection, return_exceptions=True))
    loop.run_until_complete(app.close())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert len(server.requests(CANCEL)) == 1


def test_a_connection_that_is_cancelled_before_it_waits_is_given_up_too(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(CONNECT, SESSION, headers=MARKED)
    server.answer(CANCEL, status=204)

    async def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("alter_sdk._visit.show", interrupted)

    async def main() -> None:
        async with App(APP_KEY) as app:
            with pytest.raises(KeyboardInterrupt):
                await app.connect()

    asyncio.run(main())
    assert len(server.requests(CANCEL)) == 1
    assert server.requests(POLL) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently there")
def test_ctrl_c_gives_the_session_up_on_the_vault(server: Scripted) -> None:
    server.answer(CONNECT, SESSION, headers=MARKED)
    server.answer(POLL, {"status": "pending"})
    server.answer(CANCEL, status=204)
    command = [sys.executable, str(PROGRAMS / "connect_until_interrupted.py"), APP_KEY]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    server.wait_for_requests(POLL, 1)
    program.send_signal(signal.SIGINT)
    printed, complained = program.communicate(timeout=30)
    assert SESSION["connect_url"] in printed
    assert complained == "interrupted\n"
    assert len(server.requests(CANCEL)) == 1


def test_events_come_on_the_callers_thread_before_the_result(server: Scripted) -> None:
    server.answer(POLL, pending("slack"))
    told: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def listener(event: dict[str, Any]) -> None:
            told.append((event["type"], event["provider_id"], asyncio.get_running_loop() is loop))
            server.answer(POLL, CONNECTED)

        async with App(APP_KEY) as app:
            await app.poll_connect_session(SESSION_TOKEN, poll_interval=0.01, on_event=listener)

    asyncio.run(main())
    assert told == [("provider_declined", "slack", True)]


def test_a_listener_that_raises_breaks_nothing(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    server.answer(POLL, pending("slack"))

    def listener(event: dict[str, Any]) -> None:
        server.answer(POLL, CONNECTED)
        raise ValueError(event)

    assert len(ask("poll_connect_session", SESSION_TOKEN, poll_interval=0.01, on_event=listener)) == 1
    assert "on_event raised ValueError" in caplog.text


async def _async_listener(event: dict[str, Any]) -> None:
    raise AssertionError(event)


class _AwaitedCall:
    async def __call__(self, event: dict[str, Any]) -> None:
        raise AssertionError(event)


@pytest.mark.parametrize("listener", [_async_listener, _AwaitedCall(), "tell me", 5], ids=str)
def test_a_listener_must_be_a_plain_function(listener: Any, server: Scripted) -> None:
    with pytest.raises(AlterValueError, match="on_event"):
        ask("poll_connect_session", SESSION_TOKEN, on_event=listener)
    assert server.requests() == []


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_that_the_program_waits_and_how_to_stop(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(CONNECT, SESSION)
    server.answer(POLL, CONNECTED)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ask("connect", open_browser=False)
    assert "Ctrl-C" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_members_of_enums_are_their_text(server: Scripted) -> None:
    server.answer(CONNECT, SESSION)
    ask("create_connect_session", allowed_providers=(Provider.GOOGLE,))
    assert sent(server, CONNECT)["allowed_providers"] == ["google"]


def test_a_deprecated_argument_is_warned_of_at_the_callers_line(server: Scripted) -> None:
    server.answer(MANAGED_CONNECT, {**SESSION, "path": None})
    # The engine says it once in the life of a process, and other tests may have been first.
    program = f"""
import asyncio, warnings
from alter_sdk import App
async def main():
    async with App({APP_KEY!r}) as app:
        for _ in range(2):
            await app.create_managed_secret_connect_session(template_slug="x", user_token="j", delegated_agent_name="n")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    asyncio.run(main())
print([(w.category.__name__, w.lineno, str(w.message)) for w in caught])
"""
    shown = _run_program(program)
    assert shown.count("DeprecationWarning") == 2
    assert "('DeprecationWarning', 7, 'template_slug is deprecated" in shown


def _run_program(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_an_agent_of_an_app_names_itself(server: Scripted) -> None:
    server.answer(MANAGED_CONNECT, {**SESSION, "path": None, "secret_slug": "openai"})

    async def main() -> None:
        async with App(APP_KEY) as app, app.get_agent(AGENT_ID) as agent:
            await agent.create_managed_secret_connect_session(provider="openai", user_token=USER_TOKEN)

    asyncio.run(main())
    assert sent(server, MANAGED_CONNECT) == {"provider": "openai", "agent": AGENT_ID, "user_token": USER_TOKEN}


def test_an_agent_has_no_calls_of_an_application() -> None:
    for name in ("mint_grant", "revoke_grant", "create_managed_secret_grant", "authenticate", "verify_user_token"):
        assert not hasattr(Agent, name)
    assert not hasattr(App, "delegate")


def test_a_constrained_client_narrows_these_calls_too(server: Scripted) -> None:
    server.answer(LIST, page())

    async def main() -> None:
        async with App(APP_KEY) as app:
            await app.with_constraints(scopes=["grants:read"]).list_grants()

    asyncio.run(main())
    (seen,) = server.requests(LIST)
    assert seen.header("x-alter-scope-constraints") == "grants:read"


def _arguments(**more: Any) -> dict[str, Any]:
    file = vectors("identity_assertions")
    return {"jwks": file["jwks"], **file["args"], **more}


def test_identity_assertions_are_verified_here() -> None:
    for case in vectors("identity_assertions")["cases"]:
        given = _arguments(**({"jwks": case["jwks"]} if "jwks" in case else {}), **case.get("args", {}))
        with pytest.raises(MemoryIsolationError) as caught:
            verify_identity_assertion(case["token"], **given)
        # All were made for a moment that has passed: one that is only too old got as far as its time.
        reasons = {case.get("reason", "lifetime"), "lifetime"}
        assert caught.value.details["reason"] in reasons, case["name"]
        assert (caught.value.code, case["token"] in str(caught.value)) == ("memory_assertion_invalid", False)


@pytest.mark.parametrize(
    "wrong", [{"issuer": ""}, {"audience": None}, {"jwks": []}, {"jwks": {}}, {"expected_agent_id": 5}]
)
def test_an_assertion_is_not_judged_by_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(AlterValueError, match=next(iter(wrong))):
        verify_identity_assertion("t", **_arguments(**wrong))


def _operations(client: App) -> list[Any]:
    return [
        client.list_grants(end_user_token=USER_TOKEN),
        client.create_connect_session(user_token=USER_TOKEN),
        client.create_managed_secret_connect_session(provider="x", user_token=USER_TOKEN),
        client.resolve_identity(user_token=USER_TOKEN),
        client.assert_identity(audience="a:b", user_token=USER_TOKEN),
        client.poll_connect_session(SESSION_TOKEN, timeout=0.01, poll_interval=0.01),
        client.poll_auth_session(SESSION_TOKEN, timeout=0.01, poll_interval=0.01),
    ]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
@pytest.mark.parametrize("raw", [b"not json", json.dumps({**SESSION, **SIGN_IN, "expires_in": "x"}).encode()])
def test_no_exception_and_no_log_line_holds_a_users_or_a_sessions_token(
    raw: bytes, status: int, server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer("/sdk/", raw=raw, status=status)

    async def main() -> None:
        async with App(APP_KEY) as app:
            for call in _operations(app):
                with pytest.raises(AlterSDKError) as caught:
                    await call
                error = caught.value
                shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
                # A refusal's own body is the vault's to fill; one below 400 is ours to keep.
                if status < 400:
                    assert SESSION_TOKEN not in shown
                assert USER_TOKEN not in shown
            assert USER_TOKEN not in texts_within(app)

    asyncio.run(main())
    assert USER_TOKEN not in caplog.text
    assert SESSION_TOKEN not in caplog.text


def test_a_time_out_and_a_missing_grant_are_told_by_their_classes(server: Scripted) -> None:
    server.answer(POLL, {"status": "pending"})
    with pytest.raises(ConnectTimeoutError):
        ask("poll_connect_session", SESSION_TOKEN, timeout=0.02, poll_interval=0.01)
    server.answer("/sdk/grants/", {"error": "grant_not_found"}, status=404)
    with pytest.raises(GrantNotFoundError):
        ask("mint_grant", GRANT, label="l")
