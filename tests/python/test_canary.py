"""The credential is nowhere that Python code can look."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alter_sdk import Agent, AlterSDKError, App
from scripted import AGENT_KEY, APP_KEY, GRANT, SECRET, TOKEN, Scripted

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
    assert_silent(shown)


def assert_silent(text: str) -> None:
    for canary in (SECRET, MORE, AWS, APP_KEY, AGENT_KEY):
        assert canary not in text


class Everything(logging.Handler):
    """Keeps what any logger says, formatted and as it was before."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()} {vars(record)}")


@pytest.fixture
def told() -> Iterator[list[str]]:
    """All log lines and warnings of the test, at a level below DEBUG; nothing of them may be secret."""
    handler, root = Everything(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield handler.lines
    root.removeHandler(handler)
    root.setLevel(before)
    assert_silent("\n".join([*handler.lines, *(str(warning.message) for warning in caught)]))


def test_the_search_finds_what_is_there() -> None:
    with pytest.raises(AssertionError):
        assert_clean({"/p/": [("deep", {"down": SECRET})]})
    with pytest.raises(AssertionError, match="reached nothing"):
        assert_clean([])


def test_the_log_is_kept_down_to_the_last_level(told: list[str]) -> None:
    logging.getLogger("alter_sdk.deep").log(1, "a %s", "detail")
    assert any(line.startswith("alter_sdk.deep a detail") for line in told)
    told.clear()


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


# What each way of failing is, and the error's class. Every one of them has the credential or the key at hand.
FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "the provider refuses": ({"at": "/p/", "payload": {}, "status": 401}, "/p/x", "ProviderAPIError"),
    "the provider needs more scopes": (
        {
            "at": "/p/",
            "payload": {},
            "status": 403,
            "headers": {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="a b"'},
        },
        "/p/x",
        "ScopeReauthRequiredError",
    ),
    "the provider fails": ({"at": "/p/", "payload": {}, "status": 500}, "/p/x", "ProviderAPIError"),
    "the provider is silent": ({"at": "/p/", "payload": {}, "hold": True}, "/p/x", "TimeoutError"),
    "the vault is silent": ({"at": "/sdk/token", "payload": {}, "hold": True}, "/p/x", "TimeoutError"),
    "nobody listens": ({"at": "/p/"}, "http://127.0.0.1:9/p/", "NetworkError"),
    "clear text where TLS is spoken": ({"at": "/p/"}, "https://127.0.0.1:{port}/p/x", "NetworkError"),
    "a bad URL": ({"at": "/p/"}, "/p/{missing}", "AlterValueError"),
    "a cut-off answer": ({"at": "/sdk/token", "raw": f'{{"access_token": "{SECRET}"'.encode()}, "/p/x", "BackendError"),
    "an answer without a grant": ({"at": "/sdk/token", "payload": {"access_token": SECRET}}, "/p/x", "BackendError"),
    "a token with a line break": (
        {"at": "/sdk/token", "payload": {**TOKEN, "access_token": f"{SECRET}\n"}},
        "/p/x",
        "BackendError",
    ),
    "a credential that is a list": (
        {"at": "/sdk/token", "payload": {**TOKEN, "additional_credentials": {"pin": [MORE]}}},
        "/p/x",
        "BackendError",
    ),
    "a forbidden header": (
        {"at": "/sdk/token", "payload": {**TOKEN, "injection_header": "Host"}},
        "/p/x",
        "BackendError",
    ),
    "a refusal of the key": (
        {"at": "/sdk/token", "payload": {"error": "invalid_key"}, "status": 401},
        "/p/x",
        "BackendError",
    ),
    "a fault with a credential in it": ({"at": "/sdk/token", "payload": TOKEN, "status": 500}, "/p/x", "BackendError"),
    "a closed client": ({"at": "/p/"}, "/p/x", "AlterSDKError"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_whatever_fails_shows_nothing(name: str, server: Scripted, told: list[str]) -> None:
    answer, target, expected = FAILURES[name]
    if len(answer) > 1:
        server.answer(**answer)
    url = target if "://" in target else server.url + target
    url = url.replace("{port}", str(server.port))

    async def main() -> None:
        for client in (App(APP_KEY, timeout=0.5), Agent(AGENT_KEY, timeout=0.5)):
            if name == "a closed client":
                await client.close()
            with pytest.raises(AlterSDKError) as caught:
                await client.request("POST", url, grant_id=GRANT, json={"a": 1})
            error = caught.value
            assert expected in [kind.__name__ for kind in type(error).__mro__]
            with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
            copies = [pickle.dumps(error), copy.copy(error), copy.deepcopy(error)]
            assert_clean("/p/", error, vars(error), error.__traceback__, *with_locals.format(), *copies, client)
            await client.close()

    asyncio.run(main())


@pytest.mark.parametrize("client", [App(APP_KEY), Agent(AGENT_KEY)], ids=["App", "Agent"])
def test_a_client_is_not_copied_and_says_nothing_about_its_key(client: Any) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, vars):
        try:
            assert_clean("/p/", attempt(client))
        except TypeError as refused:
            assert_silent(repr(refused))
    assert_silent(f"{client!r} {client}")


def test_copies_of_a_response_are_clean(server: Scripted, told: list[str]) -> None:
    async def main() -> None:
        async with App(APP_KEY) as app:
            response: Any = await app.request("GET", f"{server.url}/p/x", grant_id=GRANT)
            again: Any = pickle.loads(pickle.dumps(response))
            assert (again.status_code, again.text) == (200, response.text)
            assert_clean(again, copy.copy(response), copy.deepcopy(response), vars(response))

    asyncio.run(main())


def test_a_program_that_says_all_it_can_says_no_secret(server: Scripted) -> None:
    server.answer("/p/refused", {}, status=401)
    server.answer("/p/held", {}, hold=True)
    server.answer("/sdk/oauth/audit", {}, status=403)
    program = Path(__file__).resolve().parent / "programs" / "everything_logged.py"
    loud = {"RUST_LOG": "trace", "RUST_BACKTRACE": "full", "PYTHONASYNCIODEBUG": "1", "PYTHONTRACEMALLOC": "5"}
    command = [sys.executable, "-X", "dev", "-W", "always", str(program), server.url, APP_KEY, GRANT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **loud})
    assert done.returncode == 0, done.stderr
    assert "DEBUG:asyncio" in done.stderr, "the log is not on"
    assert "TimeoutError" in done.stdout, "the errors were not shown"
    assert "app = " in done.stdout, "the locals were not shown"
    # The program was given the key as an argument, and the locals of its module are not in a traceback of a coroutine.
    assert_silent(done.stdout + done.stderr)
    assert SECRET in f"{[seen.headers for seen in server.requests('/p/')]}"


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
