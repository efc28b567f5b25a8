"""The credential is nowhere that Python code can look."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import traceback
from typing import Any

import pytest

from alter_sdk import AlterSDKError, App
from scripted import APP_KEY, GRANT, SECRET, TOKEN, Scripted

MORE = "second-canary-71aa"
AWS = "aws-secret-canary-11"

CREDENTIALS = {
    "header": TOKEN,
    "several": {
        **TOKEN,
        "additional_credentials": {"pin": MORE},
        "additional_injections": [
            {"target": "header", "key": "X-Pin", "value_source": "additional_credentials.pin"},
            {"target": "query_param", "key": "pin", "value_source": "additional_credentials.pin"},
        ],
    },
    "aws": {
        **TOKEN,
        "injection_format": "AWS4-HMAC-SHA256",
        "additional_credentials": {"secret_key": AWS, "session_token": MORE, "region": "us-east-1", "service": "s3"},
    },
}


def texts_within(*roots: Any) -> str:
    """Everything printable that can be reached from some objects, as a debugger or a memory profiler reaches it."""
    seen: set[int] = set()
    waiting: list[Any] = list(roots)
    found: list[str] = []
    while waiting and len(seen) < 20_000:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type) or type(thing).__name__ in ("module", "frame", "function"):
            continue
        seen.add(id(thing))
        found.append(repr(thing) if not isinstance(thing, bytes) else thing.decode("latin-1"))
        waiting.extend(gc.get_referents(thing))
        for name in dir(thing) if "alter_sdk" in type(thing).__module__ else ():
            try:
                waiting.append(getattr(thing, name))
            except Exception as error:
                found.append(repr(error))
    return "\n".join(found)


def assert_clean(*things: Any) -> None:
    shown = texts_within(*things)
    assert "/p/" in shown, "the search reached nothing of the call"
    for canary in (SECRET, MORE, AWS, APP_KEY):
        assert canary not in shown


def test_the_search_finds_what_is_there() -> None:
    with pytest.raises(AssertionError):
        assert_clean({"/p/": [("deep", {"down": SECRET})]})
    with pytest.raises(AssertionError, match="reached nothing"):
        assert_clean([])


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_response_and_its_client_are_clean(kind: str, server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    server.answer("/sdk/token", CREDENTIALS[kind])
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with App(APP_KEY) as app:
            response: Any = await app.request("POST", f"{server.url}/p/x", grant_id=GRANT, json={"a": 1})
            assert_clean(response, app, pickle.dumps(response))

    asyncio.run(main())
    # The provider did see it: the search above looked for the right thing.
    (seen,) = server.requests("/p/")
    assert SECRET in f"{seen.headers}"
    for report in server.requests("/sdk/oauth/audit"):
        assert not any(canary in report.body.decode() for canary in (SECRET, MORE, AWS))
    assert not any(canary in caplog.text for canary in (SECRET, MORE, AWS))


@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_exception_is_clean(kind: str, status: int, server: Scripted) -> None:
    server.answer("/sdk/token", CREDENTIALS[kind])
    server.answer("/p/", {"error": "no"}, status=status)

    async def main() -> None:
        async with App(APP_KEY) as app:
            with pytest.raises(AlterSDKError) as caught:
                await app.request("POST", f"{server.url}/p/x", grant_id=GRANT)
            error = caught.value
            printed = "".join(traceback.format_exception(error))
            assert_clean(error, vars(error), printed, pickle.dumps(error), error.__traceback__)

    asyncio.run(main())


def test_a_token_that_cannot_be_a_header_is_not_told(server: Scripted) -> None:
    server.answer("/sdk/token", {**TOKEN, "access_token": f"{SECRET}\u00e9"})

    async def main() -> None:
        async with App(APP_KEY) as app:
            with pytest.raises(AlterSDKError) as caught:
                await app.request("GET", f"{server.url}/p/x", grant_id=GRANT)
            printed = "".join(traceback.format_exception(caught.value))
            assert SECRET not in printed + repr(vars(caught.value))

    asyncio.run(main())
    assert server.requests("/p/") == []
