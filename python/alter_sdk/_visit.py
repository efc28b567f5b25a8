"""Sending a person to an address, and showing that the program waits."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import webbrowser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


async def show(url: str, *, open_browser: bool) -> None:
    """Opens the browser if that is wanted, and prints the address: the browser may open where nobody looks."""
    opened = open_browser and await asyncio.to_thread(_open, url)
    print("Your browser was opened. If nothing shows there, visit:" if opened else "Please visit:", url, flush=True)


def _open(url: str) -> bool:
    # The library of a desktop may raise anything; the address is printed in any case.
    with contextlib.suppress(Exception):
        return webbrowser.open(url)
    return False


@contextlib.contextmanager
def waiting() -> Generator[None, None, None]:
    """On a terminal, says that the program waits and how to stop it, for as long as it waits."""
    out = sys.stderr
    # A program without a console has no stderr at all.
    if not (out and out.isatty()):
        yield
        return
    out.write("Waiting for you to finish in the browser. Ctrl-C stops.")
    out.flush()
    try:
        yield
    finally:
        out.write("\r\x1b[K")
        out.flush()
