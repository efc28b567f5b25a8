"""The answer of a provider: an `httpx.Response` whose parts are made when somebody looks at them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from alter_sdk import _engine
    from alter_sdk.models import RetryInfo

_MOVED_PERMANENTLY = 301
_FOUND = 302
_SEE_OTHER = 303


class Response(httpx.Response):
    """A provider's answer, read whole.

    It is an `httpx.Response` in every way, plus `retry_info`. Its `request` and `url` are those of the call without
    what the vault's credential added to it.
    """

    def __getattr__(self, name: str) -> Any:
        # Called only for what is not there yet. httpx keeps its state in instance attributes, so each of them can be
        # made at first sight: most programs look at two or three.
        make = _PARTS.get(name)
        raw = self.__dict__.get("_raw")
        if make is None or raw is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = make(self, raw)
        return value

    @property
    def retry_info(self) -> RetryInfo | None:
        """What the vault went through to get the credential; `None` if it said nothing."""
        info: RetryInfo | None = self.__dict__.get("_retry_info")
        raw: _engine.RawResponse | None = self.__dict__.get("_raw")
        if info is None and raw is not None and raw.retry_info is not None:
            from alter_sdk.models import RetryInfo

            info = self.__dict__["_retry_info"] = RetryInfo.model_validate_json(raw.retry_info)
        return info

    def __getstate__(self) -> dict[str, Any]:
        if "_raw" in self.__dict__:
            self.__dict__["_retry_info"] = self.retry_info
            for name in _PARTS:
                getattr(self, name)
        state = super().__getstate__()
        state.pop("_raw", None)
        return state


def make_response(raw: _engine.RawResponse) -> Response:
    """The public response of an answer of the engine's."""
    response = Response.__new__(Response)
    response.__dict__["_raw"] = raw
    return response


def from_parts(status_code: int, headers: dict[str, str], body: bytes) -> httpx.Response:
    """The response of an answer that the vault got and gives as its parts. The body is decoded already."""
    framing = {"content-encoding", "content-length", "transfer-encoding"}
    kept = {name: value for name, value in headers.items() if name.lower() not in framing}
    return httpx.Response(status_code, headers=kept, content=body)


def _request(_: Response, raw: _engine.RawResponse) -> httpx.Request:
    return httpx.Request(raw.request_method, raw.request_url, headers=raw.request_headers, content=raw.request_body)


def _extensions(_: Response, raw: _engine.RawResponse) -> dict[str, Any]:
    extensions: dict[str, Any] = {"http_version": raw.http_version}
    if raw.reason_phrase is not None:
        extensions["reason_phrase"] = raw.reason_phrase
    return extensions


def _next_request(response: Response, _: _engine.RawResponse) -> httpx.Request | None:
    """The request that would follow a redirect. The engine never makes it; like `request`, it has no credential."""
    if not response.has_redirect_location:
        return None
    request = response.request
    try:
        url = request.url.join(response.headers["Location"])
    except httpx.InvalidURL:
        return None
    if request.url.fragment and not url.fragment:
        url = url.copy_with(fragment=request.url.fragment)
    to_get = (response.status_code in (_FOUND, _SEE_OTHER) and request.method != "HEAD") or (
        response.status_code == _MOVED_PERMANENTLY and request.method == "POST"
    )
    left_out = {"host", "cookie"}
    if _origin(url) != _origin(request.url):
        left_out.add("authorization")
    if to_get:
        left_out.update(("content-length", "transfer-encoding"))
    headers = [(name, value) for name, value in request.headers.multi_items() if name not in left_out]
    if to_get:
        return httpx.Request("GET", url, headers=headers)
    return httpx.Request(request.method, url, headers=headers, content=request.content)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


# What httpx.Response keeps in its instances, and how each part is made of the engine's answer.
_PARTS: dict[str, Callable[[Response, Any], Any]] = {
    "status_code": lambda _, raw: raw.status_code,
    "headers": lambda _, raw: httpx.Headers(raw.headers),
    "_content": lambda _, raw: raw.body,
    "_request": _request,
    "next_request": _next_request,
    "extensions": _extensions,
    "history": lambda _, __: [],
    "is_closed": lambda _, __: True,
    "is_stream_consumed": lambda _, __: True,
    "default_encoding": lambda _, __: "utf-8",
    "stream": lambda response, _: httpx.ByteStream(response.content),
    "_elapsed": lambda _, raw: timedelta(seconds=raw.elapsed),
    "_num_bytes_downloaded": lambda _, raw: raw.bytes_on_wire,
}
