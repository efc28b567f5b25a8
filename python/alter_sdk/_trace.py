"""The trace that a program's calls belong to: its context goes with each of them."""

from __future__ import annotations

import json
import warnings
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from alter_sdk import _engine

if TYPE_CHECKING:
    from types import TracebackType

_context: ContextVar[dict[str, str] | None] = ContextVar("alter_sdk_trace", default=None)


def surroundings() -> list[tuple[str, str]]:
    """The context of the trace around, in its order."""
    return list((_context.get() or {}).items())


class Trace(AbstractAsyncContextManager[None]):
    """A trace that is entered with `async with`. Concurrent tasks have traces of their own."""

    __slots__ = ("_arguments", "_entered", "_token")

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments
        self._token: Token[dict[str, str] | None] | None = None
        self._entered = False

    async def __aenter__(self) -> None:
        self._entered = True
        around = _context.get()
        context = _engine.local_call("trace_context", {**self._arguments, "surroundings": around or {}})
        self._token = _context.set(json.loads(context))

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if self._token is not None:
            _context.reset(self._token)
            self._token = None

    def __del__(self) -> None:
        if not getattr(self, "_entered", True):
            warnings.warn("trace() was never entered: use `async with`", ResourceWarning, stacklevel=2, source=self)
