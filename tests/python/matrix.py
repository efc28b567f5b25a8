"""What the tests of the seed documents' acceptance rows share."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
from collections.abc import Coroutine
from types import CodeType, FunctionType
from typing import Any

import pytest

from alter_sdk import AlterSDKError, App
from scripted import APP_KEY, GRANT, Scripted, Seen

_ORIGIN = re.compile(r"https://[^/\"]+")


def call(server: Scripted, method: Any = "GET", path: str = "/p/x", *, client: Any = None, **arguments: Any) -> Any:
    """The response of one `request` of a fresh client, which names the usual grant unless it names a provider."""
    if "provider" not in arguments:
        arguments.setdefault("grant_id", GRANT)

    async def main() -> Any:
        async with client or App(APP_KEY) as opened:
            return await opened.request(method, server.url + path, **arguments)

    return asyncio.run(main())


def refused(server: Scripted, kind: type[AlterSDKError], **arguments: Any) -> AlterSDKError:
    """The error of a call that must fail with exactly this class before anything is sent."""
    with pytest.raises(AlterSDKError) as caught:
        call(server, **arguments)
    assert type(caught.value) is kind
    assert server.requests() == []
    return caught.value


def failed(server: Scripted, code: str, status: int, **facts: Any) -> Any:
    """The error of a call that the vault answers with a code."""
    server.answer("/sdk/token", {"error": code, "message": "said by the vault", **facts}, status=status)
    with pytest.raises(AlterSDKError) as caught:
        call(server)
    assert server.requests("/p/") == []
    return caught.value


def provider_request(server: Scripted, at: str = "/p/") -> Seen:
    """The one request that the provider got."""
    (seen,) = server.requests(at)
    return seen


def token_request(server: Scripted) -> Any:
    """The body of the one request for a token."""
    (seen,) = server.requests("/sdk/token")
    return seen.json()


def reports(server: Scripted) -> list[Any]:
    """The audit reports of the calls made."""
    return [seen.json() for seen in server.requests("/sdk/oauth/audit")]


def run_example(text: str, server: Scripted, **names: Any) -> dict[str, Any]:
    """Runs a printed example with `await` at its top level, and returns its names afterwards.

    Two things are changed: URLs lead to the scripted server, and the key of the page, which is no key, is replaced.
    """
    source = _ORIGIN.sub(server.url, textwrap.dedent(text)).replace("alter_key_...", APP_KEY)
    code = compile(source, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    asyncio.run(_finish(code, names))
    return names


async def _finish(code: CodeType, names: dict[str, Any]) -> None:
    outcome = FunctionType(code, names)()
    if inspect.iscoroutine(outcome):
        await outcome


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine on a loop of its own."""
    return asyncio.run(main)
