"""The end user's token: given, asked for, or not to be had."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest

from alter_sdk import AlterSDKError, App
from scripted import APP_KEY, GRANT, Scripted

LEAK = "jwt-that-must-not-leak"


def call(server: Scripted, getter: Any, **arguments: Any) -> None:
    async def main() -> None:
        async with App(APP_KEY, user_token_getter=getter) as app:
            await app.request("GET", f"{server.url}/p/x", grant_id=GRANT, **arguments)

    asyncio.run(main())


def token_sent(server: Scripted) -> Any:
    (seen,) = server.requests("/sdk/token")
    return seen.json().get("user_token")


async def asynchronous() -> str:
    await asyncio.sleep(0)
    return "from-coroutine"


def test_getters_of_both_kinds(server: Scripted) -> None:
    call(server, lambda: "from-function")
    assert token_sent(server) == "from-function"
    server.reset()
    call(server, asynchronous)
    assert token_sent(server) == "from-coroutine"


def test_a_token_of_the_call_wins_and_the_getter_is_not_asked(server: Scripted) -> None:
    asked: list[int] = []
    call(server, lambda: asked.append(1), user_token="mine")
    assert token_sent(server) == "mine"
    assert asked == []


def test_an_asynchronous_getter_runs_on_the_callers_loop(server: Scripted) -> None:
    loops: list[Any] = []

    async def getter() -> str:
        loops.append(asyncio.get_running_loop())
        return "t"

    async def main() -> None:
        async with App(APP_KEY, user_token_getter=getter) as app:
            await app.request("GET", f"{server.url}/p/x", grant_id=GRANT)
            assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())


def failing() -> str:
    raise RuntimeError(LEAK)


async def failing_later() -> str:
    raise RuntimeError(LEAK)


@pytest.mark.parametrize("getter", [failing, failing_later, lambda: "", lambda: None, lambda: 5, lambda: b"t"])
def test_a_getter_that_fails_tells_nothing_of_its_own(getter: Any, server: Scripted) -> None:
    with pytest.raises(AlterSDKError) as caught:
        call(server, getter)
    assert type(caught.value) is AlterSDKError
    assert "user_token_getter" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert LEAK not in "".join(traceback.format_exception(caught.value))
    assert server.requests() == []


def test_cancelling_while_the_getter_waits_sends_nothing(server: Scripted) -> None:
    async def main() -> None:
        waiting = asyncio.Event()

        async def getter() -> str:
            waiting.set()
            await asyncio.Event().wait()
            return "never"

        async with App(APP_KEY, user_token_getter=getter) as app:
            task = asyncio.create_task(app.request("GET", f"{server.url}/p/x", grant_id=GRANT))
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert server.requests() == []
