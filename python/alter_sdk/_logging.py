"""Where a client's log lines and warnings go: the logger that the program gave, else `alter_sdk`."""

from __future__ import annotations

import contextlib
import itertools
import logging
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from alter_sdk.exceptions import AlterSDKError

if TYPE_CHECKING:
    from collections.abc import Iterable

_default = logging.getLogger("alter_sdk")
# A program that set up no logging gets nothing on its stderr from us.
_default.addHandler(logging.NullHandler())
_numbers = itertools.count(1)
_reporters: weakref.WeakValueDictionary[int, Reporter] = weakref.WeakValueDictionary()


class Reporter:
    """Says what one client has to say."""

    __slots__ = ("__weakref__", "logger", "number")

    def __init__(self, logger: Any) -> None:
        self.logger: Any = _default if logger is None else logger
        self.number = next(_numbers)
        _reporters[self.number] = self

    def log(self, level: str, message: str) -> None:
        """Writes one line. A logger that raises breaks no call."""
        method = getattr(self.logger, level, None)
        if callable(method):
            with contextlib.suppress(Exception):
                # The message is complete: a percent sign in it is no place holder.
                method("%s", message)

    def warn(self, message: str, stacklevel: int, category: type[Warning] = UserWarning) -> None:
        """Warns the program's author at the line of the call; where warnings are errors, the logger gets it instead."""
        try:
            warnings.warn(message, category, stacklevel=stacklevel + 1)
        except Warning:
            self.log("warning", message)


def check_logger(logger: Any) -> None:
    """Refuses what cannot take a warning."""
    if logger is not None and not callable(getattr(logger, "warning", None)):
        raise AlterSDKError(
            f"logger must have a method warning(), as logging.Logger has; {type(logger).__name__} has none."
        )


def write(number: int, lines: Iterable[tuple[str, str]]) -> None:
    """Writes the log lines of a client. One that is gone by now is spoken for by the package's own logger."""
    reporter = _reporters.get(number) or Reporter(None)
    for level, message in lines:
        reporter.log(level, message)
