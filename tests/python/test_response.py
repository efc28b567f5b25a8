"""The response is an `httpx.Response`, in every way somebody can look at it."""

from __future__ import annotations

import asyncio
import copy
import datetime
import gzip
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from alter_sdk import App, RetryInfo
from scripted import APP_KEY, GRANT, SECRET, TOKEN, Scripted


def fetch(server: Scripted, method: str = "GET", path: str = "/p/x", **arguments: Any) -> Any:
    async def main() -> httpx.Response:
        async with App(APP_KEY) as app:
            return await app.request(method, server.url + path, grant_id=GRANT, **arguments)

    return asyncio.run(main())


def reference(server: Scripted, method: str = "GET", path: str = "/p/x") -> httpx.Response:
    """The same answer as httpx itself gives it."""

    async def main() -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.request(method, server.url + path)

    return asyncio.run(main())


VIEWS: dict[str, Callable[[httpx.Response], Any]] = {
    "status_code": lambda r: r.status_code,
    "reason_phrase": lambda r: r.reason_phrase,
    "http_version": lambda r: r.http_version,
    "headers": lambda r: dict(r.headers),
    "repeated header": lambda r: r.headers.get_list("x-many"),
    "content": lambda r: r.content,
    "text": lambda r: r.text,
    "encoding": lambda r: r.encoding,
    "charset_encoding": lambda r: r.charset_encoding,
    "default_encoding": lambda r: r.default_encoding,
    "cookies": lambda r: dict(r.cookies),
    "links": lambda r: r.links,
    "url": lambda r: r.url,
    "request.method": lambda r: r.request.method,
    "request.url": lambda r: r.request.url,
    "history": lambda r: r.history,
    "next_request": lambda r: r.next_request and (r.next_request.method, r.next_request.url),
    "has_redirect_location": lambda r: r.has_redirect_location,
    "is_success": lambda r: r.is_success,
    "is_redirect": lambda r: r.is_redirect,
    "is_informational": lambda r: r.is_informational,
    "is_client_error": lambda r: r.is_client_error,
    "is_server_error": lambda r: r.is_server_error,
    "is_error": lambda r: r.is_error,
    "is_closed": lambda r: r.is_closed,
    "is_stream_consumed": lambda r: r.is_stream_consumed,
    "num_bytes_downloaded": lambda r: r.num_bytes_downloaded,
    "elapsed": lambda r: isinstance(r.elapsed, datetime.timedelta) and r.elapsed > datetime.timedelta(0),
    "iter_bytes": lambda r: list(r.iter_bytes(3)),
    "iter_text": lambda r: list(r.iter_text(3)),
    "iter_lines": lambda r: list(r.iter_lines()),
    "read": lambda r: r.read(),
    "repr": repr,
}

ANSWERS: dict[str, dict[str, Any]] = {
    "json": {
        "raw": b'{"a": 1}',
        "headers": {"X-Many": "1", "Set-Cookie": "c=1; Path=/", "Link": '<https://h/2>; rel="next"'},
    },
    "latin-1": {
        "raw": "caf\u00e9\nzwei".encode("latin-1"),
        "headers": {"content-type": "text/plain; charset=iso-8859-1"},
    },
    "gzip": {"raw": gzip.compress(b"x" * 1000), "headers": {"content-encoding": "gzip", "content-type": "text/plain"}},
    "empty": {"raw": b"", "status": 204},
    "redirect": {"raw": b"", "status": 302, "headers": {"location": "/p/other?x=1"}},
    "see other": {"raw": b"", "status": 303, "headers": {"location": "https://other.example/y"}},
    "no location": {"raw": b"", "status": 301},
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_view_is_that_of_httpx(answer: str, server: Scripted) -> None:
    server.answer("/p/", **ANSWERS[answer])
    theirs = reference(server)
    for view, look in VIEWS.items():
        # A fresh response each time: no view may depend on another having been looked at before.
        assert (view, look(fetch(server))) == (view, look(theirs))


def test_it_is_a_real_response(server: Scripted) -> None:
    response = fetch(server)
    assert isinstance(response, httpx.Response)
    assert response.json() == {"hello": 1}
    assert response.raise_for_status() is response
    with pytest.raises(AttributeError, match="no_such"):
        _ = response.no_such


def test_a_redirect_is_an_answer_that_raises_if_asked(server: Scripted) -> None:
    server.answer("/p/", status=302, headers={"location": "/p/y"})
    response = fetch(server)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        response.raise_for_status()
    assert caught.value.response is response
    assert len(server.requests("/p/")) == 1


def test_asynchronous_views(server: Scripted) -> None:
    server.answer("/p/", raw=b"eins\nzwei")

    async def main() -> None:
        async with App(APP_KEY) as app:
            response = await app.request("GET", f"{server.url}/p/x", grant_id=GRANT)
        assert [part async for part in response.aiter_bytes(4)] == [b"eins", b"\nzwe", b"i"]
        assert [part async for part in response.aiter_text()] == ["eins\nzwei"]
        assert [line async for line in response.aiter_lines()] == ["eins", "zwei"]
        assert await response.aread() == b"eins\nzwei"
        await response.aclose()
        with pytest.raises(httpx.StreamConsumed):
            [part async for part in response.aiter_raw()]

    asyncio.run(main())


def test_encoding_can_be_set_until_the_text_was_read(server: Scripted) -> None:
    server.answer("/p/", raw="é".encode("latin-1"), headers={"content-type": "text/plain"})
    response = fetch(server)
    response.encoding = "latin-1"
    assert response.text == "é"
    with pytest.raises(ValueError, match="encoding"):
        response.encoding = "utf-8"


@pytest.mark.parametrize("copied", [copy.copy, lambda r: pickle.loads(pickle.dumps(r))], ids=["copy", "pickle"])
def test_copies_keep_everything(copied: Any, server: Scripted) -> None:
    retry = {"total_attempts": 1, "successful_attempt": 1}
    server.answer("/sdk/token", {**TOKEN, "retry_info": retry})
    response = fetch(server, "POST", json={"a": 1})
    twin = copied(response)
    assert type(twin) is type(response)
    for view in ("status_code", "content", "headers", "url", "elapsed", "num_bytes_downloaded"):
        assert getattr(twin, view) == getattr(response, view)
    assert twin.request.content == b'{"a":1}'
    assert twin.retry_info == RetryInfo(**retry)


def test_the_request_is_shown_without_the_credential(server: Scripted) -> None:
    pin = "pin-canary-55"
    server.answer(
        "/sdk/token",
        {
            **TOKEN,
            "injection_header": "X-Key",
            "additional_credentials": {"pin": pin},
            "additional_injections": [
                {"target": "header", "key": "X-Pin", "value_source": "additional_credentials.pin"},
                {"target": "query_param", "key": "pin", "value_source": "additional_credentials.pin"},
            ],
        },
    )
    response = fetch(server, "POST", query_params={"q": "1"}, json={"a": 1}, headers={"X-Mine": "2"})
    (seen,) = server.requests("/p/")
    assert (seen.header("x-key"), seen.header("x-pin")) == (f"Bearer {SECRET}", pin)
    assert "pin=" + pin in seen.target
    assert str(response.url) == f"{server.url}/p/x?q=1"
    assert response.request.headers["x-mine"] == "2"
    assert response.request.headers["content-type"] == "application/json"
    assert response.request.content == b'{"a":1}'
    shown = f"{response.request.headers.multi_items()} {response.url} {vars(response)}"
    assert pin not in shown
    assert SECRET not in shown


def test_retry_info_of_a_response_without_any(server: Scripted) -> None:
    assert fetch(server).retry_info is None
