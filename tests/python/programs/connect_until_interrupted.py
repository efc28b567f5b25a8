"""Waits for a person who never comes, until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys

from alter_sdk import App


async def main() -> None:
    async with App(sys.argv[1]) as app:
        await app.connect(open_browser=False, poll_interval=0.01)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
